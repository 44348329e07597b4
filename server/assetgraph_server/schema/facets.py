"""What OpenLineage events say of runs, jobs and datasets beyond the graph itself."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import strawberry
from strawberry.scalars import JSON

from assetgraph.db.page import PageRequest
from assetgraph.lineage import queries as lineage
from assetgraph.openlineage import reading_queries as queries
from assetgraph.openlineage import shapes
from assetgraph.openlineage.shapes import validated
from assetgraph_server.schema.base import After, Connection, First, Info, connection

if TYPE_CHECKING:
    from assetgraph_server.schema.catalog import Owner, Tag
    from assetgraph_server.schema.runs import Run

_Owner = Annotated["Owner", strawberry.lazy("assetgraph_server.schema.catalog")]
_Tag = Annotated["Tag", strawberry.lazy("assetgraph_server.schema.catalog")]
_Run = Annotated["Run", strawberry.lazy("assetgraph_server.schema.runs")]


@strawberry.type(description="What a producer said, as it said it (OpenLineage).")
class Facet:
    """A facet."""

    name: str
    body: JSON
    event_time: datetime


async def facets_of(info: Info, asset: int, at: datetime | None) -> dict[str, Any]:
    """Return an asset's facets by name, or as they were at a moment."""
    return {row.name: row for row in await info.context.load(queries.facets_of, asset, at) or []}


async def body_of(info: Info, asset: int, name: str, at: datetime | None) -> dict[str, Any] | None:
    """Return the body of one facet of an asset."""
    row = (await facets_of(info, asset, at)).get(name)
    return None if row is None else orjson.loads(row.body)


async def _shown(info: Info, asset: int, at: datetime | None) -> list[Facet]:
    rows = (await facets_of(info, asset, at)).values()
    return [Facet(name=row.name, body=orjson.loads(row.body), event_time=row.event_time) for row in rows]


@strawberry.type(description="The system that executed a run.")
class ProcessingEngine:
    """An engine."""

    name: str | None
    version: str | None
    adapter_version: str | None


@strawberry.type
class RunFacets:
    """What a run says of itself."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def parent(self, info: Info) -> _Run | None:
        """The run that started this one."""
        return await _run(info, self.row.parent_id, self.at)

    @strawberry.field
    async def root(self, info: Info) -> _Run | None:
        """The outermost run above this one, such as a DAG's or an invocation's."""
        return await _run(info, self.row.root_id, self.at)

    @strawberry.field
    async def children(self, info: Info, first: First = None, after: After = None) -> Connection[_Run]:
        """The runs that this one started, newest first."""
        from assetgraph_server.schema.runs import Run

        wanted = {"parent_id": int(self.row.id)}
        page = await info.context.read(lineage.runs_page, wanted, PageRequest.of(first, after), self.at)
        return connection(page, lambda row: Run.of(row, self.at))

    @strawberry.field
    async def nominal_start_time(self, info: Info) -> datetime | None:
        """Begin of the time that the run is about; of this service's own runs: when they were planned for."""
        if self.row.nominal_at is not None:
            return self.row.nominal_at  # type: ignore[no-any-return]
        body = await body_of(info, self.row.id, "nominalTime", self.at)
        return None if body is None else validated(shapes.NominalTimeFacet, body, ()).start

    @strawberry.field
    async def nominal_end_time(self, info: Info) -> datetime | None:
        """End of the time that the run is about."""
        body = await body_of(info, self.row.id, "nominalTime", self.at)
        return None if body is None else validated(shapes.NominalTimeFacet, body, ()).end

    @strawberry.field
    async def processing_engine(self, info: Info) -> ProcessingEngine | None:
        """The system that executed it."""
        body = await body_of(info, self.row.id, "processing_engine", self.at)
        if body is None:
            return None
        named = (body.get("name"), body.get("version"), body.get("openlineageAdapterVersion"))
        name, version, adapter = (part if isinstance(part, str) else None for part in named)
        return ProcessingEngine(name=name, version=version, adapter_version=adapter)

    @strawberry.field
    async def facets(self, info: Info) -> list[Facet]:
        """All that producers said of it, by name."""
        return await _shown(info, self.row.id, self.at)


async def _run(info: Info, key: int | None, at: datetime | None) -> "Run | None":
    from assetgraph_server.schema.runs import Run

    row = None if key is None else await info.context.load(lineage.runs_by_ids, key)
    return None if row is None else Run.of(row, at)


@strawberry.type(description="How a job works and which system runs it.")
class JobKind:
    """A job's kind."""

    processing_type: str | None
    integration: str | None
    job_type: str | None


@strawberry.type(description="Where a job's source lies.")
class SourceCodeLocation:
    """A location of source; opaque text, never opened."""

    url: str
    path: str | None
    version: str | None
    branch: str | None


@strawberry.type
class JobFacets:
    """What producers say of a job."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def sql(self, info: Info) -> str | None:
        """Its query."""
        body = await body_of(info, self.row.id, "sql", self.at)
        return None if body is None else validated(shapes.SqlFacet, body, ()).query

    @strawberry.field
    async def job_kind(self, info: Info) -> JobKind | None:
        """How it works and which system runs it."""
        body = await body_of(info, self.row.id, "jobType", self.at)
        if body is None:
            return None
        found = validated(shapes.JobTypeFacet, body, ())
        return JobKind(processing_type=found.processing, integration=found.integration, job_type=found.job_type)

    @strawberry.field
    async def source_code(self, info: Info) -> SourceCodeLocation | None:
        """Where its source lies."""
        body = await body_of(info, self.row.id, "sourceCodeLocation", self.at)
        if body is None:
            return None
        texts = {name: body.get(name) for name in ("path", "version", "branch")}
        return SourceCodeLocation(
            url=validated(shapes.SourceLocationFacet, body, ()).url,
            **{name: text if isinstance(text, str) else None for name, text in texts.items()},
        )

    @strawberry.field
    async def tags(self, info: Info) -> list[_Tag]:
        """Tags that producers give it."""
        from assetgraph_server.schema.catalog import tags_of

        return await tags_of(info, self.row.id, self.at)

    @strawberry.field
    async def owners(self, info: Info) -> list[_Owner]:
        """Who answers for it."""
        from assetgraph_server.schema.catalog import owners_of

        return await owners_of(info, self.row.id, self.at)

    @strawberry.field
    async def facets(self, info: Info) -> list[Facet]:
        """All that producers said of it, by name."""
        return await _shown(info, self.row.id, self.at)


@strawberry.type(description="Another name of a dataset: a symlink, or one that it had before.")
class Alias:
    """An alias."""

    namespace: str
    name: str


@strawberry.type
class DatasetFacets:
    """What producers say of a dataset."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def aliases(self, info: Info) -> list[Alias]:
        """Its other names; each finds it."""
        found = await info.context.load(queries.aliases_of, self.row.id) or []
        return [Alias(namespace=namespace, name=name) for namespace, name in found]

    @strawberry.field
    async def facets(self, info: Info) -> list[Facet]:
        """All that producers said of it whichever run met it, by name."""
        return await _shown(info, self.row.id, self.at)
