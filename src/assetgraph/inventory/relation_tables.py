"""Rows of relations: what sketches know of columns, keys of versions, and relations between columns and datasets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String
from sqlmodel import Field, SQLModel

from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table
from assetgraph.inventory.relate.candidates import RelationKind


class ColumnSketch(SQLModel, table=True):
    """The bottom-k sketch of a column of a version; made of the data alone, and made again where it is missing."""

    __tablename__ = "column_sketch"

    version_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    field_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    value_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    whole: bool = Field(sa_column=Column(Boolean, nullable=False))
    low: int = Field(sa_column=Column(BigInteger, nullable=False))
    high: int = Field(sa_column=Column(BigInteger, nullable=False))


class CandidateKey(SQLModel, table=True):
    """Columns that tell every row of a version from the others; ordinal -1 with none: looked for and not found."""

    __tablename__ = "candidate_key"

    version_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    ordinal: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    fields: list[str] = Field(sa_column=Column(Json, nullable=False))


class Relation(SQLModel, table=True):
    """A relation between two columns (of a duplicate, the first ones that agree), and what people made of it."""

    __tablename__ = "relation"
    __table_args__ = (
        Index("uq_relation", "from_field_id", "to_field_id", "kind", unique=True),
        Index("ix_relation_from", "from_dataset_id", "id"),
        Index("ix_relation_to", "to_dataset_id", "id"),
    )

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    kind: RelationKind = Field(sa_column=Column(EnumText(RelationKind), nullable=False))
    from_field_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    to_field_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    from_dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    to_dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    confidence: float = Field(sa_column=Column(Float, nullable=False))
    status: ProposalStatus = Field(sa_column=Column(EnumText(ProposalStatus), nullable=False))
    found_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: Who accepted or rejected it, and when.
    decided_by: str | None = Field(default=None, sa_column=Column(String(200)))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


SKETCH: Any = table(ColumnSketch, logged=False)
KEY: Any = table(CandidateKey)
RELATION: Any = table(Relation)
