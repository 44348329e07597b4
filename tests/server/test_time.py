"""Travel in time over HTTP: every root read as of a moment, what changed between two, and what both cost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from test_statements import counted
from trained import train_nothing

from assetgraph.catalog import service as catalog
from assetgraph.catalog import tokens
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Database
from assetgraph.factorization.service import promote
from assetgraph.factorization.tables import ModelStage
from assetgraph.ids import AssetKind, asset_global_id
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState
from assetgraph.quality.service import MetricSpec, record_metrics
from assetgraph.settings import Settings

DATASET = """query($name: String!, $at: DateTime) { dataset(namespace: "ns", name: $name, asOf: $at) {
  id asOf description tags { name inheritedFrom { name asOf } } owners { principal }
  latestVersion { number asOf rowCount producedBy { name state asOf job { name asOf } } metrics { nodes { value } } }
  version(number: 2) { number } versions { totalCount nodes { number dataset { description asOf } } }
  fields { name type asOf tags { name } } } }"""
PLACES = """query($urn: String!, $id: ID!, $at: DateTime) {
  asset(urn: $urn, asOf: $at) { id asOf } node(id: $id, asOf: $at) { id } nodes(ids: [$id], asOf: $at) { id }
  datasets(asOf: $at) { totalCount nodes { name } } job(namespace: "ns", name: "wash", asOf: $at) { name
  runs { totalCount } } runs(asOf: $at) { totalCount } }"""
VERSION = """query($at: DateTime) { dataset(namespace: "ns", name: "clean", asOf: $at) {
  version(number: 2) { id } } }"""
LINEAGE = """query($root: ID!, $at: DateTime) { lineage(root: $root, direction: UPSTREAM, depth: 5, asOf: $at) {
  asOf root { asOf } nodes { node { name asOf ... on Dataset { tags { name } } } } edges { kind } } }"""
WAYS = """query($from: ID!, $to: ID!, $at: DateTime) { lineagePaths(from: $from, to: $to, asOf: $at) {
  nodes { name asOf } } impact(root: $from, change: DATASET_RETIRED, asOf: $at) { asOf
  datasets { totalCount nodes { node { name asOf } path { name } } } owners { principal } runs { totalCount } } }"""
DIFF = """query($root: ID!, $from: DateTime!, $to: DateTime!, $level: LineageLevel! = DATASET) {
  lineageDiff(root: $root, from: $from, to: $to, level: $level) { from to truncated reason
  nodesAdded { totalCount nodes { distance node { name } } } nodesRemoved { totalCount nodes { node { name } } }
  edgesAdded(first: 1) { totalCount edges { kind } } edgesRemoved { totalCount edges { kind } }
  schemaChanges { totalCount nodes { dataset { name } before { number } after { number } compatibility
    changes { kind field before after } } }
  metricChanges { totalCount nodes { asset { name } name field before after } } } }"""


class Shop:
    """A clean dataset: first alone, then washed out of raw; told through the library, read over HTTP."""

    def __init__(self, database: Database, client: Client) -> None:
        self.database, self.client = database, client
        self.at: list[datetime] = [now()]
        self.clean = self.version("clean", "contact", rows=1)
        with database.transaction("t") as session:
            catalog.register_dataset(session, RegisterDataset("ns", "clean", "first", tags=("a",), owners=("ann",)))
        self.at.append(now())
        self.raw = self.version("raw", "mail", "age", rows=5)
        later = self.version("clean", "contact", "age", rows=2)
        with database.transaction("t") as session:
            catalog.register_dataset(session, RegisterDataset("ns", "clean", "second", tags=("b",), owners=("bob",)))
            ends = AssetRef(id=self.raw), AssetRef(id=later)
            columns = (ColumnEdge(ends[0], "mail", ends[1], "contact"),)
            lineage.record_run(session, RecordRun("ns", "wash", RunState.SUCCEEDED, "r", (ends[0],), (ends[1],),
                                                  columns))  # fmt: skip
        self.at.append(now())

    def version(self, name: str, *fields: str, rows: int) -> int:
        """Register a version with a number measured of it."""
        specs = tuple(FieldSpec(one, "text", tags=("pii",) if one == "mail" else ()) for one in fields)
        with self.database.transaction("t") as session:
            made, _ = lineage.register_version(session, RegisterVersion("ns", name, specs, row_count=rows))
            record_metrics(session, made, [MetricSpec("rows", float(rows))])
        return made

    def ask(self, query: str, at: datetime | None, **variables: Any) -> Any:
        """Ask as of a moment."""
        return self.client.execute(query, at=None if at is None else at.isoformat(), **variables)

    def id(self, name: str) -> str:
        """Return the global id of a dataset."""
        return str(self.ask(DATASET, None, name=name)["dataset"]["id"])


@pytest.fixture
def shop(database: Database, settings: Settings) -> Iterator[Shop]:
    """The shop behind the real application."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.READER)
    with serving(create_app(settings, database)) as address:
        client = Client(f"http://{address}", token)
        yield Shop(database, client)
        client.close()


def moments(answer: Any) -> set[str]:
    """Return every `asOf` in an answer."""
    if isinstance(answer, dict):
        own = {value for key, value in answer.items() if key == "asOf"}
        return own.union(*(moments(value) for value in answer.values()))
    return set().union(*(moments(one) for one in answer)) if isinstance(answer, list) else set()


def test_a_dataset_and_all_below_it_are_as_they_were(shop: Shop) -> None:
    """Said, versions, columns, numbers, runs and inherited tags; each part says of when it is."""
    before, first, second = shop.at
    assert shop.ask(DATASET, before, name="clean")["dataset"] is None
    then = shop.ask(DATASET, first, name="clean")["dataset"]
    assert (then["description"], then["tags"], then["owners"]) == (
        "first", [{"name": "a", "inheritedFrom": None}], [{"principal": "ann"}]
    )  # fmt: skip
    assert [(one["name"], one["tags"]) for one in then["fields"]] == [("contact", [])]
    assert (then["latestVersion"]["number"], then["latestVersion"]["producedBy"], then["version"]) == (1, None, None)
    assert then["latestVersion"]["metrics"]["nodes"] == [{"value": 1.0}]
    assert (then["versions"]["totalCount"], then["versions"]["nodes"][0]["dataset"]["description"]) == (1, "first")
    assert {as_utc(datetime.fromisoformat(one)) for one in moments(then)} == {first}
    for at in (None, second, now() + timedelta(days=9)):
        later = shop.ask(DATASET, at, name="clean")["dataset"]
        assert (later["description"], [one["name"] for one in later["tags"]]) == ("second", ["b", "pii"])
        assert (later["latestVersion"]["number"], later["version"], later["owners"]) == (
            2, {"number": 2}, [{"principal": "bob"}]
        )  # fmt: skip
        assert later["latestVersion"]["producedBy"]["state"] == "SUCCEEDED"
        assert [(one["name"], [tag["name"] for tag in one["tags"]]) for one in later["fields"]] == [
            ("contact", ["pii"]), ("age", [])
        ]  # fmt: skip
        [said] = moments(later)
        assert datetime.fromisoformat(said) <= now()  # what lies ahead is answered as of now


def test_every_root_read_takes_a_moment(shop: Shop) -> None:
    """What came later is not there."""
    _, first, second = shop.at
    asked = {"urn": "urn:assetgraph:dataset:ns:raw", "id": shop.id("raw")}
    assert shop.ask(PLACES, first, **asked) == {
        "asset": None, "node": None, "nodes": [None], "datasets": {"totalCount": 1, "nodes": [{"name": "clean"}]},
        "job": None, "runs": {"totalCount": 0},
    }  # fmt: skip
    found = shop.ask(PLACES, second, **asked)
    assert found["asset"]["id"] == found["node"]["id"] == found["nodes"][0]["id"] == asked["id"]
    assert (found["datasets"]["totalCount"], found["job"], found["runs"]) == (
        2, {"name": "wash", "runs": {"totalCount": 1}}, {"totalCount": 1}
    )  # fmt: skip


def test_walks_ways_and_impact_of_the_past(shop: Shop) -> None:
    """Their nodes are shown as they were; a root that came later is not found."""
    _, first, second = shop.at
    clean, raw = shop.id("clean"), shop.id("raw")
    then = shop.ask(LINEAGE, first, root=clean)["lineage"]
    assert [one["node"]["name"] for one in then["nodes"]] == ["clean"]
    assert then["nodes"][0]["node"]["tags"] == [{"name": "a"}]
    now_ = shop.ask(LINEAGE, second, root=clean)["lineage"]
    assert [one["node"]["name"] for one in now_["nodes"]] == ["clean", "wash", "raw"]
    assert {as_utc(datetime.fromisoformat(one)) for one in moments(now_)} == {second}
    with pytest.raises(Exception, match="no asset has this id, or had it then"):
        shop.ask(LINEAGE, first, root=raw)
    found = shop.ask(WAYS, second, **{"from": raw, "to": clean})
    assert [one["name"] for one in found["lineagePaths"][0]["nodes"]] == ["raw", "wash", "clean"]
    assert (found["impact"]["datasets"]["totalCount"], found["impact"]["owners"], found["impact"]["runs"]) == (
        1, [{"principal": "bob"}], {"totalCount": 1}
    )  # fmt: skip
    assert {as_utc(datetime.fromisoformat(one)) for one in moments(found)} == {second}


def test_a_diff_says_what_changed_upstream(shop: Shop) -> None:
    """Nodes, edges, columns and numbers; nothing between a moment and itself; moments in order."""
    _, first, second = shop.at
    clean = shop.id("clean")
    asked = {"root": clean, "from": first.isoformat(), "to": second.isoformat()}
    found = shop.client.execute(DIFF, **asked)["lineageDiff"]
    assert [datetime.fromisoformat(found[name]) for name in ("from", "to")] == [first, second]
    assert found["nodesAdded"] == {"totalCount": 2, "nodes": [
        {"distance": 1, "node": {"name": "wash"}}, {"distance": 2, "node": {"name": "raw"}}]}  # fmt: skip
    assert (found["nodesRemoved"]["totalCount"], found["edgesRemoved"]["totalCount"]) == (0, 0)
    assert found["edgesAdded"] == {"totalCount": 2, "edges": [{"kind": "PRODUCED"}]}
    [mine, other] = found["schemaChanges"]["nodes"]
    assert mine == {
        "dataset": {"name": "clean"}, "before": {"number": 1}, "after": {"number": 2}, "compatibility": "FULL",
        "changes": [{"kind": "ADDED", "field": "age", "before": None, "after": "text"}],
    }  # fmt: skip
    assert (other["dataset"]["name"], other["before"]) == ("raw", None)
    assert found["metricChanges"]["nodes"] == [
        {"asset": {"name": "clean"}, "name": "rows", "field": None, "before": 1.0, "after": 2.0},
        {"asset": {"name": "raw"}, "name": "rows", "field": None, "before": None, "after": 5.0},
    ]
    assert (found["truncated"], found["reason"]) == (False, None)
    same = shop.client.execute(DIFF, **{**asked, "from": asked["to"]})["lineageDiff"]
    assert {part["totalCount"] for part in same.values() if isinstance(part, dict)} == {0}
    with pytest.raises(Exception, match="`to` lies before `from`"):
        shop.client.execute(DIFF, **{**asked, "from": asked["to"], "to": asked["from"]})


def test_a_diff_of_columns_shows_what_went(shop: Shop) -> None:
    """An edge that closed with its column, at level FIELD; the node that went is shown as it was."""
    contact = shop.ask(DATASET, None, name="clean")["dataset"]["fields"][0]["name"]
    urn = f"urn:assetgraph:field:ns:clean#{contact}"
    root = shop.client.execute("query($u: String!) { asset(urn: $u) { id } }", u=urn)["asset"]["id"]
    shop.version("raw", "age", rows=6)
    asked = {"root": root, "from": shop.at[2].isoformat(), "to": now().isoformat(), "level": "FIELD"}
    found = shop.client.execute(DIFF, **asked)["lineageDiff"]
    assert found["nodesRemoved"] == {"totalCount": 1, "nodes": [{"node": {"name": "mail"}}]}
    assert found["edgesRemoved"] == {"totalCount": 1, "edges": [{"kind": "DERIVED"}]}
    [changed] = found["schemaChanges"]["nodes"]
    assert changed["changes"] == [{"kind": "REMOVED", "field": "mail", "before": "text", "after": None}]
    assert [(one["before"], one["after"]) for one in found["metricChanges"]["nodes"]] == [(5.0, 6.0)]


def test_a_diff_of_what_happened_shows_runs_and_versions(shop: Shop) -> None:
    """Level VERSION: the run, what it read, and the dataset behind; each version's own numbers."""
    root = shop.ask(VERSION, None)["dataset"]["version"]["id"]
    asked = {"root": root, "from": shop.at[1].isoformat(), "to": shop.at[2].isoformat(), "level": "VERSION"}
    found = shop.client.execute(DIFF, **asked)["lineageDiff"]
    assert {one["node"]["name"] for one in found["nodesAdded"]["nodes"]} == {"wash r", "raw@1", "raw", "clean"}
    assert {one["asset"]["name"]: one["after"] for one in found["metricChanges"]["nodes"]} == {
        "clean": 2.0, "clean@2": 2.0, "raw": 5.0, "raw@1": 5.0
    }  # fmt: skip


def test_the_version_that_served_then(shop: Shop) -> None:
    """A promotion archives the one before, and the past keeps it; a diff compares the numbers of both."""
    with shop.database.transaction("t") as session:
        model, first = train_nothing(session)
    served = now()
    with shop.database.transaction("t") as session:
        _, second = train_nothing(session)
        promote(session, second, ModelStage.PRODUCTION)
        record_metrics(session, second, [MetricSpec("ndcg@10", 0.75)])
    query = """query($id: ID!, $at: DateTime) { model(namespace: "shop", name: "m", asOf: $at) {
      production { number stage trainedOn { name } } versions { totalCount nodes { stage } } }
      node(id: $id, asOf: $at) { ... on ModelVersion { stage } } }"""
    identity = asset_global_id(AssetKind.MODEL_VERSION, first)
    then = shop.ask(query, served, id=identity)
    assert then["model"] == {"production": {"number": 1, "stage": "PRODUCTION", "trainedOn": [{"name": "d@1"}]},
                             "versions": {"totalCount": 1, "nodes": [{"stage": "PRODUCTION"}]}}  # fmt: skip
    for at in (None, now()):
        found = shop.ask(query, at, id=identity)
        assert (found["model"]["production"]["number"], found["node"]["stage"]) == (2, "ARCHIVED")
        assert [one["stage"] for one in found["model"]["versions"]["nodes"]] == ["PRODUCTION", "ARCHIVED"]
    root = asset_global_id(AssetKind.MODEL, model)
    diff = shop.client.execute(DIFF, root=root, **{"from": served.isoformat(), "to": now().isoformat()})["lineageDiff"]
    assert {"asset": {"name": "m"}, "name": "ndcg@10", "field": None, "before": 0.5, "after": 0.75} in diff[
        "metricChanges"]["nodes"]  # fmt: skip


def test_a_run_is_there_since_it_began_and_runs_until_it_ends(shop: Shop) -> None:
    """By the producer's clock, however late it is told."""
    hour = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(4)]
    with shop.database.transaction("t") as session:
        ends = {"inputs": (AssetRef(id=shop.raw),), "started_at": hour[1], "ended_at": hour[3]}
        command = RecordRun("ns", "late", RunState.FAILED, "x", **ends)  # type: ignore[arg-type]
        run = lineage.record_run(session, command)
    query = """query($id: ID!, $at: DateTime) { node(id: $id, asOf: $at) { ... on Run { state endedAt job { name }
      inputs { name } } } runs(filter: {state: RUNNING}, asOf: $at) { totalCount } }"""
    identity = asset_global_id(AssetKind.RUN, run)
    assert shop.ask(query, hour[0], id=identity)["node"] is None
    running = shop.ask(query, hour[2], id=identity)
    assert running["node"] == {
        "state": "RUNNING", "endedAt": None, "job": {"name": "late"}, "inputs": [{"name": "raw@1"}]
    }  # fmt: skip
    assert running["runs"] == {"totalCount": 1}
    assert shop.ask(query, hour[3], id=identity)["node"]["state"] == "FAILED"


def test_a_page_of_the_past_costs_the_same_for_few_and_for_many(shop: Shop) -> None:
    """Loaders gather ids by moment; a diff's statements do not grow with what it finds."""
    for number in range(30):
        shop.version(f"d{number}", "mail", rows=number)
        with shop.database.transaction("t") as session:
            catalog.register_dataset(session, RegisterDataset("ns", f"d{number}", tags=("t",), owners=("ann",)))
            ends = AssetRef(namespace="ns", name=f"d{number}"), AssetRef(namespace="ns", name="clean")
            lineage.record_run(session, RecordRun("ns", f"j{number}", RunState.SUCCEEDED, f"r{number}",
                                                  (ends[0],), (ends[1],)))  # fmt: skip
    page = """query($first: Int, $at: DateTime, $b: DateTime) { datasets(first: $first, asOf: $at) { nodes { name
      description tags { name } owners { role } latestVersion { number dataset { name } producedBy { name }
      fields { name tags { name } } } fields { name } } } other: datasets(first: $first, asOf: $b) { nodes { name
      tags { name } } } }"""
    told = {"at": now().isoformat(), "b": shop.at[2].isoformat()}
    few, _ = counted(shop.database, shop.client, page, first=2, **told)
    many, answer = counted(shop.database, shop.client, page, first=30, **told)
    assert (len(answer["datasets"]["nodes"]), len(answer["other"]["nodes"])) == (30, 2)
    assert few - 4 <= many <= min(few + 4, 60)
    diff = DIFF.replace("nodesAdded {", "nodesAdded(first: 100) {")
    asked = {"root": shop.id("clean"), "to": now().isoformat()}
    few, _ = counted(shop.database, shop.client, diff, **asked, **{"from": told["at"]})
    many, answer = counted(shop.database, shop.client, diff, **asked, **{"from": shop.at[1].isoformat()})
    assert answer["lineageDiff"]["nodesAdded"]["totalCount"] == 62
    assert many <= few + 8


def test_a_frontend_does_not_see_the_past_either(shop: Shop, settings: Settings) -> None:
    """Nor what changed; it may look up what answers it, as it was."""
    with shop.database.transaction("t") as session:
        _, version = train_nothing(session)
        _, token = tokens.create(session, "window", tokens.Role.FRONTEND)
    at, clean = now().isoformat(), shop.id("clean")
    refused = [
        f'{{ dataset(namespace: "ns", name: "clean", asOf: "{at}") {{ id }} }}',
        f'{{ datasets(asOf: "{at}") {{ totalCount }} }}',
        f'{{ node(id: "{clean}", asOf: "{at}") {{ id }} }}',
        f'{{ job(namespace: "ns", name: "wash", asOf: "{at}") {{ id }} }}',
        f'{{ lineage(root: "{clean}", asOf: "{at}") {{ visited }} }}',
        f'{{ runs(asOf: "{at}") {{ totalCount }} }}',
        f'{{ lineageDiff(root: "{clean}", from: "{at}", to: "{at}") {{ truncated }} }}',
        f'{{ impact(root: "{clean}", change: DATASET_RETIRED, asOf: "{at}") {{ truncated }} }}',
    ]
    seen = asset_global_id(AssetKind.MODEL_VERSION, version)
    with serving(create_app(settings, shop.database)) as address:
        headers = {"Authorization": f"Bearer {token}"}
        for query in refused:
            body = httpx.post(f"http://{address}/graphql", json={"query": query}, headers=headers).json()
            assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"], (query, body)
        query = f'{{ node(id: "{seen}", asOf: "{at}") {{ ... on ModelVersion {{ number }} }} }}'
        body = httpx.post(f"http://{address}/graphql", json={"query": query}, headers=headers).json()
        assert body == {"data": {"node": {"number": 1}}}
