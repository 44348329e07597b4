"""What changed upstream between two moments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.schema_diff import Compatibility
from assetgraph.clock import now
from assetgraph.db.page import PageRequest
from assetgraph.errors import NotFound
from assetgraph.feedback.diff import MetricChanged, diff_graph
from assetgraph.lineage.diff import DiffRequest, LineageDiff, SchemaChanged
from assetgraph.lineage.tables import Level
from assetgraph.lineage.walk import WalkEdge, WalkNode
from assetgraph_server.schema.base import Asset, First, Info, past
from assetgraph_server.schema.catalog import Dataset, DatasetVersion
from assetgraph_server.schema.impact import ref_of
from assetgraph_server.schema.lineage import LineageEdge, LineageNode
from assetgraph_server.schema.nodes import asset_by_id, assets_by_refs
from assetgraph_server.schema.profiles import SchemaChangeView, SchemaDiffView

T = TypeVar("T")


def _nearest(many: Sequence[T], first: int | None) -> Sequence[T]:
    return many[: PageRequest.of(first, None).first]


@strawberry.type
class Bounded(Generic[T]):
    """A bounded list; each has a name and a description of its own."""

    total_count: int
    nodes: list[T]


@strawberry.type(description="Nodes that came or went: how many there are, and the nearest to the root.")
class ChangedNodes(Bounded[LineageNode]):
    """Nodes."""


@strawberry.type(description="Edges that came or went: how many there are, and the nearest to the root.")
class ChangedEdges:
    """A bounded list."""

    total_count: int
    edges: list[LineageEdge]


@strawberry.type(description="A dataset whose columns changed, with the versions that it was and is.")
class DatasetSchemaChange:
    """A schema change."""

    changed: strawberry.Private[SchemaChanged]
    start: strawberry.Private[datetime]
    end: strawberry.Private[datetime]
    compatibility: Compatibility
    changes: list[SchemaChangeView]

    @strawberry.field
    async def dataset(self, info: Info) -> Dataset:
        """The dataset, as it was at the end."""
        return Dataset.of(await info.context.load(catalog.datasets_by_ids, self.changed.dataset, self.end), self.end)

    @strawberry.field
    async def before(self, info: Info) -> DatasetVersion | None:
        """The version that it was; null when it had none yet."""
        return await _version(info, self.changed.before, self.start)

    @strawberry.field
    async def after(self, info: Info) -> DatasetVersion | None:
        """The version that it became."""
        return await _version(info, self.changed.after, self.end)


async def _version(info: Info, version: int | None, at: datetime) -> DatasetVersion | None:
    if version is None:
        return None
    return DatasetVersion.of(await info.context.load(catalog.versions_by_ids, version, at), at)


@strawberry.type(description="Datasets whose columns changed: how many there are, and the nearest to the root.")
class DatasetSchemaChanges(Bounded[DatasetSchemaChange]):
    """Datasets."""


@strawberry.type(description="A measured number that changed; null where it was not, or is no more, measured.")
class MetricChange:
    """A metric's change."""

    changed: strawberry.Private[MetricChanged]
    end: strawberry.Private[datetime]
    name: str
    field: str | None
    before: float | None
    after: float | None

    @strawberry.field
    async def asset(self, info: Info) -> Asset:
        """What was measured: a dataset or model by the version that it was, or a version or run itself."""
        found = await asset_by_id(info, self.changed.asset, self.end)
        if found is None:
            raise NotFound("the asset was removed while it was read; ask again")
        return found


@strawberry.type(description="Numbers that changed: how many there are, and those nearest to the root.")
class MetricChanges(Bounded[MetricChange]):
    """Numbers."""


@strawberry.type(name="LineageDiff", description="What changed upstream of an asset between two moments.")
class LineageDiffView:
    """A difference of two walks."""

    found: strawberry.Private[LineageDiff]
    metrics: strawberry.Private[list[MetricChanged]]
    from_: datetime = strawberry.field(name="from", description="The earlier instant, resolved.")
    to: datetime = strawberry.field(description="The later instant, resolved: no later than now.")
    truncated: bool
    reason: str | None

    async def _nodes(self, info: Info, found: list[WalkNode], first: int | None, at: datetime) -> ChangedNodes:
        nearest = _nearest(found, first)
        assets = await assets_by_refs(info, [one.ref for one in nearest], at)
        nodes = [LineageNode(node=assets[one.ref], distance=one.distance, hidden_neighbours=0) for one in nearest]
        return ChangedNodes(total_count=len(found), nodes=nodes)

    def _edges(self, found: list[WalkEdge], first: int | None, at: datetime) -> ChangedEdges:
        edges = [LineageEdge.of(edge, at) for edge in _nearest(found, first)]
        return ChangedEdges(total_count=len(found), edges=edges)

    @strawberry.field
    async def nodes_added(self, info: Info, first: First = None) -> ChangedNodes:
        """Nodes that were not upstream at the start and are at the end."""
        return await self._nodes(info, self.found.nodes_added, first, self.to)

    @strawberry.field
    async def nodes_removed(self, info: Info, first: First = None) -> ChangedNodes:
        """Nodes that were upstream at the start and are not at the end; shown as they were."""
        return await self._nodes(info, self.found.nodes_removed, first, self.from_)

    @strawberry.field
    def edges_added(self, first: First = None) -> ChangedEdges:
        """Edges that were not walked at the start and are at the end."""
        return self._edges(self.found.edges_added, first, self.to)

    @strawberry.field
    def edges_removed(self, first: First = None) -> ChangedEdges:
        """Edges that were walked at the start and are not at the end."""
        return self._edges(self.found.edges_removed, first, self.from_)

    @strawberry.field
    def schema_changes(self, first: First = None) -> DatasetSchemaChanges:
        """Datasets upstream, the root among them, whose columns differ."""
        changed = self.found.schema_changes
        nodes = [
            DatasetSchemaChange(
                changed=one, start=self.from_, end=self.to, compatibility=diff.compatibility, changes=diff.changes
            )
            for one in _nearest(changed, first) for diff in [SchemaDiffView.of(one.diff)]
        ]  # fmt: skip
        return DatasetSchemaChanges(total_count=len(changed), nodes=nodes)

    @strawberry.field
    def metric_changes(self, first: First = None) -> MetricChanges:
        """Measured numbers upstream that differ, as they were last measured by each moment."""
        nodes = [
            MetricChange(
                changed=one, end=self.to, name=one.name, field=one.field, before=one.before, after=one.after
            )
            for one in _nearest(self.metrics, first)
        ]  # fmt: skip
        return MetricChanges(total_count=len(self.metrics), nodes=nodes)


@strawberry.type
class DiffQuery:
    """Queries of differences."""

    @strawberry.field
    async def lineage_diff(
        self,
        info: Info,
        start: Annotated[strawberry.ID, strawberry.argument(name="root", description="Upstream of what.")],
        from_: Annotated[datetime, strawberry.argument(name="from", description="The earlier moment.")],
        to: Annotated[datetime, strawberry.argument(description="The later moment; now when it lies ahead.")],
        level: Annotated[
            Level, strawberry.argument(description="Definitions (DATASET), what happened (VERSION), columns (FIELD).")
        ] = Level.DATASET,
        depth: Annotated[int, strawberry.argument(description="How many edges far, 0 to 100.")] = 20,
    ) -> LineageDiffView:
        """What changed upstream of an asset between two moments: nodes, edges, columns and measured numbers."""
        info.context.require("read")
        earlier, later = past(from_) or now(), past(to) or now()
        ref = await ref_of(info, start, "root", later)
        request = DiffRequest(ref, earlier, later, level, depth)
        found: tuple[LineageDiff, list[Any]] = await info.context.read(diff_graph, request)
        diff, metrics = found
        return LineageDiffView(
            found=diff, metrics=metrics, from_=earlier, to=later, truncated=bool(diff.reasons),
            reason="; ".join(diff.reasons) or None,
        )  # fmt: skip
