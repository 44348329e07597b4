"""Rows of feedback events and of which run exported which."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column, Float, ForeignKey, Index, String, Text
from sqlmodel import Field, SQLModel

from assetgraph.db.table import EnumText, Key, UtcDateTime, table


class FeedbackEvent(StrEnum):
    """What a person did."""

    IMPRESSION = "IMPRESSION"
    CLICK = "CLICK"
    FAVOURITE = "FAVOURITE"
    ADD_TO_CART = "ADD_TO_CART"
    PURCHASE = "PURCHASE"
    RATING = "RATING"
    DISLIKE = "DISLIKE"
    HIDE = "HIDE"


class Feedback(SQLModel, table=True):
    """One event; a graph node without edge rows, its neighbours follow from its columns."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_model", "model_id", "id"),
        Index("ix_feedback_model_version", "model_version_id", "id"),
        Index("ix_feedback_moment", "model_id", "created_at"),
        Index("uq_feedback_key", "key", unique=True),
    )

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    model_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("model.id")))
    model_version_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("model_version.id")))
    user: str = Field(sa_column=Column("user", Text, nullable=False))
    item: str = Field(sa_column=Column(Text, nullable=False))
    event: FeedbackEvent = Field(sa_column=Column(EnumText(FeedbackEvent), nullable=False))
    value: float | None = Field(default=None, sa_column=Column(Float))
    occurred_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: Key of the recommendation that it answers (ids.recommendation_key).
    recommendation: str | None = Field(default=None, sa_column=Column(Text, index=True))
    #: The sender's own id of the event: sent twice, kept once.
    key: str | None = Field(default=None, sa_column=Column(String(500)))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class FeedbackExport(SQLModel, table=True):
    """Which feedback an export run took: that of a model up to an id (ids follow commit order)."""

    __tablename__ = "feedback_export"

    run_id: int = Field(sa_column=Column(Key, ForeignKey("run.id"), primary_key=True, autoincrement=False))
    model_id: int = Field(sa_column=Column(Key, ForeignKey("model.id"), nullable=False, index=True))
    last_feedback_id: int = Field(sa_column=Column(Key, nullable=False))


FEEDBACK = table(Feedback)
FEEDBACK_EXPORT = table(FeedbackExport)
