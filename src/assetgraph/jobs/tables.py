"""Row of a lease: the queue's half of a run that this service executes."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Integer, String
from sqlmodel import Field, SQLModel

from assetgraph.db.table import Key, UtcDateTime, table


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


LEASE = table(Lease, logged=False)
