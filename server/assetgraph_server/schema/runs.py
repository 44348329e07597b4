"""Jobs and runs: views, queries, mutations, and live updates."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any

import strawberry

from assetgraph.catalog.service import AssetRef, find_asset
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.db.page import PageRequest
from assetgraph.errors import NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import service as inventory
from assetgraph.jobs import service as jobs
from assetgraph.lineage import queries, service
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Transformation
from assetgraph.lineage.past import run_at
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType
from assetgraph.quality import queries as quality_queries
from assetgraph.quality import service as quality
from assetgraph_server.schema.base import (
    After,
    AsOf,
    Asset,
    Connection,
    First,
    Info,
    UserError,
    asset_columns,
    connection,
    key_of_id,
    mutate,
    past,
)  # fmt: skip
from assetgraph_server.schema.catalog import QualityMetric, there
from assetgraph_server.schema.facets import JobFacets, RunFacets

#: How often the change log is looked at for subscribers.
FOLLOW_SECONDS = 0.25


@strawberry.type(description="Something that a run met and went on, such as a broken file.")
class Finding:
    """A finding."""

    subject: str
    code: str
    message: str
    found_at: datetime | None


def inputs_of(session: Session, runs: Any, at: datetime | None = None) -> dict[int, list[int]]:
    """Return what runs read, by run."""
    return queries.neighbours_by_kind(session, runs, [EdgeKind.CONSUMED], upstream=True, level=Level.VERSION, at=at)


def outputs_of(session: Session, runs: Any, at: datetime | None = None) -> dict[int, list[int]]:
    """Return what runs made, by run."""
    return queries.neighbours_by_kind(session, runs, [EdgeKind.PRODUCED], upstream=False, level=Level.VERSION, at=at)


@strawberry.type(description="One execution of a job: an outside pipeline's, or a job of this service.")
class Run(RunFacets, Asset):
    """A run."""

    row: strawberry.Private[Any]
    run_id: str
    state: RunState
    type: RunType
    progress: float | None
    message: str | None
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Run":
        """View a row."""
        named = ("run_id", "state", "type", "progress", "message", "attempt", "started_at", "ended_at", "error")
        shown = {name: getattr(row, name) for name in named} | run_at(row, at)
        if shown["state"] is RunState.SUCCEEDED:
            shown["error"] = None  # of an earlier try under the same id
        return Run(row=row, **asset_columns(row, at), **shown)

    @strawberry.field
    async def job(self, info: Info) -> "Job":
        """The job that this is a run of."""
        return Job.of(await info.context.load(queries.jobs_by_ids, self.row.job_id, self.at), self.at)

    @strawberry.field
    async def inputs(self, info: Info) -> list[Asset]:
        """What it read."""
        from assetgraph_server.schema.nodes import assets_by_ids

        return await assets_by_ids(info, await info.context.load(inputs_of, self.row.id, self.at) or [], self.at)

    @strawberry.field
    async def outputs(self, info: Info) -> list[Asset]:
        """What it made."""
        from assetgraph_server.schema.nodes import assets_by_ids

        return await assets_by_ids(info, await info.context.load(outputs_of, self.row.id, self.at) or [], self.at)

    @strawberry.field
    async def metrics(self, info: Info) -> list[QualityMetric]:
        """Measured numbers, newest first, up to 1,000."""
        rows = await info.context.load(quality_queries.metrics_of, self.row.id, self.at) or []
        return [QualityMetric.of(row) for row in rows]

    @strawberry.field
    async def findings(self, info: Info) -> list[Finding]:
        """What it met and went on."""
        rows = await info.context.load(queries.findings_of, self.row.id, self.at) or []
        return [Finding(subject=row.subject, code=row.code, message=row.message, found_at=row.found_at) for row in rows]


@strawberry.type(description="A definition of work that runs happen under.")
class Job(JobFacets, Asset):
    """A job."""

    row: strawberry.Private[Any]
    namespace: str
    description: str | None

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "Job":
        """View a row."""
        return Job(row=row, **asset_columns(row, at), namespace=row.namespace, description=row.description)

    @strawberry.field
    async def runs(self, info: Info, first: First = None, after: After = None) -> Connection[Run]:
        """Its runs, newest first."""
        request = PageRequest.of(first, after)
        page = await info.context.read(queries.runs_page, {"job_id": self.row.id}, request, self.at)
        return connection(page, lambda row: Run.of(row, self.at))


@strawberry.input(description="Which runs to list; what is left out does not filter.")
class RunFilter:
    """Filters of runs."""

    type: RunType | None = None
    state: RunState | None = None
    job: strawberry.ID | None = None


@strawberry.type(description="The run that was made or changed.")
class RunPayload:
    """Payload of the mutations that start or end a run."""

    run: Run | None
    user_errors: list[UserError]


async def run_payload(info: Info, permission: str, command: Any) -> RunPayload:
    """Run a command that gives a run's id, and answer with the run."""

    def run(session: Session) -> Any:
        return queries.runs_by_ids(session, [made := command(session)])[made]

    row, errors = await mutate(info, permission, run)
    return RunPayload(run=None if row is None else Run.of(row), user_errors=errors)


@strawberry.input(description="Scan a source, or what lies under a path of it.")
class StartScanInput:
    """Input of startScan."""

    source: strawberry.ID
    path: str | None = None
    idempotency_key: str | None = None
    nominal_time: datetime | None = None


@strawberry.input(description="End a run.")
class CancelRunInput:
    """Input of cancelRun."""

    run: strawberry.ID


@strawberry.input(name="AssetRef", description="An asset by id, or a dataset by name: its latest or numbered version.")
class AssetRefInput:
    """A reference."""

    id: strawberry.ID | None = None
    namespace: str | None = None
    name: str | None = None
    version: int | None = None

    def ref(self, path: str) -> AssetRef:
        """Return the reference."""
        known = None if self.id is None else key_of_id(self.id, "Dataset", "DatasetVersion", path=path)
        return AssetRef(known, self.namespace, self.name, self.version)


@strawberry.input(description="A column that a run made of another; OpenLineage's terms for what it did.")
class ColumnEdgeInput:
    """A column edge."""

    from_: AssetRefInput = strawberry.field(name="from")
    from_field: str
    to: AssetRefInput
    to_field: str
    type: str | None = None
    subtype: str | None = None
    masking: bool | None = None

    def command(self) -> ColumnEdge:
        """Return the command."""
        done = None
        if self.type is not None or self.subtype is not None or self.masking:
            done = Transformation(self.type or "DIRECT", self.subtype or "", "", bool(self.masking))
        source, target = self.from_.ref("columns"), self.to.ref("columns")
        return ColumnEdge(source, self.from_field, target, self.to_field, done)


@strawberry.input(description="What an outside pipeline says of one of its runs.")
class RecordRunInput:
    """Input of recordRun."""

    namespace: str
    job: str
    run_id: str | None = None
    state: RunState
    inputs: list[AssetRefInput]
    outputs: list[AssetRefInput]
    columns: list[ColumnEdgeInput] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def command(self) -> service.RecordRun:
        """Return the command."""
        return service.RecordRun(
            self.namespace, self.job, self.state, self.run_id, tuple(one.ref("inputs") for one in self.inputs),
            tuple(one.ref("outputs") for one in self.outputs), tuple(one.command() for one in self.columns or ()),
            self.started_at, self.ended_at,
        )  # fmt: skip


@strawberry.type(description="The run as it stands.")
class RecordRunPayload:
    """Payload of recordRun."""

    run: Run | None
    user_errors: list[UserError]


@strawberry.input(description="A number that was measured.")
class MetricInput:
    """A metric."""

    name: str
    value: float
    field: str | None = None
    measured_at: datetime | None = None


@strawberry.input(description="Store metrics of a dataset version, a model version or a run.")
class RecordMetricsInput:
    """Input of recordMetrics."""

    target: strawberry.ID
    metrics: list[MetricInput]


@strawberry.type(description="The metrics, in the order given.")
class RecordMetricsPayload:
    """Payload of recordMetrics."""

    metrics: list[QualityMetric]
    user_errors: list[UserError]


@strawberry.type
class RunQuery:
    """Queries of jobs and runs."""

    @strawberry.field
    async def job(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="Namespace of the job.")],
        name: Annotated[str, strawberry.argument(description="Name of the job.")],
        as_of: AsOf = None,
    ) -> Job | None:
        """A job by name."""
        info.context.require("read")
        at = past(as_of)
        found = await info.context.read(find_asset, AssetKind.JOB, namespace, name)
        if found is None or not await there(info, found, at):
            return None
        return Job.of(await info.context.load(queries.jobs_by_ids, found, at), at)

    @strawberry.field
    async def runs(
        self,
        info: Info,
        filter: Annotated[  # noqa: A002 - the contract's name
            RunFilter | None, strawberry.argument(description="Which runs; all when left out.")
        ] = None,
        first: First = None,
        after: After = None,
        as_of: AsOf = None,
    ) -> Connection[Run]:
        """Runs, newest first."""
        info.context.require("read")
        wanted: dict[str, Any] = {}
        if filter is not None:
            wanted = {"type": filter.type, "state": filter.state}
            if filter.job is not None:
                wanted["job_id"] = key_of_id(filter.job, "Job", path="job")
        at = past(as_of)
        page = await info.context.read(queries.runs_page, wanted, PageRequest.of(first, after), at)
        return connection(page, lambda row: Run.of(row, at))


@strawberry.type
class RunMutation:
    """Mutations of runs."""

    @strawberry.mutation
    async def start_scan(self, info: Info, input: StartScanInput) -> RunPayload:  # noqa: A002
        """Queue a scan of a source."""

        def command(session: Session) -> int:
            source = key_of_id(input.source, "Source", path="source")
            given = inventory.StartScan(source, input.path, input.idempotency_key, input.nominal_time)
            return inventory.start_scan(session, info.context.settings, given)[0]

        return await run_payload(info, "produce", command)

    @strawberry.mutation
    async def cancel_run(self, info: Info, input: CancelRunInput) -> RunPayload:  # noqa: A002
        """End a run of this service: at once while it waits, else within a second."""

        def command(session: Session) -> int:
            run = key_of_id(input.run, "Run", path="run")
            jobs.cancel(session, run)
            return run

        return await run_payload(info, "produce", command)

    @strawberry.mutation
    async def record_run(self, info: Info, input: RecordRunInput) -> RecordRunPayload:  # noqa: A002
        """Make or change an outside run with what it read and made; sent again, it changes nothing."""
        made = await run_payload(info, "produce", lambda session: service.record_run(session, input.command()))
        return RecordRunPayload(run=made.run, user_errors=made.user_errors)

    @strawberry.mutation
    async def record_metrics(self, info: Info, input: RecordMetricsInput) -> RecordMetricsPayload:  # noqa: A002
        """Store measured numbers."""

        def command(session: Session) -> list[Any]:
            target = key_of_id(input.target, "DatasetVersion", "ModelVersion", "Run", path="target")
            specs = [quality.MetricSpec(one.name, one.value, one.field, one.measured_at) for one in input.metrics]
            ids = quality.record_metrics(session, target, specs)
            rows = quality_queries.metrics_by_ids(session, ids)
            return [rows[one] for one in ids]

        rows, errors = await mutate(info, "produce", command)
        return RecordMetricsPayload(metrics=[QualityMetric.of(row) for row in rows or []], user_errors=errors)


@strawberry.type
class RunSubscription:
    """Live runs."""

    @strawberry.subscription
    async def run_updates(
        self,
        info: Info,
        run: Annotated[strawberry.ID | None, strawberry.argument(description="One run; all when left out.")] = None,
    ) -> AsyncGenerator[Run, None]:
        """Each run as it changes; one run first as it is, and the end of it ends the subscription."""
        info.context.require("read")
        wanted = None if run is None else key_of_id(run, "Run", path="run")
        after = await info.context.read(changes.newest)
        pending: set[int] = set() if wanted is None else {wanted}
        while True:
            rows = await info.context.read(queries.runs_by_ids, sorted(pending)) if pending else {}
            if wanted in pending and wanted not in rows:
                raise NotFound("no run has this id", path=("run",))
            for key in sorted(rows):
                info.context.forget()
                yield Run.of(rows[key])
            if wanted in rows and rows[wanted].state.final:
                return
            log = await info.context.read(changes.follow, after)
            if not log:
                await asyncio.sleep(FOLLOW_SECONDS)
            after = log[-1].sequence if log else after
            changed = {int(row.entity_key) for row in log if row.entity_type == "Run"}
            pending = changed if wanted is None else changed & {wanted}
