"""Rows of what models propose to say of assets, and of what they answered before."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Text
from sqlmodel import Field, SQLModel

from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table


class DescriptionProposal(SQLModel, table=True):
    """A description that a model proposes of a dataset or column; one at most waits for a steward.

    Those that were decided stay: a rejected one keeps its source from proposing again.
    """

    __tablename__ = "description_proposal"

    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    #: SHA-256 of the text.
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    text: str = Field(sa_column=Column(Text, nullable=False))
    #: Who proposes it: `endpoint:<model>`.
    source: str = Field(sa_column=Column(String(200), nullable=False))
    #: Short sentences.
    evidence: list[Any] | None = Field(default=None, sa_column=Column(Json))
    status: ProposalStatus = Field(sa_column=Column(EnumText(ProposalStatus), nullable=False))
    proposed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    decided_by: str | None = Field(default=None, sa_column=Column(String(200)))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ModelAnswer(SQLModel, table=True):
    """What a model answered to a text: a vector (float32), or JSON. No part of the graph: it can be asked again."""

    __tablename__ = "model_answer"

    model: str = Field(sa_column=Column(String(200), primary_key=True))
    #: SHA-256 of the text.
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


DESCRIPTION_PROPOSAL = table(DescriptionProposal)
MODEL_ANSWER = table(ModelAnswer, logged=False)
