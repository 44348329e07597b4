"""What the inventory report consists of."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from assetgraph.catalog.roles import DatasetRole
from assetgraph.quality.tables import Severity

#: The roles in the order of the loop, and what people call their data.
WORDS = {
    DatasetRole.USER_BEHAVIOUR: "behaviour data", DatasetRole.ITEM_CATALOGUE: "item catalogue",
    DatasetRole.TRANSACTION: "transactions", DatasetRole.SEARCH_QUERY: "search queries",
    DatasetRole.EXPOSURE: "exposure log", DatasetRole.FEEDBACK: "feedback", DatasetRole.USER_PROFILE: "user profiles",
    DatasetRole.FEATURE: "features", DatasetRole.PROMOTION: "promotions", DatasetRole.SOCIAL_GRAPH: "social graph",
    DatasetRole.OTHER: "other data",
}  # fmt: skip
#: Roles whose data tells of events: how old it is shows in the newest event, not in the newest copy.
EVENT_ROLES = (
    DatasetRole.USER_BEHAVIOUR, DatasetRole.TRANSACTION, DatasetRole.SEARCH_QUERY, DatasetRole.EXPOSURE,
    DatasetRole.FEEDBACK,
)  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """What a group of datasets comes to; shares are from 0 to 1, and None where there is nothing to take them of."""

    dataset_count: int
    row_count: int
    size_bytes: int
    #: Newest time that a latest version has, by the producer's clock.
    freshest_at: datetime | None
    #: Newest event that a profile shows; of roles whose data tells of events.
    newest_event_at: datetime | None
    #: Mean over datasets of the share of their checks that passed last, or where none ran, of their completeness.
    mean_quality: float | None
    mean_completeness: float | None
    check_count: int
    #: Checks with a result, and those of them that passed last.
    checks_evaluated: int
    checks_passed: int
    #: Models that learnt from any of them, or from what was made of them.
    used_by_models: int
    used_datasets: int
    personal_data_datasets: int
    personal_data_fields: int
    owned_datasets: int


@dataclass(frozen=True)
class RoleCoverage(Coverage):
    """What the datasets of a role come to."""

    role: DatasetRole


@dataclass(frozen=True)
class ModelCoverage:
    """The models of the namespace, or all."""

    model_count: int
    version_count: int
    newest_version_at: datetime | None
    owned_models: int
    #: Those of which lineage knows a dataset that they learnt from.
    models_with_lineage: int


@dataclass(frozen=True)
class PersonalDataKind:
    """A tag of personal data, own or come along column lineage, with the columns and datasets that bear it."""

    tag: str
    field_count: int
    dataset_count: int


@dataclass(frozen=True)
class Gap:
    """Something that is missing or wrong; `code` is stable, `message` says what it is and what it costs."""

    code: str
    severity: Severity
    #: The role that it is about, where it is about one.
    role: DatasetRole | None
    message: str
    #: The message's second half.
    cost: str
    #: How many datasets, or models, it is about; 0 where it is about what is not there.
    count: int = 0
    #: Ids of the first of those datasets, and the names of the first of those datasets or models.
    dataset_ids: tuple[int, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class InventoryReport:
    """The report; `datasets` has one row each, by namespace and name (columns: `docs/howto/inventory.md`)."""

    generated_at: datetime
    namespace: str | None
    total: Coverage
    roles: tuple[RoleCoverage, ...]
    #: Datasets of which nobody has said what they are.
    unassigned: Coverage
    models: ModelCoverage
    personal_data: tuple[PersonalDataKind, ...]
    retired_datasets: int
    transient_datasets: int
    gaps: tuple[Gap, ...]
    datasets: pl.DataFrame
