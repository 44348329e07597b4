"""SQL of versions: what runs read and wrote, joined with what lay there when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, or_, select, union, update

from assetgraph.catalog.tables import ASSET, VERSION, VERSION_FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.lineage.tables import EDGE, RUN, EdgeKind
from assetgraph.openlineage.tables import FACET, RUN_DATASET
from assetgraph.quality.tables import BASELINE, INCIDENT, METRIC, RESULT

#: Versions that only readers speak for: no reading is resolved to them but those that made them.
_SEEN = "seen:%"


@Prepared
def _places_of_runs(dialect: str) -> Any:
    wanted = given(dialect, int)
    columns = (
        RUN_DATASET, RUN.c.completed_at, RUN.c.streaming, RUN.c.run_id, RUN.c.first_at.label("run_first_at"),
        ASSET.c.namespace.label("job_namespace"), ASSET.c.key.label("job_key"),
    )  # fmt: skip
    joined = (
        wanted.join(RUN_DATASET, RUN_DATASET.c.by_id == wanted.c.k0)
        .join(RUN, RUN.c.id == wanted.c.k0)
        .join(ASSET, ASSET.c.id == RUN.c.job_id)
    )
    return select(*columns).select_from(joined)


def places_of_runs(session: Session, runs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return what runs read and wrote, with the run's times and its job's name."""
    return _places_of_runs.rows(session, given=ids(runs))


@Prepared
def _versions_of_origins(dialect: str) -> Any:
    wanted = given(dialect, int, str)
    same = and_(VERSION.c.dataset_id == wanted.c.k0, VERSION.c.origin == wanted.c.k1)
    columns = (VERSION.c.id, VERSION.c.dataset_id, VERSION.c.origin, VERSION.c.effective_at)
    return select(*columns).select_from(wanted.join(VERSION, same))


def versions_of_origins(session: Session, origins: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Row[Any]]:
    """Return versions by (dataset, origin)."""
    found = _versions_of_origins.rows(session, given=rows(origins))
    return {(int(row.dataset_id), str(row.origin)): row for row in found}


@Prepared
def _newest_numbers(dialect: str) -> Any:
    wanted = given(dialect, int)
    newest = select(func.max(VERSION.c.number)).where(VERSION.c.dataset_id == wanted.c.k0).scalar_subquery()
    return select(wanted.c.k0, newest.label("number"))


def newest_numbers(session: Session, datasets: Sequence[int]) -> dict[int, int]:
    """Return the highest version number of datasets that have versions."""
    found = _newest_numbers.rows(session, given=ids(datasets))
    return {int(row.k0): int(row.number) for row in found if row.number is not None}


_INSERT_VERSIONS = insert(VERSION)


def insert_versions(session: Session, versions: Sequence[dict[str, Any]]) -> None:
    """Insert the typed rows of versions."""
    session.execute(_INSERT_VERSIONS, list(versions))


_SET_EFFECTIVE = update(VERSION).where(VERSION.c.id == bindparam("version")).values(effective_at=bindparam("at"))


def set_effective(session: Session, dates: Mapping[int, datetime]) -> None:
    """Set since when versions are in force."""
    if dates:
        session.execute(_SET_EFFECTIVE, [{"version": version, "at": at} for version, at in dates.items()])


@Prepared
def _readings(dialect: str) -> Any:
    wanted = given(dialect, int, int)
    out, made = RUN_DATASET.alias("out"), VERSION.alias("made")
    before = (
        select(func.min(made.c.effective_at))
        .select_from(out.join(made, made.c.id == out.c.version_id))
        .where(out.c.by_id == RUN_DATASET.c.by_id, out.c.direction == "OUT")
        .correlate(RUN_DATASET)
        .scalar_subquery()
    )
    there = VERSION.alias("there")
    settled = (
        select(there.c.id)
        .where(
            there.c.dataset_id == RUN_DATASET.c.dataset_id, there.c.effective_at <= RUN_DATASET.c.first_at,
            or_(before.is_(None), there.c.effective_at < before),
            or_(there.c.origin.is_(None), there.c.origin.not_like(_SEEN)),
        )
        .order_by(there.c.effective_at.desc(), there.c.origin.desc())
        .limit(1)
        .correlate(RUN_DATASET)
        .scalar_subquery()
    )  # fmt: skip
    named, writer = VERSION.alias("named"), RUN_DATASET.alias("writer")
    is_named = and_(
        named.c.dataset_id == RUN_DATASET.c.dataset_id, named.c.external_version == RUN_DATASET.c.label,
        named.c.origin.like("label:%"),
    )  # fmt: skip
    written = (
        select(func.count()).where(writer.c.version_id == named.c.id, writer.c.direction == "OUT")
        .correlate(named).scalar_subquery()
    )  # fmt: skip
    columns = (
        RUN_DATASET, before.label("before"), settled.label("settled"), named.c.id.label("labelled"),
        named.c.effective_at.label("label_at"), written.label("written"),
    )  # fmt: skip
    mine = and_(
        RUN_DATASET.c.by_id == wanted.c.k0, RUN_DATASET.c.dataset_id == wanted.c.k1, RUN_DATASET.c.direction == "IN"
    )
    joined = wanted.join(RUN_DATASET, mine).join(RUN, RUN.c.id == RUN_DATASET.c.by_id).outerjoin(named, is_named)
    return select(*columns).select_from(joined)


def readings(session: Session, places: Sequence[tuple[int, int]]) -> Sequence[Row[Any]]:
    """Return readings by (run, dataset) with all that decides which version they are of.

    `before`: when the run's own first output came to be; `settled`: the newest version of the dataset that lay there
    when the run began, and before that output; `labelled`, `label_at` and `written`: the version that the reader names,
    since when, and whether a run is known to have written it.
    """
    if not places:
        return []
    return _readings.rows(session, given=rows(places))


@Prepared
def _readings_after(dialect: str) -> Any:
    wanted = given(dialect, int)
    following = VERSION.alias("following")
    until = (
        select(func.min(following.c.effective_at))
        .where(
            following.c.dataset_id == VERSION.c.dataset_id, following.c.effective_at > VERSION.c.effective_at,
            or_(following.c.origin.is_(None), following.c.origin.not_like(_SEEN)),
        )
        .correlate(VERSION)
        .scalar_subquery()
    )  # fmt: skip
    read = and_(
        RUN_DATASET.c.dataset_id == VERSION.c.dataset_id, RUN_DATASET.c.direction == "IN",
        RUN_DATASET.c.label.is_(None), RUN_DATASET.c.first_at >= VERSION.c.effective_at,
        or_(until.is_(None), RUN_DATASET.c.first_at < until),
    )  # fmt: skip
    of_it = wanted.join(VERSION, VERSION.c.id == wanted.c.k0).join(RUN_DATASET, read)
    again, writer = given(dialect, int), RUN_DATASET.alias("writer")
    wrote = and_(writer.c.version_id == again.c.k0, writer.c.direction == "OUT")
    own = and_(RUN_DATASET.c.by_id == writer.c.by_id, RUN_DATASET.c.direction == "IN")
    columns = (RUN_DATASET.c.by_id, RUN_DATASET.c.dataset_id)
    named = and_(
        RUN_DATASET.c.dataset_id == VERSION.c.dataset_id, RUN_DATASET.c.direction == "IN",
        RUN_DATASET.c.label == VERSION.c.external_version,
    )  # fmt: skip
    third = given(dialect, int)
    by_label = third.join(VERSION, VERSION.c.id == third.c.k0).join(RUN_DATASET, named)
    return union(
        select(*columns).select_from(of_it),
        select(*columns).select_from(again.join(writer, wrote).join(RUN_DATASET, own)),
        select(*columns).select_from(by_label),
    )


def readings_after(session: Session, versions: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (run, dataset) of the readings that versions may be of, and of all readings of runs that wrote them."""
    return _readings_after.rows(session, given=ids(versions))


@Prepared
def _orphans(dialect: str) -> Any:
    wanted = given(dialect, int)
    used = select(RUN_DATASET.c.by_id).where(RUN_DATASET.c.version_id == VERSION.c.id)
    shown = select(FACET.c.id).where(FACET.c.by_id == VERSION.c.id)
    labelled = select(RUN_DATASET.c.by_id).where(
        RUN_DATASET.c.dataset_id == VERSION.c.dataset_id, RUN_DATASET.c.label == VERSION.c.external_version
    )
    joined = select(EDGE.c.id).where(
        or_(EDGE.c.source_id == VERSION.c.id, EDGE.c.target_id == VERSION.c.id),
        EDGE.c.kind != EdgeKind.VERSION_OF,
        EDGE.c.valid_to.is_(None),
    )
    free = and_(VERSION.c.origin.is_not(None), ~used.exists(), ~shown.exists(), ~labelled.exists(), ~joined.exists())
    columns = (VERSION.c.id, VERSION.c.dataset_id)
    return select(*columns).select_from(wanted.join(VERSION, VERSION.c.id == wanted.c.k0)).where(free)


def orphans(session: Session, versions: Sequence[int]) -> Sequence[Row[Any]]:
    """Return those event-made versions that no run reads or writes, no event shows, and nothing else is joined to."""
    return _orphans.rows(session, given=ids(versions))


@Prepared
def _seen_since(dialect: str) -> Any:
    wanted = given(dialect, int)
    mine = and_(VERSION.c.id == wanted.c.k0, VERSION.c.origin.like(_SEEN))
    joined = wanted.join(VERSION, mine).join(RUN_DATASET, RUN_DATASET.c.version_id == VERSION.c.id)
    columns = (VERSION.c.id, VERSION.c.dataset_id, func.min(RUN_DATASET.c.first_at).label("first_at"))
    return select(*columns).select_from(joined).group_by(VERSION.c.id, VERSION.c.dataset_id)


def seen_since(session: Session, versions: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (id, dataset_id, first_at) of versions that only readers speak for: the earliest of their readings."""
    if not versions:
        return []
    return _seen_since.rows(session, given=ids(versions))


@cache
def _numbers(dialect: str) -> Any:
    wanted = given(dialect, int)
    columns = (VERSION.c.id, VERSION.c.dataset_id, VERSION.c.number, VERSION.c.origin, ASSET.c.namespace, ASSET.c.key)
    joined = wanted.join(VERSION, VERSION.c.dataset_id == wanted.c.k0).join(ASSET, ASSET.c.id == VERSION.c.dataset_id)
    return select(*columns).select_from(joined).order_by(VERSION.c.dataset_id, VERSION.c.number)


def numbers_of(session: Session, datasets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the versions of datasets in the order of their numbers, with namespace and key of the dataset."""
    return session.execute(_numbers(session.dialect), {"given": ids(datasets)}).all()


_SET_NUMBER = update(VERSION).where(VERSION.c.id == bindparam("version")).values(number=bindparam("to"))
_SET_NAME = (
    update(ASSET).where(ASSET.c.id == bindparam("version")).values(key=bindparam("called"), name=bindparam("called"))
)


def set_numbers(session: Session, numbers: Sequence[tuple[int, int, str]]) -> None:
    """Set number and name of versions; in this order, no number is taken when it is set."""
    session.execute(_SET_NUMBER, [{"version": version, "to": number} for version, number, _ in numbers])
    session.execute(_SET_NAME, [{"version": version, "called": name} for version, _, name in numbers])


def edges_of(session: Session, asset: int) -> list[int]:
    """Return the ids of all open edges at an asset."""
    ends = and_(or_(EDGE.c.source_id == asset, EDGE.c.target_id == asset), EDGE.c.valid_to.is_(None))
    return [int(row.id) for row in session.execute(select(EDGE.c.id).where(ends)).all()]


def delete_version(session: Session, version: int) -> None:
    """Delete a version and what belongs to it alone; its id is not given to anything else."""
    session.execute(delete(VERSION_FIELD).where(VERSION_FIELD.c.version_id == version))
    session.execute(delete(METRIC).where(METRIC.c.asset_id == version))
    session.execute(delete(BASELINE).where(BASELINE.c.version_id == version))
    for column in (RESULT.c.version_id, INCIDENT.c.version_id, INCIDENT.c.closing_version_id):
        session.execute(update(column.table).where(column == version).values({column: None}))
    session.execute(delete(VERSION).where(VERSION.c.id == version))
    bury(session, version)


def bury(session: Session, asset: int) -> None:
    """Take an asset's name away and keep the row: SQLite would give the id to another asset."""
    session.execute(update(ASSET).where(ASSET.c.id == asset).values(namespace="", key=f"deleted/{asset}", name=""))
