"""SQL of edges that are written set-wise."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, literal, or_, select, type_coerce, update

from assetgraph.catalog.tables import FIELD, VERSION, VERSION_FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.lineage.tables import EDGE, EDGE_RUN, EdgeKind, Ending, Level

#: Column edges that are open, or that a dropped column closed: their times follow from their supporters (`settling`).
CLAIMED = or_(EDGE.c.valid_to.is_(None), EDGE.c.ending == Ending.DROPPED)

#: As expressions, for a list of values would have to be written anew for each call.
_LEVELS = [literal(level, EDGE.c.level.type) for level in Level]


@Prepared
def _edges_at(dialect: str) -> Any:
    wanted = given(dialect, int, int, str)
    # Any level, but said: the index has it between the ends, and without it SQLite looks at all edges of one end.
    same = and_(
        EDGE.c.source_id == wanted.c.k0, EDGE.c.target_id == wanted.c.k1, EDGE.c.level.in_(_LEVELS),
        EDGE.c.kind == type_coerce(wanted.c.k2, EDGE.c.kind.type), EDGE.c.producer == bindparam("producer"), CLAIMED,
    )  # fmt: skip
    named = ("id", "source_id", "target_id", "kind", "valid_from", "valid_to", "ending", "last_seen", "run_count",
             "transformations")  # fmt: skip
    return select(*(EDGE.c[name] for name in named)).select_from(wanted.join(EDGE, same))


def edges_at(session: Session, places: Sequence[Any], producer: str = "") -> dict[Any, Row[Any]]:
    """Return the edges of places (source, target, kind, level) that a producer declared, or none did, by place.

    Open ones, and else those that a dropped column closed.
    """
    wanted = rows((one.source, one.target, one.kind.value) for one in places)
    by_key = {(one.source, one.target, one.kind): one for one in places}
    found = _edges_at.rows(session, given=wanted, producer=producer)
    last = sorted(found, key=lambda row: (row.valid_to is None, int(row.id)))
    return {by_key[(int(row.source_id), int(row.target_id), row.kind)]: row for row in last}


_INSERT_EDGES = insert(EDGE)


def insert_edges(session: Session, new: Mapping[Any, dict[str, Any]], producer: str = "") -> dict[Any, int]:
    """Insert open edges that a producer declared, or none did, and return their ids, both by place."""
    if not new:
        return {}
    # Read back rather than RETURNING: that takes a statement for every few hundred rows.
    session.execute(_INSERT_EDGES, [
        {
            "source_id": place.source, "target_id": place.target, "kind": place.kind, "level": place.level,
            "producer": producer, **row,
        }
        for place, row in new.items()
    ])  # fmt: skip
    return {place: int(row.id) for place, row in edges_at(session, list(new), producer).items()}


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


_END_EDGES = (
    update(EDGE).where(EDGE.c.id == bindparam("edge"))
    .values({EDGE.c.valid_to: bindparam("until"), EDGE.c.ending: bindparam("why")})
)  # fmt: skip


def end_edges(session: Session, ended: Sequence[dict[str, Any]]) -> None:
    """Set until when edges are valid, and why no longer: edge, until, why; none of both opens them again."""
    if ended:
        session.execute(_END_EDGES, list(ended))


@Prepared
def _fields_that_versions_drop(dialect: str) -> Any:
    wanted = given(dialect, int)
    other, said = VERSION.alias("other"), VERSION_FIELD.alias("said")
    here = select(VERSION_FIELD.c.field_id).where(
        VERSION_FIELD.c.version_id == VERSION.c.id, VERSION_FIELD.c.field_id == FIELD.c.id
    ).correlate(VERSION, FIELD)  # fmt: skip
    earlier = (
        select(said.c.field_id).select_from(said.join(other, other.c.id == said.c.version_id))
        .where(said.c.field_id == FIELD.c.id, other.c.described, other.c.effective_at < VERSION.c.effective_at)
        .correlate(VERSION, FIELD)
    )  # fmt: skip
    lacks = select(said.c.field_id).where(said.c.version_id == other.c.id, said.c.field_id == FIELD.c.id)
    later = (
        select(other.c.id)
        .where(
            other.c.dataset_id == VERSION.c.dataset_id, other.c.described,
            other.c.effective_at > VERSION.c.effective_at, ~lacks.correlate(other, FIELD).exists(),
        )
        .correlate(VERSION, FIELD)
    )  # fmt: skip
    dropped = or_(and_(~here.exists(), earlier.exists()), and_(here.exists(), later.exists()))
    mine = wanted.join(VERSION, and_(VERSION.c.id == wanted.c.k0, VERSION.c.described))
    joined = mine.join(FIELD, FIELD.c.dataset_id == VERSION.c.dataset_id)
    since = func.min(VERSION.c.effective_at).label("since")
    return select(FIELD.c.id, since).select_from(joined).where(dropped).group_by(FIELD.c.id)


def fields_that_versions_drop(session: Session, versions: Sequence[int]) -> tuple[list[int], datetime | None]:
    """Return the columns that versions drop, or that versions after them drop of theirs, and since when at most."""
    found = _fields_that_versions_drop.rows(session, given=ids(versions))
    return [int(row.id) for row in found], min((row.since for row in found), default=None)


@Prepared
def _fields_of(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(FIELD.c.id).select_from(wanted.join(FIELD, FIELD.c.dataset_id == wanted.c.k0))


def fields_of(session: Session, datasets: Sequence[int]) -> list[int]:
    """Return the columns of datasets."""
    return [int(row.id) for row in _fields_of.rows(session, given=ids(datasets))]


@cache
def _column_edges(dialect: str, *, late: bool) -> Any:
    one, two = given(dialect, int), given(dialect, int)
    mine = and_(EDGE.c.level == Level.FIELD, CLAIMED)
    if late:
        since = bindparam("since", type_=EDGE.c.valid_to.type)
        mine = and_(mine, or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to > since))
    out = select(EDGE.c.id).select_from(one.join(EDGE, EDGE.c.source_id == one.c.k0)).where(mine)
    return out.union(select(EDGE.c.id).select_from(two.join(EDGE, EDGE.c.target_id == two.c.k0)).where(mine))


def column_edges(session: Session, fields: Sequence[int], since: datetime | None = None) -> list[int]:
    """Return the edges at columns that are open, or closed by a dropped column: all, or those after a moment."""
    said: dict[str, Any] = {"given": ids(fields)}
    if since is not None:
        said["since"] = since
    found = session.execute(_column_edges(session.dialect, late=since is not None), said).all()
    return sorted(int(row.id) for row in found)


#: Edges that follow from what runs, events and producers say; a source contains its datasets whoever says so.
_SAID = (EdgeKind.CONSUMED, EdgeKind.PRODUCED, EdgeKind.DERIVED, EdgeKind.DECLARED)


def stale_edges(session: Session, before: datetime, after: int, most: int) -> Sequence[Row[Any]]:
    """Return open edges between definitions and columns that were seen last before a moment, by id after one."""
    mine = and_(EDGE.c.level.in_([Level.DATASET, Level.FIELD]), EDGE.c.kind.in_(_SAID), EDGE.c.valid_to.is_(None))
    named = ("id", "source_id", "target_id", "kind", "level", "last_seen")
    stale = select(*(EDGE.c[name] for name in named)).where(mine, EDGE.c.last_seen < before, EDGE.c.id > after)
    return session.execute(stale.order_by(EDGE.c.id).limit(most)).all()


def declared_edges(session: Session, dataset: int, producer: str) -> Sequence[Row[Any]]:
    """Return what a producer declares of a dataset and its columns, with what a dropped column closed."""
    columns = select(FIELD.c.id).where(FIELD.c.dataset_id == dataset)
    into = or_(EDGE.c.target_id == dataset, EDGE.c.target_id.in_(columns))
    mine = and_(into, EDGE.c.kind == EdgeKind.DECLARED, EDGE.c.producer == producer, CLAIMED)
    return session.execute(select(EDGE).where(mine).order_by(EDGE.c.id)).all()


def void_edges(session: Session, edges: Sequence[int]) -> None:
    """Let edges be valid at no moment. The rows stay: SQLite would give a deleted id to another edge."""
    wanted = list(edges)
    session.execute(delete(EDGE_RUN).where(EDGE_RUN.c.edge_id.in_(wanted)))
    session.execute(update(EDGE).where(EDGE.c.id.in_(wanted)).values(valid_to=EDGE.c.valid_from, ending=None))
