"""Lineage walks, and the filters that walks and impact take."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from assetgraph.catalog.roles import DatasetRole
from assetgraph.db.engine import Session
from assetgraph.errors import NotFound
from assetgraph.feedback.walk import walk_graph
from assetgraph.ids import KINDS, AssetKind, asset_global_id, integer_key, parse_global_id
from assetgraph.lineage.filters import EVERYTHING, Filter
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkEdge, WalkRequest, WalkResult
from assetgraph_server.schema.base import After, AsOf, Asset, Info, many, past
from assetgraph_server.schema.lookahead import asks
from assetgraph_server.schema.nodes import STORED, asset_by_ref, assets_by_refs, stored_assets

NO_ROOT = "no asset has this id, or had it then"


@strawberry.input(
    name="LineageFilter",
    description="Show only what matches all that is given; the rest is contracted, jobs too, and counted.",
)
class LineageFilter:
    """A filter."""

    kinds: list[AssetKind] | None = strawberry.field(default=None, description="Any of these kinds.")
    namespaces: list[str] | None = strawberry.field(default=None, description="Any of these namespaces.")
    tags: list[str] | None = strawberry.field(
        default=None,
        description="Any of these tags: its own, of a dataset also its columns', of a column also its dataset's; "
        "versions and runs bear those of their dataset, model or job.",
    )
    owners: list[str] | None = strawberry.field(
        default=None, description="Any of these owners of the dataset, model or job that it is, or is part of."
    )
    roles: list[DatasetRole] | None = strawberry.field(
        default=None, description="Any of these roles of the dataset that it is, or is part of."
    )
    include_transient: bool = strawberry.field(
        default=False, description="Show datasets that only pass through, such as temporary tables and test audits."
    )
    include_child_runs: bool = strawberry.field(
        default=False, description="Show jobs and runs that are one statement of the job that started them."
    )
    include_retired: bool = strawberry.field(
        default=False,
        description="Show retired datasets and go through them; else they end a walk of definitions or columns.",
    )


GivenFilter = Annotated[
    LineageFilter | None, strawberry.argument(description="What to show; the rest is contracted and counted.")
]


def wanted(given: LineageFilter | None) -> Filter:
    """Return the filter that is meant."""
    if given is None:
        return EVERYTHING
    return Filter(
        None if given.kinds is None else frozenset(given.kinds), many(given.namespaces), many(given.tags),
        many(given.owners), many(given.roles), given.include_transient, given.include_child_runs,
        given.include_retired,
    )  # fmt: skip


@strawberry.type(description="What a column edge does to the values.")
class Transformation:
    """A transformation."""

    type: str
    subtype: str | None
    description: str | None
    masking: bool

    @staticmethod
    def of(stored: dict[str, Any]) -> "Transformation":
        """View what an edge holds."""
        texts = {name: stored[name] or None for name in ("subtype", "description")}
        return Transformation(type=stored["type"], masking=stored["masking"], **texts)


@strawberry.type(description="A node of a walk.")
class LineageNode:
    """A node with its distance from the root."""

    node: Asset = strawberry.field(description="The asset.")
    distance: int
    hidden_neighbours: int


@strawberry.type(description="A relation between two nodes of a walk; it points the way data flows.")
class LineageEdge:
    """An edge."""

    via_ref: strawberry.Private[NodeRef | None]
    at: strawberry.Private[datetime | None]
    source: strawberry.ID
    target: strawberry.ID
    kind: EdgeKind
    first_seen: datetime
    last_seen: datetime
    run_count: int
    transformations: list[Transformation] = strawberry.field(default_factory=list)

    @staticmethod
    def of(edge: WalkEdge, at: datetime | None, ids: dict[NodeRef, strawberry.ID] | None = None) -> "LineageEdge":
        """View an edge; `ids` keeps the ids of its ends for others."""
        known = {} if ids is None else ids
        source, target = (
            known.get(end) or known.setdefault(end, strawberry.ID(asset_global_id(*end)))
            for end in (edge.source, edge.target)
        )
        return LineageEdge(
            via_ref=edge.via, at=at, source=source, target=target, kind=edge.kind, first_seen=edge.first_seen,
            last_seen=edge.last_seen, run_count=edge.run_count,
            transformations=[Transformation.of(one) for one in edge.transformations],
        )  # fmt: skip

    @strawberry.field
    async def via(self, info: Info) -> Asset | None:
        """The first hidden node that this edge stands for."""
        return None if self.via_ref is None else await asset_by_ref(info, self.via_ref, self.at)


@strawberry.type(description="What a walk found; it says when it left anything out, and how to go on.")
class Lineage:
    """A walk."""

    root_ref: strawberry.Private[NodeRef]
    at: strawberry.Private[datetime | None]
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool
    reason: str | None
    end_cursor: str | None
    visited: int
    as_of: datetime

    @strawberry.field
    async def root(self, info: Info) -> Asset:
        """Where the walk began."""
        found = await asset_by_ref(info, self.root_ref, self.at)
        assert found is not None  # noqa: S101 - the walk began there
        return found

    @staticmethod
    def of(result: WalkResult, assets: dict[NodeRef, Asset], at: datetime | None) -> "Lineage":
        """View a walk with the assets that it met, as they were at a moment."""
        nodes = [
            LineageNode(node=assets[one.ref], distance=one.distance, hidden_neighbours=one.hidden_neighbours)
            for one in result.nodes if one.ref in assets
        ]  # fmt: skip
        ids = {ref: asset.id for ref, asset in assets.items()}
        return Lineage(
            root_ref=result.root, at=at, nodes=nodes, edges=[LineageEdge.of(edge, at, ids) for edge in result.edges],
            truncated=result.truncated, reason=result.reason, end_cursor=result.end_cursor, visited=result.visited,
            as_of=result.as_of,
        )  # fmt: skip


@strawberry.type
class LineageQuery:
    """Queries of lineage."""

    @strawberry.field
    async def lineage(
        self,
        info: Info,
        # Strawberry would take a parameter called `root` for the parent value.
        start: Annotated[strawberry.ID, strawberry.argument(name="root", description="Where to begin.")],
        direction: Annotated[Direction, strawberry.argument(description="Which way to walk.")] = Direction.BOTH,
        depth: Annotated[int, strawberry.argument(description="How many edges far, 0 to 100.")] = 1,
        level: Annotated[
            Level, strawberry.argument(description="Definitions (DATASET), what happened (VERSION), columns (FIELD).")
        ] = Level.DATASET,
        kinds: Annotated[
            list[AssetKind] | None, strawberry.argument(description="Show only these; the others are contracted.")
        ] = None,
        as_of: AsOf = None,
        first: Annotated[int, strawberry.argument(description="How many nodes, 1 to 10,000.")] = 1000,
        after: After = None,
        filter: GivenFilter = None,  # noqa: A002 - the name in the schema
    ) -> Lineage:
        """What is up- and downstream of an asset: nodes nearest first, and the edges between them."""
        info.context.require("read")
        type_name, key = parse_global_id(start, path=("root",))
        ref = NodeRef(KINDS.get(type_name, AssetKind.FIELD), key)
        at = past(as_of)
        shown = None if kinds is None else frozenset(kinds)
        request = WalkRequest(ref, direction, depth, level, shown, at, first, after, wanted(filter))
        if type_name not in KINDS or await _unknown(info, ref, at):
            raise NotFound(NO_ROOT, path=("root",))
        shows = asks(info, "nodes")
        result, assets = await info.context.read(_walked, request, info.context.index, shows)
        if shows:
            assets |= await assets_by_refs(info, [one.ref for one in result.nodes if one.ref not in assets], at)
        return Lineage.of(result, assets, at)


async def _unknown(info: Info, root: NodeRef, at: datetime | None) -> bool:
    """Tell whether no asset has this id, or had it then; of those stored now `_walked` finds out by itself."""
    if at is None and root.kind in STORED:
        return integer_key(root.key) is None
    return await asset_by_ref(info, root, at) is None


def _walked(
    session: Session, request: WalkRequest, index: GraphIndex, shows: bool
) -> tuple[WalkResult, dict[NodeRef, Asset]]:
    """Walk, and read the assets that are met as they are now, on one snapshot; those of a past are not among them."""
    result = walk_graph(session, request, index)
    if request.as_of is not None:
        return result, {}
    assets = stored_assets(session, {request.root, *(one.ref for one in result.nodes if shows)}, index)
    if request.root.kind in STORED and request.root not in assets:
        raise NotFound(NO_ROOT, path=("root",))
    return result, assets
