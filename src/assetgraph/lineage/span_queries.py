"""SQL of the times that column edges are valid: what drops columns, who supports an edge, and the rows of one place."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, delete, func, insert, null, or_, select, type_coerce, update

from assetgraph.catalog.tables import FIELD, VERSION, VERSION_FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.lineage.edge_queries import CLAIMED
from assetgraph.lineage.tables import EDGE, EDGE_RUN, RUN, Ending, Level

#: Source, target, kind and producer: what the rows of one column edge share.
Spot = tuple[int, int, str, str]


def spot_of(row: Any) -> Spot:
    """Return what the rows of one column edge share."""
    return int(row.source_id), int(row.target_id), row.kind.value, str(row.producer)


def _dropping() -> Any:
    """A version drops a column when it says its columns, without this one, and an earlier one said this one too."""
    earlier, had = VERSION.alias("earlier"), VERSION_FIELD.alias("had")
    has = select(VERSION_FIELD.c.field_id).where(
        VERSION_FIELD.c.version_id == VERSION.c.id, VERSION_FIELD.c.field_id == FIELD.c.id
    )
    before = (
        select(had.c.field_id).select_from(had.join(earlier, earlier.c.id == had.c.version_id))
        .where(had.c.field_id == FIELD.c.id, earlier.c.described, earlier.c.effective_at < VERSION.c.effective_at)
    )  # fmt: skip
    return and_(
        VERSION.c.dataset_id == FIELD.c.dataset_id, VERSION.c.described,
        ~has.correlate(VERSION, FIELD).exists(), before.correlate(VERSION, FIELD).exists(),
    )  # fmt: skip


def _drop_after(field: Any, moment: Any) -> Any:
    """Return when a column of an edge is dropped first after a moment, as an expression."""
    first = select(func.min(VERSION.c.effective_at)).where(
        FIELD.c.id == field, VERSION.c.effective_at > moment, _dropping()
    )
    return first.correlate(EDGE).scalar_subquery()


@cache
def _spans(dialect: str) -> Any:
    wanted = given(dialect, int)
    # One moment needs no second look.
    later = EDGE.c.valid_from < EDGE.c.last_seen
    ends = [
        case((later, _drop_after(field, EDGE.c.valid_from)), else_=null()) for field in (EDGE.c.source_id,
                                                                                        EDGE.c.target_id)
    ] + [_drop_after(field, EDGE.c.last_seen) for field in (EDGE.c.source_id, EDGE.c.target_id)]  # fmt: skip
    named = [type_coerce(end, EDGE.c.valid_from.type).label(f"drop_{place}") for place, end in enumerate(ends)]
    joined = wanted.join(EDGE, EDGE.c.id == wanted.c.k0)
    return select(EDGE, *named).select_from(joined).where(CLAIMED, EDGE.c.level == Level.FIELD)


def spans(session: Session, edges: Iterable[int]) -> Sequence[Row[Any]]:
    """Return column edges that are open, or closed by a dropped column, with when their columns were dropped.

    `drop_0` and `drop_1`: first after the edge was seen first, by its source and its target, null when it was seen at
    one moment; `drop_2` and `drop_3`: after it was seen last.
    """
    return session.execute(_spans(session.dialect), {"given": ids(edges)}).all()


@cache
def _siblings(dialect: str) -> Any:
    wanted = given(dialect, int, int, str, str)
    same = and_(
        EDGE.c.source_id == wanted.c.k0, EDGE.c.target_id == wanted.c.k1, EDGE.c.level == Level.FIELD,
        EDGE.c.kind == type_coerce(wanted.c.k2, EDGE.c.kind.type), EDGE.c.producer == wanted.c.k3, CLAIMED,
    )  # fmt: skip
    since = bindparam("since", type_=EDGE.c.valid_to.type)
    late = or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to >= since)
    return select(EDGE.c.id).select_from(wanted.join(EDGE, same)).where(late)


def siblings(session: Session, spots: Iterable[Spot], since: datetime) -> list[int]:
    """Return the rows of column edges that are open, or that a dropped column closed at a moment or later."""
    said = {"given": rows(spots), "since": since}
    return [int(row.id) for row in session.execute(_siblings(session.dialect), said).all()]


@cache
def _claimed(dialect: str) -> Any:
    wanted, bys = given(dialect, int, int, str), given(dialect, int, name="bys")
    same = and_(
        EDGE.c.source_id == wanted.c.k0, EDGE.c.target_id == wanted.c.k1,
        EDGE.c.kind == type_coerce(wanted.c.k2, EDGE.c.kind.type), EDGE.c.producer == "", CLAIMED,
    )  # fmt: skip
    since = bindparam("since", type_=EDGE.c.valid_to.type)
    mine = (
        select(EDGE_RUN.c.edge_id).where(EDGE_RUN.c.edge_id == EDGE.c.id, EDGE_RUN.c.run_id.in_(select(bys.c.k0)))
        .correlate(EDGE)
    )  # fmt: skip
    near = or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to >= since, mine.exists())
    named = ("id", "source_id", "target_id", "kind", "valid_from", "valid_to", "ending", "last_seen", "run_count",
             "transformations")  # fmt: skip
    return select(*(EDGE.c[name] for name in named)).select_from(wanted.join(EDGE, same)).where(near)


def claimed(session: Session, places: Sequence[Any], since: datetime, bys: Iterable[int]) -> dict[Any, list[Row[Any]]]:
    """Return the edges of places that claims may concern, by place, oldest first; those that were declared are others.

    Open ones, and those closed by a dropped column at a moment or later, or that one of some supporters supports.
    """
    wanted = rows((one.source, one.target, one.kind.value) for one in places)
    by_key = {(one.source, one.target, one.kind): one for one in places}
    said = {"given": wanted, "bys": ids(bys), "since": since}
    found: dict[Any, list[Row[Any]]] = {}
    for row in sorted(session.execute(_claimed(session.dialect), said).all(), key=lambda row: row.valid_from):
        found.setdefault(by_key[(int(row.source_id), int(row.target_id), row.kind)], []).append(row)
    return found


@Prepared
def _closed_before(dialect: str) -> Any:
    wanted = given(dialect, int, int, str)
    same = and_(
        EDGE.c.source_id == wanted.c.k0, EDGE.c.target_id == wanted.c.k1, EDGE.c.level == Level.FIELD,
        EDGE.c.kind == type_coerce(wanted.c.k2, EDGE.c.kind.type), EDGE.c.producer == "",
        EDGE.c.ending == Ending.DROPPED,
    )  # fmt: skip
    newest = select(func.max(EDGE.c.id).label("id")).select_from(wanted.join(EDGE, same))
    last = newest.group_by(wanted.c.k0, wanted.c.k1, wanted.c.k2).subquery()
    named = ("source_id", "target_id", "kind", "transformations")
    return select(*(EDGE.c[name] for name in named)).select_from(last.join(EDGE, EDGE.c.id == last.c.id))


def closed_before(session: Session, places: Sequence[Any]) -> dict[Any, list[dict[str, Any]]]:
    """Return what is done to values of column edges that a dropped column closed once, by place."""
    wanted = rows((one.source, one.target, one.kind.value) for one in places)
    by_key = {(one.source, one.target, one.kind): one for one in places}
    found = _closed_before.rows(session, given=wanted)
    return {by_key[(int(row.source_id), int(row.target_id), row.kind)]: row.transformations or [] for row in found}


_SET_DONE = (
    update(EDGE)
    .where(
        EDGE.c.source_id == bindparam("source"), EDGE.c.target_id == bindparam("target"), EDGE.c.level == Level.FIELD,
        EDGE.c.kind == bindparam("said_kind"), EDGE.c.producer == "", CLAIMED,
    )
    .values({EDGE.c.transformations: bindparam("done")})
)  # fmt: skip


def set_done(session: Session, told: Sequence[dict[str, Any]]) -> None:
    """Set what is done to values on all rows of column edges: source, target, said_kind, done."""
    if told:
        session.execute(_SET_DONE, list(told))


@Prepared
def _drops(dialect: str) -> Any:
    wanted = given(dialect, int)
    ends = wanted.join(EDGE, EDGE.c.id == wanted.c.k0).join(FIELD, FIELD.c.id.in_([EDGE.c.source_id, EDGE.c.target_id]))
    joined = ends.join(VERSION, and_(VERSION.c.effective_at > EDGE.c.valid_from, _dropping()))
    return select(EDGE.c.id, VERSION.c.effective_at).select_from(joined).distinct()


def drops(session: Session, edges: Iterable[int]) -> Sequence[Row[Any]]:
    """Return (edge id, effective_at): all moments at which versions dropped a column of edges after they began."""
    return _drops.rows(session, given=ids(edges))


@Prepared
def _supporters_of(dialect: str) -> Any:
    wanted = given(dialect, int)
    joined = wanted.join(EDGE_RUN, EDGE_RUN.c.edge_id == wanted.c.k0).outerjoin(RUN, RUN.c.id == EDGE_RUN.c.run_id)
    return select(EDGE_RUN, RUN.c.id.is_not(None).label("is_run")).select_from(joined)


def supporters_of(session: Session, edges: Sequence[int]) -> Sequence[Row[Any]]:
    """Return who supports edges, and whether that is a run."""
    return _supporters_of.rows(session, given=ids(edges)) if edges else []


def insert_spans(session: Session, new: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows of edges, open or closed, and return their ids in order."""
    if not new:
        return []
    statement = insert(EDGE).returning(EDGE.c.id, sort_by_parameter_order=True)
    return [int(row.id) for row in session.execute(statement, list(new)).all()]


_DELETE_SUPPORTERS = delete(EDGE_RUN).where(
    EDGE_RUN.c.edge_id == bindparam("edge"), EDGE_RUN.c.run_id == bindparam("by")
)


def delete_supporters(session: Session, gone: Sequence[tuple[int, int]]) -> None:
    """Delete (edge, supporter)."""
    if gone:
        session.execute(_DELETE_SUPPORTERS, [{"edge": edge, "by": by} for edge, by in gone])
