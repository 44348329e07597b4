"""What columns mean: the view of a proposal, and how stewards decide."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from assetgraph.catalog import describing
from assetgraph.catalog import queries as catalog
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.inventory import classification as service
from assetgraph.inventory import classification_queries as queries
from assetgraph.inventory.classify.kinds import PersonalData
from assetgraph_server.schema.base import Info, UserError, key_of_id, mutate
from assetgraph_server.schema.proposals import DescriptionProposal, description_proposal_of

if TYPE_CHECKING:
    from assetgraph_server.schema.catalog import Field

strawberry.enum(ProposalStatus, name="ProposalStatus", description=ProposalStatus.__doc__)
strawberry.enum(PersonalData, name="PersonalData", description=PersonalData.__doc__)

#: A proposal says no more than this many sentences.
MOST_EVIDENCE = 20


@strawberry.type(description="What a column's values mean, proposed by a scan or a model, or said by a steward.")
class Classification:
    """A classification."""

    semantic_type: str | None
    personal_data: PersonalData | None = strawberry.field(description="Which personal data it holds, if any.")
    confidence: float = strawberry.field(description="How sure who proposes it is, 0 to 1; what a steward says is 1.")
    evidence: list[str] = strawberry.field(description="Why, in at most 20 short sentences.")
    source: str = strawberry.field(description="Who says so: scan, steward, embeddings:<model> or endpoint:<model>.")
    status: ProposalStatus = strawberry.field(description="Whether a steward has agreed.")
    decided_by: str | None = strawberry.field(description="The steward who decided.")
    decided_at: datetime | None = strawberry.field(description="When it was decided.")

    @staticmethod
    def of(row: Any) -> "Classification":
        """View a row."""
        personal = None if row.personal_data is None else PersonalData(row.personal_data)
        return Classification(
            semantic_type=row.semantic_type or None, personal_data=personal, confidence=row.confidence,
            evidence=list(row.evidence or ())[:MOST_EVIDENCE], source=row.source, status=row.status,
            decided_by=row.decided_by, decided_at=row.decided_at,
        )  # fmt: skip


@strawberry.type
class FieldMeaning:
    """The fields of a column that say what it means."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None]

    @strawberry.field
    async def description(self, info: Info) -> str | None:
        """What it is: as a steward says, else as the producer of the version says."""
        said: str | None = await info.context.load(describing.said_of_fields, self.row.id, self.at)
        produced: str | None = self.row.description
        return produced if said is None else said

    @strawberry.field
    async def proposed_description(self, info: Info) -> DescriptionProposal | None:
        """The description that waits for a steward, as of now."""
        return await description_proposal_of(info, int(self.row.id))

    @strawberry.field
    async def semantic_type(self, info: Info) -> str | None:
        """What the values mean, such as user_id or price: as a steward says, else as a scan proposes."""
        found: str | None = await info.context.load(queries.semantic_types, self.row.id, self.at)
        return found

    @strawberry.field
    async def classification(self, info: Info) -> Classification | None:
        """How that is known, as of now; null when nothing is proposed or said."""
        row = await info.context.load(queries.shown, self.row.id)
        return None if row is None else Classification.of(row)


@strawberry.input(description="Say what a column means; it wins over every scan.")
class SetSemanticTypeInput:
    """Input of setSemanticType."""

    field: strawberry.ID = strawberry.field(description="The column.")
    semantic_type: str | None = strawberry.field(
        default=None, description="A known type, or a word of your own; null: it has none."
    )
    personal_data: PersonalData | None = strawberry.field(
        default=None, description="Which personal data it holds, where the type does not say."
    )
    not_personal: bool = strawberry.field(default=False, description="It is no personal data, whatever the type says.")


@strawberry.input(description="Decide on what a scan or a model proposes of a column.")
class DecideSemanticTypeInput:
    """Input of acceptSemanticType and rejectSemanticType."""

    field: strawberry.ID = strawberry.field(description="The column.")


@strawberry.type(description="The column as it is now.")
class SemanticTypePayload:
    """Payload of the three."""

    field: Annotated["Field", strawberry.lazy("assetgraph_server.schema.catalog")] | None = strawberry.field(
        description="The column."
    )
    user_errors: list[UserError]


async def _decided(info: Info, field: str, command: Callable[[Session, int], None]) -> SemanticTypePayload:
    from assetgraph_server.schema.catalog import Field

    def run(session: Session) -> Any:
        key = key_of_id(field, "Field", path="field")
        command(session, key)
        return catalog.fields_by_ids(session, [key])[key]

    row, errors = await mutate(info, "steward", run)
    return SemanticTypePayload(field=None if row is None else Field.of(row), user_errors=errors)


@strawberry.type
class ClassificationMutation:
    """Mutations of what columns mean."""

    @strawberry.mutation
    async def set_semantic_type(self, info: Info, input: SetSemanticTypeInput) -> SemanticTypePayload:  # noqa: A002
        """Say what a column means; scans do not change it any more."""

        def command(session: Session, key: int) -> None:
            given = (input.semantic_type, input.personal_data, input.not_personal)
            service.set_semantic_type(session, service.SetSemanticType(key, *given))

        return await _decided(info, input.field, command)

    @strawberry.mutation
    async def accept_semantic_type(
        self,
        info: Info,
        input: DecideSemanticTypeInput,  # noqa: A002
    ) -> SemanticTypePayload:
        """Agree with what a scan or a model proposes of a column."""
        return await _decided(
            info, input.field, lambda session, key: service.decide_proposal(session, service.DecideProposal(key, True))
        )

    @strawberry.mutation
    async def reject_semantic_type(
        self,
        info: Info,
        input: DecideSemanticTypeInput,  # noqa: A002
    ) -> SemanticTypePayload:
        """Refuse what a scan or a model proposes of a column: none proposes it again."""
        return await _decided(
            info, input.field, lambda session, key: service.decide_proposal(session, service.DecideProposal(key, False))
        )
