"""Sources, datasets, versions, fields: views, queries and mutations."""

import asyncio
import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from assetgraph.catalog import queries, service
from assetgraph.catalog.grouping import GroupingKind, rules_of
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.tables import Lifecycle
from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.ids import AssetKind, global_id
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage.past_queries import datasets_page, loose_fields, present
from assetgraph.lineage.propagation import SeenTag, tags_of_datasets, tags_of_fields
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.quality import queries as quality_queries
from assetgraph_server.schema.base import (
    After,
    AsOf,
    Asset,
    BigInt,
    Connection,
    First,
    Info,
    Node,
    asset_columns,
    connection,
    key_of_id,
    past,
)  # fmt: skip
from assetgraph_server.schema.checks import DatasetChecks
from assetgraph_server.schema.classification import FieldMeaning
from assetgraph_server.schema.facets import DatasetFacets
from assetgraph_server.schema.incidents import DatasetQuality, VersionDrift
from assetgraph_server.schema.profiles import FieldProfile, SchemaDiffView, diff_of
from assetgraph_server.schema.proposals import DatasetProposals
from assetgraph_server.schema.relations import DatasetRelations

if TYPE_CHECKING:
    from assetgraph_server.schema.runs import Run


@strawberry.type(description="A tag on an asset, own or inherited along lineage.")
class Tag:
    """A tag."""

    name: str
    inherited_from: Asset | None = None
    path: list[Asset] = strawberry.field(default_factory=list)


@strawberry.type(description="Who answers for an asset.")
class Owner:
    """An owner."""

    principal: str
    role: str


async def tags_of(info: Info, asset: int, at: datetime | None) -> list[Tag]:
    """Return an asset's own tags."""
    return [Tag(name=name) for name in await info.context.load(queries.tags_of, asset, at) or []]


async def owners_of(info: Info, asset: int, at: datetime | None) -> list[Owner]:
    """Return who answers for an asset."""
    found = await info.context.load(queries.owners_of, asset, at) or []
    return [Owner(principal=principal, role=role) for principal, role in found]


async def seen_tags(info: Info, query: Any, asset: int, at: datetime | None) -> list[Tag]:
    """Return an asset's tags with the columns that inherited ones came from."""
    found: list[SeenTag] = await info.context.load(query, asset, at) or []
    needed = list(dict.fromkeys(field for tag in found for field in tag.path))
    rows = await asyncio.gather(*(info.context.load(queries.fields_by_ids, field, at) for field in needed))
    fields: dict[int | None, Asset] = {key: Field.of(row, at) for key, row in zip(needed, rows, strict=True)}
    return [
        Tag(name=tag.name, inherited_from=fields.get(tag.origin), path=[fields[field] for field in tag.path])
        for tag in found
    ]


@strawberry.type(description="Which files of a source make one dataset; the first rule that matches a file counts.")
class GroupingRule:
    """A rule."""

    kind: GroupingKind = strawberry.field(description="What becomes of the files: one dataset, one each, or none.")
    pattern: str
    name: str | None = strawberry.field(description="Name of the one dataset; none: the pattern's fixed beginning.")


@strawberry.type(description="A folder, bucket or database that scans may read.")
class Source(Asset):
    """A source."""

    namespace: str
    location: str
    grouping: list[GroupingRule]

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Source":
        """View a row."""
        rules = [GroupingRule(kind=one.kind, pattern=one.pattern, name=one.name) for one in rules_of(row.grouping)]
        return Source(**asset_columns(row, at), namespace=row.namespace, location=row.location, grouping=rules)


@strawberry.type(description="A column; nested ones by dotted path.")
class Field(FieldMeaning, Asset):
    """A field."""

    row: strawberry.Private[Any]
    type: str
    nullable: bool | None
    ordinal: int

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Field":
        """View a row."""
        shape = {"type": row.type, "nullable": row.nullable, "ordinal": row.ordinal}
        return Field(row=row, **asset_columns(row, at), **shape)

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """Tags on the column, then those that reach it along column lineage; masking stops them."""
        return await seen_tags(info, tags_of_fields, self.row.id, self.at)


@strawberry.type(description="A measured number.")
class QualityMetric(Node):
    """A metric."""

    row: strawberry.Private[Any]
    name: str
    field: str | None
    value: float
    is_exact: bool
    measured_at: datetime

    @staticmethod
    def of(row: Any) -> "QualityMetric":
        """View a row."""
        shape = {"name": row.name, "field": row.field, "value": row.value, "is_exact": row.is_exact}
        identity = strawberry.ID(global_id("QualityMetric", row.id))
        return QualityMetric(row=row, id=identity, **shape, measured_at=row.measured_at)

    @strawberry.field
    async def version(self, info: Info) -> Asset:
        """What was measured: a dataset version, a model version or a run."""
        from assetgraph_server.schema.nodes import asset_by_id

        found = await asset_by_id(info, self.row.asset_id)
        assert found is not None  # noqa: S101 - a foreign key holds it
        return found


@strawberry.type(description="One immutable state of a dataset.")
class DatasetVersion(VersionDrift, Asset):
    """A version."""

    row: strawberry.Private[Any]
    number: int
    fingerprint: str | None
    external_version: str | None
    location: str | None
    row_count: BigInt | None
    size_bytes: BigInt | None

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "DatasetVersion":
        """View a row."""
        named = ("number", "fingerprint", "external_version", "location", "row_count", "size_bytes")
        return DatasetVersion(row=row, **asset_columns(row, at), **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def dataset(self, info: Info) -> "Dataset":
        """The dataset that this is a version of."""
        return Dataset.of(await info.context.load(queries.datasets_by_ids, self.row.dataset_id, self.at), self.at)

    @strawberry.field
    async def fields(self, info: Info) -> list[Field]:
        """The columns, in order."""
        rows = await info.context.load(queries.fields_of_versions, self.row.id) or []
        return [Field.of(row, self.at) for row in rows]

    @strawberry.field
    async def schema_diff(
        self,
        info: Info,
        against: Annotated[
            strawberry.ID | None, strawberry.argument(description="The older version; the one before when left out.")
        ] = None,
    ) -> SchemaDiffView:
        """What changed between the fields of an older version and this one."""
        older = None if against is None else key_of_id(against, "DatasetVersion", path="against")
        return SchemaDiffView.of(await info.context.read(diff_of, self.row.id, older))

    @strawberry.field
    async def profile(self, info: Info) -> list[FieldProfile]:
        """What each column holds, as scanned; empty for a version that was only registered."""
        rows = await info.context.load(queries.fields_of_versions, self.row.id) or []
        return [FieldProfile.of(row.profile) for row in rows if row.profile]

    @strawberry.field
    async def metrics(
        self,
        info: Info,
        name: Annotated[str | None, strawberry.argument(description="Only metrics of this name.")] = None,
        first: First = None,
        after: After = None,
    ) -> Connection[QualityMetric]:
        """Measured numbers, newest first."""
        request = PageRequest.of(first, after)
        page = await info.context.read(quality_queries.metrics_page, self.row.id, name, request, self.at)
        return connection(page, QualityMetric.of)

    @strawberry.field
    async def produced_by(
        self, info: Info
    ) -> Annotated["Run", strawberry.lazy("assetgraph_server.schema.runs")] | None:
        """The run that made it first, when one is known."""
        from assetgraph_server.schema.runs import Run

        runs = await info.context.load(producers_of, self.row.id, self.at) or []
        return Run.of(await info.context.load(lineage_queries.runs_by_ids, runs[0]), self.at) if runs else None


def producers_of(session: Session, ids: Any, at: datetime | None = None) -> dict[int, list[int]]:
    """Return the runs that made versions, by version."""
    return lineage_queries.neighbours_by_kind(
        session, ids, [EdgeKind.PRODUCED], upstream=True, level=Level.VERSION, at=at
    )


@strawberry.type(description="A named body of data that has versions.")
class Dataset(DatasetChecks, DatasetQuality, DatasetFacets, DatasetProposals, DatasetRelations, Asset):
    """A dataset."""

    row: strawberry.Private[Any]
    namespace: str
    description: str | None
    lifecycle: Lifecycle
    role: DatasetRole | None
    transient: bool

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Dataset":
        """View a row."""
        # What a steward says of it is shown before what producers say.
        description = row.documented if row.description is None else row.description
        transient = bool(row.temporary if row.transient is None else row.transient)
        return Dataset(
            row=row, **asset_columns(row, at), namespace=row.called_in, description=description,
            lifecycle=row.lifecycle, role=row.role, transient=transient,
        )  # fmt: skip

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """Tags on the dataset, then those of its columns, own or inherited, each with the way it came."""
        return await seen_tags(info, tags_of_datasets, self.row.id, self.at)

    @strawberry.field
    async def owners(self, info: Info) -> list[Owner]:
        """Who answers for it."""
        return await owners_of(info, self.row.id, self.at)

    @strawberry.field
    async def latest_version(self, info: Info) -> DatasetVersion | None:
        """The newest version."""
        row = await info.context.load(queries.latest_versions, self.row.id, self.at)
        return None if row is None else DatasetVersion.of(row, self.at)

    @strawberry.field
    async def version(
        self, info: Info, number: Annotated[int, strawberry.argument(description="1, 2, 3 ... within the dataset.")]
    ) -> DatasetVersion | None:
        """One version by its number."""
        row = await info.context.read(queries.version_by_number, self.row.id, number, self.at)
        return None if row is None else DatasetVersion.of(row, self.at)

    @strawberry.field
    async def versions(self, info: Info, first: First = None, after: After = None) -> Connection[DatasetVersion]:
        """All versions, newest first."""
        page = await info.context.read(queries.versions_page, self.row.id, PageRequest.of(first, after), self.at)
        return connection(page, lambda row: DatasetVersion.of(row, self.at))

    @strawberry.field
    async def fields(self, info: Info) -> list[Field]:
        """The columns of the latest version, then those that only column lineage names."""
        latest = await info.context.load(queries.latest_versions, self.row.id, self.at)
        rows = [] if latest is None else await info.context.load(queries.fields_of_versions, int(latest.id)) or []
        loose = await info.context.load(loose_fields, self.row.id, self.at) or []
        return [Field.of(row, self.at) for row in (*rows, *loose)]


async def there(info: Info, asset: int, at: datetime | None) -> bool:
    """Tell whether an asset was there at a moment."""
    return at is None or bool(await info.context.load(present, asset, at))


@strawberry.input(description="Which datasets to list; what is left out does not filter.")
class DatasetFilter:
    """Filters of datasets."""

    namespace: str | None = None
    role: DatasetRole | None = None
    tag: str | None = None
    owner: str | None = None
    lifecycle: Lifecycle | None = None


@strawberry.type
class CatalogQuery:
    """Queries of the catalog."""

    @strawberry.field
    async def dataset(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="Namespace of the dataset.")],
        name: Annotated[str, strawberry.argument(description="Name of the dataset.")],
        as_of: AsOf = None,
    ) -> Dataset | None:
        """A dataset by name."""
        info.context.require("read")
        at = past(as_of)
        found = await info.context.read(service.find_asset, AssetKind.DATASET, namespace, name)
        if found is None or not await there(info, found, at):
            return None
        row = await info.context.load(queries.datasets_by_ids, found, at)
        return None if row is None else Dataset.of(row, at)

    @strawberry.field
    async def datasets(
        self,
        info: Info,
        filter: Annotated[  # noqa: A002 - the contract's name
            DatasetFilter | None, strawberry.argument(description="Which datasets; all when left out.")
        ] = None,
        first: First = None,
        after: After = None,
        as_of: AsOf = None,
    ) -> Connection[Dataset]:
        """Datasets by namespace and name."""
        info.context.require("read")
        wanted, at = dataclasses.asdict(filter) if filter else {}, past(as_of)
        page = await info.context.read(datasets_page, wanted, PageRequest.of(first, after), at)
        return connection(page, lambda row: Dataset.of(row, at))
