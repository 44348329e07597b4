"""SQL of emission: the cursor, the changes of runs, and what a run said of columns."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select, update

from assetgraph.catalog.queries import insert_ignoring
from assetgraph.catalog.tables import ASSET, FIELD
from assetgraph.changes.tables import CHANGE
from assetgraph.db.engine import Session
from assetgraph.ids import TYPE_NAMES, AssetKind
from assetgraph.lineage.tables import EDGE, EDGE_RUN, Level
from assetgraph.openlineage.tables import EMISSION

#: What the log says of a run that the service executes itself; events of outside runs use other words.
RUN_ACTIONS = ("started", "progressed", "succeeded", "failed", "cancelled")


def ensure_cursor(session: Session, name: str, at: datetime) -> None:
    """Have a cursor, at the beginning of the log when it is new."""
    insert_ignoring(session, EMISSION, [{"name": name, "sequence": 0, "holder": None, "expires_at": at}])


def claim_cursor(session: Session, name: str, holder: str, *, at: datetime, until: datetime) -> int | None:
    """Take or keep a cursor; returns how far it is, or None while another emitter holds it."""
    free = or_(EMISSION.c.holder.is_(None), EMISSION.c.holder == holder, EMISSION.c.expires_at <= at)
    claimed = update(EMISSION).where(EMISSION.c.name == name, free).values(holder=holder, expires_at=until)
    found = session.execute(claimed.returning(EMISSION.c.sequence)).scalar_one_or_none()
    return None if found is None else int(found)


def move_cursor(session: Session, name: str, holder: str, sequence: int, until: datetime) -> bool:
    """Note how far the log was told; False when the cursor is another emitter's by now."""
    mine = and_(EMISSION.c.name == name, EMISSION.c.holder == holder)
    moved = update(EMISSION).where(mine).values(sequence=sequence, expires_at=until)
    return bool(session.execute(moved).rowcount)


def release_cursor(session: Session, name: str, holder: str) -> None:
    """Let another emitter go on at once."""
    session.execute(update(EMISSION).where(EMISSION.c.name == name, EMISSION.c.holder == holder).values(holder=None))


def newest_change(session: Session) -> int:
    """Return the sequence of the newest change."""
    return int(session.execute(select(func.max(CHANGE.c.sequence))).scalar_one() or 0)


def run_changes(session: Session, after: int, upto: int, most: int) -> Sequence[Row[Any]]:
    """Return what the log says of runs between two sequences, oldest first."""
    mine = and_(CHANGE.c.entity_type == TYPE_NAMES[AssetKind.RUN], CHANGE.c.action.in_(RUN_ACTIONS))
    between = and_(CHANGE.c.sequence > after, CHANGE.c.sequence <= upto)
    return session.execute(select(CHANGE).where(mine, between).order_by(CHANGE.c.sequence).limit(most)).all()


@cache
def _columns_of_run() -> Any:
    target, source = FIELD.alias("target"), FIELD.alias("source")
    dataset, made = ASSET.alias("dataset"), ASSET.alias("made")
    joined = (
        EDGE_RUN.join(EDGE, EDGE.c.id == EDGE_RUN.c.edge_id)
        .join(target, target.c.id == EDGE.c.target_id)
        .join(source, source.c.id == EDGE.c.source_id)
        .join(dataset, dataset.c.id == source.c.dataset_id)
        .join(made, made.c.id == target.c.dataset_id)
    )
    columns = (
        target.c.path, made.c.namespace.label("target_namespace"), made.c.key.label("target_key"),
        dataset.c.namespace, dataset.c.key, source.c.path.label("source_path"), EDGE.c.transformations,
    )  # fmt: skip
    mine = and_(EDGE_RUN.c.run_id == bindparam("run"), EDGE.c.level == Level.FIELD)
    return select(*columns).select_from(joined).where(mine).order_by(EDGE.c.id)


def columns_of_run(session: Session, run: int) -> Sequence[Row[Any]]:
    """Return the column edges that a run supports: the target's name and path, and the source's.

    Closed ones too: what a run said does not change when a later version drops the column.
    """
    return session.execute(_columns_of_run(), {"run": run}).all()


def cursor(session: Session, name: str) -> int | None:
    """Return how far a cursor is."""
    found = session.execute(select(EMISSION.c.sequence).where(EMISSION.c.name == name)).scalar_one_or_none()
    return None if found is None else int(found)
