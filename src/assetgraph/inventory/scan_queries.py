"""All SQL of what scans keep for the next one."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update

from assetgraph.catalog.tables import VERSION
from assetgraph.db.engine import Session
from assetgraph.inventory.scan_tables import PART, SCANNED, SPAN


def scanned_of(session: Session, source: int) -> Sequence[Row[Any]]:
    """Return what was seen of a source's datasets, with `dataset_id` of the version and whether it is the newest."""
    newer = VERSION.alias("newer")
    later = or_(
        newer.c.effective_at > VERSION.c.effective_at,
        and_(newer.c.effective_at == VERSION.c.effective_at, newer.c.number > VERSION.c.number),
    )
    is_newest = ~select(newer.c.id).where(newer.c.dataset_id == VERSION.c.dataset_id, later).exists()
    columns = [SCANNED.c[name] for name in ("id", "name", "signature", "version_id", "notices")]
    joined = SCANNED.join(VERSION, VERSION.c.id == SCANNED.c.version_id)
    wanted = select(*columns, VERSION.c.dataset_id, is_newest.label("is_newest")).select_from(joined)
    return session.execute(wanted.where(SCANNED.c.source_id == source)).all()


def columns_of(session: Session, scanned: int) -> Row[Any] | None:
    """Return what is kept of a dataset's columns."""
    names = ("how", "columns", "forms", "required")
    return session.execute(select(*(SCANNED.c[name] for name in names)).where(SCANNED.c.id == scanned)).one_or_none()


def parts_of(session: Session, scanned: int) -> Sequence[Row[Any]]:
    """Return key, own columns, marks and the state's first eight bytes of each part."""
    beginning = func.substr(PART.c.state, 1, 8).label("beginning")
    wanted = select(PART.c.key, PART.c.own, PART.c.marks, beginning)
    return session.execute(wanted.where(PART.c.scanned_id == scanned)).all()


def state_of(session: Session, scanned: int, key: int) -> bytes:
    """Return the packed state of a part."""
    wanted = select(PART.c.state).where(PART.c.scanned_id == scanned, PART.c.key == key)
    return bytes(session.execute(wanted).scalar_one())


def span_of(session: Session, scanned: int, key: int) -> bytes | None:
    """Return the packed state of a span of parts."""
    wanted = select(SPAN.c.state).where(SPAN.c.scanned_id == scanned, SPAN.c.key == key)
    found = session.execute(wanted).scalar_one_or_none()
    return None if found is None else bytes(found)


def keep_spans(session: Session, scanned: int, keys: Collection[int], rows: Sequence[dict[str, Any]]) -> None:
    """Keep the spans of these keys and no others; rows: those whose state is new."""
    there = set(session.execute(select(SPAN.c.key).where(SPAN.c.scanned_id == scanned)).scalars())
    drop = sorted(there - (set(keys) - {row["key"] for row in rows}))
    for start in range(0, len(drop), 500):
        session.execute(delete(SPAN).where(SPAN.c.scanned_id == scanned, SPAN.c.key.in_(drop[start : start + 500])))
    if rows:
        session.execute(insert(SPAN), list(rows))


def keep(session: Session, row: dict[str, Any]) -> int:
    """Insert or replace what was seen of a dataset; returns its id."""
    mine = and_(SCANNED.c.source_id == row["source_id"], SCANNED.c.name == row["name"])
    found = session.execute(select(SCANNED.c.id).where(mine)).scalar_one_or_none()
    if found is None:
        return int(session.execute(insert(SCANNED).values(row).returning(SCANNED.c.id)).scalar_one())
    session.execute(update(SCANNED).where(SCANNED.c.id == found).values(row))
    return int(found)


def part_keys(session: Session, scanned: int) -> set[int]:
    """Return the keys of the parts that are kept."""
    return set(session.execute(select(PART.c.key).where(PART.c.scanned_id == scanned)).scalars())


def drop_parts(session: Session, scanned: int, keys: Sequence[int]) -> None:
    """Forget parts."""
    for start in range(0, len(keys), 500):
        mine = and_(PART.c.scanned_id == scanned, PART.c.key.in_(list(keys[start : start + 500])))
        session.execute(delete(PART).where(mine))


def insert_parts(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert parts."""
    if rows:
        session.execute(insert(PART), list(rows))


def remark(session: Session, scanned: int, key: int, marks: list[Any]) -> None:
    """Set what the files of a part are known by, the state being as it was."""
    session.execute(update(PART).where(PART.c.scanned_id == scanned, PART.c.key == key).values(marks=marks))


def sign(session: Session, scanned: int, signature: str) -> None:
    """Set the signature of a dataset's files."""
    session.execute(update(SCANNED).where(SCANNED.c.id == scanned).values(signature=signature))


def forget(session: Session, scanned: Sequence[int]) -> None:
    """Drop what was kept of datasets."""
    for start in range(0, len(scanned), 500):
        some = list(scanned[start : start + 500])
        session.execute(delete(PART).where(PART.c.scanned_id.in_(some)))
        session.execute(delete(SPAN).where(SPAN.c.scanned_id.in_(some)))
        session.execute(delete(SCANNED).where(SCANNED.c.id.in_(some)))
