"""The GraphQL schema, put together from its slices."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from assetgraph_server.schema import base, catalog, checks, incidents, models, nodes
from assetgraph_server.schema.base import BigInt
from assetgraph_server.schema.catalog import CatalogQuery
from assetgraph_server.schema.classification import ClassificationMutation
from assetgraph_server.schema.descriptions import describe
from assetgraph_server.schema.diff import DiffQuery
from assetgraph_server.schema.impact import ImpactQuery
from assetgraph_server.schema.incidents import IncidentQuery
from assetgraph_server.schema.inventory import InventoryQuery
from assetgraph_server.schema.lineage import LineageQuery
from assetgraph_server.schema.lineage_writes import LineageMutation
from assetgraph_server.schema.models import ModelQuery
from assetgraph_server.schema.nodes import ChangeSubscription, NodeQuery
from assetgraph_server.schema.preparation import PreparationMutation
from assetgraph_server.schema.proposing import ProposalMutation
from assetgraph_server.schema.quality import QualityMutation
from assetgraph_server.schema.registration import CatalogMutation
from assetgraph_server.schema.relating import RelationMutation
from assetgraph_server.schema.relations import Relation
from assetgraph_server.schema.runs import RunMutation, RunQuery, RunSubscription
from assetgraph_server.schema.schedules import ScheduleMutation, ScheduleQuery
from assetgraph_server.schema.training import ModelMutation


@strawberry.type(description="What can be asked.")
class Query(
    NodeQuery,
    CatalogQuery,
    RunQuery,
    ModelQuery,
    LineageQuery,
    ImpactQuery,
    DiffQuery,
    ScheduleQuery,
    InventoryQuery,
    IncidentQuery,
):
    """All queries."""


@strawberry.type(description="What can be changed; each takes one input and answers with one payload.")
class Mutation(
    CatalogMutation,
    RunMutation,
    LineageMutation,
    PreparationMutation,
    ModelMutation,
    ScheduleMutation,
    ClassificationMutation,
    RelationMutation,
    ProposalMutation,
    QualityMutation,
):
    """All mutations."""


@strawberry.type(description="What can be followed live.")
class Subscription(RunSubscription, ChangeSubscription):
    """All subscriptions."""


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[
        catalog.Source, catalog.Dataset, catalog.DatasetVersion, catalog.Field, catalog.QualityMetric, models.Model,
        models.ModelVersion, models.Recommendation, models.Feedback, nodes.Change, checks.QualityCheck,
        checks.CheckResult, incidents.Incident, Relation, base.InputError, base.NotFoundError,
    ],
    config=StrawberryConfig(
        scalar_map={
            BigInt: strawberry.scalar(
                name="BigInt", description="A whole number of up to 64 bits.", serialize=int, parse_value=int
            )
        }
    ),
)  # fmt: skip
describe(schema)
