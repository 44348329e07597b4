"""Rows of what scans keep for the next one: no part of the graph, made again by reading where it is missing."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String
from sqlmodel import Field, SQLModel

from assetgraph.db.table import Json, Key, UtcDateTime, table


class Scanned(SQLModel, table=True):
    """What the last scan of a source saw of one of its datasets."""

    __tablename__ = "scanned"
    __table_args__ = (Index("uq_scanned", "source_id", "name", unique=True),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    source_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    #: As the source names it; the dataset may have been merged into another since.
    name: str = Field(sa_column=Column(String(1000), nullable=False))
    #: Of all its files (`identity.signature`); empty where they were too young to be known by it.
    signature: str = Field(sa_column=Column(String(32), nullable=False))
    #: All but its files that decides what it is read as (`identity.how_read`).
    how: str = Field(sa_column=Column(String(32), nullable=False))
    #: The version that it was; not a reference, for what is merged may go.
    version_id: int = Field(sa_column=Column(Key, nullable=False))
    #: Names and types of the columns, as an Arrow IPC file without rows.
    columns: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    #: Forms of columns that are typed by their text.
    forms: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    #: Columns that are declared free of nulls.
    required: list[Any] = Field(sa_column=Column(Json, nullable=False))
    #: (file, reason, message) of what is odd about it.
    notices: list[Any] = Field(sa_column=Column(Json, nullable=False))
    scanned_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class ScannedPart(SQLModel, table=True):
    """The state of files of a dataset, and what these are known by."""

    __tablename__ = "scanned_part"

    scanned_id: int = Field(
        sa_column=Column(Key, ForeignKey("scanned.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    )
    #: `identity.Part.key`.
    key: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: Digest of its own columns.
    own: str = Field(sa_column=Column(String(16), nullable=False))
    #: (name, size, stamp, footer, digest) of each file, in their order.
    marks: list[Any] = Field(sa_column=Column(Json, nullable=False))
    #: `sketch.packing`.
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ScannedSpan(SQLModel, table=True):
    """The merged state of neighbouring parts of a dataset."""

    __tablename__ = "scanned_span"

    scanned_id: int = Field(
        sa_column=Column(Key, ForeignKey("scanned.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    )
    #: `kept.span_key` of its parts.
    key: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: `sketch.packing`.
    state: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


SCANNED = table(Scanned, logged=False)
PART = table(ScannedPart, logged=False)
SPAN = table(ScannedSpan, logged=False)
