"""Models, training, recommendations and feedback: views, queries and mutations."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from assetgraph_server.schema.base import (
    After, Asset, BigInt, Connection, First, Info, UserError, asset_columns, connection, key_of_id, mutate,
)  # fmt: skip
from assetgraph_server.schema.catalog import DatasetVersion, Owner, QualityMetric, Tag, producers_of, tags_of
from assetgraph_server.schema.runs import AssetRefInput, Run, RunPayload, inputs_of, run_payload
from strawberry.scalars import JSON

from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog.service import find_asset
from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.errors import Invalid
from assetgraph.factorization import queries, service
from assetgraph.factorization.tables import ModelStage
from assetgraph.feedback import export
from assetgraph.feedback import queries as feedback_queries
from assetgraph.feedback import service as feedback
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import AssetKind, asset_global_id, parse_global_id, parse_recommendation_key, urn
from assetgraph.lineage import queries as lineage_queries
from assetgraph.quality import queries as quality_queries
from assetgraph.recommendations.service import Recommend, Recommended, RecommendedItem


@strawberry.type(description="One trained state of a model.")
class ModelVersion(Asset):
    """A model version."""

    row: strawberry.Private[Any]
    number: int
    stage: ModelStage
    parameters: JSON
    user_count: BigInt
    item_count: BigInt
    interaction_count: BigInt

    @staticmethod
    def of(row: Any) -> "ModelVersion":
        """View a row."""
        named = ("number", "stage", "parameters", "user_count", "item_count", "interaction_count")
        return ModelVersion(row=row, **asset_columns(row), **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def model(self, info: Info) -> "Model":
        """The model that this is a version of."""
        return Model.of(await info.context.load(queries.models_by_ids, self.row.model_id))

    @strawberry.field
    async def metrics(self, info: Info) -> list[QualityMetric]:
        """Measured numbers, newest first, up to 1,000."""
        rows = await info.context.load(quality_queries.metrics_of, self.row.id) or []
        return [QualityMetric.of(row) for row in rows]

    @strawberry.field
    async def trained_by(self, info: Info) -> Run | None:
        """The run that trained it."""
        runs = await info.context.load(producers_of, self.row.id) or []
        return Run.of(await info.context.load(lineage_queries.runs_by_ids, runs[0])) if runs else None

    @strawberry.field
    async def trained_on(self, info: Info) -> list[DatasetVersion]:
        """The dataset versions that it learnt from."""
        runs = await info.context.load(producers_of, self.row.id) or []
        inputs = await info.context.load(inputs_of, runs[0]) if runs else None
        rows = [await info.context.load(catalog_queries.versions_by_ids, one) for one in inputs or []]
        return [DatasetVersion.of(row) for row in rows if row is not None]


@strawberry.type(description="A recommender with versions.")
class Model(Asset):
    """A model."""

    row: strawberry.Private[Any]
    namespace: str
    description: str | None

    @staticmethod
    def of(row: Any) -> "Model":
        """View a row."""
        return Model(row=row, **asset_columns(row), namespace=row.namespace, description=row.description)

    @strawberry.field
    async def versions(self, info: Info, first: First = None, after: After = None) -> Connection[ModelVersion]:
        """All versions, newest first."""
        page = await info.context.read(queries.model_versions_page, self.row.id, PageRequest.of(first, after))
        return connection(page, ModelVersion.of)

    @strawberry.field
    async def production(self, info: Info) -> ModelVersion | None:
        """The version that serves."""
        row = await info.context.load(queries.production_of, self.row.id)
        return None if row is None else ModelVersion.of(row)

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """Tags on the model."""
        return await tags_of(info, self.row.id)

    @strawberry.field
    async def owners(self, info: Info) -> list[Owner]:
        """Who answers for it."""
        found = await info.context.load(catalog_queries.owners_of, self.row.id) or []
        return [Owner(principal=principal, role=role) for principal, role in found]


@strawberry.type(description="A recommendation: computed, not stored; its id says model version, user and item.")
class Recommendation(Asset):
    """A recommendation."""

    version_row: strawberry.Private[Any]
    user: str | None
    item: str
    score: float
    rank: int
    reason: str | None

    @staticmethod
    def of(one: RecommendedItem, version: Any) -> "Recommendation":
        """View one of a list."""
        return Recommendation(
            id=strawberry.ID(asset_global_id(AssetKind.RECOMMENDATION, one.key)), kind=AssetKind.RECOMMENDATION,
            urn=urn(AssetKind.RECOMMENDATION, version.namespace, one.key), created_at=version.created_at,
            name=f"{one.item} for {one.user or 'anyone'}", version_row=version, user=one.user, item=one.item,
            score=one.score, rank=one.rank, reason=one.reason,
        )  # fmt: skip

    @strawberry.field
    async def model_version(self, info: Info) -> ModelVersion:  # noqa: ARG002 - Strawberry passes it
        """The model version that made it."""
        return ModelVersion.of(self.version_row)


async def recommendation_by_key(info: Info, key: str) -> Recommendation | None:
    """Return the recommendation that a key encodes, when its model version exists."""
    parsed = parse_recommendation_key(key)
    version = None if parsed is None else await info.context.load(queries.model_versions_by_ids, parsed[0])
    if parsed is None or version is None:
        return None
    return Recommendation.of(RecommendedItem(key, *parsed[1:], reason=None), version)


@strawberry.enum(description="What stood in where the model does not know the user.")
class RecommendationFallback(StrEnum):
    """Fallbacks."""

    NONE = "NONE"
    FOLD_IN = "FOLD_IN"
    CONTENT = "CONTENT"
    POPULARITY = "POPULARITY"


@strawberry.type(description="Recommendations, with the model version that made them and the fallback used.")
class RecommendationList:
    """A list of recommendations."""

    items: list[Recommendation]
    model_version: ModelVersion
    fallback: RecommendationFallback


@strawberry.type(description="What a person did.")
class Feedback(Asset):
    """A feedback event."""

    row: strawberry.Private[Any]
    user: str
    item: str
    event: FeedbackEvent
    value: float | None
    occurred_at: datetime

    @staticmethod
    def of(row: Any) -> "Feedback":
        """View a row."""
        named = ("user", "item", "event", "value", "occurred_at", "created_at")
        return Feedback(
            row=row, id=strawberry.ID(asset_global_id(AssetKind.FEEDBACK, row.id)), kind=AssetKind.FEEDBACK,
            urn=urn(AssetKind.FEEDBACK, "", str(row.id)), name=f"{row.event.value} of {row.item} by {row.user}",
            **{name: getattr(row, name) for name in named},
        )  # fmt: skip

    @strawberry.field
    async def recommendation(self, info: Info) -> Recommendation | None:
        """The recommendation that it answers."""
        return None if self.row.recommendation is None else await recommendation_by_key(info, self.row.recommendation)


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
        return service.TrainingParameters(
            **{name: value.value if isinstance(value, StrEnum) else value for name, value in given.items()}
        )


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

    def command(self) -> service.StartTraining:
        """Return the command."""
        return service.StartTraining(
            self.model.namespace, self.model.name, self.dataset.ref("dataset"), self.user_field, self.item_field,
            self.value_field, self.time_field, (self.parameters or TrainingParameters()).command(),
            self.idempotency_key,
        )  # fmt: skip


@strawberry.input(description="Write all feedback of a model as the next version of a dataset.")
class ExportFeedbackInput:
    """Input of exportFeedback."""

    model: strawberry.ID
    dataset: AssetRefInput


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
        return feedback.FeedbackSpec(
            self.event, answered, self.user, self.item, self.value, self.occurred_at, self.key
        )


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
class ModelQuery:
    """Queries of models and recommendations."""

    @strawberry.field
    async def model(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="Namespace of the model.")],
        name: Annotated[str, strawberry.argument(description="Name of the model.")],
    ) -> Model | None:
        """A model by name."""
        info.context.require("read")
        found = await info.context.read(find_asset, AssetKind.MODEL, namespace, name)
        row = None if found is None else await info.context.load(queries.models_by_ids, found)
        return None if row is None else Model.of(row)

    @strawberry.field
    async def recommendations(
        self,
        info: Info,
        model: Annotated[strawberry.ID, strawberry.argument(description="A model (its production version) or version.")],
        user: Annotated[str | None, strawberry.argument(description="User id; unknown or none: what is popular.")] = None,
        first: Annotated[int, strawberry.argument(description="How many, 0 to 1,000.")] = 10,
        among: Annotated[list[str] | None, strawberry.argument(description="Only these items.")] = None,
        exclude: Annotated[list[str] | None, strawberry.argument(description="None of these items.")] = None,
        include_seen: Annotated[bool, strawberry.argument(description="Also what the user had in training.")] = False,
    ) -> RecommendationList:
        """Items for a user, best first."""
        info.context.require("recommend")
        key = key_of_id(model, "Model", "ModelVersion", path="model")
        asked = Recommend(key, user, first, None if among is None else tuple(among), tuple(exclude or ()), include_seen)
        found: Recommended = await info.context.read(info.context.recommender.recommend, asked)
        return RecommendationList(
            items=[Recommendation.of(one, found.version) for one in found.items],
            model_version=ModelVersion.of(found.version), fallback=RecommendationFallback(found.fallback),
        )  # fmt: skip


@strawberry.type
class ModelMutation:
    """Mutations of models and feedback."""

    @strawberry.mutation
    async def start_training(self, info: Info, input: StartTrainingInput) -> RunPayload:  # noqa: A002
        """Queue a training."""
        settings = info.context.settings
        return await run_payload(
            info, "produce", lambda session: service.start_training(session, settings, input.command())[0]
        )

    @strawberry.mutation
    async def export_feedback(self, info: Info, input: ExportFeedbackInput) -> RunPayload:  # noqa: A002
        """Queue an export of a model's feedback as a dataset version: the loop closes."""

        def command(session: Session) -> int:
            if input.dataset.namespace is None or input.dataset.name is None:
                raise Invalid("name the dataset by namespace and name; it is made when it is new", path=("dataset",))
            model = key_of_id(input.model, "Model", path="model")
            wanted = export.StartExport(model, input.dataset.namespace, input.dataset.name)
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
