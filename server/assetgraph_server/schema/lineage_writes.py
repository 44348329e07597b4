"""Lineage that producers write in bulk: many runs at once, and all upstream edges of a dataset."""

from typing import Any

import strawberry

from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Limit
from assetgraph.lineage import queries
from assetgraph.lineage.declared import Declared, DeclareLineage, declare
from assetgraph.lineage.recording import MAX_RUNS, RecordRun, record_runs
from assetgraph_server.schema.base import Info, UserError, mutate, user_error
from assetgraph_server.schema.catalog import Dataset
from assetgraph_server.schema.runs import AssetRefInput, ColumnEdgeInput, RecordRunInput, RecordRunPayload, Run


@strawberry.input(description="Up to 1,000 runs.")
class RecordRunsInput:
    """Input of recordRuns."""

    runs: list[RecordRunInput] = strawberry.field(description="The runs; told of one run in turn, they add up.")


@strawberry.type(description="One result for each run given, in order.")
class RecordRunsPayload:
    """Payload of recordRuns."""

    results: list[RecordRunPayload]
    user_errors: list[UserError]


@strawberry.input(description="All edges into a dataset that a producer knows of; it replaces what it said before.")
class DeclareLineageInput:
    """Input of declareLineage."""

    target: AssetRefInput = strawberry.field(description="The dataset that it is about.")
    producer: str = strawberry.field(description="Who says so; each producer's declarations are its own.")
    upstream: list[AssetRefInput] = strawberry.field(
        description="All datasets right upstream; an empty list closes all that the producer said before."
    )
    columns: list[ColumnEdgeInput] | None = strawberry.field(
        default=None, description="All column edges from upstream columns to the target's, as of the same producer."
    )

    def command(self) -> DeclareLineage:
        """Return the command."""
        upstream = tuple(one.ref("upstream") for one in self.upstream)
        columns = tuple(one.command() for one in self.columns or ())
        return DeclareLineage(self.target.ref("target"), self.producer, upstream, columns)


@strawberry.type(description="What the declaration changed; columns count as edges.")
class DeclareLineagePayload:
    """Payload of declareLineage."""

    dataset: Dataset | None
    opened: int = strawberry.field(description="How many edges are new.")
    kept: int = strawberry.field(description="How many were there and are said again.")
    closed: int = strawberry.field(description="How many are not said any more.")
    user_errors: list[UserError]


def _record(session: Session, given: list[RecordRunInput]) -> list[RecordRunPayload]:
    """Record many runs; those whose input cannot be read are refused beside those that break a rule."""
    if len(given) > MAX_RUNS:
        raise Limit(f"{len(given)} runs; at most {MAX_RUNS} are allowed at once", path=("runs",))
    commands: dict[int, RecordRun] = {}
    results: dict[int, int | AssetgraphError] = {}
    for place, one in enumerate(given):
        try:
            commands[place] = one.command()
        except AssetgraphError as error:
            results[place] = error
    results |= zip(commands, record_runs(session, list(commands.values())), strict=True)
    rows = queries.runs_by_ids(session, [one for one in results.values() if isinstance(one, int)])
    return [
        RecordRunPayload(run=Run.of(rows[one]), user_errors=[]) if isinstance(one, int)
        else RecordRunPayload(run=None, user_errors=[user_error(one)])
        for _, one in sorted(results.items(), key=lambda item: item[0])
    ]  # fmt: skip


@strawberry.type
class LineageMutation:
    """Mutations of lineage."""

    @strawberry.mutation
    async def record_runs(self, info: Info, input: RecordRunsInput) -> RecordRunsPayload:  # noqa: A002
        """Make or change up to 1,000 outside runs in one transaction; each has its own result."""
        made, errors = await mutate(info, "produce", lambda session: _record(session, input.runs))
        return RecordRunsPayload(results=made or [], user_errors=errors)

    @strawberry.mutation
    async def declare_lineage(self, info: Info, input: DeclareLineageInput) -> DeclareLineagePayload:  # noqa: A002
        """Say all edges into a dataset: opens what is new, closes what the producer says no longer."""

        def run(session: Session) -> tuple[Declared, Any]:
            done = declare(session, input.command())
            return done, catalog.datasets_by_ids(session, [done.dataset])[done.dataset]

        made, errors = await mutate(info, "produce", run)
        if made is None:
            return DeclareLineagePayload(dataset=None, opened=0, kept=0, closed=0, user_errors=errors)
        done, row = made
        return DeclareLineagePayload(
            dataset=Dataset.of(row), opened=done.opened, kept=done.kept, closed=done.closed, user_errors=[]
        )
