"""Rows of OpenLineage: the events as they came, and what they say that no other slice keeps."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from assetgraph.db.table import Key, UtcDateTime, table


class RawEvent(SQLModel, table=True):
    """An event as it was sent; an equal one is not kept twice."""

    __tablename__ = "openlineage_event"
    __table_args__ = (Index("ix_openlineage_event_time", "event_time", "id", "event_type"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    #: SHA-256 of the canonical JSON.
    digest: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    event_time: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: RUN, DATASET or JOB.
    kind: str = Field(sa_column=Column(String(10), nullable=False))
    #: START, COMPLETE ... of a run event; null also for events of before this was kept, but for those of a last week.
    event_type: str | None = Field(default=None, sa_column=Column(String(10)))
    #: The JSON text, deflated (zlib).
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Facet(SQLModel, table=True):
    """The newest body of a facet, by event time and then by digest, so that the order of arrival does not matter."""

    __tablename__ = "facet"
    __table_args__ = (UniqueConstraint("asset_id", "by_id", "scope", "name", name="uq_facet_place"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    #: The dataset, job or run that it is about.
    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    #: The run (or job) that met the dataset so; the asset itself where it describes the asset alone.
    by_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False, index=True))
    #: DATASET, IN (as an input), OUT (as an output), JOB or RUN.
    scope: str = Field(sa_column=Column(String(10), nullable=False))
    name: str = Field(sa_column=Column(String(200), nullable=False))
    event_time: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    #: JSON; null when the producer deleted the facet.
    body: str | None = Field(default=None, sa_column=Column(Text))
    #: When this body was said first after another; null: not known to be earlier than `event_time`.
    since: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class FacetPast(SQLModel, table=True):
    """A body that a facet which describes an asset itself had, before the one that `facet` holds."""

    __tablename__ = "facet_past"

    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    scope: str = Field(sa_column=Column(String(10), primary_key=True))
    name: str = Field(sa_column=Column(String(200), primary_key=True))
    #: When it was said first and last, with no other body between.
    since: datetime = Field(sa_column=Column(UtcDateTime, primary_key=True))
    last_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    #: As in Facet.
    body: str | None = Field(default=None, sa_column=Column(Text))


class RunDataset(SQLModel, table=True):
    """A dataset that a run, or a job by itself, reads or writes, and the version that this came to."""

    __tablename__ = "run_dataset"
    __table_args__ = (
        Index("ix_run_dataset_dataset", "dataset_id", "direction", "first_at"),
        Index("ix_run_dataset_version", "version_id"),
    )  # fmt: skip

    by_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    #: IN or OUT.
    direction: str = Field(sa_column=Column(String(3), primary_key=True))
    #: Earliest time of any event of the run: a reading is of what lay there then.
    first_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    #: The producer's name of the version, and a digest of the columns it saw.
    label: str | None = Field(default=None, sa_column=Column(Text))
    schema_digest: str | None = Field(default=None, sa_column=Column(String(32)))
    version_id: int | None = Field(default=None, sa_column=Column(Key, ForeignKey("asset.id")))


class Naming(SQLModel, table=True):
    """A producer's word that two names mean one dataset; which of all its names is shown follows from these."""

    __tablename__ = "dataset_naming"
    __table_args__ = (
        Index("ix_dataset_naming_name", "namespace", "key"),
        Index("ix_dataset_naming_other", "other_namespace", "other_key"),
    )

    #: Of the other columns: together they are too long for an index.
    digest: str = Field(sa_column=Column(String(32), primary_key=True))
    namespace: str = Field(sa_column=Column(String(500), nullable=False))
    key: str = Field(sa_column=Column(String(900), nullable=False))
    other_namespace: str = Field(sa_column=Column(String(500), nullable=False))
    other_key: str = Field(sa_column=Column(String(900), nullable=False))
    #: Time of a rename, from the other name to this one; empty for a symlink.
    renamed_at: str = Field(sa_column=Column(String(40), nullable=False))


class Emission(SQLModel, table=True):
    """How far the change log was told to the outside over one way (http, file), and who is telling it now."""

    __tablename__ = "emission"

    name: str = Field(sa_column=Column(String(40), primary_key=True))
    #: The newest change whose events arrived.
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    #: The one emitter that may send, until when; anyone may take over after that.
    holder: str | None = Field(default=None, sa_column=Column(String(200)))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


RAW_EVENT = table(RawEvent, logged=False)
FACET = table(Facet)
FACET_PAST = table(FacetPast)
RUN_DATASET = table(RunDataset)
NAMING = table(Naming)
EMISSION = table(Emission, logged=False)
