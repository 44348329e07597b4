"""SQL of impact: who answers for what, which runs used it, which trainings name a column."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from assetgraph.catalog.queries import owners_of
from assetgraph.catalog.tables import ASSET, FIELD, OWNER, VERSION
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids
from assetgraph.ids import AssetKind
from assetgraph.lineage.queries import begun, valid_at
from assetgraph.lineage.tables import EDGE, EDGE_RUN, RUN, EdgeKind, Level, RunType

#: Ids of one statement: a JSON text of 20,000 is quick to make and to read.
BATCH = 20_000
#: The past binds each id.
PAST_BATCH = 5_000


def _batches(assets: Sequence[int]) -> Iterator[str]:
    return (ids(assets[start : start + BATCH]) for start in range(0, len(assets), BATCH))


def owner_counts(session: Session, assets: Sequence[int], at: datetime | None = None) -> dict[str, int]:
    """Return for each owner how many of some assets it answers for, or did at a moment."""
    found: dict[str, int] = {}
    if at is not None:
        for start in range(0, len(assets), PAST_BATCH):
            for owners in owners_of(session, assets[start : start + PAST_BATCH], at).values():
                for principal, _ in owners:
                    found[principal] = found.get(principal, 0) + 1
        return found
    wanted = given(session.dialect, int)
    joined = wanted.join(OWNER, OWNER.c.asset_id == wanted.c.k0)
    counted = select(OWNER.c.principal, func.count(OWNER.c.asset_id.distinct()).label("n")).select_from(joined)
    for batch in _batches(assets):
        for row in session.execute(counted.group_by(OWNER.c.principal), {"given": batch}).all():
            found[str(row.principal)] = found.get(str(row.principal), 0) + int(row.n)
    return found


def columns(session: Session, fields: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return (dataset, path) of columns."""
    wanted = given(session.dialect, int)
    joined = select(FIELD.c.id, FIELD.c.dataset_id, FIELD.c.path).select_from(
        wanted.join(FIELD, FIELD.c.id == wanted.c.k0)
    )
    return {
        int(row.id): (int(row.dataset_id), str(row.path))
        for batch in _batches(fields) for row in session.execute(joined, {"given": batch}).all()
    }  # fmt: skip


def kinds_of(session: Session, assets: Sequence[int]) -> dict[int, AssetKind]:
    """Return the kind of each asset."""
    wanted = given(session.dialect, int)
    joined = select(ASSET.c.id, ASSET.c.kind).select_from(wanted.join(ASSET, ASSET.c.id == wanted.c.k0))
    return {
        int(row.id): row.kind
        for batch in _batches(assets) for row in session.execute(joined, {"given": batch}).all()
    }  # fmt: skip


def _there(at: datetime | None) -> ColumnElement[bool]:
    """Tell whether a run was known, or had begun, at a moment."""
    if at is None:
        return true()
    registered = select(ASSET.c.created_at).where(ASSET.c.id == RUN.c.id).scalar_subquery()
    return or_(registered <= at, begun(at))


def run_count(session: Session, jobs: Sequence[int], at: datetime | None = None) -> int:
    """Return how many runs jobs have, or had at a moment."""
    wanted = given(session.dialect, int)
    counted = select(func.count()).select_from(wanted.join(RUN, and_(RUN.c.job_id == wanted.c.k0, _there(at))))
    return sum(int(session.execute(counted, {"given": batch}).scalar_one()) for batch in _batches(jobs))


def newest_runs(session: Session, jobs: Sequence[int], most: int, at: datetime | None = None) -> list[tuple[int, int]]:
    """Return (job, run) of up to `most` of the newest runs of each job."""
    rank = func.row_number().over(partition_by=RUN.c.job_id, order_by=RUN.c.id.desc()).label("rank")
    ranked = select(RUN.c.id, RUN.c.job_id, rank).where(RUN.c.job_id.in_(list(jobs)), _there(at)).subquery()
    listed = select(ranked).where(ranked.c.rank <= most).order_by(ranked.c.job_id, ranked.c.rank)
    return [(int(row.job_id), int(row.id)) for row in session.execute(listed).all()]


def runs_of_column_edges(
    session: Session, fields: Sequence[int], most: int, at: datetime | None = None
) -> list[tuple[int, int]]:
    """Return up to `most` (field, run): the runs that support open column edges out of fields."""
    wanted = given(session.dialect, int)
    mine = and_(EDGE.c.source_id == wanted.c.k0, EDGE.c.level == Level.FIELD, valid_at(at))
    joined = wanted.join(EDGE, mine).join(EDGE_RUN, EDGE_RUN.c.edge_id == EDGE.c.id)
    joined = joined.join(RUN, RUN.c.id == EDGE_RUN.c.run_id)
    statement = select(EDGE.c.source_id, EDGE_RUN.c.run_id).select_from(joined).distinct()
    found: list[tuple[int, int]] = []
    for batch in _batches(fields):
        if len(found) < most:
            rows = session.execute(statement.limit(most - len(found)), {"given": batch}).all()
            found += [(int(row.source_id), int(row.run_id)) for row in rows]
    return found


def trainings_on(session: Session, datasets: Sequence[int], at: datetime | None = None) -> list[Any]:
    """Return (dataset, job, parameters) of this service's trainings that read any version of some datasets."""
    wanted = given(session.dialect, int)
    read = and_(EDGE.c.source_id == VERSION.c.id, EDGE.c.kind == EdgeKind.CONSUMED, EDGE.c.level == Level.VERSION)
    joined = (
        wanted.join(VERSION, VERSION.c.dataset_id == wanted.c.k0)
        .join(EDGE, and_(read, valid_at(at)))
        .join(RUN, and_(RUN.c.id == EDGE.c.target_id, RUN.c.type == RunType.TRAINING))
    )
    columns_of = select(VERSION.c.dataset_id, RUN.c.job_id, RUN.c.parameters).select_from(joined)
    return [row for batch in _batches(datasets) for row in session.execute(columns_of, {"given": batch}).all()]
