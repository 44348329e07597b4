"""Column types and naming shared by all tables; rows are SQLModel classes, reads are Core selects of their tables."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar, cast

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

from assetgraph.clock import as_utc

#: Names of constraints, so that migrations can address them on both databases.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: MetaData = SQLModel.metadata

#: 64-bit key; SQLite only counts up an INTEGER primary key.
Key = BigInteger().with_variant(Integer, "sqlite")
#: JSON, indexed binary on PostgreSQL.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC on both databases; SQLite keeps text without an offset."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC."""
        return None if value is None else as_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read back as an aware moment in UTC."""
        return None if value is None else as_utc(value)

    # Rows have several moments: on SQLite these two cost a third of what the layers above them would.
    def bind_processor(self, dialect: Dialect) -> Any:
        """Return what turns a moment into the driver's value."""
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what turns the driver's value into a moment."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


# Rows that are written and read together share their moments: most are known here already.
@lru_cache(maxsize=8192)
def _to_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    moment = value if value.tzinfo is UTC else as_utc(value)
    return moment.isoformat(" ", "microseconds")[:26]  # without the offset


@lru_cache(maxsize=8192)
def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")  # which gives UTC itself


E = TypeVar("E", bound=StrEnum)


class EnumText(TypeDecorator[E]):
    """An enumeration stored as its text, so that a new member needs no migration."""

    impl = String(40)
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        """Remember the enumeration that texts turn into."""
        super().__init__()
        self.enum = enum
        self._members: dict[str, E] = {member.value: member for member in enum}

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        """Store the member's value; unknown texts are a programmer's error and raise KeyError."""
        return None if value is None else self._members[value].value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        """Read back the member."""
        return None if value is None else self._members[value]

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what turns a text into its member: one look-up, called for each row of each answer."""
        return dict[str | None, E | None]([(None, None), *self._members.items()]).__getitem__


def table(row: type[SQLModel], *, logged: bool = True) -> Table:
    """Return the Core table of a row class: what queries select from.

    A transaction that changes rows of a table which is not `logged` need not say so in the change log: it is no part of
    the graph.
    """
    found = cast(Table, cast(Any, row).__table__)
    found.info["logged"] = logged
    return found
