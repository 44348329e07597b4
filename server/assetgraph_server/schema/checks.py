"""Checks of datasets and their results."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

from assetgraph.catalog import queries as catalog
from assetgraph.db.page import PageRequest
from assetgraph.ids import global_id
from assetgraph.lineage import queries as lineage
from assetgraph.quality import queries
from assetgraph.quality.tables import Severity
from assetgraph_server.schema.base import After, Connection, First, Info, Node, connection

if TYPE_CHECKING:
    from assetgraph_server.schema.catalog import DatasetVersion
    from assetgraph_server.schema.runs import Run

strawberry.enum(Severity, name="Severity", description=Severity.__doc__)


@strawberry.type(description="A test of a dataset or of one of its columns.")
class QualityCheck(Node):
    """A check."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None
    name: str
    expression: JSON
    severity: Severity
    declared: bool = strawberry.field(
        description="Whether people declared it and scans evaluate it; a producer's events tell the others."
    )
    removed_at: datetime | None = strawberry.field(description="When it was removed or replaced; null: it holds.")

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "QualityCheck":
        """View a row."""
        shape = {"name": row.name, "expression": row.expression, "severity": row.severity, "declared": row.declared}
        shape["removed_at"] = row.removed_at if at is None or (row.removed_at and row.removed_at <= at) else None
        return QualityCheck(row=row, at=at, id=strawberry.ID(global_id("QualityCheck", row.id)), **shape)

    @strawberry.field
    async def last_result(self, info: Info) -> "CheckResult | None":
        """The newest result; those of aborted runs do not count."""
        row = await info.context.load(queries.last_results, self.row.id, self.at)
        return None if row is None else CheckResult.of(row, self.at)

    @strawberry.field
    async def results(self, info: Info, first: First = None, after: After = None) -> Connection["CheckResult"]:
        """All results that count, newest first."""
        page = await info.context.read(queries.results_page, self.row.id, PageRequest.of(first, after), self.at)
        return connection(page, lambda row: CheckResult.of(row, self.at))


@strawberry.type(description="Whether a check held in one run.")
class CheckResult(Node):
    """A result."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None
    passed: bool
    observed: JSON | None
    checked_at: datetime
    message: str | None

    @staticmethod
    def of(row: Any, at: datetime | None = None) -> "CheckResult":
        """View a row."""
        named = ("passed", "observed", "checked_at", "message")
        identity = strawberry.ID(global_id("CheckResult", row.id))
        return CheckResult(row=row, at=at, id=identity, **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def check(self, info: Info) -> QualityCheck:
        """The check."""
        return QualityCheck.of(await info.context.load(queries.checks_by_ids, self.row.check_id), self.at)

    @strawberry.field
    async def version(
        self, info: Info
    ) -> Annotated["DatasetVersion", strawberry.lazy("assetgraph_server.schema.catalog")]:
        """The version that was checked."""
        from assetgraph_server.schema.catalog import DatasetVersion

        return DatasetVersion.of(
            await info.context.load(catalog.versions_by_ids, self.row.version_id, self.at), self.at
        )

    @strawberry.field
    async def run(self, info: Info) -> Annotated["Run", strawberry.lazy("assetgraph_server.schema.runs")]:
        """The run that checked it."""
        from assetgraph_server.schema.runs import Run

        return Run.of(await info.context.load(lineage.runs_by_ids, self.row.run_id), self.at)


@strawberry.type
class DatasetChecks:
    """The checks of a dataset."""

    row: strawberry.Private[Any]
    at: strawberry.Private[datetime | None] = None

    @strawberry.field
    async def quality_checks(self, info: Info, first: First = None, after: After = None) -> Connection[QualityCheck]:
        """Tests of it and of its columns that hold, newest first."""
        page = await info.context.read(queries.checks_page, self.row.id, PageRequest.of(first, after), self.at)
        return connection(page, lambda row: QualityCheck.of(row, self.at))
