"""Rows of the change log."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, String
from sqlmodel import Field, SQLModel

from assetgraph.db.table import UtcDateTime, table

#: Text as it was hashed: JSONB would rewrite numbers and refuse NUL, and the chain would break.
VerbatimJson = JSON(none_as_null=True)


class Change(SQLModel, table=True):
    """One committed change; sequences have no gaps and follow commit order."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_entity_sequence", "entity_type", "entity_key", "sequence"),)

    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    actor: str = Field(sa_column=Column(String(200), nullable=False))
    #: GraphQL type name and key of what changed; together its global id.
    entity_type: str = Field(sa_column=Column(String(40), nullable=False))
    entity_key: str = Field(sa_column=Column(String(2000), nullable=False))
    action: str = Field(sa_column=Column(String(40), nullable=False))
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(VerbatimJson))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(VerbatimJson))
    #: SHA-256 over the hash before and this row's canonical JSON.
    hash: str = Field(sa_column=Column(String(64), nullable=False))


CHANGE = table(Change, logged=False)
