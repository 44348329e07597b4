"""The search for relations, and stewards' decisions: inputs, payloads and mutations."""

from typing import Any

import strawberry

from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.inventory import relate_service as service
from assetgraph.inventory import relation_queries as queries
from assetgraph_server.schema.base import Info, UserError, key_of_id, mutate
from assetgraph_server.schema.relations import Relation
from assetgraph_server.schema.runs import RunPayload, run_payload


@strawberry.input(description="Look for keys and relations among the datasets of a namespace.")
class StartRelatingInput:
    """Input of startRelating."""

    namespace: str
    idempotency_key: str | None = None


@strawberry.input(description="Accept or reject a relation; PROPOSED takes a decision back.")
class DecideRelationInput:
    """Input of decideRelation."""

    relation: strawberry.ID = strawberry.field(description="The relation.")
    status: ProposalStatus = strawberry.field(description="What it becomes.")


@strawberry.type(description="The relation as it stands.")
class DecideRelationPayload:
    """Payload of decideRelation."""

    relation: Relation | None = strawberry.field(description="The relation.")
    user_errors: list[UserError]


@strawberry.type
class RelationMutation:
    """Mutations of relations."""

    @strawberry.mutation
    async def start_relating(self, info: Info, input: StartRelatingInput) -> RunPayload:  # noqa: A002
        """Queue a search for keys and relations; versions that were looked at before are not read again."""
        command = service.StartRelating(input.namespace, input.idempotency_key)
        return await run_payload(info, "produce", lambda session: service.start_relating(session, command)[0])

    @strawberry.mutation
    async def decide_relation(self, info: Info, input: DecideRelationInput) -> DecideRelationPayload:  # noqa: A002
        """Accept or reject a relation; later searches leave the decision alone."""

        def command(session: Session) -> Any:
            relation = key_of_id(input.relation, "Relation", path="relation")
            service.decide(session, relation, input.status)
            return queries.relations_by_ids(session, [relation])[relation]

        row, errors = await mutate(info, "steward", command)
        return DecideRelationPayload(relation=None if row is None else Relation.of(row), user_errors=errors)
