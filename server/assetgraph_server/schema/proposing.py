"""Asking models, and stewards' decisions on the descriptions that they propose: inputs, payloads and mutations."""

import strawberry

from assetgraph.db.engine import Session
from assetgraph.inventory import propose_service as service
from assetgraph.inventory.proposals import DecideDescription, decide_description
from assetgraph_server.schema.base import Asset, Info, UserError, key_of_id, mutate
from assetgraph_server.schema.runs import RunPayload, run_payload


@strawberry.input(description="Ask models what columns mean and what datasets are, in a namespace.")
class StartProposingInput:
    """Input of startProposing."""

    namespace: str
    idempotency_key: str | None = None


@strawberry.input(description="Decide on the description that a model proposes.")
class DecideDescriptionInput:
    """Input of acceptDescription and rejectDescription."""

    asset: strawberry.ID = strawberry.field(description="The dataset or column.")


@strawberry.type(description="The dataset or column as it is now.")
class DescriptionPayload:
    """Payload of acceptDescription and rejectDescription."""

    asset: Asset | None = strawberry.field(description="The dataset or column.")
    user_errors: list[UserError]


async def _decided(info: Info, asset: str, *, accept: bool) -> DescriptionPayload:
    from assetgraph_server.schema.nodes import asset_by_id  # which shows what this module decides on

    def run(session: Session) -> int:
        key = key_of_id(asset, "Dataset", "Field", path="asset")
        decide_description(session, DecideDescription(key, accept))
        return key

    key, errors = await mutate(info, "steward", run)
    return DescriptionPayload(asset=None if key is None else await asset_by_id(info, key), user_errors=errors)


@strawberry.type
class ProposalMutation:
    """Mutations of what models propose."""

    @strawberry.mutation
    async def start_proposing(self, info: Info, input: StartProposingInput) -> RunPayload:  # noqa: A002
        """Queue a run that asks the models there are; without any it fails, and says what to install."""
        command = service.StartProposing(input.namespace, input.idempotency_key)
        return await run_payload(info, "produce", lambda session: service.start_proposing(session, command)[0])

    @strawberry.mutation
    async def accept_description(self, info: Info, input: DecideDescriptionInput) -> DescriptionPayload:  # noqa: A002
        """Make the proposed description the steward's own word, in place of what was said before."""
        return await _decided(info, input.asset, accept=True)

    @strawberry.mutation
    async def reject_description(self, info: Info, input: DecideDescriptionInput) -> DescriptionPayload:  # noqa: A002
        """Refuse the proposed description: its source proposes none of this asset again."""
        return await _decided(info, input.asset, accept=False)
