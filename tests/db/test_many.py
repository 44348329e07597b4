"""Statements of many rows write what SQLAlchemy would, on both databases, however often they run."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, bindparam, insert, update

from assetgraph.db.engine import Database
from assetgraph.db.many import many
from assetgraph.db.table import EnumText, Json, UtcDateTime


class Kind(StrEnum):
    """Some words."""

    ONE = "ONE"
    TWO = "TWO"


THINGS = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(50)),
    Column("at", UtcDateTime), Column("kind", EnumText(Kind)), Column("said", Json), Column("flag", Boolean),
    Column("share", Float), Column("body", LargeBinary), Column("made", Integer, default=7),
    info={"logged": False},
)  # fmt: skip
COLUMNS = ("id", "name", "at", "kind", "said", "flag", "share", "body")
BERLIN = timezone(timedelta(hours=1))


def rows(start: int) -> list[dict[str, Any]]:
    """Return rows with values of every type, and without."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    return [
        {"id": start, "name": "ü", "at": at, "kind": Kind.ONE, "said": {"a": [1, None]}, "flag": True, "share": 0.5,
         "body": b"\0x"},
        {"id": start + 1, "name": None, "at": at.astimezone(BERLIN), "kind": Kind.TWO, "said": [], "flag": False,
         "share": 1e300, "body": b""},
        {"id": start + 2, "name": "x", "at": None, "kind": None, "said": None, "flag": None, "share": None,
         "body": None},
    ]  # fmt: skip


def test_rows_are_bound_as_sqlalchemy_binds_them(database: Database) -> None:
    """The first time, and every later one; what has defaults of Python's own is left to SQLAlchemy."""
    statement = insert(THINGS)
    bare = insert(THINGS.to_metadata(MetaData()))
    plain = Table("things", MetaData(), *(Column(name, THINGS.c[name].type) for name in COLUMNS))
    quick = insert(plain)
    moved = update(THINGS).where(THINGS.c.id == bindparam("which")).values(
        at=bindparam("when"), kind=bindparam("what"), made=5
    )  # fmt: skip
    with database.transaction("test") as session:
        THINGS.create(session.connection)
        for start in (0, 10, 20):
            session.execute(statement, rows(start))
            session.execute(quick, rows(start + 100))
        told = [{"which": one, "when": datetime(2026, 5, 1, tzinfo=BERLIN), "what": Kind.TWO} for one in (0, 100, 999)]
        for _ in range(3):
            assert session.execute(moved, told).rowcount == 2
        if session.dialect == "sqlite":
            dialect = session.connection.dialect
            assert many(statement, dialect, rows(0)) is None  # `made` has a default
            assert many(quick, dialect, rows(0)) is not None
            assert many(moved, dialect, told) is not None
            assert many(bare, dialect, rows(0)) is None  # seen for the first time
        found = session.execute(THINGS.select().order_by(THINGS.c.id)).all()
        THINGS.drop(session.connection)
    assert len(found) == 18
    by_id = {row.id: row for row in found}
    for start in (10, 20):
        for one, other, told_row in zip(range(start, start + 3), range(100 + start, 103 + start), rows(0), strict=True):
            for name in COLUMNS[1:]:
                assert getattr(by_id[one], name) == getattr(by_id[other], name) == told_row[name], name
            assert (by_id[one].made, by_id[other].made) == (7, None)
    assert [(by_id[one].at, by_id[one].kind, by_id[one].made) for one in (0, 100)] == [
        (datetime(2026, 4, 30, 23, tzinfo=UTC), Kind.TWO, 5)
    ] * 2
