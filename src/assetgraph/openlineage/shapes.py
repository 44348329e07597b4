"""Shapes of the standard facets that something is read from.

A null counts as absent, unknown keys pass, wrong types are errors that name the field.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assetgraph.clock import as_utc
from assetgraph.errors import Invalid
from assetgraph.ids import MAX_NAMESPACE_BYTES, normalised

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _named(most: int, then: Callable[[str], str] = str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            return then(normalised(value, what="name", most=most))
        except Invalid as error:
            raise ValueError(error.message) from None

    # Events name the same things again and again; a name that was in order once costs no Python call.
    return AfterValidator(lru_cache(maxsize=65_536)(check))


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be an ISO 8601 date and time, as text")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return as_utc(value)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _run_id(value: str) -> str:
    return value.lower() if _UUID.fullmatch(value) else value


Namespace = Annotated[str, _named(MAX_NAMESPACE_BYTES)]
Name = Annotated[str, _named(900)]
RunId = Annotated[str, _named(400, _run_id)]
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_utc)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
T = TypeVar("T")
Many = list[T] | None


class Part(BaseModel):
    """Anything inside an event: what is not known is left alone."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, frozen=True)


class Named(Part):
    """A dataset or job by name."""

    namespace: Namespace
    name: Name

    @property
    def key(self) -> tuple[str, str]:
        """Identity: namespace and name."""
        return self.namespace, self.name


class SchemaField(Part):
    """A column, maybe with columns inside."""

    name: Name
    type: str | None = None
    description: str | None = None
    fields: Many["SchemaField"] = None


class SchemaFacet(Part):
    """Columns of a dataset."""

    fields: Many[SchemaField] = None


class TransformationPart(Part):
    """What is done to values: DIRECT or INDIRECT, and how."""

    type: str | None = None
    subtype: str | None = None
    description: str | None = None
    masking: bool | None = None


class InputColumn(Named):
    """A column that another is made of."""

    field: Name
    transformations: Many[TransformationPart] = None


class OutputColumn(Part):
    """What an output column is made of."""

    input_fields: Many[InputColumn] = Field(default=None, alias="inputFields")
    transformation_type: str | None = Field(default=None, alias="transformationType")
    transformation_description: str | None = Field(default=None, alias="transformationDescription")


class ColumnLineageFacet(Part):
    """Columns of the output and what they are made of; `dataset` columns affect every one of them."""

    fields: dict[Name, OutputColumn] | None = None
    dataset: Many[InputColumn] = None


class LineageInput(Part):
    """A source of explicit lineage: a dataset, maybe one column of it, or a job (the event's own when unnamed)."""

    type: Literal["DATASET", "JOB"]
    namespace: Namespace | None = None
    name: Name | None = None
    field: Name | None = None
    transformations: Many[TransformationPart] = None


class LineageColumn(Part):
    """Sources of one column."""

    inputs: Many[LineageInput] = None


class LineageDatasetFacet(Part):
    """Explicit lineage of a dataset."""

    inputs: Many[LineageInput] = None
    fields: dict[Name, LineageColumn] | None = None


class LineageEntry(LineageDatasetFacet):
    """Explicit lineage of a named dataset or job."""

    type: Literal["DATASET", "JOB"]
    namespace: Namespace | None = None
    name: Name | None = None


class LineageJobFacet(Part):
    """Explicit lineage as a job tells it."""

    entries: Many[LineageEntry] = None


class SymlinksFacet(Part):
    """Other names of the same dataset."""

    identifiers: Many[Named] = None


class LifecycleFacet(Part):
    """What happened to the dataset."""

    change: Literal["ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"] = Field(alias="lifecycleStateChange")
    previous: Named | None = Field(default=None, alias="previousIdentifier")


class VersionFacet(Part):
    """The producer's own name of the version."""

    label: Name = Field(alias="datasetVersion")


class Owner(Part):
    """Who answers for something."""

    name: Annotated[str, _named(200)]
    type: str | None = None


class OwnershipFacet(Part):
    """Owners."""

    owners: Many[Owner] = None


class DocumentationFacet(Part):
    """What it is, in words."""

    description: str


class TagPart(Part):
    """A tag, maybe of a column."""

    key: Annotated[str, _named(100)]
    value: str | None = None
    field: Name | None = None


class TagsFacet(Part):
    """Tags."""

    tags: Many[TagPart] = None


class ColumnMetrics(Part):
    """Numbers of one column."""

    null_count: Count | None = Field(default=None, alias="nullCount")
    distinct_count: Count | None = Field(default=None, alias="distinctCount")
    count: Number | None = None
    sum: Number | None = None
    min: Number | None = None
    max: Number | None = None
    quantiles: dict[str, Number] | None = None


class MetricsFacet(Part):
    """Numbers of a dataset: dataQualityMetrics, outputStatistics and inputStatistics in one."""

    row_count: Count | None = Field(default=None, alias="rowCount")
    bytes: Count | None = None
    size: Count | None = None
    file_count: Count | None = Field(default=None, alias="fileCount")
    columns: dict[Name, ColumnMetrics] | None = Field(default=None, alias="columnMetrics")


class Assertion(Part):
    """A test of a dataset or column and whether it held."""

    assertion: Annotated[str, _named(400)]
    success: bool
    column: Name | None = None
    severity: str | None = None
    name: str | None = None
    description: str | None = None
    expected: Any = None
    actual: Any = None


class AssertionsFacet(Part):
    """Results of tests."""

    assertions: Many[Assertion] = None


class RunPart(Part):
    """A run by id."""

    run_id: RunId = Field(alias="runId")


class RootPart(Part):
    """The outermost run."""

    run: RunPart
    job: Named


class ParentFacet(Part):
    """The run that started this one, and the outermost."""

    run: RunPart
    job: Named
    root: RootPart | None = None


class ErrorFacet(Part):
    """Why a run failed."""

    message: str


class NominalTimeFacet(Part):
    """The time that the run is about."""

    start: Moment = Field(alias="nominalStartTime")
    end: Moment | None = Field(default=None, alias="nominalEndTime")


class JobTypeFacet(Part):
    """How a job works and which system runs it."""

    processing: str | None = Field(default=None, alias="processingType")
    integration: str | None = None
    job_type: str | None = Field(default=None, alias="jobType")


class SqlFacet(Part):
    """The query of a job."""

    query: str


class SourceLocationFacet(Part):
    """Where a job's source lies."""

    url: str


class TestsFacet(Part):
    """Results of tests that are attached to a run."""

    class Test(Part):
        """One test."""

        name: Annotated[str, _named(400)]
        status: str
        severity: str | None = None
        type: str | None = None
        description: str | None = None
        expected: Any = None
        actual: Any = None

        @property
        def assertion(self) -> Assertion:
            """The same as an assertion of a dataset."""
            return Assertion(
                assertion=(self.type or "test").strip()[:100] or "test", name=self.name,
                success=self.status.strip().lower() in ("pass", "passed", "success", "succeeded", "ok"),
                severity=self.severity, description=self.description, expected=self.expected, actual=self.actual,
            )  # fmt: skip

    tests: Many[Test] = None


Bodies = dict[str, dict[str, Any] | None]

#: The shape of each standard facet that something is read from, by where it stands.
DATASET_FACETS: dict[str, type[Part]] = {
    "schema": SchemaFacet, "columnLineage": ColumnLineageFacet, "lineage": LineageDatasetFacet,
    "symlinks": SymlinksFacet, "lifecycleStateChange": LifecycleFacet, "version": VersionFacet,
    "ownership": OwnershipFacet, "documentation": DocumentationFacet, "tags": TagsFacet,
    "dataQualityMetrics": MetricsFacet, "dataQualityAssertions": AssertionsFacet,
    "outputStatistics": MetricsFacet, "inputStatistics": MetricsFacet,
}  # fmt: skip
JOB_FACETS: dict[str, type[Part]] = {
    "ownership": OwnershipFacet, "documentation": DocumentationFacet, "tags": TagsFacet, "lineage": LineageJobFacet,
    "jobType": JobTypeFacet, "sql": SqlFacet, "sourceCodeLocation": SourceLocationFacet,
}  # fmt: skip
RUN_FACETS: dict[str, type[Part]] = {
    "parent": ParentFacet, "errorMessage": ErrorFacet, "nominalTime": NominalTimeFacet, "tags": TagsFacet,
    "test": TestsFacet,
}  # fmt: skip


M = TypeVar("M", bound=Part)


def validated(model: type[M], data: Any, path: tuple[str, ...]) -> M:
    """Check a part against its shape; raises Invalid that names the first field that is wrong."""
    try:
        # What model_validate calls; its own frame costs as much as checking a small facet.
        return cast(M, model.__pydantic_validator__.validate_python(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = (*path, *(str(part) for part in first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise Invalid(f"{'.'.join(where)[:300]}: {message[:300]}", path=where[:12]) from None
