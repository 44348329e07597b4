"""Rows of lineage: jobs, runs, and the edges of the one graph."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Text, false, text
from sqlmodel import Field, SQLModel

from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table


class EdgeKind(StrEnum):
    """What a relation means; edges point the way data flows."""

    CONSUMED = "CONSUMED"
    PRODUCED = "PRODUCED"
    DERIVED = "DERIVED"
    VERSION_OF = "VERSION_OF"
    TRAINED_ON = "TRAINED_ON"
    RECOMMENDED = "RECOMMENDED"
    RECEIVED = "RECEIVED"
    CONTAINS = "CONTAINS"
    DECLARED = "DECLARED"


class Level(StrEnum):
    """Which graph an edge belongs to: definitions, what happened, or columns."""

    DATASET = "DATASET"
    VERSION = "VERSION"
    FIELD = "FIELD"


class Ending(StrEnum):
    """Why an edge is closed; one that was taken back, as if it had never been said, has none."""

    DROPPED = "DROPPED"
    EXPIRED = "EXPIRED"
    UNDECLARED = "UNDECLARED"


class RunState(StrEnum):
    """Where a run is; the last three are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the run."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class RunType(StrEnum):
    """What a run does; EXTERNAL ones happen outside this service."""

    EXTERNAL = "EXTERNAL"
    SCAN = "SCAN"
    TRAINING = "TRAINING"
    FEEDBACK_EXPORT = "FEEDBACK_EXPORT"
    EVALUATION = "EVALUATION"
    OTHER = "OTHER"


class Edge(SQLModel, table=True):
    """A relation between two assets; open while valid_to is null, and then unique for whoever says so."""

    __tablename__ = "edge"
    __table_args__ = (
        Index(
            "uq_edge_open", "source_id", "target_id", "kind", "producer", unique=True,
            sqlite_where=text("valid_to IS NULL"), postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_edge_target", "target_id", "level", "source_id"),
        Index("ix_edge_source", "source_id", "level", "target_id"),
    )  # fmt: skip

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    source_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    target_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    kind: EdgeKind = Field(sa_column=Column(EnumText(EdgeKind), nullable=False))
    level: Level = Field(sa_column=Column(EnumText(Level), nullable=False))
    valid_from: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    valid_to: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: DROPPED ones are stretches of time: whoever claims the edge again after that opens a new row of it.
    ending: Ending | None = Field(default=None, sa_column=Column(EnumText(Ending)))
    last_seen: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    run_count: int = Field(sa_column=Column(Integer, nullable=False))
    #: Not written any more (`edge_run` says who supports it); SQLite drops no column that refers to another table.
    run_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id")))
    #: Who declared it; empty for what follows from runs.
    producer: str = Field(default="", sa_column=Column(String(200), nullable=False, server_default=""))
    #: What is done to the values, at level FIELD: all that any run said, sorted.
    transformations: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(Json))


class EdgeRun(SQLModel, table=True):
    """Who supports a projected edge: a run counts once; a job or a dataset may say it by itself, and counts nothing."""

    __tablename__ = "edge_run"

    edge_id: int = Field(sa_column=Column(Key, ForeignKey("edge.id"), primary_key=True, autoincrement=False))
    run_id: int = Field(
        sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False, index=True)
    )
    #: When it said so first and last, by the events' own times.
    first_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    last_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Job(SQLModel, table=True):
    """A definition of work that runs happen under."""

    __tablename__ = "job"

    id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    description: str | None = Field(default=None, sa_column=Column(Text))
    #: It is one statement of the job that starts it (dbt's `<job>.sql.<n>`): walks contract it and its runs.
    statement: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class Run(SQLModel, table=True):
    """One execution of a job: an outside pipeline's, or a job of this service."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_job", "job_id", "id"), Index("ix_run_state", "state", "type", "id"))

    id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    job_id: int = Field(sa_column=Column(Key, ForeignKey("job.id"), nullable=False))
    run_id: str = Field(sa_column=Column(String(500), nullable=False, index=True))
    type: RunType = Field(sa_column=Column(EnumText(RunType), nullable=False))
    state: RunState = Field(sa_column=Column(EnumText(RunState), nullable=False))
    progress: float | None = Field(default=None, sa_column=Column(Float))
    message: str | None = Field(default=None, sa_column=Column(Text))
    attempt: int = Field(sa_column=Column(Integer, nullable=False))
    #: What the work was asked to do; only this service's own runs have it.
    parameters: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))
    #: When it was planned for, where a schedule started it.
    nominal_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    error: str | None = Field(default=None, sa_column=Column(Text))
    #: The run that started this one, and the outermost (ids of runs; SQLite adds no foreign key to a table).
    parent_id: int | None = Field(default=None, sa_column=Column(Key, index=True))
    root_id: int | None = Field(default=None, sa_column=Column(Key))
    #: Earliest time that any event of the run has: what it read lay there then.
    first_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: Earliest time that it said it was complete: what it wrote lay there then.
    completed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: It never completes, and what it writes counts at once.
    streaming: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class Finding(SQLModel, table=True):
    """Something a run met that did not stop it, such as a broken file."""

    __tablename__ = "finding"

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    run_id: int = Field(sa_column=Column(Key, ForeignKey("run.id"), nullable=False, index=True))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    code: str = Field(sa_column=Column(String(60), nullable=False))
    message: str = Field(sa_column=Column(Text, nullable=False))
    #: Null in what an export of before this column told: then the end of the run counts.
    found_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


EDGE = table(Edge)
EDGE_RUN = table(EdgeRun)
JOB = table(Job)
RUN = table(Run)
FINDING = table(Finding)
