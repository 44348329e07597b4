"""Events of OpenLineage 2-0-2 as real producers send them: checked, named in errors, and lenient where they are.

Facets that the service does not know are kept as they are. Standard ones are checked when something is read from them:
a null counts as absent, unknown keys pass, wrong types are errors that name the field.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assetgraph.clock import as_utc
from assetgraph.errors import Invalid
from assetgraph.ids import MAX_NAMESPACE_BYTES, normalised

#: An event larger than this, unpacked, is refused: Spark's largest known are some hundred kilobytes.
MAX_EVENT_BYTES = 16 * 1024 * 1024
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUL = b"\\u0000"


def _named(most: int) -> AfterValidator:
    def check(value: str) -> str:
        try:
            return normalised(value, what="name", most=most)
        except Invalid as error:
            raise ValueError(error.message) from None

    return AfterValidator(check)


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
RunId = Annotated[str, _named(400), AfterValidator(_run_id)]
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

        name: str
        status: str
        severity: str | None = None

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


class Dataset(Named):
    """A dataset as an event names it; the facets are raw."""

    facets: Bodies | None = None
    input_facets: Bodies | None = Field(default=None, alias="inputFacets")
    output_facets: Bodies | None = Field(default=None, alias="outputFacets")


class Job(Named):
    """A job as an event names it."""

    facets: Bodies | None = None


class Run(RunPart):
    """A run as an event names it."""

    facets: Bodies | None = None


EventType = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]


class Event(Part):
    """Any of the three kinds; which one it is follows from what it holds."""

    event_time: Moment = Field(alias="eventTime")
    producer: str | None = None
    event_type: EventType | None = Field(default=None, alias="eventType")
    run: Run | None = None
    job: Job | None = None
    dataset: Dataset | None = None
    inputs: Many[Dataset] = None
    outputs: Many[Dataset] = None


@dataclass(frozen=True)
class Received:
    """An event with the text it came as (deflated) and the digest that tells it from others."""

    event: Event
    digest: str
    packed: bytes


def parse_event(body: bytes) -> Received:
    """Read one event; raises Invalid with the path of the field that is wrong."""
    return check_event(parse_json(body), body)


def parse_json(body: bytes) -> Any:
    """Read JSON; lone surrogates, bad UTF-8 and nesting beyond 1,024 levels are errors as broken text is."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error}") from None


def check_event(data: Any, body: bytes | None = None) -> Received:
    """Check a decoded event; `body` is its text, when it stood alone."""
    if not isinstance(data, dict):
        raise Invalid("an event must be a JSON object")
    raw = body if body is not None else orjson.dumps(data)
    if len(raw) > MAX_EVENT_BYTES:
        raise Invalid(f"the event has {len(raw)} bytes; at most {MAX_EVENT_BYTES} are allowed")
    if _NUL in raw:
        _refuse_nul(data, ())
    event = validated(Event, data, ())
    if event.run is None and event.job is None and event.dataset is None:
        raise Invalid("an event needs run and job, or dataset, or job", path=("run",))
    if event.run is not None and event.job is None:
        raise Invalid("an event with a run names its job: namespace and name", path=("job",))
    canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return Received(event, hashlib.sha256(canonical).hexdigest(), zlib.compress(raw, 1))


M = TypeVar("M", bound=Part)


def validated(model: type[M], data: Any, path: tuple[str, ...]) -> M:
    """Check a part against its shape; raises Invalid that names the first field that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = (*path, *(str(part) for part in first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise Invalid(f"{'.'.join(where)[:300]}: {message[:300]}", path=where[:12]) from None


def _refuse_nul(value: Any, path: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid(f"{'.'.join(path)[:300]}: holds the character NUL; remove it", path=path[:12])
    elif isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(name, (*path, name.replace("\0", "\\0")))
            _refuse_nul(part, (*path, name))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            _refuse_nul(part, (*path, str(position)))
