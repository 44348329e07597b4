"""SQL of edges that are written set-wise."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, insert, select, type_coerce, update

from assetgraph.db.engine import Session
from assetgraph.db.given import given, rows
from assetgraph.lineage.tables import EDGE, EDGE_RUN


@cache
def _edges_at(dialect: str) -> Any:
    wanted = given(dialect, int, int, str)
    same = and_(
        EDGE.c.source_id == wanted.c.k0, EDGE.c.target_id == wanted.c.k1,
        EDGE.c.kind == type_coerce(wanted.c.k2, EDGE.c.kind.type), EDGE.c.producer == "", EDGE.c.valid_to.is_(None),
    )  # fmt: skip
    named = ("id", "source_id", "target_id", "kind", "valid_from", "last_seen", "run_count", "transformations")
    return select(*(EDGE.c[name] for name in named)).select_from(wanted.join(EDGE, same))


def edges_at(session: Session, places: Sequence[Any]) -> dict[Any, Row[Any]]:
    """Return the open edges of places (source, target, kind, level) that no producer declared, by place."""
    wanted = rows((one.source, one.target, one.kind.value) for one in places)
    by_key = {(one.source, one.target, one.kind): one for one in places}
    found = session.execute(_edges_at(session.dialect), {"given": wanted}).all()
    return {by_key[(int(row.source_id), int(row.target_id), row.kind)]: row for row in found}


_INSERT_EDGES = insert(EDGE).returning(EDGE.c.id, EDGE.c.source_id, EDGE.c.target_id, EDGE.c.kind, EDGE.c.level)


def insert_edges(session: Session, new: Sequence[dict[str, Any]]) -> dict[Any, int]:
    """Insert open edges and return their ids by (source, target, kind, level)."""
    if not new:
        return {}
    found = session.execute(_INSERT_EDGES, list(new)).all()
    return {(int(row.source_id), int(row.target_id), row.kind, row.level): int(row.id) for row in found}


_UPDATE_EDGES = update(EDGE).where(EDGE.c.id == bindparam("edge")).values({
    EDGE.c.valid_from: bindparam("first"), EDGE.c.last_seen: bindparam("last"), EDGE.c.run_count: bindparam("count"),
    EDGE.c.transformations: bindparam("done"),
})  # fmt: skip


def update_edges(session: Session, changed: Sequence[dict[str, Any]]) -> None:
    """Set times, count and transformations of edges: edge, first, last, count, done."""
    if changed:
        session.execute(_UPDATE_EDGES, list(changed))


@cache
def _supporters(dialect: str) -> Any:
    wanted = given(dialect, int, int)
    same = and_(EDGE_RUN.c.edge_id == wanted.c.k0, EDGE_RUN.c.run_id == wanted.c.k1)
    return select(EDGE_RUN).select_from(wanted.join(EDGE_RUN, same))


def supporters(session: Session, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[Any, Any]]:
    """Return (first, last) of the supporters that there are, by (edge, supporter)."""
    if not pairs:
        return {}
    found = session.execute(_supporters(session.dialect), {"given": rows(pairs)}).all()
    return {(int(row.edge_id), int(row.run_id)): (row.first_at, row.last_at) for row in found}


_INSERT_SUPPORTERS = insert(EDGE_RUN)
_UPDATE_SUPPORTERS = (
    update(EDGE_RUN).where(EDGE_RUN.c.edge_id == bindparam("edge"), EDGE_RUN.c.run_id == bindparam("by"))
    .values({EDGE_RUN.c.first_at: bindparam("first"), EDGE_RUN.c.last_at: bindparam("last")})
)  # fmt: skip


def write_supporters(session: Session, fresh: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]) -> None:
    """Insert supporters, and set the times of others: edge, by, first, last."""
    if fresh:
        session.execute(_INSERT_SUPPORTERS, list(fresh))
    if changed:
        session.execute(_UPDATE_SUPPORTERS, list(changed))


def void_edges(session: Session, edges: Sequence[int]) -> None:
    """Let edges be valid at no moment. The rows stay: SQLite would give a deleted id to another edge."""
    wanted = list(edges)
    session.execute(delete(EDGE_RUN).where(EDGE_RUN.c.edge_id.in_(wanted)))
    session.execute(update(EDGE).where(EDGE.c.id.in_(wanted)).values(valid_to=EDGE.c.valid_from))
