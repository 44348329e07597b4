"""Rows of what columns are thought, or known, to mean."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Float, ForeignKey, String
from sqlmodel import Field, SQLModel

from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table

#: Who proposes or says types, beside the models.
SCAN, STEWARD = "scan", "steward"


class Classification(SQLModel, table=True):
    """A type that a column may have; a column shows the accepted one, else the proposed one, and has one of each.

    Rejected ones stay, so that no scan proposes them again.
    """

    __tablename__ = "classification"

    field_id: int = Field(sa_column=Column(Key, ForeignKey("field.id"), primary_key=True, autoincrement=False))
    #: A SemanticType's text or a steward's own word; empty: a steward says that it has none.
    semantic_type: str = Field(sa_column=Column(String(60), primary_key=True))
    #: A PersonalData's text.
    personal_data: str | None = Field(default=None, sa_column=Column(String(40)))
    #: From 0 to 1; what a steward says is certain.
    confidence: float = Field(sa_column=Column(Float, nullable=False))
    #: Short sentences.
    evidence: list[Any] | None = Field(default=None, sa_column=Column(Json))
    #: Who says so: SCAN, STEWARD, or a model.
    source: str = Field(default=SCAN, sa_column=Column(String(200), nullable=False, server_default=SCAN))
    status: ProposalStatus = Field(sa_column=Column(EnumText(ProposalStatus), nullable=False))
    #: When it was proposed, or first said.
    proposed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    decided_by: str | None = Field(default=None, sa_column=Column(String(200)))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


CLASSIFICATION = table(Classification)
