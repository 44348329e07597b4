"""SQL of what facets say of versions, datasets, jobs and checks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog.tables import DATASET, EVENTS, FIELD, OWNER, TAG, VERSION, VERSION_FIELD, Lifecycle
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.lineage.tables import EDGE, EDGE_RUN, JOB, RUN, Level, RunState
from assetgraph.openlineage.facets import digest_of
from assetgraph.openlineage.tables import FACET, RUN_DATASET
from assetgraph.quality.tables import CHECK, METRIC, RESULT


def _inserting(dialect: str, table: Any) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def set_description(session: Session, asset: int, text: str | None, *, job: bool) -> None:
    """Set what producers say a job or dataset is."""
    if job:
        session.execute(update(JOB).where(JOB.c.id == asset).values(description=text))
    else:
        session.execute(update(DATASET).where(DATASET.c.id == asset).values(documented=text))


def set_lifecycle(session: Session, asset: int, lifecycle: Lifecycle) -> bool:
    """Retire a dataset, or take it back; what a steward set otherwise stays. Tells whether anything changed."""
    other = DATASET.c.lifecycle != lifecycle
    if lifecycle is Lifecycle.ACTIVE:
        other = DATASET.c.lifecycle == Lifecycle.RETIRED
    statement = update(DATASET).where(DATASET.c.id == asset, other).values(lifecycle=lifecycle)
    return bool(session.execute(statement).rowcount)


def replace_owners(session: Session, asset: int, owners: Mapping[str, str]) -> None:
    """Set the owners that producers name."""
    session.execute(delete(OWNER).where(OWNER.c.asset_id == asset, OWNER.c.origin == EVENTS))
    named = [{"asset_id": asset, "principal": name, "role": role, "origin": EVENTS} for name, role in owners.items()]
    if named:
        session.execute(insert(OWNER), named)


def replace_tags(session: Session, asset: int, tags: Sequence[tuple[int, str]], *, columns: bool) -> None:
    """Set the tags that producers give an asset, and those of its columns."""
    mine: Any = TAG.c.asset_id == asset
    if columns:
        mine = or_(mine, TAG.c.asset_id.in_(select(FIELD.c.id).where(FIELD.c.dataset_id == asset)))
    session.execute(delete(TAG).where(mine, TAG.c.origin == EVENTS))
    if tags:
        session.execute(insert(TAG), [{"asset_id": one, "name": name, "origin": EVENTS} for one, name in tags])


def field_ids(session: Session, dataset: int) -> dict[str, int]:
    """Return a dataset's columns by path."""
    found = session.execute(select(FIELD.c.id, FIELD.c.path).where(FIELD.c.dataset_id == dataset)).all()
    return {str(row.path): int(row.id) for row in found}


def dataset_of(session: Session, version: int) -> int:
    """Return the dataset of a version."""
    return int(session.execute(select(VERSION.c.dataset_id).where(VERSION.c.id == version)).scalar_one())


def keep_newer(session: Session, dataset: int, version: int, name: str, at: datetime, body: dict[str, Any]) -> None:
    """Keep a facet with the version that a dataset event shows, unless a newer one is there."""
    digest = digest_of(body)
    row = {"asset_id": dataset, "by_id": version, "scope": "VERSION", "name": name}
    text = orjson.dumps(body).decode()
    statement = _inserting(session.dialect, FACET).values(**row, event_time=at, digest=digest, body=text)
    new = statement.excluded
    newer = or_(
        new.event_time > FACET.c.event_time, and_(new.event_time == FACET.c.event_time, new.digest > FACET.c.digest)
    )
    session.execute(statement.on_conflict_do_update(
        index_elements=["asset_id", "by_id", "scope", "name"], where=newer,
        set_={"event_time": new.event_time, "digest": new.digest, "body": new.body},
    ))  # fmt: skip


@cache
def _writers_facets(dialect: str) -> Any:
    columns = (*(FACET.c[name] for name in ("name", "scope", "event_time", "digest", "body")),
               FACET.c.asset_id.label("dataset_id"))  # fmt: skip
    one, two, named = given(dialect, int), given(dialect, int), given(dialect, str, name="names")
    wrote = and_(RUN_DATASET.c.version_id == one.c.k0, RUN_DATASET.c.direction == "OUT")
    theirs = and_(
        FACET.c.asset_id == RUN_DATASET.c.dataset_id, FACET.c.by_id == RUN_DATASET.c.by_id, FACET.c.scope == "OUT"
    )
    by_runs = one.join(RUN_DATASET, wrote).join(FACET, theirs)
    shown = two.join(FACET, and_(FACET.c.by_id == two.c.k0, FACET.c.scope == "VERSION"))
    wanted = and_(FACET.c.name.in_(select(named.c.k0)), FACET.c.body.is_not(None))
    return (
        select(*columns, one.c.k0.label("version_id")).select_from(by_runs).where(wanted)
        .union_all(select(*columns, two.c.k0.label("version_id")).select_from(shown).where(wanted))
    )  # fmt: skip


def writers_facets(session: Session, versions: Sequence[int], names: Sequence[str]) -> Sequence[Row[Any]]:
    """Return facets of versions by those who wrote them, and by dataset events: with version_id and dataset_id."""
    said = {"given": ids(versions), "names": rows((name,) for name in names)}
    return session.execute(_writers_facets(session.dialect), said).all()


@Prepared
def _readers_schemas(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = (
        wanted.join(VERSION, and_(VERSION.c.id == wanted.c.k0, VERSION.c.origin.is_not(None)))
        .join(RUN_DATASET, and_(RUN_DATASET.c.version_id == VERSION.c.id, RUN_DATASET.c.direction == "IN"))
        .join(FACET, and_(FACET.c.asset_id == RUN_DATASET.c.dataset_id, FACET.c.by_id == RUN_DATASET.c.by_id))
    )
    newest = (FACET.c.event_time.desc(), FACET.c.digest.desc())
    rank = func.row_number().over(partition_by=VERSION.c.id, order_by=newest).label("rank")
    columns = (VERSION.c.id.label("version_id"), FACET.c.asset_id.label("dataset_id"), FACET.c.body, FACET.c.scope,
               rank)  # fmt: skip
    named = and_(FACET.c.name == "schema", FACET.c.scope == "IN", FACET.c.body.is_not(None))
    ranked = select(*columns).select_from(joined).where(named).subquery()
    return select(ranked).where(ranked.c.rank == 1)


def readers_schemas(session: Session, versions: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the newest columns that readers saw of event-made versions."""
    if not versions:
        return []
    return _readers_schemas.rows(session, given=ids(versions))


@cache
def _version_fields(dialect: str) -> Any:
    wanted = given(dialect, int)
    named = ("version_id", "field_id", "ordinal", "type", "description")
    columns = [VERSION_FIELD.c[name] for name in named]
    return select(*columns).select_from(wanted.join(VERSION_FIELD, VERSION_FIELD.c.version_id == wanted.c.k0))


def version_fields(session: Session, versions: Sequence[int]) -> dict[int, dict[int, tuple[int, str, str | None]]]:
    """Return (ordinal, type, description) of the columns of versions, by version and field."""
    found: dict[int, dict[int, tuple[int, str, str | None]]] = {}
    for row in session.execute(_version_fields(session.dialect), {"given": ids(versions)}).all():
        found.setdefault(int(row.version_id), {})[int(row.field_id)] = (row.ordinal, row.type, row.description)
    return found


def event_made(session: Session, versions: Sequence[int]) -> dict[int, int]:
    """Return those of some versions that events made, with their dataset."""
    if not versions:
        return {}
    mine = and_(VERSION.c.id.in_(list(versions)), VERSION.c.origin.is_not(None))
    found = session.execute(select(VERSION.c.id, VERSION.c.dataset_id).where(mine)).all()
    return {int(row.id): int(row.dataset_id) for row in found}


_FORGET_VERSION_FIELDS = delete(VERSION_FIELD).where(VERSION_FIELD.c.version_id == bindparam("version"))
_INSERT_VERSION_FIELDS = insert(VERSION_FIELD)


def replace_version_fields(session: Session, fields: Sequence[dict[str, Any]], versions: Sequence[int]) -> None:
    """Set the columns of versions."""
    if versions:
        session.execute(_FORGET_VERSION_FIELDS, [{"version": version} for version in versions])
    if fields:
        session.execute(_INSERT_VERSION_FIELDS, list(fields))


@cache
def _described(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(VERSION.c.id, VERSION.c.described).select_from(wanted.join(VERSION, VERSION.c.id == wanted.c.k0))


def described(session: Session, versions: Sequence[int]) -> dict[int, bool]:
    """Tell for versions whether their columns are what their writer said."""
    found = session.execute(_described(session.dialect), {"given": ids(versions)}).all()
    return {int(row.id): bool(row.described) for row in found}


_SET_DESCRIBED = update(VERSION).where(VERSION.c.id == bindparam("version")).values(described=bindparam("said"))


def set_described(session: Session, said: Mapping[int, bool]) -> None:
    """Note whether the columns of versions are what their writer said."""
    if said:
        session.execute(_SET_DESCRIBED, [{"version": version, "said": one} for version, one in said.items()])


_SET_COUNTS = update(VERSION).where(VERSION.c.id == bindparam("version")).values(
    {VERSION.c.row_count: bindparam("rows"), VERSION.c.size_bytes: bindparam("bytes")}
)  # fmt: skip


def set_counts(session: Session, counts: Mapping[int, Mapping[str, int]]) -> None:
    """Set row count and size of versions."""
    if counts:
        session.execute(_SET_COUNTS, [
            {"version": version, "rows": one.get("row_count"), "bytes": one.get("size_bytes")}
            for version, one in counts.items()
        ])  # fmt: skip


_FORGET_METRICS = delete(METRIC).where(METRIC.c.facet_id == bindparam("facet"))
_INSERT_METRICS = insert(METRIC)


def replace_metrics(session: Session, facets: Sequence[int], metrics: Sequence[dict[str, Any]]) -> None:
    """Replace the metrics that facets tell."""
    if facets:
        session.execute(_FORGET_METRICS, [{"facet": facet} for facet in facets])
    if metrics:
        session.execute(_INSERT_METRICS, list(metrics))


@cache
def _upsert_checks(dialect: str) -> Any:
    statement = _inserting(dialect, CHECK)
    new = statement.excluded
    newer = or_(
        new.said_at > CHECK.c.said_at, and_(new.said_at == CHECK.c.said_at, new.said_digest > CHECK.c.said_digest)
    )
    named = ("name", "severity", "expression", "said_at", "said_digest")
    return statement.on_conflict_do_update(
        index_elements=["dataset_id", "key"], where=newer, set_={name: new[name] for name in named}
    )


@Prepared
def _checks_at(dialect: str) -> Any:
    wanted = given(dialect, int, str)
    same = and_(CHECK.c.dataset_id == wanted.c.k0, CHECK.c.key == wanted.c.k1)
    columns = (CHECK.c.id, CHECK.c.dataset_id, CHECK.c.key)
    return select(*columns).select_from(wanted.join(CHECK, same))


def upsert_checks(session: Session, checks: Sequence[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Insert checks, or change them when this is the newer word; returns ids by (dataset, key)."""
    session.execute(_upsert_checks(session.dialect), list(checks))
    places = rows((one["dataset_id"], one["key"]) for one in checks)
    found = _checks_at.rows(session, given=places)
    return {(int(row.dataset_id), str(row.key)): int(row.id) for row in found}


@cache
def _upsert_results(dialect: str) -> Any:
    statement = _inserting(dialect, RESULT)
    new = statement.excluded
    newer = or_(
        new.checked_at > RESULT.c.checked_at,
        and_(new.checked_at == RESULT.c.checked_at, new.said_digest > RESULT.c.said_digest),
    )
    named = ("passed", "observed", "message", "checked_at", "said_digest")
    return statement.on_conflict_do_update(
        index_elements=["check_id", "run_id"], where=newer, set_={name: new[name] for name in named}
    )


def upsert_results(session: Session, results: Sequence[dict[str, Any]]) -> None:
    """Insert results of checks, or change them when this is the newer word."""
    session.execute(_upsert_results(session.dialect), list(results))


def forget_tests(session: Session, runs: Sequence[int], prefix: str) -> list[int]:
    """Delete the results of checks that runs are themselves, and such checks without any; returns those that stay."""
    if not runs:
        return []
    mine = RESULT.c.run_id.in_(list(runs))
    joined = select(CHECK.c.id).join(RESULT, RESULT.c.check_id == CHECK.c.id)
    met = [int(row.id) for row in session.execute(joined.where(mine, CHECK.c.key.like(f"{prefix}%")).distinct()).all()]
    session.execute(delete(RESULT).where(mine, RESULT.c.check_id.in_(met)))
    results = select(RESULT.c.id).where(RESULT.c.check_id == CHECK.c.id)
    session.execute(delete(CHECK).where(CHECK.c.id.in_(met), ~results.exists()))
    return [int(row.id) for row in session.execute(select(CHECK.c.id).where(CHECK.c.id.in_(met))).all()]


def newest_results(session: Session, checks: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the newest result of each check that runs are themselves, with the body of its run's `test` facet."""
    if not checks:
        return []
    order = (RESULT.c.checked_at.desc(), RESULT.c.said_digest.desc(), RESULT.c.run_id.desc())
    rank = func.row_number().over(partition_by=RESULT.c.check_id, order_by=order).label("place")
    columns = (RESULT.c.check_id, RESULT.c.run_id, RESULT.c.checked_at, RESULT.c.said_digest)
    ranked = select(*columns, rank).where(RESULT.c.check_id.in_(list(checks))).subquery()
    facet = and_(
        FACET.c.asset_id == ranked.c.run_id, FACET.c.by_id == ranked.c.run_id, FACET.c.scope == "RUN",
        FACET.c.name == "test", FACET.c.body.is_not(None),
    )  # fmt: skip
    joined = ranked.join(CHECK, CHECK.c.id == ranked.c.check_id).join(FACET, facet)
    named = (CHECK.c.dataset_id, CHECK.c.key, ranked.c.checked_at, ranked.c.said_digest, FACET.c.body)
    return session.execute(select(*named).select_from(joined).where(ranked.c.place == 1)).all()


def describe_checks(session: Session, checks: Sequence[dict[str, Any]]) -> None:
    """Set what checks are by dataset and key, whatever was said of them before."""
    if not checks:
        return
    named = ("name", "severity", "expression", "said_at", "said_digest")
    place = and_(CHECK.c.dataset_id == bindparam("dataset"), CHECK.c.key == bindparam("place"))
    values: dict[Any, Any] = {CHECK.c[name]: bindparam(f"new_{name}") for name in named}
    said = [
        {"dataset": one["dataset_id"], "place": one["key"], **{f"new_{name}": one[name] for name in named}}
        for one in checks
    ]
    session.execute(update(CHECK).where(place).values(values), said)


@cache
def _point_results() -> Any:
    version = (
        select(RUN_DATASET.c.version_id)
        .join(CHECK, CHECK.c.dataset_id == RUN_DATASET.c.dataset_id)
        .where(RUN_DATASET.c.by_id == RESULT.c.run_id, CHECK.c.id == RESULT.c.check_id,
               RUN_DATASET.c.version_id.is_not(None))
        .order_by(RUN_DATASET.c.direction)
        .limit(1)
        .correlate(RESULT)
        .scalar_subquery()
    )  # fmt: skip
    aborted = and_(RUN.c.id == RESULT.c.run_id, RUN.c.state == RunState.CANCELLED)
    counted = ~select(RUN.c.id).where(aborted).correlate(RESULT).exists()
    return update(RESULT).where(RESULT.c.run_id == bindparam("run")).values(version_id=version, counted=counted)


def point_results(session: Session, runs: Sequence[int]) -> None:
    """Set which version results are about: what the run read, or wrote, of the dataset; and whether they count."""
    if runs:
        session.execute(_point_results(), [{"run": run} for run in runs])


def supported_columns(session: Session, by: int, dataset: int) -> dict[int, tuple[int, int]]:
    """Return (source, target) of the column edges into a dataset that someone supports, by edge."""
    mine = and_(EDGE_RUN.c.run_id == by, EDGE.c.level == Level.FIELD, FIELD.c.dataset_id == dataset)
    joined = select(EDGE.c.id, EDGE.c.source_id, EDGE.c.target_id).join(EDGE_RUN, EDGE_RUN.c.edge_id == EDGE.c.id)
    found = session.execute(joined.join(FIELD, FIELD.c.id == EDGE.c.target_id).where(mine)).all()
    return {int(row.id): (int(row.source_id), int(row.target_id)) for row in found}


def withdraw(session: Session, by: int, edges: Sequence[int]) -> list[int]:
    """Take a supporter off edges; returns those that nobody supports any more."""
    if not edges:
        return []
    session.execute(delete(EDGE_RUN).where(EDGE_RUN.c.run_id == by, EDGE_RUN.c.edge_id.in_(list(edges))))
    rest = select(EDGE_RUN.c.edge_id).where(EDGE_RUN.c.edge_id.in_(list(edges))).distinct()
    left = {int(row.edge_id) for row in session.execute(rest).all()}
    return [edge for edge in edges if edge not in left]


def recount(session: Session, edges: Sequence[int]) -> None:
    """Set times and run count of edges to what their supporters say."""
    if not edges:
        return
    runs = func.count(RUN.c.id).label("runs")
    columns = (
        EDGE_RUN.c.edge_id,
        func.min(EDGE_RUN.c.first_at).label("first"),
        func.max(EDGE_RUN.c.last_at).label("last"),
    )
    joined = select(*columns, runs).select_from(EDGE_RUN.outerjoin(RUN, RUN.c.id == EDGE_RUN.c.run_id))
    found = session.execute(joined.where(EDGE_RUN.c.edge_id.in_(list(edges))).group_by(EDGE_RUN.c.edge_id)).all()
    told = [{"edge": int(row.edge_id), "start": row.first, "end": row.last, "count": int(row.runs)} for row in found]
    values: dict[Any, Any] = {
        "valid_from": bindparam("start"),
        "last_seen": bindparam("end"),
        "run_count": bindparam("count"),
    }
    session.execute(update(EDGE).where(EDGE.c.id == bindparam("edge")).values(values), told)
