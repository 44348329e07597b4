"""Rows of models and their versions."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from assetgraph.db.table import EnumText, Json, Key, table


class ModelStage(StrEnum):
    """How far a model version has come; one version of a model is in production."""

    CANDIDATE = "CANDIDATE"
    STAGING = "STAGING"
    PRODUCTION = "PRODUCTION"
    ARCHIVED = "ARCHIVED"


class Model(SQLModel, table=True):
    """A recommender with versions."""

    __tablename__ = "model"

    id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    description: str | None = Field(default=None, sa_column=Column(Text))


class ModelVersion(SQLModel, table=True):
    """One trained state of a model; its factors lie under artifacts/<artifact>."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model_id", "number", name="uq_model_version_number"),)

    id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    model_id: int = Field(sa_column=Column(Key, ForeignKey("model.id"), nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    stage: ModelStage = Field(sa_column=Column(EnumText(ModelStage), nullable=False))
    parameters: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    artifact: str = Field(sa_column=Column(Text, nullable=False))
    #: Its files by name: SHA-256 and size in bytes. Null for versions of before this was kept.
    files: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    user_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    item_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    interaction_count: int = Field(sa_column=Column(BigInteger, nullable=False))


MODEL = table(Model)
MODEL_VERSION = table(ModelVersion)
