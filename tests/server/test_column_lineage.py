"""Column lineage and inherited tags through GraphQL."""

from collections.abc import Iterator

import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.settings import Settings

VERSION = """mutation($input: RegisterDatasetVersionInput!) { registerDatasetVersion(input: $input) {
  version { dataset { id } } userErrors { message } } }"""
RUN = "mutation($input: RecordRunInput!) { recordRun(input: $input) { run { id } userErrors { code message path } } }"
TAGS = """query($name: String!) { dataset(namespace: "ns", name: $name) {
  tags { name inheritedFrom { name } } fields { id name type tags { name inheritedFrom { name } path { name } } } } }"""
COLUMNS = """query($root: ID!) { lineage(root: $root, direction: UPSTREAM, depth: 9, level: FIELD) {
  nodes { distance node { __typename name urn } } edges { kind transformations { type subtype masking } } } }"""


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[Client]:
    """A client of the real application, with a tagged column that flows into two others."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.PRODUCER)
    with serving(create_app(settings, database)) as address:
        made = Client(f"http://{address}", token)
        for name, fields in (("raw", [{"name": "mail", "type": "text", "tags": ["pii"]}]),
                             ("clean", [{"name": "contact", "type": "text"}])):  # fmt: skip
            made.mutate(VERSION, input={"namespace": "ns", "name": name, "fields": fields})
        raw, clean = ({"namespace": "ns", "name": name} for name in ("raw", "clean"))
        columns = [
            {"from": raw, "fromField": "mail", "to": clean, "toField": to, "type": "DIRECT",
             "subtype": subtype, "masking": masking}
            for to, subtype, masking in (("contact", "IDENTITY", False), ("hash", "TRANSFORMATION", True))
        ]  # fmt: skip
        given = {"namespace": "etl", "job": "wash", "runId": "1", "state": "SUCCEEDED", "inputs": [], "outputs": []}
        made.mutate(RUN, input={**given, "columns": columns})
        yield made
        made.close()


def test_tags_come_with_the_way_they_took(client: Client) -> None:
    """The masked column has none; the dataset shows what its columns carry."""
    dataset = client.execute(TAGS, name="clean")["dataset"]
    mail, contact = {"name": "mail"}, {"name": "contact"}
    assert dataset["tags"] == [{"name": "pii", "inheritedFrom": mail}]
    assert [(one["name"], one["type"], one["tags"]) for one in dataset["fields"]] == [
        ("contact", "text", [{"name": "pii", "inheritedFrom": mail, "path": [mail, contact]}]),
        ("hash", "unknown", []),
    ]
    assert client.execute(TAGS, name="raw")["dataset"]["fields"][0]["tags"] == [
        {"name": "pii", "inheritedFrom": None, "path": []}
    ]


def test_columns_are_walked_at_their_level(client: Client) -> None:
    """With what was done to the values; other levels and roots are refused with a reason."""
    [_, hidden] = client.execute(TAGS, name="clean")["dataset"]["fields"]
    found = client.execute(COLUMNS, root=hidden["id"])["lineage"]
    assert [(one["distance"], one["node"]["urn"]) for one in found["nodes"]] == [
        (0, "urn:assetgraph:field:ns:clean#hash"), (1, "urn:assetgraph:field:ns:raw#mail")
    ]  # fmt: skip
    done = [{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}]
    assert found["edges"] == [{"kind": "DERIVED", "transformations": done}]
    dataset = client.execute('{ dataset(namespace: "ns", name: "raw") { id } }')["dataset"]["id"]
    with pytest.raises(Exception, match="level FIELD walks columns and begins at one"):
        client.execute(COLUMNS, root=dataset)
    with pytest.raises(Exception, match="a column is walked at level FIELD"):
        client.execute("query($root: ID!) { lineage(root: $root) { visited } }", root=hidden["id"])
