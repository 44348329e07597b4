"""Rows of the catalog: every asset is a row in `asset` with its typed row beside it under the same id."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from assetgraph.catalog.roles import DatasetRole
from assetgraph.db.table import EnumText, Json, Key, UtcDateTime, table
from assetgraph.ids import AssetKind


class Lifecycle(StrEnum):
    """How far a dataset may be relied on."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class ProposalStatus(StrEnum):
    """What became of something that a scan proposes."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


#: Who says something of an asset: people and the service's own commands, OpenLineage events, or what scans see.
PEOPLE, EVENTS, SCANS = "", "openlineage", "scan"
ORIGINS = (PEOPLE, EVENTS, SCANS)


class Asset(SQLModel, table=True):
    """A node of the graph; identity is (kind, namespace, key), `name` is what people see."""

    __tablename__ = "asset"
    __table_args__ = (UniqueConstraint("kind", "namespace", "key", name="uq_asset_identity"),)

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    kind: AssetKind = Field(sa_column=Column(EnumText(AssetKind), nullable=False))
    namespace: str = Field(sa_column=Column(String(500), nullable=False))
    key: str = Field(sa_column=Column(Text, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


def _asset_key() -> Any:
    return Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False)


class Source(SQLModel, table=True):
    """A folder, bucket or database that scans may read."""

    __tablename__ = "source"

    id: int = Field(sa_column=_asset_key())
    location: str = Field(sa_column=Column(Text, nullable=False))
    #: Which files make one dataset, where the common rules do not know: catalog.grouping's rules, in order.
    grouping: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(Json))


class Dataset(SQLModel, table=True):
    """A named body of data that has versions."""

    __tablename__ = "dataset"

    id: int = Field(sa_column=_asset_key())
    description: str | None = Field(default=None, sa_column=Column(Text))
    role: DatasetRole | None = Field(default=None, sa_column=Column(EnumText(DatasetRole)))
    lifecycle: Lifecycle = Field(sa_column=Column(EnumText(Lifecycle), nullable=False))
    #: What producers say it is; shown where no steward says anything.
    documented: str | None = Field(default=None, sa_column=Column(Text))
    #: Whether it only passes through, so that walks contract it: what people say, and where they do not, what its
    #: name or its producer's facets say.
    transient: bool | None = Field(default=None, sa_column=Column(Boolean))
    temporary: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class DatasetVersion(SQLModel, table=True):
    """One immutable state of a dataset, numbered 1, 2, 3 ... within it."""

    __tablename__ = "dataset_version"
    __table_args__ = (
        UniqueConstraint("dataset_id", "number", name="uq_dataset_version_number"),
        Index("ix_dataset_version_fingerprint", "dataset_id", "fingerprint"),
        Index("uq_dataset_version_origin", "dataset_id", "origin", unique=True),
        Index("ix_dataset_version_effective", "dataset_id", "effective_at"),
    )

    id: int = Field(sa_column=_asset_key())
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("dataset.id"), nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    fingerprint: str | None = Field(default=None, sa_column=Column(Text))
    external_version: str | None = Field(default=None, sa_column=Column(Text))
    location: str | None = Field(default=None, sa_column=Column(Text))
    row_count: int | None = Field(default=None, sa_column=Column(BigInteger))
    size_bytes: int | None = Field(default=None, sa_column=Column(BigInteger))
    #: What made it known, when that was an event: a run, a producer's label, a schema that was seen.
    origin: str | None = Field(default=None, sa_column=Column(String(300)))
    #: Since when the dataset was like this, by the producer's clock.
    effective_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    #: Whether who wrote it said its columns: those that an earlier one had, and it has not, are dropped.
    described: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class DatasetField(SQLModel, table=True):
    """A column of a dataset over all its versions; nested ones by dotted path."""

    __tablename__ = "field"
    __table_args__ = (UniqueConstraint("dataset_id", "path", name="uq_field_path"),)

    id: int = Field(sa_column=_asset_key())
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("dataset.id"), nullable=False))
    path: str = Field(sa_column=Column(Text, nullable=False))
    #: What a steward says of it, shown before what producers say of it in a version.
    description: str | None = Field(default=None, sa_column=Column(Text))


class VersionField(SQLModel, table=True):
    """What a column is in one version, with its profile when the version was scanned."""

    __tablename__ = "version_field"

    version_id: int = Field(sa_column=Column(Key, ForeignKey("dataset_version.id"), primary_key=True))
    field_id: int = Field(sa_column=Column(Key, ForeignKey("field.id"), primary_key=True, index=True))
    ordinal: int = Field(sa_column=Column(Integer, nullable=False))
    type: str = Field(sa_column=Column(Text, nullable=False))
    nullable: bool | None = Field(default=None)
    description: str | None = Field(default=None, sa_column=Column(Text))
    #: Counts, range, quantiles, top values and histogram, as inventory.profile writes them.
    profile: dict[str, Any] | None = Field(default=None, sa_column=Column(Json))


class AssetTag(SQLModel, table=True):
    """A tag set on an asset itself."""

    __tablename__ = "asset_tag"

    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True))
    name: str = Field(sa_column=Column(String(200), primary_key=True, index=True))
    #: One of ORIGINS.
    origin: str = Field(default="", sa_column=Column(String(20), primary_key=True, server_default=""))


class AssetOwner(SQLModel, table=True):
    """Who answers for an asset."""

    __tablename__ = "asset_owner"

    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True))
    principal: str = Field(sa_column=Column(String(200), primary_key=True, index=True))
    role: str = Field(sa_column=Column(String(40), nullable=False))
    #: As in AssetTag.
    origin: str = Field(default="", sa_column=Column(String(20), primary_key=True, server_default=""))


class DatasetAlias(SQLModel, table=True):
    """Another name of a dataset; a name is an asset's or an alias, never both."""

    __tablename__ = "dataset_alias"

    namespace: str = Field(sa_column=Column(String(500), primary_key=True))
    key: str = Field(sa_column=Column(String(900), primary_key=True))
    dataset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False, index=True))


class Aspect(StrEnum):
    """A part of what is said of an asset, with a history of its own."""

    DESCRIPTION = "DESCRIPTION"
    TAGS = "TAGS"
    OWNERS = "OWNERS"
    ROLE = "ROLE"
    LIFECYCLE = "LIFECYCLE"
    LOCATION = "LOCATION"
    STAGE = "STAGE"
    #: Of columns: what their values mean, as it is shown.
    SEMANTIC_TYPE = "SEMANTIC_TYPE"
    #: Of datasets that producers renamed: with the first of these names since `ALWAYS`.
    NAME = "NAME"
    NAMESPACE = "NAMESPACE"


class AssetHistory(SQLModel, table=True):
    """What was said of an asset at a moment: the whole value each time. Nothing here: it was always as it is now."""

    __tablename__ = "asset_history"

    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), primary_key=True, autoincrement=False))
    aspect: Aspect = Field(sa_column=Column(EnumText(Aspect), primary_key=True))
    #: As in AssetTag.
    origin: str = Field(default="", sa_column=Column(String(20), primary_key=True))
    #: Since when: the event's own time, or when a person's command came.
    at: datetime = Field(sa_column=Column(UtcDateTime, primary_key=True))
    #: Of two words at one time the greater digest counts; empty for commands.
    digest: str = Field(default="", sa_column=Column(String(64), nullable=False))
    #: A text; tags as JSON [[column, tag] ...] (column empty: the asset itself), owners [[principal, role] ...].
    value: str | None = Field(default=None, sa_column=Column(Text))


class Idempotency(SQLModel, table=True):
    """Which asset a request with an idempotency key made, and a digest of that request."""

    __tablename__ = "idempotency"

    principal: str = Field(sa_column=Column(String(200), primary_key=True))
    key: str = Field(sa_column=Column(String(200), primary_key=True))
    request_hash: str = Field(sa_column=Column(String(64), nullable=False))
    asset_id: int = Field(sa_column=Column(Key, ForeignKey("asset.id"), nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Token(SQLModel, table=True):
    """An API token: only its SHA-256 is kept."""

    __tablename__ = "token"

    id: int = Field(sa_column=Column(Key, primary_key=True, autoincrement=True))
    name: str = Field(sa_column=Column(String(200), nullable=False))
    role: str = Field(sa_column=Column(String(20), nullable=False))
    hash: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


ASSET = table(Asset)
SOURCE = table(Source)
DATASET = table(Dataset)
VERSION = table(DatasetVersion)
FIELD = table(DatasetField)
VERSION_FIELD = table(VersionField)
TAG = table(AssetTag)
OWNER = table(AssetOwner)
ALIAS = table(DatasetAlias)
HISTORY = table(AssetHistory)
IDEMPOTENCY = table(Idempotency, logged=False)
TOKEN = table(Token, logged=False)
