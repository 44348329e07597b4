"""All SQL of OpenLineage: set-wise, each statement once for a batch of whatever size."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog.tables import ALIAS, DATASET, FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.lineage.tables import JOB, RUN
from assetgraph.openlineage.tables import FACET, NAMING, RAW_EVENT, RUN_DATASET

Key = tuple[str, str]
#: (asset, by, scope, name)
FacetPlace = tuple[int, int, str, str]


def inserting(session: Session, table: Any) -> Any:
    """Return the dialect's INSERT, which can do something on conflict."""
    return (postgresql if session.dialect == "postgresql" else sqlite).insert(table)


def all_rows(session: Session, table: Any, *columns: str) -> Iterator[Any]:
    """Yield some columns of a whole table, in no order."""
    yield from session.execute(select(*(table.c[name] for name in columns)))


def rows_in_order(session: Session, table: Any) -> Iterator[Any]:
    """Yield a whole table by its primary key."""
    yield from session.execute(select(table).order_by(*table.primary_key))


@cache
def _keep(dialect: str) -> Any:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(RAW_EVENT)
    return statement.on_conflict_do_nothing().returning(RAW_EVENT.c.digest)


def keep_events(session: Session, events: Sequence[dict[str, Any]]) -> set[str]:
    """Keep events as they came; returns the digests of those that were not kept before."""
    return {str(row.digest) for row in session.execute(_keep(session.dialect), list(events)).all()}


@Prepared
def _aliases_named(dialect: str) -> Any:
    wanted = given(dialect, str, str)
    same = and_(ALIAS.c.namespace == wanted.c.k0, ALIAS.c.key == wanted.c.k1)
    return select(ALIAS).select_from(wanted.join(ALIAS, same))


def aliases_named(session: Session, keys: Sequence[Key]) -> dict[Key, int]:
    """Return ids of datasets by another of their names."""
    if not keys:
        return {}
    found = _aliases_named.rows(session, given=rows(keys))
    return {(str(row.namespace), str(row.key)): int(row.dataset_id) for row in found}


_INSERTS = {table.name: insert(table) for table in (DATASET, JOB, RUN, FIELD, FACET, RUN_DATASET)}


def insert_all(session: Session, table: Any, new: Sequence[dict[str, Any]]) -> None:
    """Insert rows of one of this slice's usual tables; all have the same columns."""
    if new:
        session.execute(_INSERTS[table.name], list(new))


@Prepared
def _runs_named(dialect: str) -> Any:
    wanted = given(dialect, int, str)
    # Not by the index of jobs: SQLite takes that one, and would look at all runs of a job for each of its events.
    same = and_(RUN.c.run_id == wanted.c.k1, RUN.c.job_id + 0 == wanted.c.k0)
    return select(*_RUN).select_from(wanted.join(RUN, same))


#: The columns of a run that events decide.
RUN_STATE = (
    "state", "started_at", "ended_at", "first_at", "completed_at", "streaming", "parent_id", "root_id", "error"
)  # fmt: skip
_RUN = (RUN.c.id, RUN.c.job_id, RUN.c.run_id, RUN.c.type, *(RUN.c[name] for name in RUN_STATE))


def runs_named(session: Session, places: Sequence[tuple[int, str]]) -> Sequence[Row[Any]]:
    """Return runs by (job, run id)."""
    if not places:
        return []
    return _runs_named.rows(session, given=rows(places))


@Prepared
def _runs_with(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(*_RUN).select_from(wanted.join(RUN, RUN.c.id == wanted.c.k0))


def runs_with(session: Session, runs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return runs by id."""
    return _runs_with.rows(session, given=ids(runs))


_UPDATE_RUNS = update(RUN).where(RUN.c.id == bindparam("run")).values({
    RUN.c[name]: bindparam(f"new_{name}") for name in RUN_STATE
})  # fmt: skip


def update_runs(session: Session, changed: Sequence[dict[str, Any]]) -> None:
    """Set what events say of runs: id as `run`, and new_ before each column of RUN_STATE."""
    if changed:
        session.execute(_UPDATE_RUNS, list(changed))


@Prepared
def _facets_at(dialect: str) -> Any:
    wanted = given(dialect, int, int, str, str)
    same = and_(
        FACET.c.asset_id == wanted.c.k0, FACET.c.by_id == wanted.c.k1, FACET.c.scope == wanted.c.k2,
        FACET.c.name == wanted.c.k3,
    )  # fmt: skip
    named = ("id", "asset_id", "by_id", "scope", "name", "event_time", "digest", "since")
    return select(*(FACET.c[name] for name in named)).select_from(wanted.join(FACET, same))


def facets_at(session: Session, places: Sequence[FacetPlace]) -> dict[FacetPlace, Row[Any]]:
    """Return facets without their bodies by (asset, by, scope, name)."""
    found = _facets_at.rows(session, given=rows(places))
    return {(int(row.asset_id), int(row.by_id), str(row.scope), str(row.name)): row for row in found}


_MINE = FACET.c.id == bindparam("facet")
_UPDATE_FACETS = update(FACET).where(_MINE).values({
    FACET.c.event_time: bindparam("at"), FACET.c.digest: bindparam("said"), FACET.c.body: bindparam("text")
})  # fmt: skip
#: What was there before moments were kept has stood since the time that was known of it.
_TOUCH_FACETS = (
    update(FACET)
    .where(_MINE)
    .values(event_time=bindparam("at"), since=func.coalesce(FACET.c.since, FACET.c.event_time))
)


def write_facets(
    session: Session,
    fresh: Sequence[dict[str, Any]],
    changed: Sequence[dict[str, Any]],
    again: Sequence[dict[str, Any]],
) -> None:
    """Insert facets, replace others (id as `facet`, at, said, text), and date others anew (facet, at)."""
    insert_all(session, FACET, fresh)
    if changed:
        session.execute(_UPDATE_FACETS, list(changed))
    if again:
        session.execute(_TOUCH_FACETS, list(again))


@cache
def _facet_bodies(dialect: str) -> Any:
    wanted, named = given(dialect, int, int, str), given(dialect, str, name="names")
    same = and_(
        FACET.c.asset_id == wanted.c.k0, FACET.c.by_id == wanted.c.k1, FACET.c.scope == wanted.c.k2,
        FACET.c.name.in_(select(named.c.k0)), FACET.c.body.is_not(None),
    )  # fmt: skip
    return select(FACET).select_from(wanted.join(FACET, same))


def facet_bodies(session: Session, places: Sequence[tuple[int, int, str]], names: Sequence[str]) -> Sequence[Row[Any]]:
    """Return facets of some names that are there, by (asset, by, scope)."""
    if not places:
        return []
    said = {"given": rows(places), "names": rows((name,) for name in names)}
    return session.execute(_facet_bodies(session.dialect), said).all()


@cache
def _run_datasets(dialect: str) -> Any:
    wanted = given(dialect, int, int, str)
    same = and_(
        RUN_DATASET.c.by_id == wanted.c.k0, RUN_DATASET.c.dataset_id == wanted.c.k1,
        RUN_DATASET.c.direction == wanted.c.k2,
    )  # fmt: skip
    return select(RUN_DATASET).select_from(wanted.join(RUN_DATASET, same))


def run_datasets(session: Session, places: Sequence[tuple[int, int, str]]) -> dict[tuple[int, int, str], Row[Any]]:
    """Return what runs read and wrote, by (run, dataset, direction)."""
    if not places:
        return {}
    found = session.execute(_run_datasets(session.dialect), {"given": rows(places)}).all()
    return {(int(row.by_id), int(row.dataset_id), str(row.direction)): row for row in found}


@Prepared
def _datasets_of_runs(dialect: str) -> Any:
    wanted = given(dialect, int)
    columns = (RUN_DATASET.c.by_id, RUN_DATASET.c.dataset_id, RUN_DATASET.c.direction)
    return select(*columns).select_from(wanted.join(RUN_DATASET, RUN_DATASET.c.by_id == wanted.c.k0))


def datasets_of_runs(session: Session, runs: Sequence[int]) -> list[tuple[int, int, str]]:
    """Return (run, dataset, direction) of all that runs read and wrote."""
    found = _datasets_of_runs.rows(session, given=ids(runs))
    return [(int(row.by_id), int(row.dataset_id), str(row.direction)) for row in found]


_PLACE = and_(
    RUN_DATASET.c.by_id == bindparam("by"), RUN_DATASET.c.dataset_id == bindparam("dataset"),
    RUN_DATASET.c.direction == bindparam("way"),
)  # fmt: skip
_UPDATE_RUN_DATASETS = update(RUN_DATASET).where(_PLACE).values({
    RUN_DATASET.c[name]: bindparam(f"new_{name}") for name in ("first_at", "label", "schema_digest")
})  # fmt: skip
_SET_VERSIONS = update(RUN_DATASET).where(_PLACE).values(version_id=bindparam("version"))


def write_run_datasets(session: Session, fresh: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]) -> None:
    """Insert what runs read and wrote, and change others: by, dataset, way, and new_ first_at, label, schema_digest."""
    insert_all(session, RUN_DATASET, fresh)
    if changed:
        session.execute(_UPDATE_RUN_DATASETS, list(changed))


def set_versions(session: Session, moved: Sequence[dict[str, Any]]) -> None:
    """Set which version a reading or writing came to: by, dataset, way, version."""
    if moved:
        session.execute(_SET_VERSIONS, list(moved))


def add_namings(session: Session, said: Sequence[dict[str, Any]]) -> int:
    """Note which names mean the same; returns how many were new."""
    statement = inserting(session, NAMING).on_conflict_do_nothing().returning(NAMING.c.digest)
    return len(session.execute(statement, list(said)).all())
