"""SQL of what belongs to the rows that the Marquez read API shows: each statement once for a page of whatever size."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select, union_all

from assetgraph.catalog.tables import ASSET, DATASET, FIELD, TAG, VERSION, VERSION_FIELD
from assetgraph.changes.tables import CHANGE
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.ids import TYPE_NAMES, AssetKind
from assetgraph.lineage.tables import EDGE, JOB, RUN, EdgeKind, Level
from assetgraph.openlineage.marquez_queries import RUN_TIME, VERSION_TIME, run_io
from assetgraph.openlineage.tables import FACET, RUN_DATASET

_NAMES = (ASSET.c.namespace, ASSET.c.key, ASSET.c.created_at)
_OPEN = EDGE.c.valid_to.is_(None)


def _found(session: Session, statement: Any, wanted: Sequence[int]) -> Sequence[Row[Any]]:
    if not wanted:
        return []
    return session.execute(statement(session.dialect), {"given": ids(wanted)}).all()


@cache
def _datasets(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(DATASET, DATASET.c.id == wanted.c.k0).join(ASSET, ASSET.c.id == DATASET.c.id)
    return select(DATASET, *_NAMES).select_from(joined)


def datasets(session: Session, wanted: Sequence[int]) -> dict[int, Row[Any]]:
    """Return datasets with their names by id."""
    return {int(row.id): row for row in _found(session, _datasets, wanted)}


@cache
def _jobs(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(JOB, JOB.c.id == wanted.c.k0).join(ASSET, ASSET.c.id == JOB.c.id)
    return select(JOB, *_NAMES).select_from(joined)


def jobs(session: Session, wanted: Sequence[int]) -> dict[int, Row[Any]]:
    """Return jobs with their names by id."""
    return {int(row.id): row for row in _found(session, _jobs, wanted)}


@cache
def _runs(dialect: str) -> Any:
    wanted, of_job = given(dialect, int), ASSET.alias()
    parent, above = RUN.alias(), ASSET.alias()
    joined = (
        wanted.join(RUN, RUN.c.id == wanted.c.k0).join(ASSET, ASSET.c.id == RUN.c.id)
        .join(of_job, of_job.c.id == RUN.c.job_id)
        .outerjoin(parent, parent.c.id == RUN.c.parent_id).outerjoin(above, above.c.id == parent.c.job_id)
    )  # fmt: skip
    columns = (
        RUN.c.id, RUN.c.job_id, RUN.c.run_id, RUN.c.state, RUN.c.started_at, RUN.c.ended_at, RUN.c.nominal_at,
        ASSET.c.created_at,
        of_job.c.namespace, of_job.c.key, above.c.id.label("parent_job"), above.c.key.label("parent_key"),
    )  # fmt: skip
    return select(*columns).select_from(joined)


def runs(session: Session, wanted: Sequence[int]) -> dict[int, Row[Any]]:
    """Return runs by id, with the names of their job and of the job above it."""
    return {int(row.id): row for row in _found(session, _runs, wanted)}


@cache
def _versions(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(VERSION, VERSION.c.id == wanted.c.k0).join(ASSET, ASSET.c.id == VERSION.c.id)
    return select(VERSION.c.id, VERSION.c.dataset_id, VERSION_TIME.label("at")).select_from(joined)


def versions(session: Session, wanted: Sequence[int]) -> dict[int, Row[Any]]:
    """Return versions by id: their dataset, and since when it was so."""
    return {int(row.id): row for row in _found(session, _versions, wanted)}


@cache
def _current(dialect: str) -> Any:
    wanted = given(dialect, int)
    newest = (
        select(VERSION.c.id)
        .join(ASSET, ASSET.c.id == VERSION.c.id)
        .where(VERSION.c.dataset_id == wanted.c.k0)
        .order_by(VERSION_TIME.desc(), VERSION.c.number.desc())
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
    return select(wanted.c.k0.label("dataset_id"), newest.label("id"))


def current_versions(session: Session, datasets: Sequence[int]) -> dict[int, int]:
    """Return the newest version of datasets that have any."""
    return {int(row.dataset_id): int(row.id) for row in _found(session, _current, datasets) if row.id is not None}


def versions_at(session: Session, datasets: Sequence[int], at: datetime) -> dict[int, int]:
    """Return the version that each dataset was in at a moment."""
    if not datasets:
        return {}
    wanted = given(session.dialect, int)
    joined = wanted.join(VERSION, VERSION.c.dataset_id == wanted.c.k0).join(ASSET, ASSET.c.id == VERSION.c.id)
    rank = func.row_number().over(
        partition_by=VERSION.c.dataset_id, order_by=(VERSION_TIME.desc(), VERSION.c.number.desc())
    ).label("rank")  # fmt: skip
    ranked = select(VERSION.c.dataset_id, VERSION.c.id, rank).select_from(joined).where(at >= VERSION_TIME).subquery()
    found = session.execute(select(ranked).where(ranked.c.rank == 1), {"given": ids(datasets)}).all()
    return {int(row.dataset_id): int(row.id) for row in found}


@cache
def _columns(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(VERSION_FIELD, VERSION_FIELD.c.version_id == wanted.c.k0)
    joined = joined.join(FIELD, FIELD.c.id == VERSION_FIELD.c.field_id)
    columns = (VERSION_FIELD.c.version_id, FIELD.c.id, FIELD.c.path, VERSION_FIELD.c.type, VERSION_FIELD.c.description)
    return select(*columns).select_from(joined).order_by(VERSION_FIELD.c.version_id, VERSION_FIELD.c.ordinal)


def columns(session: Session, versions: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the columns of versions in their order."""
    found: dict[int, list[Row[Any]]] = {}
    for row in _found(session, _columns, versions):
        found.setdefault(int(row.version_id), []).append(row)
    return found


@cache
def _fields(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(FIELD, FIELD.c.id == wanted.c.k0).join(ASSET, ASSET.c.id == FIELD.c.dataset_id)
    return select(FIELD, ASSET.c.namespace, ASSET.c.key).select_from(joined)


def fields(session: Session, wanted: Sequence[int]) -> dict[int, Row[Any]]:
    """Return columns by id with the names of their datasets."""
    return {int(row.id): row for row in _found(session, _fields, wanted)}


@cache
def _fields_of(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(FIELD, FIELD.c.dataset_id == wanted.c.k0)
    return select(FIELD).select_from(joined).order_by(FIELD.c.id)


def fields_of(session: Session, datasets: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return all columns that datasets are known to have had."""
    found: dict[int, list[Row[Any]]] = {}
    for row in _found(session, _fields_of, datasets):
        found.setdefault(int(row.dataset_id), []).append(row)
    return found


@cache
def _tags(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(TAG, TAG.c.asset_id == wanted.c.k0)
    return select(TAG.c.asset_id, TAG.c.name).select_from(joined).distinct().order_by(TAG.c.asset_id, TAG.c.name)


def tags(session: Session, assets: Sequence[int]) -> dict[int, list[str]]:
    """Return the tags that are set on assets."""
    found: dict[int, list[str]] = {}
    for row in _found(session, _tags, assets):
        found.setdefault(int(row.asset_id), []).append(str(row.name))
    return found


_FACET = (
    FACET.c.asset_id,
    FACET.c.by_id,
    FACET.c.scope,
    FACET.c.name,
    FACET.c.event_time,
    FACET.c.digest,
    FACET.c.body,
)
_SAID = FACET.c.body.is_not(None)


@cache
def _own_facets(dialect: str) -> Any:
    wanted = given(dialect, int)
    same = and_(FACET.c.asset_id == wanted.c.k0, FACET.c.by_id == wanted.c.k0, _SAID)
    return select(*_FACET).select_from(wanted.join(FACET, same)).order_by(FACET.c.name)


def own_facets(session: Session, assets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the facets that describe datasets, jobs and runs themselves."""
    return _found(session, _own_facets, assets)


@cache
def _nominal_times(dialect: str) -> Any:
    wanted = given(dialect, int)
    same = and_(FACET.c.asset_id == wanted.c.k0, FACET.c.by_id == wanted.c.k0, FACET.c.scope == "RUN")
    return select(*_FACET).select_from(wanted.join(FACET, and_(same, FACET.c.name == "nominalTime", _SAID)))


def nominal_times(session: Session, runs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return what runs say they were planned for."""
    return _found(session, _nominal_times, runs)


@cache
def _version_facets(dialect: str) -> Any:
    wanted, shown = given(dialect, int), given(dialect, int)
    wrote = and_(RUN_DATASET.c.version_id == wanted.c.k0, RUN_DATASET.c.direction == "OUT")
    said = and_(
        FACET.c.asset_id == RUN_DATASET.c.dataset_id,
        FACET.c.by_id == RUN_DATASET.c.by_id,
        FACET.c.scope == "OUT",
        _SAID,
    )
    by_run = select(wanted.c.k0.label("version_id"), *_FACET).select_from(
        wanted.join(RUN_DATASET, wrote).join(FACET, said)
    )
    by_event = select(shown.c.k0, *_FACET).select_from(
        shown.join(FACET, and_(FACET.c.by_id == shown.c.k0, FACET.c.scope == "VERSION", _SAID))
    )
    return union_all(by_run, by_event)


def version_facets(session: Session, versions: Sequence[int]) -> Sequence[Row[Any]]:
    """Return what writers of versions, and events about datasets in them, said of the dataset then."""
    return _found(session, _version_facets, versions)


@cache
def _io_facets(dialect: str) -> Any:
    wanted = given(dialect, int)
    said = and_(FACET.c.by_id == wanted.c.k0, or_(FACET.c.scope == "IN", FACET.c.scope == "OUT"), _SAID)
    return select(*_FACET).select_from(wanted.join(FACET, said)).order_by(FACET.c.name)


def io_facets(session: Session, runs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return what runs said of the datasets that they read and wrote."""
    return _found(session, _io_facets, runs)


@cache
def _writers(dialect: str) -> Any:
    wanted = given(dialect, int)
    wrote = and_(
        EDGE.c.target_id == wanted.c.k0, EDGE.c.level == Level.VERSION, EDGE.c.kind == EdgeKind.PRODUCED, _OPEN
    )
    first = func.min(EDGE.c.source_id).label("run")
    joined = wanted.join(EDGE, wrote).join(RUN, RUN.c.id == EDGE.c.source_id)
    return select(wanted.c.k0.label("version_id"), first).select_from(joined).group_by(wanted.c.k0)


def writers(session: Session, versions: Sequence[int]) -> dict[int, int]:
    """Return the run that wrote each version; the first known where there are several."""
    return {int(row.version_id): int(row.run) for row in _found(session, _writers, versions)}


@cache
def _containers(dialect: str) -> Any:
    wanted = given(dialect, int)
    holds = and_(EDGE.c.target_id == wanted.c.k0, EDGE.c.kind == EdgeKind.CONTAINS, _OPEN)
    joined = wanted.join(EDGE, holds).join(ASSET, ASSET.c.id == EDGE.c.source_id)
    name = func.min(ASSET.c.name).label("name")
    return select(wanted.c.k0.label("dataset_id"), name).select_from(joined).group_by(wanted.c.k0)


def containers(session: Session, datasets: Sequence[int]) -> dict[int, str]:
    """Return the names of the scanned sources that hold datasets."""
    return {int(row.dataset_id): str(row.name) for row in _found(session, _containers, datasets)}


@cache
def _column_inputs(dialect: str) -> Any:
    wanted, near, far = given(dialect, int), FIELD.alias("near"), FIELD.alias("far")
    into = and_(EDGE.c.target_id == near.c.id, EDGE.c.level == Level.FIELD, _OPEN)
    joined = (
        wanted.join(near, near.c.dataset_id == wanted.c.k0).join(EDGE, into)
        .join(far, far.c.id == EDGE.c.source_id).join(ASSET, ASSET.c.id == far.c.dataset_id)
    )  # fmt: skip
    columns = (
        near.c.dataset_id, near.c.path.label("target"), far.c.path, ASSET.c.namespace, ASSET.c.key,
        EDGE.c.transformations,
    )  # fmt: skip
    return select(*columns).select_from(joined).order_by(near.c.id, EDGE.c.id)


def column_inputs(session: Session, datasets: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return which columns the columns of datasets are made of."""
    found: dict[int, list[Row[Any]]] = {}
    for row in _found(session, _column_inputs, datasets):
        found.setdefault(int(row.dataset_id), []).append(row)
    return found


@cache
def _job_io(dialect: str) -> Any:
    branches = []
    for kind, direction in ((EdgeKind.CONSUMED, "IN"), (EdgeKind.PRODUCED, "OUT")):
        wanted = given(dialect, int)
        job, dataset = (
            (EDGE.c.target_id, EDGE.c.source_id) if direction == "IN" else (EDGE.c.source_id, EDGE.c.target_id)
        )
        mine = and_(job == wanted.c.k0, EDGE.c.level == Level.DATASET, EDGE.c.kind == kind, _OPEN)
        columns = (
            wanted.c.k0.label("job_id"), EDGE.c.kind, ASSET.c.id, ASSET.c.namespace, ASSET.c.key,
            ASSET.c.kind.label("asset_kind"),
        )  # fmt: skip
        branches.append(select(*columns).select_from(wanted.join(EDGE, mine).join(ASSET, ASSET.c.id == dataset)))
    return union_all(*branches)


def job_io(session: Session, jobs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return all datasets that jobs read (kind CONSUMED) and write (PRODUCED)."""
    # Were the kind a condition, SQLite would scan all assets of the kind first.
    return [row for row in _found(session, _job_io, jobs) if row.asset_kind is AssetKind.DATASET]


@cache
def _latest_runs(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(RUN, RUN.c.job_id == wanted.c.k0).join(ASSET, ASSET.c.id == RUN.c.id)
    rank = func.row_number().over(partition_by=RUN.c.job_id, order_by=(RUN_TIME.desc(), RUN.c.id.desc())).label("rank")
    ranked = select(RUN.c.id, RUN.c.job_id, rank).select_from(joined).subquery()
    return select(ranked).where(ranked.c.rank <= bindparam("most")).order_by(ranked.c.rank)


def latest_runs(session: Session, jobs: Sequence[int], most: int) -> dict[int, list[int]]:
    """Return the newest runs of jobs."""
    found: dict[int, list[int]] = {}
    if jobs:
        for row in session.execute(_latest_runs(session.dialect), {"given": ids(jobs), "most": most}).all():
            found.setdefault(int(row.job_id), []).append(int(row.id))
    return found


@cache
def _io(dialect: str) -> Any:
    wanted = given(dialect, int)
    io = run_io(select(wanted.c.k0)).subquery()
    joined = io.join(ASSET, ASSET.c.id == io.c.dataset_id)
    return select(io, ASSET.c.namespace, ASSET.c.key).select_from(joined).order_by(ASSET.c.namespace, ASSET.c.key)


def io(session: Session, actors: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return what runs, and jobs by themselves, read and wrote, with the names of the datasets."""
    found: dict[int, list[Row[Any]]] = {}
    for row in _found(session, _io, actors):
        found.setdefault(int(row.by_id), []).append(row)
    return found


@cache
def _changed(dialect: str) -> Any:
    wanted = given(dialect, str, str)
    same = and_(CHANGE.c.entity_type == wanted.c.k0, CHANGE.c.entity_key == wanted.c.k1)
    newest = func.max(CHANGE.c.sequence).label("sequence")
    last = select(wanted.c.k1, newest).select_from(wanted.join(CHANGE, same)).group_by(wanted.c.k1).subquery()
    return select(last.c.k1, CHANGE.c.at).join(CHANGE, CHANGE.c.sequence == last.c.sequence)


def changed(session: Session, kind: AssetKind, assets: Sequence[int]) -> dict[int, datetime]:
    """Return when assets of a kind last changed, by the log."""
    if not assets:
        return {}
    wanted = rows((TYPE_NAMES[kind], str(asset)) for asset in assets)
    return {int(row.k1): row.at for row in session.execute(_changed(session.dialect), {"given": wanted}).all()}
