"""Rows of the queue: a lease is its half of a run, a schedule says when runs are queued."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from assetgraph.db.table import Json, Key, UtcDateTime, table


class Lease(SQLModel, table=True):
    """Who executes a run, until when, and with which fencing token; deleted when the run is final."""

    __tablename__ = "lease"
    __table_args__ = (Index("ix_lease_claim", "needs_gpu", "expires_at", "run_id"),)

    run_id: int = Field(sa_column=Column(Key, ForeignKey("run.id"), primary_key=True, autoincrement=False))
    kind: str = Field(sa_column=Column(String(40), nullable=False))
    #: Name of the worker that holds the run; null while it waits.
    worker: str | None = Field(default=None, sa_column=Column(String(200)))
    #: Raised by each claim: a write under an older token is refused.
    token: int = Field(sa_column=Column(Integer, nullable=False))
    #: When anyone may claim it; in the past while it waits.
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: Claims that count: giving a job back on SIGTERM does not.
    attempts: int = Field(sa_column=Column(Integer, nullable=False))
    needs_gpu: bool = Field(default=False)
    cancel_requested: bool = Field(default=False)


class Schedule(SQLModel, table=True):
    """When jobs of a kind are queued for an asset: a source is scanned, a model trained."""

    __tablename__ = "schedule"
    __table_args__ = (
        UniqueConstraint("asset_id", "kind", name="uq_schedule_subject"), Index("ix_schedule_due", "next_at"),
    )  # fmt: skip

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    #: Kind of job: the name of its launcher.
    kind: str = Field(sa_column=Column(String(40), nullable=False))
    #: Five fields of cron, in the time zone.
    cron: str = Field(sa_column=Column(String(200), nullable=False))
    time_zone: str = Field(sa_column=Column(String(60), nullable=False))
    #: What the launcher is given besides the asset.
    parameters: dict[str, Any] = Field(sa_column=Column(Json, nullable=False))
    #: When the next run is planned for; null while paused.
    next_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    last_run_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id")))
    #: Why the last planned time queued nothing; null when it did.
    problem: str | None = Field(default=None, sa_column=Column(Text))


LEASE = table(Lease, logged=False)
SCHEDULE = table(Schedule, logged=False)
