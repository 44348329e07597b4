"""Training, promotion and feedback: inputs, payloads and mutations."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.factorization import queries, service
from assetgraph.factorization.tables import ModelStage
from assetgraph.feedback import export
from assetgraph.feedback import queries as feedback_queries
from assetgraph.feedback import service as feedback
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import parse_global_id
from assetgraph.inventory.located import check_readable
from assetgraph_server.schema.base import Info, UserError, key_of_id, mutate
from assetgraph_server.schema.models import Feedback, ModelVersion
from assetgraph_server.schema.runs import AssetRefInput, RunPayload, run_payload


@strawberry.input(description="A model by name; it is made when it is new.")
class ModelRef:
    """A model reference."""

    namespace: str
    name: str


@strawberry.enum(description="What values mean: how often or much (IMPLICIT), or how well liked (EXPLICIT).")
class FeedbackKind(StrEnum):
    """Kinds of feedback."""

    IMPLICIT = "IMPLICIT"
    EXPLICIT = "EXPLICIT"


@strawberry.enum(description="Where to compute; AUTO takes a GPU where there is one.")
class Backend(StrEnum):
    """Backends."""

    AUTO = "AUTO"
    CPU = "CPU"
    GPU = "GPU"


@strawberry.input(description="Hyper-parameters of alternating least squares.")
class TrainingParameters:
    """Training parameters."""

    factors: int | None = 64
    iterations: int | None = 15
    regularization: float | None = 0.01
    alpha: float | None = 1.0
    feedback: FeedbackKind | None = FeedbackKind.IMPLICIT
    backend: Backend | None = Backend.AUTO
    seed: int | None = 42
    holdout: float | None = 0.1
    evaluate_at: int | None = 10

    def command(self) -> service.TrainingParameters:
        """Return plain parameters; null means the default."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        plain: dict[str, Any] = {
            name: value.value if isinstance(value, StrEnum) else value for name, value in given.items()
        }
        return service.TrainingParameters(**plain)


@strawberry.input(description="Learn a new version of a model from a dataset version.")
class StartTrainingInput:
    """Input of startTraining."""

    model: ModelRef
    dataset: AssetRefInput
    user_field: str
    item_field: str
    value_field: str | None = None
    time_field: str | None = None
    parameters: TrainingParameters | None = None
    idempotency_key: str | None = None
    nominal_time: datetime | None = None

    def command(self) -> service.StartTraining:
        """Return the command."""
        return service.StartTraining(
            self.model.namespace, self.model.name, self.dataset.ref("dataset"), self.user_field, self.item_field,
            self.value_field, self.time_field, (self.parameters or TrainingParameters()).command(),
            self.idempotency_key, self.nominal_time,
        )  # fmt: skip


@strawberry.input(description="Write all feedback of a model as the next version of a dataset.")
class ExportFeedbackInput:
    """Input of exportFeedback."""

    model: strawberry.ID
    dataset: AssetRefInput
    nominal_time: datetime | None = None


@strawberry.input(description="Change the stage of a model version.")
class PromoteModelVersionInput:
    """Input of promoteModelVersion."""

    model_version: strawberry.ID
    stage: ModelStage


@strawberry.type(description="The model version as it stands.")
class PromoteModelVersionPayload:
    """Payload of promoteModelVersion."""

    model_version: ModelVersion | None
    user_errors: list[UserError]


@strawberry.input(description="One event: it answers a recommendation, or names user and item itself.")
class FeedbackInput:
    """A feedback event."""

    recommendation: strawberry.ID | None = None
    user: str | None = None
    item: str | None = None
    event: FeedbackEvent
    value: float | None = None
    occurred_at: datetime | None = None
    key: str | None = None

    def spec(self) -> feedback.FeedbackSpec:
        """Return the event."""
        answered = None
        if self.recommendation is not None:
            type_name, answered = parse_global_id(self.recommendation, path=("recommendation",))
            if type_name != "Recommendation":
                raise Invalid(f"this is the id of a {type_name}, not of a recommendation", path=("recommendation",))
        return feedback.FeedbackSpec(self.event, answered, self.user, self.item, self.value, self.occurred_at, self.key)


@strawberry.input(description="Up to 10,000 events.")
class RecordFeedbackInput:
    """Input of recordFeedback."""

    model: strawberry.ID | None = None
    events: list[FeedbackInput]


@strawberry.type(description="How many events were new, how many known, and up to 1,000 of the new ones.")
class RecordFeedbackPayload:
    """Payload of recordFeedback."""

    accepted: int
    duplicates: int
    feedback: list[Feedback]
    user_errors: list[UserError]


#: A payload shows at most this many of the events that it stored.
MOST_SHOWN = 1000


@strawberry.type
class ModelMutation:
    """Mutations of models and feedback."""

    @strawberry.mutation
    async def start_training(self, info: Info, input: StartTrainingInput) -> RunPayload:  # noqa: A002
        """Queue a training."""
        settings = info.context.settings
        return await run_payload(
            info, "produce",
            lambda session: service.start_training(
                session, settings, input.command(), check_readable=check_readable
            )[0],
        )  # fmt: skip

    @strawberry.mutation
    async def export_feedback(self, info: Info, input: ExportFeedbackInput) -> RunPayload:  # noqa: A002
        """Queue an export of a model's feedback as a dataset version: the loop closes."""

        def command(session: Session) -> int:
            if input.dataset.namespace is None or input.dataset.name is None:
                raise Invalid("name the dataset by namespace and name; it is made when it is new", path=("dataset",))
            model = key_of_id(input.model, "Model", path="model")
            wanted = export.StartExport(
                model, input.dataset.namespace, input.dataset.name, nominal_at=input.nominal_time
            )
            return export.start_export(session, wanted)[0]

        return await run_payload(info, "produce", command)

    @strawberry.mutation
    async def promote_model_version(
        self,
        info: Info,
        input: PromoteModelVersionInput,  # noqa: A002
    ) -> PromoteModelVersionPayload:
        """Change the stage of a model version; a new PRODUCTION version archives the one before it."""

        def command(session: Session) -> Any:
            version = key_of_id(input.model_version, "ModelVersion", path="modelVersion")
            service.promote(session, version, input.stage)
            return queries.model_versions_by_ids(session, [version])[version]

        row, errors = await mutate(info, "steward", command)
        version = None if row is None else ModelVersion.of(row)
        return PromoteModelVersionPayload(model_version=version, user_errors=errors)

    @strawberry.mutation
    async def record_feedback(self, info: Info, input: RecordFeedbackInput) -> RecordFeedbackPayload:  # noqa: A002
        """Store what people did, whole or not at all; events whose key is known count as duplicates."""

        def command(session: Session) -> tuple[feedback.Recorded, list[Any]]:
            model = None if input.model is None else key_of_id(input.model, "Model", path="model")
            events = tuple(one.spec() for one in input.events)
            done = feedback.record(session, feedback.RecordFeedback(events, model))
            rows = feedback_queries.feedback_by_ids(session, done.feedback_ids[:MOST_SHOWN])
            return done, [rows[key] for key in sorted(rows)]

        done, errors = await mutate(info, "feedback", command)
        if done is None:
            return RecordFeedbackPayload(accepted=0, duplicates=0, feedback=[], user_errors=errors)
        shown = [Feedback.of(row) for row in done[1]]
        counts = {"accepted": done[0].accepted, "duplicates": done[0].duplicates}
        return RecordFeedbackPayload(**counts, feedback=shown, user_errors=errors)
