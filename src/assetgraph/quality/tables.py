"""Rows of quality: measured numbers, checks and their results, incidents, baselines, keys."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
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
    #: Whether people declared it, so that scans evaluate it; events tell the others with their results.
    declared: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    #: When a declared one began to hold, and when it was removed or replaced: its results stay.
    since: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    removed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: The column that a foreign key refers to.
    refers_to: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id"), index=True))


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


_OPEN = text("closed_at IS NULL")


class Incident(SQLModel, table=True):
    """Something is wrong with a dataset: a check failed, or a number was out of the ordinary, until that is mended."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("uq_incident_open", "dataset_id", "subject", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_incident_moment", "dataset_id", "opened_at"),
    )

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    #: What it is about, as a digest: of one subject at most one is open.
    subject: str = Field(sa_column=Column(String(64), nullable=False))
    #: Key of the dataset's check that failed, or the metric (maybe of a field) that was out of the ordinary.
    check_key: str | None = Field(default=None, sa_column=Column(String(64)))
    metric: str | None = Field(default=None, sa_column=Column(String(200)))
    field: str | None = Field(default=None, sa_column=Column(Text))
    severity: Severity = Field(sa_column=Column(EnumText(Severity), nullable=False))
    #: What was seen last.
    message: str = Field(sa_column=Column(Text, nullable=False))
    #: How often it was seen.
    failures: int = Field(sa_column=Column(Integer, nullable=False))
    version_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id"), index=True))
    opened_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    failed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    closing_version_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id"), index=True))
    closed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: Why it was closed.
    resolution: str | None = Field(default=None, sa_column=Column(Text))
    acknowledged_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    acknowledged_by: str | None = Field(default=None, sa_column=Column(String(200)))
    note: str | None = Field(default=None, sa_column=Column(Text))


class Baseline(SQLModel, table=True):
    """The version that drift of a dataset is measured against, where that is not the one before."""

    __tablename__ = "quality_baseline"

    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    version_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False, index=True))
    pinned_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    pinned_by: str = Field(sa_column=Column(String(200), nullable=False))


class StoredKeys(SQLModel, table=True):
    """The values of a column that others refer to, as hashes: derived from its newest version, and made again."""

    __tablename__ = "key_set"

    #: No foreign keys: columns and versions may go away.
    field_id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=False))
    version_id: int = Field(sa_column=Column(Key, nullable=False))
    #: The share of all values that is kept; 1 is all.
    share: float = Field(sa_column=Column(Float, nullable=False))
    #: Sorted, unique, little-endian uint64.
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


METRIC = table(Metric)
CHECK = table(QualityCheck)
RESULT = table(CheckResult)
INCIDENT = table(Incident)
BASELINE = table(Baseline)
KEY_SET = table(StoredKeys, logged=False)
