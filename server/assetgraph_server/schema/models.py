"""Models, training, recommendations and feedback: views, queries and mutations."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog.service import find_asset
from assetgraph.db.page import PageRequest
from assetgraph.factorization import queries
from assetgraph.factorization.tables import ModelStage
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import AssetKind, asset_global_id, parse_recommendation_key, urn
from assetgraph.lineage import queries as lineage_queries
from assetgraph.quality import queries as quality_queries
from assetgraph.recommendations.service import Recommend, Recommended, RecommendedItem
from assetgraph_server.schema.base import (
    After,
    AsOf,
    Asset,
    BigInt,
    Connection,
    First,
    Info,
    asset_columns,
    connection,
    key_of_id,
    past,
)  # fmt: skip
from assetgraph_server.schema.catalog import (
    DatasetVersion,
    Owner,
    QualityMetric,
    Tag,
    owners_of,
    producers_of,
    tags_of,
    there,
)
from assetgraph_server.schema.runs import Run, inputs_of


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
    def of(row: Any, at: datetime | None = None) -> "ModelVersion":
        """View a row."""
        named = ("number", "stage", "parameters", "user_count", "item_count", "interaction_count")
        return ModelVersion(row=row, **asset_columns(row, at), **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def model(self, info: Info) -> "Model":
        """The model that this is a version of."""
        return Model.of(await info.context.load(queries.models_by_ids, self.row.model_id), self.at)

    @strawberry.field
    async def metrics(self, info: Info) -> list[QualityMetric]:
        """Measured numbers, newest first, up to 1,000."""
        rows = await info.context.load(quality_queries.metrics_of, self.row.id, self.at) or []
        return [QualityMetric.of(row) for row in rows]

    @strawberry.field
    async def trained_by(self, info: Info) -> Run | None:
        """The run that trained it."""
        runs = await info.context.load(producers_of, self.row.id, self.at) or []
        return Run.of(await info.context.load(lineage_queries.runs_by_ids, runs[0]), self.at) if runs else None

    @strawberry.field
    async def trained_on(self, info: Info) -> list[DatasetVersion]:
        """The dataset versions that it learnt from."""
        runs = await info.context.load(producers_of, self.row.id, self.at) or []
        inputs = await info.context.load(inputs_of, runs[0], self.at) if runs else None
        rows = [await info.context.load(catalog_queries.versions_by_ids, one, self.at) for one in inputs or []]
        return [DatasetVersion.of(row, self.at) for row in rows if row is not None]


@strawberry.type(description="A recommender with versions.")
class Model(Asset):
    """A model."""

    row: strawberry.Private[Any]
    namespace: str
    description: str | None

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Model":
        """View a row."""
        return Model(row=row, **asset_columns(row, at), namespace=row.namespace, description=row.description)

    @strawberry.field
    async def versions(self, info: Info, first: First = None, after: After = None) -> Connection[ModelVersion]:
        """All versions, newest first."""
        page = await info.context.read(queries.model_versions_page, self.row.id, PageRequest.of(first, after), self.at)
        return connection(page, lambda row: ModelVersion.of(row, self.at))

    @strawberry.field
    async def production(self, info: Info) -> ModelVersion | None:
        """The version that serves."""
        row = await info.context.load(queries.production_of, self.row.id, self.at)
        return None if row is None else ModelVersion.of(row, self.at)

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """Tags on the model."""
        return await tags_of(info, self.row.id, self.at)

    @strawberry.field
    async def owners(self, info: Info) -> list[Owner]:
        """Who answers for it."""
        return await owners_of(info, self.row.id, self.at)


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
    def of(one: RecommendedItem, version: Any, at: datetime | None = None) -> "Recommendation":
        """View one of a list."""
        return Recommendation(
            id=strawberry.ID(asset_global_id(AssetKind.RECOMMENDATION, one.key)), kind=AssetKind.RECOMMENDATION,
            urn=urn(AssetKind.RECOMMENDATION, version.namespace, one.key), created_at=version.created_at,
            name=f"{one.item} for {one.user or 'anyone'}", version_row=version, user=one.user, item=one.item,
            score=one.score, rank=one.rank, reason=one.reason, at=at,
        )  # fmt: skip

    @strawberry.field
    async def model_version(self, info: Info) -> ModelVersion:
        """The model version that made it."""
        return ModelVersion.of(self.version_row, self.at)


async def recommendation_by_key(info: Info, key: str, at: datetime | None = None) -> Recommendation | None:
    """Return the recommendation that a key encodes, when its model version exists."""
    parsed = parse_recommendation_key(key)
    version = None if parsed is None else await info.context.load(queries.model_versions_by_ids, parsed[0], at)
    if parsed is None or version is None:
        return None
    return Recommendation.of(RecommendedItem(key, *parsed[1:], reason=None), version, at)


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
    def of(row: Any, at: datetime | None = None) -> "Feedback":
        """View a row."""
        named = ("user", "item", "event", "value", "occurred_at", "created_at")
        return Feedback(
            row=row, at=at, id=strawberry.ID(asset_global_id(AssetKind.FEEDBACK, row.id)), kind=AssetKind.FEEDBACK,
            urn=urn(AssetKind.FEEDBACK, "", str(row.id)), name=f"{row.event.value} of {row.item} by {row.user}",
            **{name: getattr(row, name) for name in named},
        )  # fmt: skip

    @strawberry.field
    async def recommendation(self, info: Info) -> Recommendation | None:
        """The recommendation that it answers."""
        key = self.row.recommendation
        return None if key is None else await recommendation_by_key(info, key, self.at)


@strawberry.type
class ModelQuery:
    """Queries of models and recommendations."""

    @strawberry.field
    async def model(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="Namespace of the model.")],
        name: Annotated[str, strawberry.argument(description="Name of the model.")],
        as_of: AsOf = None,
    ) -> Model | None:
        """A model by name."""
        info.context.require("read")
        at = past(as_of)
        found = await info.context.read(find_asset, AssetKind.MODEL, namespace, name)
        if found is None or not await there(info, found, at):
            return None
        return Model.of(await info.context.load(queries.models_by_ids, found), at)

    @strawberry.field
    async def recommendations(
        self,
        info: Info,
        model: Annotated[
            strawberry.ID, strawberry.argument(description="A model (its production version) or version.")
        ],
        user: Annotated[
            str | None, strawberry.argument(description="User id; unknown or none: what is popular.")
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many, 0 to 1,000.")] = 10,
        among: Annotated[list[str] | None, strawberry.argument(description="Only these items.")] = None,
        exclude: Annotated[list[str] | None, strawberry.argument(description="None of these items.")] = None,
        include_seen: Annotated[bool, strawberry.argument(description="Also what the user had in training.")] = False,
    ) -> RecommendationList:
        """Items for a user, best first."""
        info.context.require("recommend")
        key = key_of_id(model, "Model", "ModelVersion", path="model")
        asked = Recommend(key, user, first, None if among is None else tuple(among), tuple(exclude or ()), include_seen)
        found: Recommended = await info.context.read(info.context.recommender.recommend, asked, permission="recommend")
        return RecommendationList(
            items=[Recommendation.of(one, found.version) for one in found.items],
            model_version=ModelVersion.of(found.version), fallback=RecommendationFallback(found.fallback),
        )  # fmt: skip
