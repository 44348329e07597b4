"""Any node by its id or urn, the change log, and who calls."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from assetgraph.catalog import queries as catalog
from assetgraph.changes import queries as change_queries
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest, cursor_of, key_of
from assetgraph.errors import Invalid, NotFound
from assetgraph.factorization import queries as models
from assetgraph.feedback import queries as feedback
from assetgraph.ids import (
    KINDS,
    TYPE_NAMES,
    AssetKind,
    global_id,
    integer_key,
    parse_global_id,
    parse_urn,
)
from assetgraph.inventory import relation_queries as relations
from assetgraph.jobs import schedule_queries as schedules
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.walk import NodeRef
from assetgraph.quality import queries as quality
from assetgraph.quality.incident_queries import incidents_by_ids
from assetgraph_server.schema.base import (
    AsOf,
    Asset,
    BigInt,
    Connection,
    First,
    Info,
    Node,
    connection,
    past,
)  # fmt: skip
from assetgraph_server.schema.catalog import Dataset, DatasetVersion, Field, QualityMetric, Source, there
from assetgraph_server.schema.checks import CheckResult, QualityCheck
from assetgraph_server.schema.incidents import Incident
from assetgraph_server.schema.models import Feedback, Model, ModelVersion, recommendation_by_key
from assetgraph_server.schema.relations import Relation
from assetgraph_server.schema.runs import FOLLOW_SECONDS, Job, Run
from assetgraph_server.schema.schedules import Schedule

#: Where the row of each stored kind comes from, and how it is shown.
STORED: dict[AssetKind, tuple[Any, Callable[[Any, datetime | None], Asset]]] = {
    AssetKind.SOURCE: (catalog.sources_by_ids, Source.of),
    AssetKind.DATASET: (catalog.datasets_by_ids, Dataset.of),
    AssetKind.DATASET_VERSION: (catalog.versions_by_ids, DatasetVersion.of),
    AssetKind.FIELD: (catalog.fields_by_ids, Field.of),
    AssetKind.JOB: (lineage.jobs_by_ids, Job.of),
    AssetKind.RUN: (lineage.runs_by_ids, Run.of),
    AssetKind.MODEL: (models.models_by_ids, Model.of),
    AssetKind.MODEL_VERSION: (models.model_versions_by_ids, ModelVersion.of),
    AssetKind.FEEDBACK: (feedback.feedback_by_ids, Feedback.of),
}
#: Those whose rows are the same at all times, as far as anything is known of them.
TIMELESS = (AssetKind.SOURCE, AssetKind.RUN, AssetKind.MODEL, AssetKind.FEEDBACK)
#: Kinds without a row in `asset`: the key in their urn is the whole identity.
COMPUTED = (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
#: What a frontend, which may not read the catalog, may still look up.
FRONTEND_KINDS = (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK, AssetKind.MODEL_VERSION)


async def asset_by_ref(info: Info, ref: NodeRef, at: datetime | None = None) -> Asset | None:
    """Return the asset that a reference means, as it was at a moment; None when it is, or was, not there."""
    if ref.kind is AssetKind.RECOMMENDATION:
        return _since(await recommendation_by_key(info, ref.key, at), at)
    key = integer_key(ref.key)
    if key is None:
        return None
    # Frontends may not ask whether any asset was there: what they may see is there since it was made.
    if ref.kind not in FRONTEND_KINDS and not await there(info, key, at):
        return None
    query, view = STORED[ref.kind]
    row = await info.context.load(query, key, None if ref.kind in TIMELESS else at)
    found = None if row is None else view(row, at)
    return _since(found, at) if ref.kind in FRONTEND_KINDS else found


async def assets_by_refs(info: Info, refs: Sequence[NodeRef], at: datetime | None = None) -> dict[NodeRef, Asset]:
    """Return assets that a walk met, as they were at a moment; NotFound when one is gone since."""
    found = dict(zip(refs, await asyncio.gather(*(asset_by_ref(info, ref, at) for ref in refs)), strict=True))
    there_are = {ref: asset for ref, asset in found.items() if asset is not None}
    if len(there_are) < len(found):
        raise NotFound("an asset was removed while it was read; ask again")
    return there_are


def stored_assets(session: Session, refs: Iterable[NodeRef], index: GraphIndex) -> dict[NodeRef, Asset]:
    """Return those of some assets that are stored, as they are now: one statement per kind, of what is not kept."""

    def read(missing: list[NodeRef]) -> dict[NodeRef, Asset]:
        by_kind: dict[AssetKind, list[int]] = {}
        for ref in missing:
            if ref.kind in STORED:
                by_kind.setdefault(ref.kind, []).append(int(ref.key))
        return {
            NodeRef(kind, str(key)): STORED[kind][1](row, None)
            for kind, keys in by_kind.items()
            for key, row in STORED[kind][0](session, keys).items()
        }

    return index.readings(session).assets.all_of(refs, read)


def _since(asset: Asset | None, at: datetime | None) -> Asset | None:
    return None if asset is None or (at is not None and asset.created_at > at) else asset


async def asset_by_id(info: Info, key: int, at: datetime | None = None) -> Asset | None:
    """Return a stored asset by its row id."""
    row = await info.context.load(lineage.assets_by_ids, key)
    return None if row is None else await asset_by_ref(info, NodeRef(row.kind, str(key)), at)


async def assets_by_ids(info: Info, keys: Sequence[int], at: datetime | None = None) -> list[Asset]:
    """Return stored assets by their row ids, in order."""
    found = await asyncio.gather(*(asset_by_id(info, key, at) for key in keys))
    return [asset for asset in found if asset is not None]


async def node_by_id(info: Info, value: str, at: datetime | None = None) -> Node | None:
    """Return any node; None for what does not exist, or what the caller's role may not see."""
    try:
        type_name, key = parse_global_id(value)
    except Invalid:
        return None
    kind = KINDS.get(type_name)
    if not info.context.allows("read") and not (kind in FRONTEND_KINDS and info.context.allows("recommend")):
        info.context.require("read")
    if kind is not None:
        return await asset_by_ref(info, NodeRef(kind, key), at)
    number = integer_key(key)
    if number is None:
        return None
    loose: dict[str, tuple[Any, Callable[[Any], Node], str]] = {
        "QualityMetric": (quality.metrics_by_ids, QualityMetric.of, "measured_at"),
        "Change": (change_queries.by_sequences, Change.of, "at"),
        "QualityCheck": (quality.checks_by_ids, QualityCheck.of, "said_at"),
        "Relation": (relations.relations_by_ids, Relation.of, "found_at"),
        "CheckResult": (quality.results_by_ids, CheckResult.of, "checked_at"),
        "Incident": (incidents_by_ids, Incident.of, "opened_at"),
    }  # fmt: skip
    if type_name == "Schedule":
        row = await info.context.load(schedules.by_ids, number)  # of now: what schedules were is not kept
        return None if row is None else Schedule.of(row)
    if type_name not in loose:
        return None
    query, view, moment = loose[type_name]
    row = await info.context.load(query, number)
    return None if row is None or (at and getattr(row, moment) > at) else view(row)


@strawberry.type(description="One committed change; the log is hash-chained and in commit order.")
class Change(Node):
    """A change."""

    row: strawberry.Private[Any]
    sequence: BigInt
    at: datetime
    actor: str
    action: str
    before: JSON | None
    after: JSON | None
    hash: str

    @staticmethod
    def of(row: Any) -> "Change":
        """View a row."""
        named = ("sequence", "at", "actor", "action", "before", "after", "hash")
        identity = strawberry.ID(global_id("Change", row.sequence))
        return Change(row=row, id=identity, **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def entity(self, info: Info) -> Node | None:
        """What changed, when it is a node and still there."""
        if self.row.entity_type not in (*KINDS, "Relation"):
            return None
        return await node_by_id(info, global_id(self.row.entity_type, self.row.entity_key))

    @strawberry.field
    def cursor(self) -> str:
        """Where to go on after this change, with `changes(after:)`."""
        return cursor_of(int(self.row.sequence))


@strawberry.type(description="Who calls, by the token's name.")
class Principal:
    """A principal."""

    name: str
    roles: list[str]


@strawberry.type
class NodeQuery:
    """Queries over all kinds."""

    @strawberry.field
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")],  # noqa: A002
        as_of: AsOf = None,
    ) -> Node | None:
        """Any node by its global id; null for what does not exist, or did not then."""
        return await node_by_id(info, id, past(as_of))

    @strawberry.field
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Up to 100 global ids.")],
        as_of: AsOf = None,
    ) -> list[Node | None]:
        """Nodes by their global ids, in order, null for those that do not exist."""
        if len(ids) > 100:
            raise Invalid(f"{len(ids)} ids; at most 100 are allowed", path=("ids",))
        at = past(as_of)
        return list(await asyncio.gather(*(node_by_id(info, one, at) for one in ids)))

    @strawberry.field
    async def asset(
        self,
        info: Info,
        urn: Annotated[str, strawberry.argument(description="urn:assetgraph:<kind>:<ns>:<name>")],
        as_of: AsOf = None,
    ) -> Asset | None:
        """An asset by its urn; a dataset also by a urn of another of its names."""
        info.context.require("read")
        at = past(as_of)
        kind, namespace, key = parse_urn(urn)
        if kind in COMPUTED:
            computed = await asset_by_ref(info, NodeRef(kind, key), at)
            return computed if computed and parse_urn(computed.urn) == (kind, namespace, key) else None
        found = await info.context.read(catalog.asset_id, kind, namespace, key)
        return None if found is None else await asset_by_ref(info, NodeRef(kind, str(found)), at)

    @strawberry.field
    async def changes(
        self,
        info: Info,
        after: Annotated[
            str | None, strawberry.argument(description="Follow: changes after this cursor, oldest first.")
        ] = None,
        first: First = None,
        entity: Annotated[strawberry.ID | None, strawberry.argument(description="Only changes of this node.")] = None,
    ) -> Connection[Change]:
        """The change log: the newest first, or, after a cursor, those that came after it, oldest first."""
        info.context.require("read")
        only = None if entity is None else parse_global_id(entity, path=("entity",))
        request = PageRequest.of(first, after)

        def run(session: Any) -> Any:
            return change_queries.page(session, request, entity=only, follow=after is not None)

        return connection(await info.context.read(run), Change.of)

    @strawberry.field
    async def viewer(self, info: Info) -> Principal:
        """Who calls."""
        info.context.require("self")
        return Principal(name=info.context.principal.name, roles=[info.context.principal.role])


@strawberry.type
class ChangeSubscription:
    """Live changes."""

    @strawberry.subscription
    async def changes(
        self,
        info: Info,
        after: Annotated[
            str | None, strawberry.argument(description="Cursor to resume after; from now on when left out.")
        ] = None,
        kinds: Annotated[list[AssetKind] | None, strawberry.argument(description="Only changes of these.")] = None,
    ) -> AsyncGenerator[Change, None]:
        """Each committed change, in commit order, none missed and none repeated."""
        info.context.require("read")
        wanted = None if kinds is None else {TYPE_NAMES[kind] for kind in kinds}
        sequence = await info.context.read(changes.newest) if after is None else int(key_of(after, 1)[0])
        while True:
            log = await info.context.read(changes.follow, sequence)
            for row in log:
                sequence = int(row.sequence)
                if wanted is None or row.entity_type in wanted:
                    info.context.forget()
                    yield Change.of(row)
            if not log:
                await asyncio.sleep(FOLLOW_SECONDS)
