"""All SQL of the change log."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, and_, func, insert, select, text, true

from assetgraph.changes.tables import CHANGE
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.db.prepared import Prepared

#: Key of the PostgreSQL advisory lock that writers queue behind ("agchan"); SQLite has one writer anyway.
LOG_LOCK = 0x61676368616E


def lock(session: Session) -> None:
    """Take the log's transaction-level lock: from here to the commit nobody else appends."""
    if session.dialect == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOG_LOCK})


_TAIL = Prepared(lambda _: select(CHANGE.c.sequence, CHANGE.c.hash).order_by(CHANGE.c.sequence.desc()).limit(1))


def tail(session: Session) -> tuple[int, str]:
    """Return (sequence, hash) of the newest change; (0, '') of an empty log."""
    found = _TAIL.rows(session)
    return (found[0].sequence, found[0].hash) if found else (0, "")


_INSERT = insert(CHANGE)


def insert_changes(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows in one statement."""
    session.execute(_INSERT, list(rows))


def after_sequence(session: Session, sequence: int, most: int) -> Sequence[Row[Any]]:
    """Return up to `most` changes after `sequence`, oldest first."""
    statement = select(CHANGE).where(CHANGE.c.sequence > sequence).order_by(CHANGE.c.sequence).limit(most)
    return session.execute(statement).all()


def page(session: Session, request: PageRequest, *, entity: tuple[str, str] | None, follow: bool) -> Page[Any]:
    """Return changes: newest first to look back, or oldest first after a cursor to follow the log."""
    mine = and_(CHANGE.c.entity_type == entity[0], CHANGE.c.entity_key == entity[1]) if entity else true()
    return keyset_page(
        session,
        select(CHANGE).where(mine),
        select(func.count()).select_from(CHANGE).where(mine),
        columns=[CHANGE.c.sequence],
        names=["sequence"],
        request=request,
        descending=not follow,
    )


def walk(session: Session, batch: int = 1000) -> Iterator[Row[Any]]:
    """Yield the whole log, oldest first, in bounded memory."""
    sequence = 0
    while rows := after_sequence(session, sequence, batch):
        yield from rows
        sequence = int(rows[-1].sequence)


def by_sequences(session: Session, sequences: Sequence[int]) -> dict[int, Row[Any]]:
    """Return changes by their sequence."""
    rows = session.execute(select(CHANGE).where(CHANGE.c.sequence.in_(sequences))).all()
    return {int(row.sequence): row for row in rows}
