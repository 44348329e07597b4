"""All SQL of lineage."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from assetgraph.catalog.history_queries import columns_at
from assetgraph.catalog.queries import ASSET_COLUMNS
from assetgraph.catalog.tables import ASSET, EVENTS, Aspect
from assetgraph.changes.tables import CHANGE
from assetgraph.db.bulk import integer_columns
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.db.prepared import Prepared, among, packed
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, FINDING, JOB, RUN, EdgeKind, Level, RunState


def assets_by_ids(session: Session, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Return the plain rows of assets by id."""
    wanted = select(ASSET).where(ASSET.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


#: Columns of jobs that change over time: aspect, and who says it.
JOB_ASPECTS: dict[str, tuple[Any, ...]] = {"description": (Aspect.DESCRIPTION, EVENTS)}


def valid_at(at: datetime | BindParameter[datetime] | None) -> ColumnElement[bool]:
    """Tell whether an edge is open now, or was valid at a moment."""
    if at is None:
        return EDGE.c.valid_to.is_(None)
    return and_(EDGE.c.valid_from <= at, or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to > at))


def jobs_by_ids(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return jobs by id."""
    joined = JOB.join(ASSET, ASSET.c.id == JOB.c.id)
    columns = (*columns_at(JOB, at, JOB_ASPECTS), *ASSET_COLUMNS)
    wanted = select(*columns).select_from(joined).where(JOB.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


def _runs() -> Select[Any]:
    return select(RUN, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == RUN.c.id)


def runs_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return runs by id."""
    return {int(row.id): row for row in session.execute(_runs().where(RUN.c.id.in_(list(ids)))).all()}


def lock_run(session: Session, run: int) -> Row[Any] | None:
    """Return a run's own columns and keep others from changing it until the commit."""
    return session.execute(select(RUN).where(RUN.c.id == run).with_for_update()).one_or_none()


def runs_page(session: Session, filters: dict[str, Any], request: PageRequest, at: datetime | None = None) -> Page[Any]:
    """Return runs, newest first; filters: type, state, job_id, parent_id. Of a moment: those begun, as they were."""
    columns: dict[str, Any] = {name: RUN.c[name] for name in ("type", "state", "job_id", "parent_id")}
    wanted: list[Any] = []
    if at is not None:
        columns["state"] = state_at(at)
        wanted.append(or_(ASSET.c.created_at <= at, begun(at)))
    wanted += [columns[name] == value for name, value in filters.items() if value is not None]
    return keyset_page(
        session,
        _runs().where(*wanted),
        select(func.count()).select_from(RUN).join(ASSET, ASSET.c.id == RUN.c.id).where(*wanted),
        columns=[RUN.c.id],
        names=["id"],
        request=request,
        descending=True,
    )


def begun(at: datetime) -> ColumnElement[bool]:
    """Tell whether a run is known to have begun by a moment."""
    return or_(RUN.c.started_at <= at, RUN.c.first_at <= at)


def state_at(at: datetime) -> Any:
    """Return the state of a run at a moment, as `past.run_at` says it of a row."""
    running = case((begun(at), RunState.RUNNING.value), else_=RunState.QUEUED.value)
    ahead = or_(RUN.c.ended_at > at, and_(RUN.c.ended_at.is_(None), RUN.c.started_at > at))
    return type_coerce(case((ahead, running), else_=RUN.c.state), RUN.c.state.type)


def insert_job(session: Session, row: dict[str, Any]) -> None:
    """Insert a job's typed row."""
    session.execute(insert(JOB).values(row))


def insert_run(session: Session, row: dict[str, Any]) -> None:
    """Insert a run's typed row."""
    session.execute(insert(RUN).values(row))


def update_run(session: Session, run: int, columns: dict[str, Any]) -> None:
    """Change columns of a run."""
    session.execute(update(RUN).where(RUN.c.id == run).values(columns))


#: Actions of the change log that say which edges opened and which closed.
EDGE_ACTIONS = ("linked", "unlinked")


def value_edges_into(session: Session, fields: Sequence[int], at: datetime | None = None) -> list[tuple[int, int]]:
    """Return (source, target) of the column edges into fields over which values flow unmasked.

    An edge that says nothing counts as such; INDIRECT ones (a filter, a join) carry no values.
    """
    mine = and_(EDGE.c.target_id.in_(list(fields)), EDGE.c.level == Level.FIELD, valid_at(at))
    columns = (EDGE.c.source_id, EDGE.c.target_id, EDGE.c.transformations)
    rows = session.execute(select(*columns).where(mine).order_by(EDGE.c.id)).all()
    return [
        (int(row.source_id), int(row.target_id))
        for row in rows
        if not row.transformations
        or any(one["type"] != "INDIRECT" and not one["masking"] for one in row.transformations)
    ]


def neighbours_by_kind(
    session: Session, ids: Sequence[int], kinds: Iterable[EdgeKind], *, upstream: bool, level: Level,
    at: datetime | None = None,
) -> dict[int, list[int]]:  # fmt: skip
    """Return the ids next to each asset along edges of some kinds, in the order they were first seen."""
    mine, other = (EDGE.c.target_id, EDGE.c.source_id) if upstream else (EDGE.c.source_id, EDGE.c.target_id)
    wanted = and_(mine.in_(list(ids)), EDGE.c.kind.in_(list(kinds)), EDGE.c.level == level, valid_at(at))
    found: dict[int, list[int]] = {asset: [] for asset in ids}
    rows = session.execute(select(mine.label("mine"), other.label("other")).where(wanted).order_by(EDGE.c.id)).all()
    for row in rows:
        found[int(row.mine)].append(int(row.other))
    return found


def frontier(
    session: Session, ids: Sequence[int], level: Level, *, upstream: bool, at: datetime, most: int
) -> Sequence[Row[Any]]:
    """Return the edges next to a frontier, with the kind of the node at their far end: one statement per walk level."""
    mine, other = (EDGE.c.target_id, EDGE.c.source_id) if upstream else (EDGE.c.source_id, EDGE.c.target_id)
    levels: Any = EDGE.c.level == level
    if level is Level.VERSION:
        # A version's way back to its source leads through the definition that contains it.
        levels = or_(levels, EDGE.c.kind == EdgeKind.CONTAINS)
    valid = valid_at(at)
    # No kind for a deleted node: nobody may come through it.
    far: Any = select(ASSET.c.kind).where(ASSET.c.id == other, ASSET.c.namespace != "").scalar_subquery()
    columns = (EDGE, mine.label("near"), other.label("far"), far.label("far_kind"))
    wanted = select(*columns).where(mine.in_(list(ids)), levels, valid)
    return session.execute(wanted.order_by(mine, other, EDGE.c.id).limit(most)).all()


def insert_findings(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Note what a run met."""
    if rows:
        session.execute(insert(FINDING), list(rows))


def findings_of(session: Session, runs: Sequence[int], at: datetime | None = None) -> dict[int, list[Row[Any]]]:
    """Return the findings of runs, or those there by a moment, by run."""
    found: dict[int, list[Row[Any]]] = {run: [] for run in runs}
    moment = func.coalesce(FINDING.c.found_at, RUN.c.ended_at, RUN.c.started_at)
    columns = [column for column in FINDING.c if column.name != "found_at"]
    mine = select(*columns, type_coerce(moment, FINDING.c.found_at.type).label("found_at"))
    mine = mine.join(RUN, RUN.c.id == FINDING.c.run_id).where(FINDING.c.run_id.in_(list(runs)))
    if at is not None:
        mine = mine.where(moment <= at)
    for row in session.execute(mine.order_by(FINDING.c.id)).all():
        found[int(row.run_id)].append(row)
    return found


def neighbour_counts(session: Session, ids: Sequence[int], level: Level) -> dict[int, int]:
    """Return how many edges of a level each node has, both directions, in one statement."""
    levels: Any = EDGE.c.level == level
    if level is Level.VERSION:
        levels = or_(levels, EDGE.c.kind == EdgeKind.CONTAINS)
    open_ones = and_(levels, EDGE.c.valid_to.is_(None))
    down = select(EDGE.c.source_id.label("id"), literal(1).label("n")).where(EDGE.c.source_id.in_(list(ids)), open_ones)
    up = select(EDGE.c.target_id.label("id"), literal(1).label("n")).where(EDGE.c.target_id.in_(list(ids)), open_ones)
    both = down.union_all(up).subquery()
    rows = session.execute(select(both.c.id, func.count().label("n")).group_by(both.c.id)).all()
    return {int(row.id): int(row.n) for row in rows}


def asset_kind(session: Session, asset: int) -> AssetKind | None:
    """Return the kind of an asset."""
    found: AssetKind | None = session.execute(select(ASSET.c.kind).where(ASSET.c.id == asset)).scalar_one_or_none()
    return found


def all_edges(session: Session) -> NDArray[np.int64]:
    """Return every open edge, (4, m): id, source, target, and the levels that walk over it (1, 2, 4: see MASKS)."""
    mask = "CASE WHEN kind = 'CONTAINS' THEN 3 WHEN level = 'DATASET' THEN 1 WHEN level = 'VERSION' THEN 2 ELSE 4 END"
    # Two numbers a row instead of four: each costs the server as much as reading the row.
    packed = ["CAST(id AS BIGINT) * 8 + " + mask, "CAST(source_id AS BIGINT) * 4294967296 + target_id"]
    edge, ends = integer_columns(session, packed, "edge WHERE valid_to IS NULL")
    return np.stack([edge >> 3, ends >> 32, ends & 0xFFFFFFFF, edge & 7])


def all_kinds(session: Session, names: Sequence[str]) -> NDArray[np.int64]:
    """Return every asset's id and the place of its kind among the names, from 1: (2, n)."""
    cases = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(names, start=1))
    [packed] = integer_columns(session, [f"CAST(id AS BIGINT) * 32 + CASE kind {cases} ELSE 0 END"], "asset")
    return np.stack([packed >> 5, packed & 31])


def edge_changes(session: Session, after: int) -> Sequence[Row[Any]]:
    """Return what the log says of edges after a sequence, in its order."""
    wanted = select(CHANGE.c.action, CHANGE.c.after).where(CHANGE.c.sequence > after)
    return session.execute(wanted.where(CHANGE.c.action.in_(EDGE_ACTIONS)).order_by(CHANGE.c.sequence)).all()


def kinds_of(session: Session, ids: Sequence[int]) -> dict[int, AssetKind]:
    """Return the kind of each asset."""
    rows = session.execute(select(ASSET.c.id, ASSET.c.kind).where(ASSET.c.id.in_(list(ids)))).all()
    return {int(row.id): row.kind for row in rows}


_EDGES_BY_IDS = Prepared(
    lambda on: select(
        EDGE.c.id, EDGE.c.source_id, EDGE.c.target_id, EDGE.c.kind, EDGE.c.valid_from, EDGE.c.valid_to,
        EDGE.c.last_seen, EDGE.c.run_count, EDGE.c.transformations,
    ).where(among(on, EDGE.c.id))
)  # fmt: skip


def edges_by_ids(session: Session, ids: Sequence[int]) -> list[Any]:
    """Return edges, open or not.

    (id, source, target, kind, since, until, last seen, number of runs, transformations).
    """
    return _EDGES_BY_IDS.rows(session, ids=packed(session, list(ids))) if ids else []


def edge_ends(session: Session) -> list[tuple[int, AssetKind, Level]]:
    """Return the downstream ends of open edges with their kind and the level to walk them at."""
    columns = (EDGE.c.target_id, ASSET.c.kind, EDGE.c.level)
    joined = select(*columns).join(ASSET, ASSET.c.id == EDGE.c.target_id).where(EDGE.c.valid_to.is_(None))
    return [(int(row.target_id), row.kind, row.level) for row in session.execute(joined.distinct()).all()]
