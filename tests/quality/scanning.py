"""Scans of a folder in this process, and what the graph says of quality after them."""

from pathlib import Path
from typing import Any

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.ids import AssetKind
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage
from assetgraph.quality import declare, incident_queries, queries
from assetgraph.quality.checks import check_of
from assetgraph.settings import Settings

NS = "shop"


def scan(database: Database, settings: Settings, folder: Path) -> int:
    """Scan a folder as a worker does; returns the run."""
    with database.transaction("test") as session:
        source = catalog.register_source(session, catalog.RegisterSource(NS, folder.name, str(folder)))
        run, _ = start_scan(session, settings, StartScan(source))
    [claim] = jobs.claim(database, "worker", lease_seconds=600, max_attempts=1)
    run_scan(JobContext(database, settings, claim))
    return run


def dataset_id(database: Database, name: str) -> int:
    """Return the id of a dataset."""
    with database.reading() as session:
        found = catalog.find_asset(session, AssetKind.DATASET, NS, name)
    assert found is not None
    return found


def declared(database: Database, name: str, **rules: dict[str, Any]) -> dict[str, int]:
    """Declare checks by name; a rule may have `severity` beside its kind. Returns their ids by name."""
    checks = []
    for called, said in rules.items():
        rule = {kind: value for kind, value in said.items() if kind != "severity"}
        checks.append(check_of({"name": called, "rule": rule, "severity": said.get("severity", "ERROR")}, ()))
    with database.transaction("steward") as session:
        command = declare.DeclareChecks(AssetRef(namespace=NS, name=name), tuple(checks))
        return dict(zip(rules, declare.declare(session, command), strict=True))


def results(database: Database, checks: dict[str, int]) -> dict[str, list[Any]]:
    """Return the results of checks by name, newest first."""
    with database.reading() as session:
        return {
            name: [*queries.results_page(session, key, PageRequest.of(100, None)).rows] for name, key in checks.items()
        }


def incidents(database: Database, **wanted: Any) -> list[Any]:
    """Return incidents, newest first."""
    with database.reading() as session:
        return [*incident_queries.incidents_page(session, wanted, PageRequest.of(100, None)).rows]


def findings(database: Database, run: int) -> list[Any]:
    """Return what a scan could not do."""
    with database.reading() as session:
        return lineage.findings_of(session, [run])[run]
