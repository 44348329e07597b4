"""Facets land where they are asked for: told over HTTP, read over GraphQL, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from full_event import NS, all_kinds, full_event
from service import Service, running
from story import NS as SHOP
from story import story

from assetgraph.catalog import service as catalog
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind, asset_global_id
from assetgraph.settings import Settings


@pytest.fixture
def service(settings: Settings, database: Database) -> Iterator[Service]:
    """A server on the test's database."""
    with running(settings, database) as started:
        yield started


def ask(service: Service, query: str, **variables: Any) -> Any:
    """Return the data of a query; an error fails the test."""
    with service.client("reader") as client:
        answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def tell(service: Service, events: list[dict[str, Any]]) -> None:
    """Send events as a batch."""
    with service.client() as client:
        assert client.post("/api/v1/lineage/batch", json=events).json()["status"] == "success"


def test_a_run_shows_all_that_was_said_of_it(service: Service) -> None:
    """Parents, nominal time, engine, error; what its job is; unknown facets as they came."""
    event = full_event() | {"eventType": "FAIL"}
    tell(service, [event])
    run = ask(service, """{ job(namespace: "air", name: "dag.task") {
        description sql jobKind { processingType integration jobType } sourceCode { url path version branch }
        owners { principal role } tags { name } facets { name }
        runs { nodes { runId state error nominalStartTime nominalEndTime processingEngine {
            name version adapterVersion }
            parent { runId job { name } children { totalCount nodes { runId } } } root { runId }
            facets { name body eventTime } } } } }""")["job"]  # fmt: skip
    [shown] = run.pop("runs")["nodes"]
    assert run.pop("facets") == [{"name": name} for name in sorted(event["job"]["facets"])]
    assert run == {
        "description": "Loads orders", "sql": "select 1", "owners": [{"principal": "ann", "role": "OWNER"}],
        "jobKind": {"processingType": "BATCH", "integration": "AIRFLOW", "jobType": "TASK"},
        "sourceCode": {"url": "https://example.com/r.git", "path": "a.py", "version": "abc", "branch": "main"},
        "tags": [{"name": "tier=1"}],
    }  # fmt: skip
    facets = {one["name"]: one["body"] for one in shown.pop("facets")}
    assert facets == event["run"]["facets"]
    child, parent = event["run"]["runId"], event["run"]["facets"]["parent"]["run"]["runId"]
    assert shown == {
        "runId": child, "state": "FAILED", "error": "no space left",
        "nominalStartTime": "2026-03-01T00:00:00+00:00", "nominalEndTime": "2026-03-02T00:00:00+00:00",
        "processingEngine": {"name": "spark", "version": "3.5", "adapterVersion": "1.54.0"},
        "parent": {"runId": parent, "job": {"name": "dag"},
                   "children": {"totalCount": 1, "nodes": [{"runId": child}]}}, "root": {"runId": parent},
    }  # fmt: skip


def test_a_dataset_shows_all_that_was_said_of_it(service: Service) -> None:
    """Names, description, owners, tags, versions with columns and numbers, checks; a rename keeps identity."""
    tell(service, all_kinds())
    query = """query($ns: String!, $name: String!) { dataset(namespace: $ns, name: $name) { id
        name description lifecycle aliases { namespace name } owners { principal role } tags { name path { name } }
        fields { name type description } facets { name }
        latestVersion { externalVersion rowCount sizeBytes metrics(first: 50) { nodes { name field value isExact } } }
        qualityChecks { nodes { name severity expression lastResult { passed observed version { externalVersion }
            run { runId } } results { totalCount } } } } }"""
    mart = ask(service, query, ns=NS, name="DB.MART.ORDERS")["dataset"]
    for name, space in (("DB.OLD.ORDERS", NS), ("db.orders", "hive://ms:9083"), ("DB.RAW.ORDERS", NS)):
        assert ask(service, query, ns=space, name=name)["dataset"]["id"] == mart["id"]
    assert mart["description"] == "All orders"
    assert mart["lifecycle"] == "ACTIVE"
    assert mart["owners"] == [{"principal": "team:shop", "role": "TEAM"}]
    assert [one["name"] for one in mart["fields"]][:4] == ["id", "address", "address.city", "address.city.zip"]
    assert mart["latestVersion"]["externalVersion"] == "42"
    assert (mart["latestVersion"]["rowCount"], mart["latestVersion"]["sizeBytes"]) == (10, 1000)
    numbers = {(one["name"], one["field"]): one["value"] for one in mart["latestVersion"]["metrics"]["nodes"]}
    assert numbers[("null_count", "id")] == 1
    assert numbers[("quantile_0.5", "id")] == 2
    checks = {one["name"]: one for one in mart["qualityChecks"]["nodes"]}
    assert checks["id is there"]["lastResult"]["passed"] is True
    assert checks["positive"]["severity"] == "WARNING"
    assert checks["positive"]["lastResult"]["passed"] is False


def test_the_story_reads_as_it_was_told(service: Service) -> None:
    """Aborted tests do not count, drops retire, aliases lead to one dataset, masking and tags follow columns."""
    tell(service, story())
    found = ask(
        service,
        """query($ns: String!) {
        orders: dataset(namespace: $ns, name: "orders") { tags { name } qualityChecks { nodes { name
            results { totalCount nodes { passed run { runId } } } } }
            latestVersion { producedBy { runId error state } } }
        weekly: dataset(namespace: $ns, name: "weekly") { lifecycle }
        lake: dataset(namespace: $ns, name: "hive.lake") { name aliases { name } }
        out: dataset(namespace: $ns, name: "out") { name aliases { name } versions { totalCount } } }""",
        ns=SHOP,
    )
    checks = {one["name"]: one["results"] for one in found["orders"]["qualityChecks"]["nodes"]}
    assert checks == {
        "not_null": {"totalCount": 1, "nodes": [{"passed": True, "run": {"runId": "t1"}}]},
        "positive": {"totalCount": 3, "nodes": [{"passed": False, "run": {"runId": "t5"}},
                                                {"passed": False, "run": {"runId": "t3"}},
                                                {"passed": True, "run": {"runId": "t4"}}]},
        "few": {"totalCount": 2, "nodes": [{"passed": True, "run": {"runId": "t3"}},
                                           {"passed": True, "run": {"runId": "t4"}}]},
        "odd": {"totalCount": 1, "nodes": [{"passed": True, "run": {"runId": "t4"}}]},
    }  # fmt: skip
    assert {"name": "pii"} in found["orders"]["tags"]
    # The run that failed at first and was tried again under its id.
    assert found["orders"]["latestVersion"]["producedBy"] == {"runId": "r3", "error": None, "state": "SUCCEEDED"}
    assert found["weekly"] == {"lifecycle": "RETIRED"}
    assert found["lake"] == {"name": "lake", "aliases": [{"name": "hive.lake"}]}
    assert found["out"] == {"name": "final", "aliases": [{"name": "out"}], "versions": {"totalCount": 3}}


def test_frontends_do_not_read_what_events_say(service: Service) -> None:
    """The real checks."""
    tell(service, [full_event()])
    with service.client("frontend") as client:
        answer = client.post("/graphql", json={"query": """{ job(namespace: "air", name: "dag.task") { sql } }"""})
    assert answer.json()["data"] == {"job": None}
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_runs_of_this_service_show_what_time_they_were_planned_for(
    service: Service, database: Database, incoming: Path
) -> None:
    """Asked for with an offset; in GraphQL, in its past, and in the Marquez read API."""
    with database.transaction("test") as session:
        source = catalog.register_source(session, catalog.RegisterSource("shop", "in", str(incoming)))
    start = """mutation($input: StartScanInput!) {
        startScan(input: $input) { run { runId nominalStartTime nominalEndTime } userErrors { message } } }"""
    given = {"source": asset_global_id(AssetKind.SOURCE, source), "nominalTime": "2026-03-01T07:00:00+02:00"}
    with service.client() as client:
        answer = client.post("/graphql", json={"query": start, "variables": {"input": given}}).json()
        made = answer["data"]["startScan"]["run"]
        run = client.get(f"/api/v1/jobs/runs/{made['runId']}").json()
    assert (made["nominalStartTime"], made["nominalEndTime"]) == ("2026-03-01T05:00:00+00:00", None)
    assert (run["nominalStartTime"], run["nominalEndTime"]) == ("2026-03-01T05:00:00Z", None)
    found = ask(service, """query($at: DateTime!) { job(namespace: "shop", name: "scan in", asOf: $at) {
        runs { nodes { nominalStartTime } } } }""", at=now().isoformat())  # fmt: skip
    assert found["job"]["runs"]["nodes"] == [{"nominalStartTime": "2026-03-01T05:00:00+00:00"}]
