"""Rows of quality: measured numbers, checks and their results."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, String, Text, UniqueConstraint, true
from sqlmodel import Field, SQLModel

from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table


class Metric(SQLModel, table=True):
    """A number measured of an asset (a version, a run, a model version), maybe of one of its fields."""

    __tablename__ = "metric"
    __table_args__ = (Index("ix_metric_asset", "asset_id", "name", "id"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    name: str = Field(sa_column=Column(String(200), nullable=False))
    field: str | None = Field(default=None, sa_column=Column(Text))
    value: float = Field(sa_column=Column(Float, nullable=False))
    is_exact: bool = Field(default=True)
    measured_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: The facet that told it: told again, the numbers of that facet are replaced.
    facet_id: int | None = Field(default=None, sa_column=Column(Key, index=True))


class Severity(StrEnum):
    """What a failed check means."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class QualityCheck(SQLModel, table=True):
    """A test of a dataset or of one of its columns."""

    __tablename__ = "quality_check"
    __table_args__ = (UniqueConstraint("dataset_id", "key", name="uq_quality_check_key"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    #: Digest of what the check is: kind, column, name.
    key: str = Field(sa_column=Column(String(64), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    severity: Severity = Field(sa_column=Column(EnumText(Severity), nullable=False))
    expression: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    #: Time and digest of the event that described it last.
    said_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    said_digest: str = Field(sa_column=Column(String(64), nullable=False))


class CheckResult(SQLModel, table=True):
    """Whether a check held in a run."""

    __tablename__ = "check_result"
    __table_args__ = (UniqueConstraint("check_id", "run_id", name="uq_check_result_run"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    check_id: int = Field(sa_column=Column(Key, ForeignKey("quality_check.id"), nullable=False))
    run_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False, index=True))
    #: The version that the run met; null while none is known.
    version_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id"), index=True))
    passed: bool = Field(sa_column=Column(Boolean, nullable=False))
    observed: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    message: str | None = Field(default=None, sa_column=Column(Text))
    checked_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    said_digest: str = Field(sa_column=Column(String(64), nullable=False))
    #: False where the run was aborted: whatever it said, nothing was checked.
    counted: bool = Field(default=True, sa_column=Column(Boolean, nullable=False, server_default=true()))


METRIC = table(Metric)
CHECK = table(QualityCheck)
RESULT = table(CheckResult)
