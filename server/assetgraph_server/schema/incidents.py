"""Incidents, series of metrics and drift: what is wrong with datasets, and since when."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from assetgraph.catalog import queries as catalog
from assetgraph.clock import as_utc
from assetgraph.db.page import PageRequest
from assetgraph.ids import global_id
from assetgraph.quality import check_queries, compared, incident_queries, queries
from assetgraph.quality.tables import Severity
from assetgraph_server.schema.base import After, AsOf, Connection, First, Info, Node, connection, key_of_id, past
from assetgraph_server.schema.checks import QualityCheck

if TYPE_CHECKING:
    from assetgraph_server.schema.catalog import Dataset, DatasetVersion, QualityMetric

_Dataset = Annotated["Dataset", strawberry.lazy("assetgraph_server.schema.catalog")]
_Version = Annotated["DatasetVersion", strawberry.lazy("assetgraph_server.schema.catalog")]
_Metric = Annotated["QualityMetric", strawberry.lazy("assetgraph_server.schema.catalog")]
Open = Annotated[bool | None, strawberry.argument(description="Only open ones, or only closed ones.")]


async def version_of(info: Info, key: int | None, at: datetime | None) -> Any:
    """Return the view of a version, if it is still there."""
    from assetgraph_server.schema.catalog import DatasetVersion

    row = None if key is None else await info.context.load(catalog.versions_by_ids, key, at)
    return None if row is None else DatasetVersion.of(row, at)


@strawberry.type(
    description="Something is wrong with a dataset: a check failed, or a number was out of the ordinary, until the "
    "same is fine again."
)
class Incident(Node):
    """An incident."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None
    severity: Severity
    message: str = strawberry.field(description="What was seen last, with the numbers.")
    metric: str | None = strawberry.field(description="The metric that was out of the ordinary; null for a check.")
    field: str | None = strawberry.field(description="The column of the metric; null for the whole dataset's.")
    failures: int = strawberry.field(description="How often it was seen.")
    opened_at: datetime = strawberry.field(description="When it was seen first.")
    failed_at: datetime = strawberry.field(description="When it was seen last.")
    closed_at: datetime | None = strawberry.field(description="When it was fine again; null while it is open.")
    resolution: str | None = strawberry.field(description="Why it was closed.")
    acknowledged_at: datetime | None = strawberry.field(description="When somebody said that they know of it.")
    acknowledged_by: str | None = strawberry.field(description="Who said so last.")
    note: str | None = strawberry.field(description="What they said.")

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Incident":
        """View a row; what came after a moment is not shown of it."""
        named = ("severity", "message", "metric", "field", "failures", "opened_at", "failed_at")
        shown = {name: getattr(row, name) for name in named}
        for moment, names in (("closed_at", ("resolution",)), ("acknowledged_at", ("acknowledged_by", "note"))):
            happened = getattr(row, moment) is not None and (at is None or getattr(row, moment) <= at)
            shown |= {name: getattr(row, name) if happened else None for name in (moment, *names)}
        return Incident(row=row, at=at, id=strawberry.ID(global_id("Incident", row.id)), **shown)

    @strawberry.field
    async def dataset(self, info: Info) -> _Dataset:
        """The dataset that something is wrong with."""
        from assetgraph_server.schema.catalog import Dataset

        return Dataset.of(await info.context.load(catalog.datasets_by_ids, self.row.dataset_id, self.at), self.at)

    @strawberry.field
    async def check(self, info: Info) -> QualityCheck | None:
        """The check that failed; null where a metric was out of the ordinary."""
        if self.row.check_key is None:
            return None
        place = (int(self.row.dataset_id), str(self.row.check_key))
        row = await info.context.load(check_queries.checks_by_keys, place)
        return None if row is None else QualityCheck.of(row, self.at)

    @strawberry.field
    async def version(self, info: Info) -> _Version | None:
        """The version that it was seen in first."""
        return None if self.row.version_id is None else await version_of(info, self.row.version_id, self.at)

    @strawberry.field
    async def closing_version(self, info: Info) -> _Version | None:
        """The version that was fine again; null while it is open, or when its check was removed."""
        return None if self.closed_at is None else await version_of(info, self.row.closing_version_id, self.at)


@strawberry.type(description="How far a column's distribution is from the baseline's, told by stored profiles alone.")
class FieldDrift:
    """Drift of a column."""

    found: strawberry.Private[compared.FieldDrift]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    def field(self) -> str:
        """Path of the column."""
        return self.found.field

    @strawberry.field
    def psi(self) -> float | None:
        """Population stability index; above 0.1 commonly called small, above 0.25 large. Null: cannot be compared."""
        return None if self.found.drift is None else self.found.drift.psi

    @strawberry.field
    def jensen_shannon(self) -> float | None:
        """Jensen-Shannon distance to the base 2, 0 to 1. Null: cannot be compared."""
        return None if self.found.drift is None else self.found.drift.jensen_shannon

    @strawberry.field
    def kolmogorov_smirnov(self) -> float | None:
        """Largest distance of the cumulative distributions, 0 to 1; null for values without an order."""
        return None if self.found.drift is None else self.found.drift.kolmogorov_smirnov

    @strawberry.field
    def is_exact(self) -> bool:
        """Whether both distributions were known value by value."""
        return self.found.drift is not None and self.found.drift.exact

    @strawberry.field
    async def baseline(self, info: Info) -> _Version:
        """The version that it was compared with."""
        found = await version_of(info, self.found.baseline, self.at)
        assert found is not None  # noqa: S101 - it was read just now
        return found  # type: ignore[no-any-return]


@strawberry.type
class VersionDrift:
    """The drift of a version."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def drift(
        self,
        info: Info,
        against: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="A version of the same dataset; the pinned or previous one when left out."),
        ] = None,
        first: First = None,
        after: After = None,
    ) -> Connection[FieldDrift]:
        """How far each column is from the same one of another version, by stored profiles; no data is read."""
        other = None if against is None else key_of_id(against, "DatasetVersion", path="against")
        page = await info.context.read(compared.drift_page, self.row.id, other, PageRequest.of(first, after))
        return connection(page, lambda found: FieldDrift(found=found, at=self.at))


@strawberry.type
class DatasetQuality:
    """Series, incidents and the baseline of a dataset."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def metrics(
        self,
        info: Info,
        name: Annotated[str | None, strawberry.argument(description="Only metrics of this name.")] = None,
        field: Annotated[str | None, strawberry.argument(description="Only metrics of this column.")] = None,
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Only those measured then or later.")
        ] = None,
        to: Annotated[datetime | None, strawberry.argument(description="Only those measured then or before.")] = None,
        first: First = None,
        after: After = None,
    ) -> Connection[_Metric]:
        """Measured numbers of all its versions, newest first: with a name and a column, one series."""
        from assetgraph_server.schema.catalog import QualityMetric

        moments = {"since": from_ and as_utc(from_), "until": to and as_utc(to)}
        wanted = {"name": name, "field": field, **moments}
        page = await info.context.read(
            queries.series_page, self.row.id, wanted, PageRequest.of(first, after), self.at
        )  # fmt: skip
        return connection(page, QualityMetric.of)

    @strawberry.field
    async def incidents(
        self, info: Info, open: Open = None, first: First = None, after: After = None  # noqa: A002 - the plain word
    ) -> Connection[Incident]:  # fmt: skip
        """What is or was wrong with it, newest first."""
        wanted = {"dataset": self.row.id, "open": open}
        page = await info.context.read(
            incident_queries.incidents_page, wanted, PageRequest.of(first, after), self.at
        )  # fmt: skip
        return connection(page, lambda row: Incident.of(row, self.at))

    @strawberry.field
    async def baseline(self, info: Info) -> _Version | None:
        """The version that drift is measured against now; null: the one before each."""
        pinned = await info.context.load(check_queries.baselines, self.row.id)
        return None if pinned is None else await version_of(info, pinned.version_id, self.at)


@strawberry.input(description="Which incidents to list; what is left out does not filter.")
class IncidentFilter:
    """Filters of incidents."""

    namespace: str | None = strawberry.field(default=None, description="Only of datasets of this namespace.")
    severity: Severity | None = strawberry.field(default=None, description="Only of this severity.")
    open: bool | None = strawberry.field(default=None, description="Only open ones, or only closed ones.")
    acknowledged: bool | None = strawberry.field(
        default=None, description="Only those that somebody knows of, or only the others."
    )


@strawberry.type
class IncidentQuery:
    """Queries of incidents."""

    @strawberry.field
    async def incidents(
        self,
        info: Info,
        filter: Annotated[  # noqa: A002 - as everywhere
            IncidentFilter | None, strawberry.argument(description="Which incidents; all when left out.")
        ] = None,
        first: First = None,
        after: After = None,
        as_of: AsOf = None,
    ) -> Connection[Incident]:
        """Incidents of all datasets, newest first."""
        info.context.require("read")
        at = past(as_of)
        wanted = {} if filter is None else dict(vars(filter))
        page = await info.context.read(incident_queries.incidents_page, wanted, PageRequest.of(first, after), at)
        return connection(page, lambda row: Incident.of(row, at))
