"""Filters of lineage and impact through GraphQL, and what frontends are denied."""

from collections.abc import Iterator

import httpx
import orjson
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.openlineage.events import parse_event
from assetgraph.openlineage.facts import facts_of
from assetgraph.openlineage.service import ingest
from assetgraph.settings import Settings

WALK = """query($root: ID!, $filter: LineageFilter) {
  lineage(root: $root, direction: DOWNSTREAM, depth: 9, filter: $filter) {
    nodes { distance hiddenNeighbours node { name } } edges { kind via { name } } } }"""
IMPACT = """query($root: ID!, $filter: LineageFilter) {
  impact(root: $root, change: DATASET_RETIRED, filter: $filter) { truncated reason
    datasets { totalCount nodes { distance node { name } path { name } } } jobs { totalCount }
    runs { totalCount nodes { node { name } } } owners { principal assetCount } } }"""
WAYS = """query($root: ID!, $filter: LineageFilter) {
  lineagePaths(from: $root, to: $root, filter: $filter) { hiddenCount nodes { name } } }"""
BETWEEN = """query($from: ID!, $to: ID!, $filter: LineageFilter) {
  lineagePaths(from: $from, to: $to, filter: $filter) { hiddenCount nodes { name } } }"""
FIND = '{ dataset(namespace: "db", name: "raw") { id } }'


def event(run: str, job: str, inputs: list[str], outputs: list[str], above: str | None = None) -> bytes:
    """Return what dbt's structured logs send for a node, and for each of its statements."""
    parent = {"run": {"runId": f"{above}-1"}, "job": {"namespace": "dbt", "name": above}}
    return orjson.dumps({
        "eventType": "COMPLETE", "eventTime": "2026-03-01T08:00:00Z", "producer": "https://example.com/dbt",
        "run": {"runId": run, "facets": {} if above is None else {"parent": parent}},
        "job": {"namespace": "dbt", "name": job},
        "inputs": [{"namespace": "db", "name": name} for name in inputs],
        "outputs": [{"namespace": "db", "name": name} for name in outputs],
    })  # fmt: skip


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    """The real application, told of a model of two statements and of a test."""
    events = [
        event("s1", "orders.sql.1", ["raw"], ["orders__dbt_tmp"], "orders"),
        event("s2", "orders.sql.2", ["orders__dbt_tmp"], ["orders"], "orders"),
        event("t1", "not_null", ["orders"], ["main_dbt_test__audit.not_null"]),
    ]
    with database.transaction("test") as session:
        ingest(session, [facts_of(parse_event(one)) for one in events[::-1]])
    with serving(create_app(settings, database)) as found:
        yield f"http://{found}"


def test_statements_and_passing_tables_are_contracted_unless_asked_for(address: str, database: Database) -> None:
    """A map of what people know; transient is what the name says, until a producer says otherwise."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.PRODUCER)
    client = Client(address, token)
    root = client.execute(FIND)["dataset"]["id"]
    found = client.execute(WALK, root=root)["lineage"]
    assert [(one["node"]["name"], one["distance"]) for one in found["nodes"]] == [
        ("raw", 0), ("orders", 1), ("not_null", 2)
    ]  # fmt: skip
    assert [one["hiddenNeighbours"] for one in found["nodes"]] == [1, 1, 1]
    assert {one["via"] and one["via"]["name"] for one in found["edges"]} == {"orders.sql.1", None}
    everything = {"includeTransient": True, "includeChildRuns": True}
    assert len(client.execute(WALK, root=root, filter=everything)["lineage"]["nodes"]) == 7
    audit = '(input: {namespace: "db", name: "main_dbt_test__audit.not_null", transient: false})'
    said = client.execute(f"mutation {{ registerDataset{audit} {{ dataset {{ transient }} userErrors {{ code }} }} }}")
    assert said["registerDataset"] == {"dataset": {"transient": False}, "userErrors": []}
    assert len(client.execute(WALK, root=root)["lineage"]["nodes"]) == 4
    impact = client.execute(IMPACT, root=root, filter={"kinds": ["DATASET"]})["impact"]
    assert impact["datasets"]["totalCount"] == 2
    assert [[step["name"] for step in one["path"]] for one in impact["datasets"]["nodes"]] == [
        ["raw", "orders"], ["raw", "orders", "main_dbt_test__audit.not_null"]
    ]  # fmt: skip
    assert (impact["jobs"]["totalCount"], impact["runs"]["totalCount"], impact["truncated"]) == (0, 0, False)
    with pytest.raises(Exception, match="101 tags; at most 100 are allowed"):
        client.execute(WALK, root=root, filter={"tags": ["x"] * 101})
    client.close()


def test_ways_are_filtered_as_walks_are(address: str, database: Database) -> None:
    """Contracted and counted by default, whole when asked for; lists that are too long are named."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.READER)
    client = Client(address, token)
    raw, orders = (client.execute(FIND.replace("raw", name))["dataset"]["id"] for name in ("raw", "orders"))

    def ways(given: dict[str, object] | None) -> list[tuple[list[str], int]]:
        found = client.execute(BETWEEN, **{"from": raw, "to": orders}, filter=given)["lineagePaths"]
        return [([node["name"] for node in way["nodes"]], way["hiddenCount"]) for way in found]

    steps = ["raw", "orders.sql.1", "orders__dbt_tmp", "orders.sql.2", "orders"]
    assert ways(None) == ways({}) == [(["raw", "orders"], 3)]
    assert ways({"includeTransient": True}) == [(["raw", "orders__dbt_tmp", "orders"], 2)]
    assert ways({"includeTransient": True, "includeChildRuns": True}) == [(steps, 0)]
    assert ways({"includeTransient": True, "includeChildRuns": True, "kinds": ["JOB"]}) == [
        (["raw", "orders.sql.1", "orders.sql.2", "orders"], 1)
    ]
    with pytest.raises(Exception, match="101 tags; at most 100 are allowed"):
        ways({"tags": ["x"] * 101})
    client.close()


def test_a_frontend_gets_neither_walk_nor_ways_nor_impact(address: str, database: Database) -> None:
    """Whatever it filters by."""
    with database.transaction("test") as session:
        _, frontend = tokens.create(session, "shop window", tokens.Role.FRONTEND)
        _, reader = tokens.create(session, "reader", tokens.Role.READER)
    client = Client(address, reader)
    root = client.execute(FIND)["dataset"]["id"]
    client.close()
    for query in (WALK, WAYS, IMPACT):
        asked = {"query": query, "variables": {"root": root, "filter": {"includeTransient": True}}}
        for token, codes in ((frontend, ["FORBIDDEN"]), (reader, [])):
            headers = {"Authorization": f"Bearer {token}"}
            body = httpx.post(f"{address}/graphql", json=asked, headers=headers).json()
            assert [error["extensions"]["code"] for error in body.get("errors", [])] == codes
            assert (body["data"] is None) is bool(codes)
