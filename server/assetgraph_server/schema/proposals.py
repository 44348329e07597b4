"""Descriptions that models propose: views."""

from datetime import datetime
from typing import Any

import strawberry

from assetgraph.inventory import proposal_queries as queries
from assetgraph_server.schema.base import Info

#: A proposal says no more than this many sentences.
MOST_EVIDENCE = 20


@strawberry.type(description="A description that a model proposes; it is nobody's word until a steward accepts it.")
class DescriptionProposal:
    """A proposed description."""

    text: str = strawberry.field(description="What the model would have said of it.")
    source: str = strawberry.field(description="Who proposes it: endpoint:<model>.")
    evidence: list[str] = strawberry.field(description="What it was made from, in at most 20 short sentences.")
    proposed_at: datetime = strawberry.field(description="When it was proposed.")


async def description_proposal_of(info: Info, asset: int) -> DescriptionProposal | None:
    """Return the description of an asset that waits."""
    row: Any = await info.context.load(queries.waiting, asset)
    if row is None:
        return None
    evidence = list(row.evidence or ())[:MOST_EVIDENCE]
    return DescriptionProposal(text=row.text, source=row.source, evidence=evidence, proposed_at=row.proposed_at)


@strawberry.type
class DatasetProposals:
    """The fields of a dataset that models fill."""

    row: strawberry.Private[Any]

    @strawberry.field
    async def proposed_description(self, info: Info) -> DescriptionProposal | None:
        """The description that waits for a steward, as of now."""
        return await description_proposal_of(info, int(self.row.id))
