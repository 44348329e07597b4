"""Ways between assets, and what a change breaks."""

import asyncio
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types.nodes import SelectedField

from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.errors import NotFound
from assetgraph.feedback.walk import paths_between
from assetgraph.ids import KINDS, AssetKind, parse_global_id
from assetgraph.lineage.impact import OWNERS, RUNS, AskImpact, Impact, ImpactChange, Impacted, impact_of
from assetgraph.lineage.paths import FindPaths, FoundWay
from assetgraph.lineage.walk import NodeRef
from assetgraph_server.schema.base import AsOf, Asset, First, Info, past
from assetgraph_server.schema.lineage import GivenFilter, wanted
from assetgraph_server.schema.nodes import asset_by_ref

strawberry.enum(ImpactChange, description=ImpactChange.__doc__)


async def _assets(info: Info, refs: tuple[NodeRef, ...] | list[NodeRef], at: datetime | None) -> list[Asset]:
    found = await asyncio.gather(*(asset_by_ref(info, ref, at) for ref in refs))
    return [asset for asset in found if asset is not None]


async def ref_of(info: Info, value: str, path: str, at: datetime | None = None) -> NodeRef:
    """Return the node that a global id means; NotFound names the argument."""
    type_name, key = parse_global_id(value, path=(path,))
    ref = NodeRef(KINDS.get(type_name, AssetKind.FIELD), key)
    if type_name not in KINDS or await asset_by_ref(info, ref, at) is None:
        raise NotFound("no asset has this id, or had it then", path=(path,))
    return ref


@strawberry.type(description="A way from one asset to another; data flows along it.")
class LineagePath:
    """A path."""

    refs: strawberry.Private[tuple[NodeRef, ...]]
    at: strawberry.Private[datetime | None]
    hidden_count: int = strawberry.field(
        description="How many assets that the filter hides it leads through, at the least; they are not in `nodes`."
    )

    @strawberry.field
    async def nodes(self, info: Info) -> list[Asset]:
        """The assets on the way that the filter shows, both ends included."""
        return await _assets(info, self.refs, self.at)


@strawberry.type(description="An asset that a change affects.")
class ImpactedAsset:
    """An affected asset."""

    impacted: strawberry.Private[Impacted]
    at: strawberry.Private[datetime | None]
    distance: int

    @strawberry.field
    async def node(self, info: Info) -> Asset:
        """The asset."""
        found = await asset_by_ref(info, self.impacted.ref, self.at)
        if found is None:
            raise NotFound("the asset was removed while it was read; ask again")
        return found

    @strawberry.field
    async def path(self, info: Info) -> list[Asset]:
        """The shortest way from the root to it."""
        return await _assets(info, self.impacted.way, self.at)


@strawberry.type(description="Affected assets of one kind: how many there are, and the nearest of them.")
class ImpactedAssets:
    """A bounded list."""

    total_count: int
    nodes: list[ImpactedAsset]


@strawberry.type(description="Who answers for affected datasets and models.")
class ImpactedOwner:
    """An owner."""

    principal: str
    asset_count: int


@strawberry.type(name="Impact", description="What a change breaks.")
class ImpactView:
    """An impact analysis."""

    impact: strawberry.Private[Impact]
    truncated: bool
    as_of: datetime
    reason: str | None

    def _of(self, kind: AssetKind, first: int | None) -> ImpactedAssets:
        most = PageRequest.of(first, None).first
        found = self.impact.affected.get(kind)
        shown = () if found is None else found.nearest[:most]
        nodes = [ImpactedAsset(impacted=one, at=self.impact.as_of, distance=one.distance) for one in shown]
        return ImpactedAssets(total_count=0 if found is None else found.total, nodes=nodes)

    @strawberry.field
    def columns(self, first: First = None) -> ImpactedAssets:
        """Columns made of it."""
        return self._of(AssetKind.FIELD, first)

    @strawberry.field
    def datasets(self, first: First = None) -> ImpactedAssets:
        """Datasets made of it."""
        return self._of(AssetKind.DATASET, first)

    @strawberry.field
    def jobs(self, first: First = None) -> ImpactedAssets:
        """Jobs that read it, or what was made of it."""
        return self._of(AssetKind.JOB, first)

    @strawberry.field
    def models(self, first: First = None) -> ImpactedAssets:
        """Models that learn from it."""
        return self._of(AssetKind.MODEL, first)

    @strawberry.field
    def runs(self, first: First = None) -> ImpactedAssets:
        """Runs of affected jobs, of the nearest job first, and those behind affected column edges."""
        return self._of(AssetKind.RUN, first)

    @strawberry.field
    def owners(self, first: First = None) -> list[ImpactedOwner]:
        """Who answers for affected datasets and models, those with most first."""
        most = PageRequest.of(first, None).first
        ranked = sorted(self.impact.owners.items(), key=lambda item: (-item[1], item[0]))
        return [ImpactedOwner(principal=principal, asset_count=count) for principal, count in ranked[:most]]


def _asked(info: Info) -> frozenset[str]:
    """Return the parts that cost a statement of their own and that the query names, in fragments too."""
    names: set[str] = set()
    waiting = [one for field in info.selected_fields for one in field.selections]
    while waiting:
        one = waiting.pop()
        if isinstance(one, SelectedField):
            names.add(one.name)
        else:
            waiting += one.selections
    return frozenset(names & {OWNERS, RUNS})


@strawberry.type
class ImpactQuery:
    """Queries of ways and impact."""

    @strawberry.field
    async def lineage_paths(
        self,
        info: Info,
        from_: Annotated[strawberry.ID, strawberry.argument(name="from", description="The upstream end.")],
        to: Annotated[strawberry.ID, strawberry.argument(description="The downstream end.")],
        max_paths: Annotated[int, strawberry.argument(description="How many ways, 1 to 100.")] = 10,
        max_length: Annotated[
            int, strawberry.argument(description="How many edges a way may have, 1 to 100; hidden assets count none.")
        ] = 20,
        as_of: AsOf = None,
        filter: GivenFilter = None,  # noqa: A002 - the name in the schema
    ) -> list[LineagePath]:
        """The shortest ways that data took from one asset to another; empty when there is none."""
        info.context.require("read")
        at = past(as_of)
        ends = await ref_of(info, from_, "from", at), await ref_of(info, to, "to", at)
        command = FindPaths(*ends, max_paths, max_length, at, wanted(filter))

        def run(session: Session) -> list[FoundWay]:
            return paths_between(session, command, info.context.index)

        found = await info.context.read(run)
        return [LineagePath(refs=way.refs, at=at, hidden_count=way.hidden) for way in found]

    @strawberry.field
    async def impact(
        self,
        info: Info,
        start: Annotated[strawberry.ID, strawberry.argument(name="root", description="A column or a dataset.")],
        change: Annotated[ImpactChange, strawberry.argument(description="What is about to happen to it.")],
        as_of: AsOf = None,
        filter: GivenFilter = None,  # noqa: A002 - the name in the schema
    ) -> ImpactView:
        """What a change breaks downstream: all of it is counted, the nearest 100 of each kind can be listed."""
        info.context.require("read")
        at = past(as_of)
        ref = await ref_of(info, start, "root", at)
        command = AskImpact(ref, change, wanted(filter), _asked(info), at)

        def run(session: Session) -> Impact:
            return impact_of(session, command, info.context.index)

        found = await info.context.read(run)
        return ImpactView(
            impact=found, truncated=found.reason is not None, reason=found.reason, as_of=at or info.context.began
        )
