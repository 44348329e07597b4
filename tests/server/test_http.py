"""GraphQL over HTTP: media types, statuses, what is refused, what errors show."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import strawberry
from assetgraph_server.http import GraphQLEndpoint
from assetgraph_server.limits import Limits
from strawberry.extensions import QueryDepthLimiter
from tiny_graphql import TOKEN, Query, Tokens, make_app, make_context, serving

NEW = "application/graphql-response+json"
OLD = "application/json"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Give a client of the tiny service that holds a valid token."""
    with (
        serving(make_app(Tokens(), Limits(seconds=0.5, body_bytes=64 * 1024))) as address,
        httpx.Client(base_url=f"http://{address}", headers={"authorization": f"Bearer {TOKEN}"}) as client,
    ):
        yield client


def post(client: httpx.Client, query: str, accept: str = NEW, **rest: Any) -> httpx.Response:
    """Send one operation."""
    return client.post("/graphql", json={"query": query, **rest}, headers={"accept": accept})


def code(response: httpx.Response) -> str:
    """Return the code of the only error."""
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


def test_query_answers_with_sync_and_async_fields(client: httpx.Client) -> None:
    """A query gets its data, the context its principal, and the answer the type that was asked for."""
    response = post(client, "query Q($n: String!) { hello(name: $n) caller }", variables={"n": "you"})
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{NEW}; charset=utf-8"
    assert response.json() == {"data": {"hello": "hello you", "caller": "ada"}}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", OLD),
        ("application/*", OLD),
        (f"{OLD};q=0.5, {NEW}", NEW),
        (f"{OLD}, {NEW}", OLD),
        ("text/html, */*;q=0.1", OLD),
        (f"image/png, {NEW};q=0.2", NEW),
    ],
)
def test_accept_header_is_negotiated(client: httpx.Client, accept: str, expected: str) -> None:
    """The best acceptable type wins; a wildcard gets plain JSON."""
    response = post(client, "{ hello }", accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/plain", "image/*", f"{NEW};q=0", f"{OLD};q=nan"])
def test_unacceptable_accept_gets_406(client: httpx.Client, accept: str) -> None:
    """An Accept header that names nothing we can send is refused."""
    assert post(client, "{ hello }", accept).status_code == 406


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("{ hello", {}),
        ("{ nothing }", {}),
        ("query Q($n: String!) { hello(name: $n) }", {}),
        ("query Q($c: Colour!) { colour(colour: $c) }", {"variables": {"c": "GREEN"}}),
        ("query A { hello } query B { hello }", {}),
        ("query A { hello }", {"operationName": "B"}),
        ("subscription { count(to: 1) }", {}),
        ("{ \ud800 }", {}),
    ],
)
def test_request_errors_have_no_data_and_a_code(client: httpx.Client, query: str, rest: dict[str, Any]) -> None:
    """Nothing ran: 400 for the new media type, 200 for the old one, never a data key."""
    for accept, status in ((NEW, 400), (OLD, 200)):
        body = json.dumps({"query": query, **rest})
        headers = {"accept": accept, "content-type": "application/json"}
        response = client.post("/graphql", content=body, headers=headers)
        # A lone surrogate is not valid JSON for a strict parser, so that request never becomes GraphQL.
        assert response.status_code == (400 if "\ud800" in query else status)
        assert "data" not in response.json()
        assert code(response) == "INVALID"


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "1",
        '"{ hello }"',
        "[]",
        '[{"query": "{ hello }"}]',
        "{}",
        "{",
        "",
        '{"query": null}',
        '{"query": 1}',
        '{"query": ""}',
        '{"query": "{ hello }", "variables": []}',
        '{"query": "{ hello }", "operationName": 1}',
        '{"query": "{ hello }", "extensions": "x"}',
    ],
)
def test_malformed_bodies_get_400(client: httpx.Client, body: str) -> None:
    """Whatever JSON or text is sent, the answer is a 400 with JSON errors, batches included."""
    response = client.post("/graphql", content=body, headers={"content-type": OLD})
    assert response.status_code == 400
    assert code(response) == "INVALID"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; charset=latin-1"],
)
def test_other_content_types_get_415(client: httpx.Client, content_type: str) -> None:
    """Only JSON in UTF-8 is taken."""
    response = client.post("/graphql", content='{"query": "{ hello }"}', headers={"content-type": content_type})
    assert response.status_code == 415


def test_missing_content_type_gets_415(client: httpx.Client) -> None:
    """A body without a type is not guessed at."""
    assert client.post("/graphql", content=b"{}").status_code == 415


def test_get_runs_queries_only(client: httpx.Client) -> None:
    """A query runs by GET, a mutation does not and is told the method that it needs."""
    parameters = {"query": "query Q($n: String) { hello(name: $n) }", "variables": '{"n": "get"}', "operationName": ""}
    assert client.get("/graphql", params=parameters).json() == {"data": {"hello": "hello get"}}
    for accept in (NEW, OLD):
        refused = client.get("/graphql", params={"query": "mutation { touch }"}, headers={"accept": accept})
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert client.get("/graphql").status_code == 400
    assert client.get("/graphql", params={"query": "{ hello }", "variables": "{"}).status_code == 400
    assert client.get("/graphql", params={"query": "{ hello }", "variables": "[1]"}).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_get_405(client: httpx.Client, method: str) -> None:
    """The answer to a wrong method names the right ones."""
    response = client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


def test_mutation_runs_by_post(client: httpx.Client) -> None:
    """A mutation gets its data."""
    assert post(client, "mutation { touch }").json() == {"data": {"touch": "touched"}}


def test_expected_failure_keeps_its_code_and_message(client: httpx.Client) -> None:
    """An error of the library reaches the caller with its code, field and what exists, beside the other data."""
    response = post(client, "{ hello missing }")
    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert error["message"] == "no dataset 'x'; known: a, b"
    assert error["extensions"] == {"code": "NOT_FOUND", "field": ["input", "name"]}
    assert error["path"] == ["missing"]
    assert response.json()["data"] == {"hello": "hello world", "missing": None}


def test_unexpected_failure_shows_only_an_id_that_the_log_knows(
    client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """A bug's text stays in the log, under the id that the caller gets."""
    response = post(client, "{ broken }")
    assert code(response) == "INTERNAL"
    assert "hunter2" not in response.text
    captured = capfd.readouterr()
    assert response.json()["errors"][0]["extensions"]["errorId"] in captured.out + captured.err


def test_slow_operation_ends_as_unavailable(client: httpx.Client) -> None:
    """An operation past its time is stopped and answered 503."""
    response = post(client, "{ slow }")
    assert response.status_code == 503
    assert code(response) == "UNAVAILABLE"
    assert "data" not in response.json()


def test_introspection_works_for_a_principal(client: httpx.Client) -> None:
    """The full introspection query of GraphiQL stays below the limits."""
    from graphql import get_introspection_query

    response = post(client, get_introspection_query(input_value_deprecation=True))
    assert response.status_code == 200, response.text
    assert response.json()["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}


def test_body_over_the_bound_gets_413(client: httpx.Client) -> None:
    """Too many bytes are refused by the declared length, and by counting when none is declared."""
    large = json.dumps({"query": "{ hello }", "pad": "x" * 70_000}).encode()
    headers = {"content-type": OLD}
    declared = client.post("/graphql", content=large, headers=headers)
    assert (declared.status_code, code(declared)) == (413, "LIMIT")
    chunked = client.post("/graphql", content=iter([large[:40_000], large[40_000:]]), headers=headers)
    assert (chunked.status_code, code(chunked)) == (413, "LIMIT")


def test_schema_extensions_are_refused_at_construction() -> None:
    """Extensions would silently not run, so a schema that has some is not taken."""
    schema = strawberry.Schema(query=Query, extensions=[lambda: QueryDepthLimiter(max_depth=3)])
    with pytest.raises(TypeError, match="no schema extensions"):
        GraphQLEndpoint(schema, make_context)
