"""SQL statements per operation: as many for a page of two as for a page of twenty.

A page of twenty may show kinds that a page of two does not, and two loaders that ask for the same table may or may not
meet in one batch: a few statements of difference are allowed, far fewer than one per row.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import event
from trained import train_nothing

from assetgraph.catalog import tokens
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind, asset_global_id, recommendation_key
from assetgraph.lineage import service as lineage
from assetgraph.lineage.queries import neighbours_by_kind
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.quality import service as quality
from assetgraph.settings import Settings

MANY = 20
SLACK = 4
PAGES = {
    "datasets": """query($first: Int, $id: ID!) { node(id: $id) { id } datasets(first: $first) { totalCount nodes {
        name tags { name } owners { role } latestVersion { number dataset { name }
        fields { name type tags { name } } producedBy { name job { name } } } fields { name } } } }""",
    "versions": """query($first: Int, $id: ID!) { node(id: $id) { ... on Dataset { versions(first: $first) { nodes {
        number fields { name } profile { field } producedBy { name } dataset { name } } } } } }""",
    "runs": """query($first: Int, $id: ID!) { node(id: $id) { id } runs(first: $first) { nodes { name state
        job { name } inputs { name ... on DatasetVersion { dataset { name } } } outputs { name }
        metrics { name value } findings { code } } } }""",
    "changes": """query($first: Int, $id: ID!) { node(id: $id) { id } changes(first: $first) { nodes {
        sequence action entity { id ... on Dataset { name } ... on Run { name job { name } } } } } }""",
    "lineage": """query($first: Int!, $id: ID!) { lineage(root: $id, direction: DOWNSTREAM, depth: 3, level: VERSION,
        first: $first) { nodes { distance node { name urn } } edges { source target kind } } }""",
}


@pytest.fixture
def filled(database: Database, settings: Settings) -> Iterator[tuple[Client, int]]:
    """A service with a dataset of many versions, each read and written by a run; gives the dataset too."""
    fields = (FieldSpec("a", "Int64", tags=("t",)), FieldSpec("b", "String"))
    with database.transaction("test") as session:
        versions = [lineage.register_version(session, RegisterVersion("ns", "many", fields))[0]
                    for _ in range(MANY + 1)]  # fmt: skip
        for number in range(MANY):
            lineage.register_version(session, RegisterVersion("ns", f"d{number}", fields))
            ends = (AssetRef(id=versions[number]),), (AssetRef(id=versions[number + 1]),)
            run = lineage.record_run(session, RecordRun("ns", f"j{number}", RunState.SUCCEEDED, f"r{number}", *ends))
            quality.record_metrics(session, run, [quality.MetricSpec("m", 1.0)])
        dataset = neighbours_by_kind(session, [versions[0]], [EdgeKind.VERSION_OF], upstream=True, level=Level.VERSION)[
            versions[0]
        ][0]
        _, token = tokens.create(session, "t", tokens.Role.ADMIN)
    with serving(create_app(settings, database)) as address:
        client = Client(f"http://{address}", token)
        client.execute("{ viewer { name } }")
        yield client, dataset
        client.close()


def counted(database: Database, client: Client, query: str, **variables: Any) -> tuple[int, dict[str, Any]]:
    """Return the number of statements of one operation, and its answer."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            seen.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        answer = client.execute(query, **variables)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(seen), answer


@pytest.mark.parametrize("name", list(PAGES))
def test_reads_cost_the_same_for_few_and_for_many(filled: tuple[Client, int], database: Database, name: str) -> None:
    """Children come with their page, whatever its size."""
    client, dataset = filled
    query = PAGES[name]
    identity = asset_global_id(AssetKind.DATASET, dataset)
    few, _ = counted(database, client, query, first=2, id=identity)
    many, answer = counted(database, client, query, first=MANY, id=identity)
    assert str(answer).count("'name'") + str(answer).count("'sequence'") >= MANY
    assert few - SLACK <= many <= min(few + SLACK, 40)


def test_nodes_by_id_cost_the_same_for_few_and_for_many(filled: tuple[Client, int], database: Database) -> None:
    """Ids of one kind go to the database together."""
    client, _ = filled
    found = client.execute("{ datasets(first: 20) { nodes { id } } }")["datasets"]["nodes"]
    ids = [one["id"] for one in found]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Dataset { name latestVersion { number } } } }"
    few, _ = counted(database, client, query, ids=ids[:2])
    many, answer = counted(database, client, query, ids=ids)
    assert [one["id"] for one in answer["nodes"]] == ids
    assert abs(few - many) <= SLACK


def test_feedback_costs_the_same_for_few_and_for_many(filled: tuple[Client, int], database: Database) -> None:
    """Events go in set-wise."""
    client, _ = filled
    with database.transaction("test") as session:
        _, version = train_nothing(session)
    query = """mutation($events: [FeedbackInput!]!) { recordFeedback(input: {events: $events}) {
      accepted userErrors { message } } }"""
    counts = []
    for size in (2, 500):
        keys = [recommendation_key(version, "u", f"{size}-{i}", 1.0, 1) for i in range(size)]
        events = [{"recommendation": asset_global_id(AssetKind.RECOMMENDATION, key), "event": "CLICK"} for key in keys]
        count, answer = counted(database, client, query, events=events)
        assert answer["recordFeedback"] == {"accepted": size, "userErrors": []}
        counts.append(count)
    assert counts[0] == counts[1]
