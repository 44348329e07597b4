"""The inventory report: what data there is for search and recommendation, and what is missing."""

import asyncio
import dataclasses
from datetime import datetime
from typing import Annotated, Any

import polars as pl
import strawberry

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.roles import DatasetRole
from assetgraph.db.page import Page, PageRequest, cursor_of, key_of
from assetgraph.inventory import report_shapes as shapes
from assetgraph.inventory.report import inventory_report
from assetgraph.quality.tables import Severity
from assetgraph_server.schema.base import After, BigInt, Connection, First, Info, connection
from assetgraph_server.schema.catalog import Dataset


@strawberry.type(name="InventoryCoverage", description="What a group of datasets comes to, by their latest versions.")
class Coverage:
    """Numbers of a group."""

    dataset_count: int
    row_count: BigInt
    size_bytes: BigInt
    freshest_at: datetime | None
    newest_event_at: datetime | None
    mean_quality: float | None
    mean_completeness: float | None
    check_count: int
    checks_evaluated: int
    checks_passed: int
    used_by_models: int
    used_datasets: int
    personal_data_datasets: int
    personal_data_fields: int
    owned_datasets: int

    @staticmethod
    def of(coverage: shapes.Coverage) -> "Coverage":
        """View a group."""
        return Coverage(**_parts(coverage))


@strawberry.type(
    description="What the datasets of a role come to, by their latest versions; a role without data has zeros."
)
class RoleCoverage(Coverage):
    """Numbers of a role."""

    role: DatasetRole


@strawberry.type(name="InventoryModels", description="The models of the namespace, or all.")
class ModelCoverage:
    """Numbers of models."""

    model_count: int
    version_count: int
    newest_version_at: datetime | None
    owned_models: int
    models_with_lineage: int


@strawberry.type(description="A tag of personal data, own or come along column lineage, and how many bear it.")
class PersonalDataKind:
    """A tag with counts."""

    tag: str
    field_count: int
    dataset_count: int


@strawberry.type(description="Something that is missing or wrong, and what it costs.")
class InventoryGap:
    """A gap."""

    gap: strawberry.Private[shapes.Gap]
    code: str
    severity: Severity = strawberry.field(description="How much it matters.")
    role: DatasetRole | None = strawberry.field(description="The role that it is about, where it is about one.")
    message: str = strawberry.field(description="What it is, and what it costs.")
    cost: str
    count: int = strawberry.field(
        description="How many datasets or models it is about; 0 where it is about what is not there."
    )
    examples: list[str]

    @staticmethod
    def of(gap: shapes.Gap) -> "InventoryGap":
        """View a gap."""
        named = ("code", "severity", "role", "message", "cost", "count")
        return InventoryGap(gap=gap, examples=list(gap.examples), **{name: getattr(gap, name) for name in named})

    @strawberry.field
    async def datasets(self, info: Info) -> list[Dataset]:
        """The first ten of the datasets that it is about."""
        load = info.context.load
        rows = await asyncio.gather(*(load(catalog.datasets_by_ids, one) for one in self.gap.dataset_ids))
        return [Dataset.of(row) for row in rows if row is not None]


@strawberry.type(description="What is known of one dataset, by its latest version.")
class DatasetInventory:
    """A dataset's row."""

    key: strawberry.Private[int]
    row_count: BigInt | None
    size_bytes: BigInt | None
    field_count: int
    updated_at: datetime | None
    newest_event_at: datetime | None
    newest_event_field: str | None
    completeness: float | None
    quality: float | None
    check_count: int
    checks_evaluated: int
    checks_passed: int
    personal_data_fields: int
    personal_data_tags: list[str]
    model_count: int
    models: list[str]

    @staticmethod
    def of(row: dict[str, Any]) -> "DatasetInventory":
        """View a row of the report's table."""
        named = {field.name: row[field.name] for field in dataclasses.fields(DatasetInventory) if field.name in row}
        return DatasetInventory(**{**named, "key": row["id"]})

    @strawberry.field
    async def dataset(self, info: Info) -> Dataset:
        """The dataset."""
        return Dataset.of(await info.context.load(catalog.datasets_by_ids, self.key))


@strawberry.type(description="What data there is for search and recommendation, how good it is, and what is missing.")
class InventoryReport:
    """The report."""

    report: strawberry.Private[shapes.InventoryReport]
    generated_at: datetime
    namespace: str | None
    dataset_count: int
    row_count: BigInt
    size_bytes: BigInt
    retired_datasets: int
    transient_datasets: int

    @staticmethod
    def of(report: shapes.InventoryReport) -> "InventoryReport":
        """View a report."""
        total = report.total
        return InventoryReport(
            report=report, generated_at=report.generated_at, namespace=report.namespace,
            dataset_count=total.dataset_count, row_count=BigInt(total.row_count), size_bytes=BigInt(total.size_bytes),
            retired_datasets=report.retired_datasets, transient_datasets=report.transient_datasets,
        )  # fmt: skip

    @strawberry.field
    def total(self) -> Coverage:
        """All datasets together."""
        return Coverage.of(self.report.total)

    @strawberry.field
    def roles(self) -> list[RoleCoverage]:
        """Every role in the order of the loop, also those without data."""
        return [RoleCoverage(**_parts(one)) for one in self.report.roles]

    @strawberry.field
    def unassigned(self) -> Coverage:
        """Datasets of which nobody has said what they are to search and recommendation."""
        return Coverage.of(self.report.unassigned)

    @strawberry.field
    def models(self) -> ModelCoverage:
        """The models."""
        return ModelCoverage(**_parts(self.report.models))

    @strawberry.field
    def personal_data(self) -> list[PersonalDataKind]:
        """Tags of personal data, those of most columns first, at most 100."""
        return [PersonalDataKind(**_parts(one)) for one in self.report.personal_data]

    @strawberry.field
    def gaps(self) -> list[InventoryGap]:
        """What is missing or wrong, the worst first; each code once."""
        return [InventoryGap.of(gap) for gap in self.report.gaps]

    @strawberry.field
    def datasets(self, info: Info, first: First = None, after: After = None) -> Connection[DatasetInventory]:
        """The datasets by namespace and name."""
        page = _page(self.report.datasets, PageRequest.of(first, after))
        return connection(page, DatasetInventory.of)


def _parts(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _page(rows: pl.DataFrame, request: PageRequest) -> Page[dict[str, Any]]:
    rest = rows
    if request.after is not None:
        namespace, key = key_of(request.after, 2)
        space = pl.col("namespace")
        rest = rows.filter((space > str(namespace)) | ((space == str(namespace)) & (pl.col("key") > str(key))))
    shown = rest.head(request.first).to_dicts()
    cursors = [cursor_of(row["namespace"], row["key"]) for row in shown]
    return Page(shown, cursors, rest.height > len(shown), rows.height, rest.height < rows.height)


@strawberry.type
class InventoryQuery:
    """Queries of the inventory."""

    @strawberry.field
    async def inventory(
        self,
        info: Info,
        namespace: Annotated[
            str | None, strawberry.argument(description="Only its datasets and models; all when left out.")
        ] = None,
    ) -> InventoryReport:
        """What data there is for search and recommendation, how good it is, and what is missing at what cost."""
        return InventoryReport.of(await info.context.read(inventory_report, namespace))
