"""Checks, incidents, series and drift over HTTP, with the real checks of who may do what."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.cli import app as cli
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import event
from typer.testing import CliRunner

from assetgraph.catalog import service as catalog
from assetgraph.catalog import tokens
from assetgraph.catalog.tokens import Role
from assetgraph.db.engine import Database
from assetgraph.ids import global_id
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.settings import Settings

DECLARE = """mutation($input: DeclareChecksInput!) { declareChecks(input: $input) {
  checks { id name expression severity declared } userErrors { code message path } } }"""
REMOVE = """mutation($input: RemoveCheckInput!) { removeCheck(input: $input) {
  check { name removedAt results { totalCount } } userErrors { code message path } } }"""
ACKNOWLEDGE = """mutation($input: AcknowledgeIncidentInput!) { acknowledgeIncident(input: $input) {
  incident { acknowledgedBy note closedAt } userErrors { code message path } } }"""
PIN = """mutation($input: PinBaselineInput!) { pinBaseline(input: $input) {
  dataset { baseline { number } } userErrors { code message path } } }"""
REF = {"namespace": "shop", "name": "orders"}
#: Statements that a page may cost more because it shows more kinds of things.
SLACK = 4
#: Every kind of rule, for a table with the columns of `deliver`.
RULES: dict[str, dict[str, Any]] = {
    "notNull": {"field": "price"}, "unique": {"fields": ["id", "user"]},
    "inSet": {"field": "user", "values": ["a", "b"]},
    "inRange": {"field": "price", "min": 0, "maxFailingShare": 0.5},
    "inTimeRange": {"field": "at", "notBefore": "2026-01-01T00:00:00+00:00"},
    "matchesPattern": {"field": "user", "pattern": "[a-z]"}, "rowCount": {"min": 2, "max": 1000},
    "fresh": {"withinSeconds": 86400}, "driftBelow": {"field": "price", "limit": 5.0, "measure": "PSI"},
    "foreignKey": {"field": "user", "references": {"namespace": "shop", "name": "users", "field": "id"}},
}  # fmt: skip


def deliver(database: Database, settings: Settings, folder: Path, prices: list[float | None]) -> None:
    """Write orders with prices, and scan as a worker does."""
    count = len(prices)
    pl.DataFrame({
        "id": range(count), "user": ["a", "b"] * (count // 2) + ["a"] * (count % 2), "price": prices,
        "at": pl.Series(["2026-02-01T00:00:00"] * count).str.to_datetime(),
    }).write_parquet(folder / "orders.parquet")  # fmt: skip
    with database.transaction("test") as session:
        source = catalog.register_source(session, catalog.RegisterSource("shop", "in", str(folder)))
        start_scan(session, settings, StartScan(source))
    [claim] = jobs.claim(database, "worker", lease_seconds=600, max_attempts=1)
    run_scan(JobContext(database, settings, claim))


@pytest.fixture
def clients(database: Database, settings: Settings, incoming: Path) -> Iterator[dict[Role, Client]]:
    """A service with one version of orders and of users; a client of each role."""
    pl.DataFrame({"id": ["a", "b", "c"]}).write_parquet(incoming / "users.parquet")
    deliver(database, settings, incoming, [1.0, 2.0, 3.0])
    with database.transaction("test") as session:
        keys = {role: tokens.create(session, role.value, role)[1] for role in Role}
    with serving(create_app(settings, database)) as address:
        found = {role: Client(f"http://{address}", key) for role, key in keys.items()}
        yield found
        for client in found.values():
            client.close()


def test_the_whole_story_over_http(
    clients: dict[Role, Client], database: Database, settings: Settings, incoming: Path
) -> None:
    """Declare every kind of rule, deliver well and badly, look, acknowledge, pin, remove."""
    producer, steward, reader = (clients[role] for role in (Role.PRODUCER, Role.STEWARD, Role.READER))
    checks = [{"name": kind, "rule": {kind: said}} for kind, said in RULES.items()]
    made = producer.mutate(DECLARE, input={"dataset": REF, "checks": checks})["checks"]
    assert [(one["name"], one["severity"], one["declared"]) for one in made] == [
        (kind, "ERROR", True) for kind in RULES
    ]
    shown = {one["name"]: one["expression"] for one in made}
    assert shown["inRange"] == {"inRange": {"field": "price", "min": 0.0, "maxFailingShare": 0.5}}
    assert shown["foreignKey"] == {"foreignKey": RULES["foreignKey"]}
    deliver(database, settings, incoming, [1.0, 2.0, 4.0, 2.0])
    query = """query($ref: String!) { dataset(namespace: "shop", name: $ref) {
      qualityChecks(first: 20) { nodes { name lastResult { passed message observed version { number } } } }
      incidents { totalCount nodes { message } } baseline { number }
      metrics(name: "row_count", from: "2020-01-01T00:00:00Z") { totalCount nodes { value version { name } } }
      latestVersion { drift { totalCount nodes { field psi jensenShannon kolmogorovSmirnov isExact
        baseline { number } } } } } }"""
    seen = reader.execute(query, ref="orders")["dataset"]
    results = {one["name"]: one["lastResult"] for one in seen["qualityChecks"]["nodes"]}
    assert {name: one["passed"] for name, one in results.items()} == dict.fromkeys(RULES, True)
    assert results["rowCount"]["observed"] == {"rowCount": 4}
    assert (seen["incidents"]["totalCount"], seen["baseline"]) == (0, None)
    assert [one["value"] for one in seen["metrics"]["nodes"]] == [4, 3]
    drift = {one["field"]: one for one in seen["latestVersion"]["drift"]["nodes"]}
    assert drift["price"]["isExact"] is True
    assert drift["price"]["kolmogorovSmirnov"] == 0.25
    assert (drift["user"]["kolmogorovSmirnov"], drift["price"]["baseline"]["number"]) == (None, 1)

    steward.mutate(PIN, input={"dataset": {**REF, "version": 1}})
    deliver(database, settings, incoming, [None, -1.0])
    listed = """query($open: Boolean) { incidents(filter: {open: $open}) { totalCount nodes { id severity message
      check { name } dataset { name baseline { number } } version { number } closingVersion { number } closedAt } } }"""
    opened = {one["check"]["name"]: one for one in reader.execute(listed, open=True)["incidents"]["nodes"]}
    assert set(opened) == {"notNull", "inRange", "driftBelow"}
    assert opened["notNull"]["message"] == "notNull: 1 of 2 values fail (50.00%)"
    assert opened["notNull"]["version"] == {"number": 3}
    assert opened["driftBelow"]["dataset"] == {"name": "orders", "baseline": {"number": 1}}
    found = steward.mutate(ACKNOWLEDGE, input={"incident": opened["notNull"]["id"], "note": "known"})["incident"]
    assert found == {"acknowledgedBy": "steward", "note": "known", "closedAt": None}
    node = """query($id: ID!, $at: DateTime) { node(id: $id, asOf: $at) { ... on Incident { failures note } } }"""
    assert reader.execute(node, id=opened["notNull"]["id"])["node"] == {"failures": 1, "note": "known"}
    assert reader.execute(node, id=opened["notNull"]["id"], at="2020-01-01T00:00:00Z")["node"] is None
    then = """{ incidents(asOf: "2020-01-01T00:00:00Z") { totalCount } }"""
    assert reader.execute(then)["incidents"]["totalCount"] == 0

    gone = {one["name"]: one["id"] for one in made}["notNull"]
    removed = steward.mutate(REMOVE, input={"check": gone})["check"]
    assert removed["removedAt"] is not None
    assert removed["results"] == {"totalCount": 2}
    closed = reader.execute(listed, open=False)["incidents"]["nodes"]
    assert [(one["check"]["name"], one["closingVersion"]) for one in closed] == [("notNull", None)]
    steward.mutate(PIN, input={"dataset": REF, "pinned": False})
    assert reader.execute(query, ref="orders")["dataset"]["baseline"] is None
    assert len(reader.execute(query, ref="orders")["dataset"]["qualityChecks"]["nodes"]) == len(RULES) - 1


def test_who_may_not_is_told_so_and_nothing_changes(clients: dict[Role, Client]) -> None:
    """Each mutation with the nearest role that may not; a frontend sees none of it."""
    check = {"name": "some", "rule": {"rowCount": {"min": 1}}}
    [made] = clients[Role.PRODUCER].mutate(DECLARE, input={"dataset": REF, "checks": [check]})["checks"]
    asked: list[tuple[Role, str, dict[str, Any]]] = [
        (Role.READER, DECLARE, {"dataset": REF, "checks": [{**check, "name": "other"}]}),
        (Role.PRODUCER, REMOVE, {"check": made["id"]}),
        (Role.PRODUCER, ACKNOWLEDGE, {"incident": global_id("Incident", 1)}),
        (Role.PRODUCER, PIN, {"dataset": REF}),
    ]  # fmt: skip
    for role, mutation, given in asked:
        [payload] = clients[role].execute(mutation, input=given).values()
        assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
    query = """{ dataset(namespace: "shop", name: "orders") { qualityChecks { nodes { name removedAt } } } }"""
    there = clients[Role.READER].execute(query)["dataset"]["qualityChecks"]["nodes"]
    assert there == [{"name": "some", "removedAt": None}]
    for hop in ("incidents { totalCount }", f'node(id: "{made["id"]}") {{ id }}'):
        with pytest.raises(Exception, match="role frontend may not do this"):
            clients[Role.FRONTEND].execute(f"{{ {hop} }}")


def test_a_wrong_rule_says_where(clients: dict[Role, Client]) -> None:
    """User errors with the path of the input; several kinds at once are refused by the schema itself."""

    def told(rule: dict[str, Any]) -> tuple[str, list[str], str]:
        given = {"dataset": REF, "checks": [{"name": "x", "rule": rule}]}
        payload = clients[Role.PRODUCER].execute(DECLARE, input=given)["declareChecks"]
        [error] = payload["userErrors"]
        assert payload["checks"] == []
        return error["code"], error["path"], error["message"]

    code, path, message = told({"notNull": {"field": "nothing"}})
    assert (code, path) == ("NOT_FOUND", ["checks", "0", "rule", "notNull"])
    assert message.endswith("known: id, user, price, at")
    code, path, message = told({"matchesPattern": {"field": "user", "pattern": "(["}})
    assert (code, path) == ("INVALID", ["checks", "0", "rule", "matchesPattern", "pattern"])
    assert "unclosed" in message
    with pytest.raises(Exception, match=r"[Ee]xactly one|one_of|oneOf|OneOf"):
        told({"rowCount": {"min": 1}, "notNull": {"field": "id"}})
    with pytest.raises(Exception, match="no check has this id"):
        clients[Role.STEWARD].mutate(REMOVE, input={"check": global_id("QualityCheck", 999)})


def test_reads_cost_the_same_for_few_and_for_many(clients: dict[Role, Client], database: Database) -> None:
    """Incidents with checks, datasets and versions; series; drift."""
    from assetgraph.catalog.service import FieldSpec, RegisterVersion
    from assetgraph.clock import now
    from assetgraph.lineage.service import register_version
    from assetgraph.quality import check_queries, declare
    from assetgraph.quality.checks import Check, NotNull
    from assetgraph.quality.incidents import Verdict, observe

    with database.transaction("test") as session:
        for number in range(20):
            version, _ = register_version(session, RegisterVersion("shop", f"d{number}", (FieldSpec("a", "Int64"),)))
            ref = catalog.AssetRef(namespace="shop", name=f"d{number}")
            declare.declare(session, declare.DeclareChecks(ref, (Check("c", NotNull("a")),)))
            dataset = declare.pin_baseline(session, declare.PinBaseline(ref))
            [check] = check_queries.in_force(session, dataset)
            observe(session, dataset, version, [Verdict(is_fine=False, message="m", check_key=str(check.key))], now())
    pages = {
        "incidents": """query($first: Int) { incidents(first: $first) { nodes { message check { name lastResult {
            passed } } dataset { name baseline { number } } version { number dataset { name } } } } }""",
        "drift": """query($first: Int) { dataset(namespace: "shop", name: "orders") { metrics(first: $first) { nodes {
            name version { name } } } latestVersion { drift(first: $first) { nodes { field baseline { number } } } } }
            }""",
    }
    for query in pages.values():
        counts = []
        for first in (2, 20):
            seen: list[str] = []
            note = lambda *args, seen=seen: seen.append(args[2])  # noqa: E731 - one listener for each
            event.listen(database.engine, "before_cursor_execute", note)
            answer = clients[Role.READER].execute(query, first=first)
            event.remove(database.engine, "before_cursor_execute", note)
            counts.append(len(seen))
        assert str(answer).count("'name'") >= 10
        assert abs(counts[0] - counts[1]) <= SLACK
        assert max(counts) <= 25


def test_the_command_line_declares_and_lists(
    clients: dict[Role, Client], database: Database, settings: Settings, incoming: Path, tmp_path: Path
) -> None:
    """From a file with the input's own JSON; errors say which check is wrong."""
    assert clients
    file = tmp_path / "checks.json"
    checks = [{"name": "few", "severity": "WARNING", "rule": {"rowCount": {"max": 2}}}]
    file.write_text(json.dumps(checks))
    runner, where = CliRunner(), ["--namespace", "shop", "--database-url", database.url]

    def run(*words: str) -> Any:
        done = runner.invoke(cli, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.output

    [row] = run("checks", "declare", "orders", "--file", str(file), "--json", *where)
    assert (row["name"], row["severity"], row["passed"]) == ("few", "WARNING", None)
    deliver(database, settings, incoming, [5.0, 6.0, 7.0])
    [row] = run("checks", "list", "orders", "--json", *where)
    assert (row["passed"], row["message"]) == (False, "3 rows; wanted are at most 2")
    [incident] = run("incidents", "list", "--json", *where)
    assert (incident["dataset"], incident["severity"]) == ("orders", "WARNING")
    run("incidents", "acknowledge", str(incident["id"]), "--note", "ok", "--database-url", database.url)
    run("checks", "remove", str(row["id"]), "--database-url", database.url)
    assert run("incidents", "list", "--json", *where) == []
    [incident] = run("incidents", "list", "--all", "--json", *where)
    assert (incident["acknowledged_by"], incident["closed_at"] is None) == ("cli", False)
    file.write_text(json.dumps([*checks, {"name": "x", "rule": {"rowCount": {}}}]))
    with pytest.raises(Exception, match=r"checks\.1\.rule\.rowCount: give min, max, or both"):
        runner.invoke(cli, ["checks", "declare", "orders", "--file", str(file), *where], catch_exceptions=False)
