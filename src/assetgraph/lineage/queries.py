"""All SQL of lineage."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, Select, and_, func, insert, literal, or_, select, update

from assetgraph.catalog.queries import ASSET_COLUMNS
from assetgraph.catalog.tables import ASSET, VERSION
from assetgraph.changes.tables import CHANGE
from assetgraph.db.bulk import integer_columns
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, EDGE_RUN, FINDING, JOB, RUN, EdgeKind, Level, RunType


def assets_by_ids(session: Session, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Return the plain rows of assets by id."""
    wanted = select(ASSET).where(ASSET.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


def jobs_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return jobs by id."""
    wanted = select(JOB, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == JOB.c.id).where(JOB.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


def _runs() -> Select[Any]:
    return select(RUN, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == RUN.c.id)


def runs_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return runs by id."""
    return {int(row.id): row for row in session.execute(_runs().where(RUN.c.id.in_(list(ids)))).all()}


def lock_run(session: Session, run: int) -> Row[Any] | None:
    """Return a run's own columns and keep others from changing it until the commit."""
    return session.execute(select(RUN).where(RUN.c.id == run).with_for_update()).one_or_none()


def runs_page(session: Session, filters: dict[str, Any], request: PageRequest) -> Page[Any]:
    """Return runs, newest first; filters: type, state, job_id."""
    wanted = [RUN.c[name] == value for name, value in filters.items() if value is not None]
    return keyset_page(
        session,
        _runs().where(*wanted),
        select(func.count()).select_from(RUN).where(*wanted),
        columns=[RUN.c.id],
        names=["id"],
        request=request,
        descending=True,
    )


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


def value_edges_into(session: Session, fields: Sequence[int]) -> list[tuple[int, int]]:
    """Return (source, target) of the open column edges into fields over which values flow unmasked.

    An edge that says nothing counts as such; INDIRECT ones (a filter, a join) carry no values.
    """
    mine = and_(EDGE.c.target_id.in_(list(fields)), EDGE.c.level == Level.FIELD, EDGE.c.valid_to.is_(None))
    columns = (EDGE.c.source_id, EDGE.c.target_id, EDGE.c.transformations)
    rows = session.execute(select(*columns).where(mine).order_by(EDGE.c.id)).all()
    return [
        (int(row.source_id), int(row.target_id))
        for row in rows
        if not row.transformations
        or any(one["type"] != "INDIRECT" and not one["masking"] for one in row.transformations)
    ]


def neighbours_by_kind(
    session: Session, ids: Sequence[int], kinds: Iterable[EdgeKind], *, upstream: bool, level: Level
) -> dict[int, list[int]]:
    """Return the ids next to each asset along open edges of some kinds, in the order they were first seen."""
    mine, other = (EDGE.c.target_id, EDGE.c.source_id) if upstream else (EDGE.c.source_id, EDGE.c.target_id)
    wanted = and_(mine.in_(list(ids)), EDGE.c.kind.in_(list(kinds)), EDGE.c.level == level, EDGE.c.valid_to.is_(None))
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
    valid = and_(EDGE.c.valid_from <= at, or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to > at))
    far: Any = select(ASSET.c.kind).where(ASSET.c.id == other).scalar_subquery()
    columns = (EDGE, mine.label("near"), other.label("far"), far.label("far_kind"))
    wanted = select(*columns).where(mine.in_(list(ids)), levels, valid)
    return session.execute(wanted.order_by(mine, other, EDGE.c.id).limit(most)).all()


def insert_findings(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Note what a run met."""
    if rows:
        session.execute(insert(FINDING), list(rows))


def findings_of(session: Session, runs: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the findings of runs, by run."""
    found: dict[int, list[Row[Any]]] = {run: [] for run in runs}
    for row in session.execute(select(FINDING).where(FINDING.c.run_id.in_(list(runs))).order_by(FINDING.c.id)).all():
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


def edges_by_ids(session: Session, ids: Sequence[int], at: datetime) -> list[Row[Any]]:
    """Return edges that are valid at a moment, 10,000 to a statement."""
    valid = and_(EDGE.c.valid_from <= at, or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to > at))
    found: list[Row[Any]] = []
    for start in range(0, len(ids), 10_000):
        found += session.execute(select(EDGE).where(EDGE.c.id.in_(list(ids[start : start + 10_000])), valid)).all()
    return found


def edge_ends(session: Session) -> list[tuple[int, AssetKind, Level]]:
    """Return the downstream ends of open edges with their kind and the level to walk them at."""
    columns = (EDGE.c.target_id, ASSET.c.kind, EDGE.c.level)
    joined = select(*columns).join(ASSET, ASSET.c.id == EDGE.c.target_id).where(EDGE.c.valid_to.is_(None))
    return [(int(row.target_id), row.kind, row.level) for row in session.execute(joined.distinct()).all()]


def trainings_on(session: Session, datasets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (dataset, job, parameters) of this service's trainings that read any version of some datasets."""
    read = and_(EDGE.c.source_id == VERSION.c.id, EDGE.c.kind == EdgeKind.CONSUMED, EDGE.c.level == Level.VERSION)
    joined = (
        select(VERSION.c.dataset_id, RUN.c.job_id, RUN.c.parameters)
        .join(EDGE, read)
        .join(RUN, and_(RUN.c.id == EDGE.c.target_id, RUN.c.type == RunType.TRAINING))
    )
    return session.execute(joined.where(VERSION.c.dataset_id.in_(list(datasets)))).all()


def runs_of_jobs(session: Session, jobs: Sequence[int], most: int = 100) -> dict[int, list[int]]:
    """Return the newest runs of jobs, by job."""
    rank = func.row_number().over(partition_by=RUN.c.job_id, order_by=RUN.c.id.desc()).label("rank")
    ranked = select(RUN.c.id, RUN.c.job_id, rank).where(RUN.c.job_id.in_(list(jobs))).subquery()
    found: dict[int, list[int]] = {job: [] for job in jobs}
    listed = select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.job_id, ranked.c.rank)
    for row in session.execute(listed).all():
        found[int(row.job_id)].append(int(row.id))
    return found


def runs_of_column_edges(session: Session, fields: Sequence[int]) -> list[tuple[int, int]]:
    """Return (field, run) for the runs that support open column edges out of fields."""
    mine = and_(EDGE.c.source_id.in_(list(fields)), EDGE.c.level == Level.FIELD, EDGE.c.valid_to.is_(None))
    joined = select(EDGE.c.source_id, EDGE_RUN.c.run_id).join(EDGE_RUN, EDGE_RUN.c.edge_id == EDGE.c.id).where(mine)
    return [(int(row.source_id), int(row.run_id)) for row in session.execute(joined.distinct()).all()]
