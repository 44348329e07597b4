"""The whole loop through HTTP with a real worker, on both databases, and what is refused on the way."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetgraph_server import demo
from assetgraph_server.app import create_app
from assetgraph_server.client import RUN_QUERY, Client
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

PATH = ["SOURCE", "DATASET", "DATASET_VERSION", "RUN", "MODEL_VERSION", "RECOMMENDATION", "FEEDBACK", "RUN",
        "DATASET_VERSION", "RUN", "MODEL_VERSION"]  # fmt: skip


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[Client]:
    """A client of a running service with a worker."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "pipeline", tokens.Role.ADMIN)
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    with serving(create_app(settings, database)) as address:
        opened = Client(f"http://{address}", token)
        yield opened
        opened.close()
    stop.set()
    thread.join()


def quiet(_fraction: float, _message: str) -> None:
    """Show no progress."""


def test_the_loop_closes_and_one_query_walks_back_to_the_files(
    client: Client, database: Database, incoming: Path, retail: Path
) -> None:
    """Scan two deliveries, train, recommend, feed back, export, train again; the way back is complete."""
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    for delivery in demo.DELIVERIES:
        shutil.copyfile(retail / delivery, incoming / "online_retail.parquet")
        client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    version = client.execute(demo.DRIFT, namespace="shop", name="online_retail")["dataset"]["latestVersion"]
    assert (version["number"], version["rowCount"]) == (2, 541_909)
    assert {"kind": "TYPE_CHANGED", "field": "CustomerID", "before": "Int64", "after": "Float64"} in version[
        "schemaDiff"
    ]["changes"]

    training = {"model": {"namespace": "shop", "name": "m"}, "userField": "CustomerID", "itemField": "Description",
                "valueField": "Quantity", "dataset": {"namespace": "shop", "name": "online_retail"},
                "idempotencyKey": "once"}  # fmt: skip
    run = client.mutate(demo.TRAIN, input=training)["run"]["id"]
    assert client.mutate(demo.TRAIN, input=training)["run"]["id"] == run
    client.wait(run, quiet)
    model = client.execute(demo.VERSIONS, namespace="shop", name="m")["model"]
    [trained] = model["versions"]["nodes"]
    metrics = {metric["name"]: metric["value"] for metric in trained["metrics"]}
    assert metrics["ndcg@10"] >= 2.5 * metrics["popularity_ndcg@10"]

    answer = client.execute(demo.RECOMMEND, model=model["id"], user="17850")["recommendations"]
    assert (answer["fallback"], len(answer["items"])) == ("NONE", 3)
    unknown = client.execute(demo.RECOMMEND, model=model["id"], user="nobody")["recommendations"]
    assert unknown["fallback"] == "POPULARITY"
    events = [{"recommendation": one["id"], "event": "CLICK", "key": f"k{one['rank']}"} for one in answer["items"]]
    assert client.mutate(demo.SEND, input={"events": events})["accepted"] == 3
    assert client.mutate(demo.SEND, input={"events": events})["duplicates"] == 3

    dataset = {"namespace": "shop", "name": "feedback"}
    client.wait(client.mutate(demo.EXPORT, input={"model": model["id"], "dataset": dataset})["run"]["id"], quiet)
    again = {**training, "dataset": dataset, "userField": "user", "itemField": "item", "valueField": None,
             "idempotencyKey": "twice", "parameters": {"factors": 4, "holdout": 0.0}}  # fmt: skip
    client.wait(client.mutate(demo.TRAIN, input=again)["run"]["id"], quiet)
    second = client.execute(demo.VERSIONS, namespace="shop", name="m")["model"]["versions"]["nodes"][0]
    found = client.execute(demo.LINEAGE, root=second["id"])["lineage"]
    assert [node["kind"] for node in demo.longest_path(second["id"], found)] == PATH
    assert not found["truncated"]
    ways = client.execute(WAYS, source=source, target=second["id"])["lineagePaths"]
    assert [len(way["nodes"]) for way in ways] == [11, 11]
    assert {"RECOMMENDATION", "FEEDBACK"} <= {node["kind"] for node in ways[0]["nodes"]}
    broken = client.execute(BROKEN, urn="urn:assetgraph:field:shop:online_retail#CustomerID")
    column = client.execute(IMPACT, root=broken["asset"]["id"])["impact"]
    assert [one["node"]["name"] for one in column["models"]["nodes"]] == ["m"]
    assert [node["name"] for node in column["models"]["nodes"][0]["path"]] == ["CustomerID", "train m", "m"]
    with database.reading() as session:
        assert changes.verify(session).broken_at is None


WAYS = """query($source: ID!, $target: ID!) { lineagePaths(from: $source, to: $target, maxPaths: 2) {
  nodes { kind name } } }"""
BROKEN = "query($urn: String!) { asset(urn: $urn) { id } }"
IMPACT = """query($root: ID!) { impact(root: $root, change: COLUMN_REMOVED) { truncated
  models { totalCount nodes { distance node { name } path { name } } } owners { principal } } }"""


def test_a_broken_file_is_a_finding_and_the_rest_is_scanned(client: Client, incoming: Path) -> None:
    """One bad file does not cost the scan."""
    (incoming / "good.csv").write_text("user,item\na,x\nb,y\n")
    (incoming / "bad.parquet").write_bytes(b"PAR1 this is not parquet PAR1")
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    run = client.mutate(demo.SCAN, input={"source": source})["run"]["id"]
    client.wait(run, quiet)
    query = "query($id: ID!) { node(id: $id) { ... on Run { state findings { subject code message } } } }"
    node = client.execute(query, id=run)["node"]
    assert node["state"] == "SUCCEEDED"
    [finding] = node["findings"]
    assert finding["subject"] == "bad"
    found = client.execute('{ datasets(filter: {namespace: "shop"}) { nodes { name fields { name } } } }')
    assert [(one["name"], [field["name"] for field in one["fields"]]) for one in found["datasets"]["nodes"]] == [
        ("good", ["user", "item"])
    ]


@pytest.mark.parametrize(
    ("mutation", "given", "code", "message"),
    [
        (demo.REGISTER, {"namespace": "shop", "name": "x", "location": "/etc"}, "FORBIDDEN", "ASSETGRAPH_SCAN_ROOTS"),
        (demo.REGISTER, {"namespace": "shop", "name": "x", "location": "INCOMING/../.."}, "FORBIDDEN", "lies outside"),
        (demo.SCAN, {"source": "SOURCE", "path": "../.."}, "FORBIDDEN", "lies outside"),
        (demo.SCAN, {"source": "SOURCE", "path": "nothing"}, "NOT_FOUND", "orders.csv"),
        (demo.SCAN, {"source": "bm9uc2Vuc2U="}, "INVALID", "not an id"),
        (demo.TRAIN, {"dataset": {"namespace": "shop", "name": "order"}}, "NOT_FOUND", "known: orders"),
        (demo.TRAIN, {"userField": "usr"}, "NOT_FOUND", "known: user, item, amount"),
        (demo.TRAIN, {"valueField": "item"}, "INVALID", "known: amount"),
        (demo.TRAIN, {"parameters": {"factors": 0}}, "INVALID", "factors must be from 1 to 1024"),
        (demo.TRAIN, {"parameters": {"backend": "GPU"}}, "UNAVAILABLE", "backend GPU"),
    ],
)
def test_bad_input_is_a_user_error_that_helps_and_changes_nothing(
    client: Client, database: Database, incoming: Path, mutation: str, given: dict[str, Any], code: str, message: str
) -> None:
    """Each names what is wrong and what exists; the log does not grow."""
    (incoming / "orders.csv").write_text("user,item,amount\na,x,1\nb,y,2\n")
    place = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=place)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    with database.reading() as session:
        before = changes.newest(session)
    filled = {"SOURCE": source, "INCOMING/../..": f"{incoming}/../.."}
    sent = {name: filled.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    if mutation == demo.TRAIN:
        whole = {"model": {"namespace": "shop", "name": "m"}, "dataset": {"namespace": "shop", "name": "orders"}}
        sent = {**whole, "userField": "user", "itemField": "item", **sent}
    payload = next(iter(client.execute(mutation, input=sent).values()))
    [error] = payload["userErrors"]
    assert error["code"] == code
    assert message in error["message"]
    with database.reading() as session:
        assert changes.newest(session) == before


def test_a_run_can_be_followed_to_its_end(client: Client, incoming: Path) -> None:
    """node(id:) of a run gives its state; an unknown id gives null."""
    assert client.execute(RUN_QUERY, id="UnVuOjk5OQ==")["node"] is None
    assert client.execute(RUN_QUERY, id="nonsense")["node"] is None


TRAIN_ON = """mutation($dataset: AssetRef!) { startTraining(input: {model: {namespace: "shop", name: "m"},
  dataset: $dataset, userField: "user", itemField: "item", parameters: {factors: 2, holdout: 0}}) {
  run { id } userErrors { message } } }"""
OUTCOME = """query($id: ID!) { node(id: $id) { ... on Run { state error
  outputs { ... on ModelVersion { trainedOn { name } userCount } } } } }"""


def outcome_of_training(client: Client, dataset: dict[str, Any]) -> dict[str, Any]:
    """Train and return the run as it ended."""
    run = client.mutate(TRAIN_ON, dataset=dataset)["run"]["id"]
    while (found := client.execute(OUTCOME, id=run)["node"])["state"] not in ("SUCCEEDED", "FAILED"):
        time.sleep(0.1)
    ended: dict[str, Any] = found
    return ended


def test_a_model_never_claims_a_version_whose_file_was_overwritten(client: Client, incoming: Path) -> None:
    """Lineage is what happened: the run fails and says which version lies there now; ids keep leading zeros."""
    file = incoming / "orders.csv"
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    contents = ("user,item\n007,x\n7,y\n", "user,item\n007,x\n8,y\n", "user,item\n007,x\n9,y\n")
    for content in contents[:2]:
        file.write_text(content)
        client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    named = {"namespace": "shop", "name": "orders"}
    trained = outcome_of_training(client, {**named, "version": 2})
    assert trained["outputs"] == [{"trainedOn": [{"name": "orders@2"}], "userCount": 2}]
    stale = outcome_of_training(client, {**named, "version": 1})
    assert (stale["state"], stale["outputs"]) == ("FAILED", [])
    assert "it is that of orders@2 now: train on version 2" in stale["error"]
    file.write_text(contents[2])
    assert "scan it again" in outcome_of_training(client, named)["error"]
    file.unlink()
    assert "gone" in outcome_of_training(client, named)["error"]


def test_ratings_are_learnt_and_predicted_on_their_scale(client: Client, incoming: Path) -> None:
    """Explicit feedback through the API: those who agree get what the others liked."""
    likes = {"a": "wxy", "b": "wxyz", "c": "klm", "d": "klmn"}
    lines = [
        f"{user},{item},{5 if item in mine else 1}"
        for user, mine in likes.items() for item in "wxyzklmn"
        if not (user in "ac" and item in "zn")
    ]  # fmt: skip
    (incoming / "ratings.csv").write_text("user,item,stars\n" + "\n".join(lines))
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    training = {"model": {"namespace": "shop", "name": "m"}, "dataset": {"namespace": "shop", "name": "ratings"},
                "userField": "user", "itemField": "item", "valueField": "stars",
                "parameters": {"feedback": "EXPLICIT", "factors": 2, "holdout": 0, "regularization": 0.01}}  # fmt: skip
    client.wait(client.mutate(demo.TRAIN, input=training)["run"]["id"], quiet)
    model = client.execute(demo.VERSIONS, namespace="shop", name="m")["model"]["id"]
    for user, best, worst in (("a", "z", "n"), ("c", "n", "z")):
        first, last = client.execute(demo.RECOMMEND, model=model, user=user)["recommendations"]["items"]
        assert (first["item"], last["item"]) == (best, worst)
        assert first["score"] > 4
        assert last["score"] < 2
