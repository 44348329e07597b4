"""Candidate keys and relations: views, the search for them, and stewards' decisions."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.ids import global_id
from assetgraph.inventory import relation_queries as queries
from assetgraph.inventory.relate.candidates import RelationKind
from assetgraph_server.schema.base import (
    After,
    Connection,
    First,
    Info,
    Node,
    connection,
)

if TYPE_CHECKING:
    from assetgraph_server.schema.catalog import Dataset, Field

strawberry.enum(RelationKind, name="RelationKind", description=RelationKind.__doc__)

LazyField = Annotated["Field", strawberry.lazy("assetgraph_server.schema.catalog")]
LazyDataset = Annotated["Dataset", strawberry.lazy("assetgraph_server.schema.catalog")]


async def _from(root: strawberry.Parent["Relation"], info: Info) -> LazyField:
    return await _field(info, root.row.from_field_id, root.at)


@strawberry.type(description="Two columns whose values say that they belong together, or two datasets nearly the same.")
class Relation(Node):
    """A relation."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None
    kind: RelationKind
    confidence: float = strawberry.field(description="How sure it is, 0 to 1: from values compared and from names.")
    status: ProposalStatus = strawberry.field(description="What a steward made of it.")
    from_: LazyField = strawberry.field(
        resolver=_from,
        name="from",
        description="The column that refers or joins; of a duplicate the first that agrees.",
    )

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Relation":
        """View a row."""
        shape = {"kind": row.kind, "confidence": row.confidence, "status": row.status}
        return Relation(row=row, at=at, id=strawberry.ID(global_id("Relation", row.id)), **shape)

    @strawberry.field
    async def to(self, info: Info) -> LazyField:
        """The column that it refers to or joins with."""
        return await _field(info, self.row.to_field_id, self.at)

    @strawberry.field
    async def from_dataset(self, info: Info) -> LazyDataset:
        """The dataset of the first."""
        return await _dataset(info, self.row.from_dataset_id, self.at)

    @strawberry.field
    async def to_dataset(self, info: Info) -> LazyDataset:
        """The dataset of the other."""
        return await _dataset(info, self.row.to_dataset_id, self.at)


async def _field(info: Info, key: int, at: datetime | None) -> LazyField:
    from assetgraph_server.schema.catalog import Field

    return Field.of(await info.context.load(catalog.fields_by_ids, int(key), at), at)


async def _dataset(info: Info, key: int, at: datetime | None) -> LazyDataset:
    from assetgraph_server.schema.catalog import Dataset

    return Dataset.of(await info.context.load(catalog.datasets_by_ids, int(key), at), at)


@strawberry.type
class DatasetRelations:
    """The keys and relations of a dataset."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def candidate_keys(self, info: Info) -> list[list[str]]:
        """Columns that tell the rows of the latest version apart: single ones, then pairs; at most 20, verified."""
        latest = await info.context.load(catalog.latest_versions, self.row.id, self.at)
        return [] if latest is None else await info.context.load(queries.keys_of, int(latest.id)) or []

    @strawberry.field
    async def relations(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        rejected: Annotated[bool, strawberry.argument(description="Whether to show rejected ones, too.")] = False,
    ) -> Connection[Relation]:
        """Relations from it and to it, those found first first; with their status of now."""
        request = PageRequest.of(first, after)

        def page(session: Session) -> Any:
            return queries.relations_page(session, self.row.id, request, self.at, rejected=rejected)

        return connection(await info.context.read(page), lambda row: Relation.of(row, self.at))
