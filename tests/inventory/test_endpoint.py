"""The client of OpenAI-compatible endpoints, and what of an answer counts; against a real server on loopback."""

import socket
import time
from typing import Any

import pytest
from answering import answering, completion
from starlette.responses import JSONResponse, RedirectResponse, Response

from assetgraph.inventory.classify.kinds import SemanticType
from assetgraph.inventory.propose import endpoint as client
from assetgraph.inventory.propose.endpoint import Endpoint, EndpointAnswer, EndpointFailed, EndpointRefused
from assetgraph.inventory.propose.questions import (
    MOST_COLUMNS,
    SYSTEM,
    Question,
    answer_of,
    questions_of,
    statistics_of,
    values_of,
)
from assetgraph.inventory.propose.suggestions import Column, Dataset

COLUMNS = (Column(1, "fare", "Float64", True, True), Column(2, "seat", "String", True, True))
QUESTION = Question(Dataset(9, "flights", True, COLUMNS), COLUMNS, True)
FARE = {"name": "fare", "description": "What a seat costs.", "semantic_type": "price", "confidence": 0.9}
SAID: dict[str, Any] = {"description": "Flights sold.", "columns": [FARE]}


def ask(endpoint: Endpoint) -> dict[str, Any]:
    """Ask the question."""
    return endpoint.ask(SYSTEM, QUESTION.as_json(), QUESTION.schema())


def test_the_protocol_is_spoken() -> None:
    """Model, messages, the schema of the answer and the key are sent; the answer comes back as it was written."""
    with answering(lambda _: SAID) as model:
        assert ask(model.endpoint()) == SAID
        assert ask(model.endpoint(api_key="")) == SAID
    [body, _] = model.bodies
    assert model.keys == ["Bearer sesame-1234", None]
    assert (body["model"], body["temperature"]) == ("small", 0)
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert model.questions[0] == QUESTION.as_json()
    told = body["response_format"]["json_schema"]
    assert (body["response_format"]["type"], told["strict"]) == ("json_schema", True)
    column = told["schema"]["properties"]["columns"]["items"]["properties"]
    assert column["name"]["enum"] == ["fare", "seat"]
    assert set(column["semantic_type"]["enum"]) == {*SemanticType, None}


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_be_right_another_time_is_tried_again(status: int) -> None:
    """With pauses that grow, or as long as the endpoint asks for within bounds; then it works."""
    later = Response(status_code=status, headers={"Retry-After": "7"})
    answers: list[Any] = [Response(status_code=status), later, SAID]
    with answering(lambda _: answers.pop(0)) as model:
        assert ask(model.endpoint()) == SAID
    assert model.waits == [client.FIRST_WAIT, 7.0]


def test_attempts_and_pauses_are_bounded() -> None:
    """An endpoint that asks for days is left after three attempts."""
    later = Response(status_code=503, headers={"Retry-After": "99999"})
    with answering(lambda _: later) as model, pytest.raises(EndpointFailed, match="503, 3 times"):
        ask(model.endpoint())
    assert len(model.bodies) == client.ATTEMPTS
    assert model.waits == [client.MOST_WAIT] * 2


def test_an_endpoint_that_is_not_there_has_failed() -> None:
    """Nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        waits: list[float] = []
        endpoint = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "m", wait=waits.append)
        with pytest.raises(EndpointFailed, match="cannot be reached"):
            ask(endpoint)
    assert len(waits) == 2


def test_a_slow_endpoint_is_left() -> None:
    """The time that a model may think is bounded, in every attempt."""

    def slow(_: Any) -> Response:
        time.sleep(0.6)
        return completion(SAID)

    with answering(slow) as model, pytest.raises(EndpointFailed, match="ReadTimeout"):
        ask(model.endpoint(answer_seconds=0.1))


@pytest.mark.parametrize(("status", "whole"), [(401, True), (404, True), (400, False), (422, False)])
def test_a_refusal_is_not_tried_again_and_shows_no_key(status: int, whole: bool) -> None:
    """The endpoint's own words are told, cut short, without the key that it repeats."""
    said = {"error": {"message": "key sesame-1234 is wrong " + "x" * 5000}}
    told = f"answered {status}: key \\*\\*\\* is wrong"
    with answering(lambda _: JSONResponse(said, status)) as model, pytest.raises(EndpointRefused, match=told) as raised:
        ask(model.endpoint())
    assert (len(model.bodies), raised.value.whole) == (1, whole)
    assert len(raised.value.message) < 300


def test_a_redirect_is_not_followed() -> None:
    """What is sent goes to the URL of the settings alone."""
    with (
        answering(lambda _: SAID) as other,
        answering(lambda _: RedirectResponse(f"{other.url}/chat/completions", 307)) as model,
        pytest.raises(EndpointRefused, match="307"),
    ):
        ask(model.endpoint())
    assert other.bodies == []


@pytest.mark.parametrize(
    "answer",
    [
        Response("nonsense"), JSONResponse({"choices": []}), JSONResponse([]), completion("no JSON"), completion([1]),
        completion(SAID, "length"), Response(b"x" * (client.MOST_ANSWER_BYTES + 1)), completion("[" * 100_000),
        JSONResponse({"choices": [{"message": {"content": None}}]}),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(answer: Response) -> None:
    """Malformed, cut off, nested too deep or too long."""
    with answering(lambda _: answer) as model, pytest.raises(EndpointAnswer):
        ask(model.endpoint())


def test_a_question_that_is_too_long_is_not_sent() -> None:
    """Requests are bounded too."""
    with answering(lambda _: SAID) as model, pytest.raises(EndpointAnswer, match="not sent"):
        model.endpoint().ask("x" * client.MOST_SENT_BYTES, {}, {})
    assert model.bodies == []


def test_what_counts_of_an_answer() -> None:
    """What was asked for, in one line of plain text; a model's own confidence only up to a bound."""
    odd = {"name": "seat", "description": "a\u0000b\ud800 \n c" + "d" * 999, "semantic_type": None, "confidence": 0}
    found = answer_of(QUESTION, {"description": None, "columns": [FARE, odd]}, "endpoint:small")
    assert set(found.descriptions) == {1, 2}
    assert found.descriptions[2].startswith("a b c")
    assert len(found.descriptions[2]) == 500
    [suggested] = found.types.values()
    assert (suggested.semantic_type, suggested.confidence, suggested.source) == ("price", 0.7, "endpoint:small")
    known = Question(QUESTION.dataset, (Column(1, "fare", "Float64", False, False),), False)
    assert answer_of(known, {"description": "x", "columns": [FARE]}, "e") == answer_of(
        known, {"description": None, "columns": []}, "e"
    )


@pytest.mark.parametrize(
    "said",
    [
        {}, {"description": None, "columns": {}}, {"description": 5, "columns": []},
        {"description": None, "columns": [{**FARE, "name": "other"}]}, {"description": None, "columns": ["fare"]},
        {"description": None, "columns": [{**FARE, "semantic_type": "nonsense"}]},
        {"description": None, "columns": [{**FARE, "confidence": 7}]},
        {"description": None, "columns": [{**FARE, "confidence": True}]},
        {"description": None, "columns": [{**FARE, "description": ["x"]}]},
    ],
)  # fmt: skip
def test_an_answer_against_the_schema_counts_for_nothing(said: dict[str, Any]) -> None:
    """No part of it is taken."""
    with pytest.raises(EndpointAnswer):
        answer_of(QUESTION, said, "e")


def test_questions_are_bounded() -> None:
    """Many columns are asked about in parts; only the first part asks about the dataset."""
    many = tuple(Column(n, f"c{n}", "String", True, True) for n in range(2 * MOST_COLUMNS + 1))
    asked = list(questions_of(Dataset(1, "d", True, many), {None, *range(len(many))}))
    assert [(len(one.columns), one.describes_dataset) for one in asked] == [(40, True), (40, False), (1, False)]
    assert len(asked[0].as_json()["other_columns"]) == MOST_COLUMNS + 1


def test_statistics_show_no_value() -> None:
    """Smallest, largest, frequent values, quantiles and patterns stay; of personal columns lengths and means too."""
    profile = {
        "count": 100, "null_count": 25, "distinct_count": 50, "min": "SECRET", "max": "SECRET", "mean": 1.23456,
        "stddev": float("inf"), "quantiles": [{"q": 0.5, "value": "SECRET"}], "patterns": [{"pattern": "SECRET"}],
        "top_values": [{"value": "SECRET", "count": 60, "count_error_bound": 0}], "min_length": 3, "max_length": 9,
    }  # fmt: skip
    plain = statistics_of(profile, personal=False)
    assert plain == {"rows": 100, "null_share": 0.25, "distinct": 50, "min_length": 3, "max_length": 9, "mean": 1.235,
                     "stddev": None}  # fmt: skip
    assert statistics_of(profile, personal=True) == {"rows": 100, "null_share": 0.25, "distinct": 50}
    assert "mean" not in statistics_of({**profile, "distinct_count": 19}, personal=False)
    assert statistics_of(None, personal=False) == {}
    top = [("a" * 99, 60, 0), ("b", 12, 3), (None, 50, 0), ("c", 10, 0)]
    told = {"top_values": [{"value": v, "count": n, "count_error_bound": e} for v, n, e in top]}
    assert values_of(told) == ("a" * 60, "c")
