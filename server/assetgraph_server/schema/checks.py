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
    name: str
    expression: JSON
    severity: Severity

    @staticmethod
    def of(row: Any) -> "QualityCheck":
        """View a row."""
        shape = {"name": row.name, "expression": row.expression, "severity": row.severity}
        return QualityCheck(row=row, id=strawberry.ID(global_id("QualityCheck", row.id)), **shape)

    @strawberry.field
    async def last_result(self, info: Info) -> "CheckResult | None":
        """The newest result; those of aborted runs do not count."""
        row = await info.context.load(queries.last_results, self.row.id)
        return None if row is None else CheckResult.of(row)

    @strawberry.field
    async def results(self, info: Info, first: First = None, after: After = None) -> Connection["CheckResult"]:
        """All results that count, newest first."""
        page = await info.context.read(queries.results_page, self.row.id, PageRequest.of(first, after))
        return connection(page, CheckResult.of)


@strawberry.type(description="Whether a check held in one run.")
class CheckResult(Node):
    """A result."""

    row: strawberry.Private[Any]
    passed: bool
    observed: JSON | None
    checked_at: datetime
    message: str | None

    @staticmethod
    def of(row: Any) -> "CheckResult":
        """View a row."""
        named = ("passed", "observed", "checked_at", "message")
        identity = strawberry.ID(global_id("CheckResult", row.id))
        return CheckResult(row=row, id=identity, **{name: getattr(row, name) for name in named})

    @strawberry.field
    async def check(self, info: Info) -> QualityCheck:
        """The check."""
        return QualityCheck.of(await info.context.load(queries.checks_by_ids, self.row.check_id))

    @strawberry.field
    async def version(
        self, info: Info
    ) -> Annotated["DatasetVersion", strawberry.lazy("assetgraph_server.schema.catalog")]:
        """The version that was checked."""
        from assetgraph_server.schema.catalog import DatasetVersion

        return DatasetVersion.of(await info.context.load(catalog.versions_by_ids, self.row.version_id))

    @strawberry.field
    async def run(self, info: Info) -> Annotated["Run", strawberry.lazy("assetgraph_server.schema.runs")]:
        """The run that checked it."""
        from assetgraph_server.schema.runs import Run

        return Run.of(await info.context.load(lineage.runs_by_ids, self.row.run_id))


@strawberry.type
class DatasetChecks:
    """The checks of a dataset."""

    row: strawberry.Private[Any]

    @strawberry.field
    async def quality_checks(self, info: Info, first: First = None, after: After = None) -> Connection[QualityCheck]:
        """Tests of it and of its columns, newest first."""
        page = await info.context.read(queries.checks_page, self.row.id, PageRequest.of(first, after))
        return connection(page, QualityCheck.of)
