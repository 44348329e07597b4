"""The authentication layer: nothing without a valid token but exact public paths; WebSockets by connection_init."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from assetgraph_server.auth import Principal
from assetgraph_server.limits import Limits
from tiny_graphql import TOKEN, Tokens, make_app, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
GOOD = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    """Give the tokens that the service knows; a test may revoke them."""
    return Tokens()


@pytest.fixture(scope="module")
def address(tokens: Tokens) -> Iterator[str]:
    """Address of the tiny service."""
    with serving(make_app(tokens, Limits(body_bytes=30_000, recheck_seconds=0.0))) as address:
        yield address


def raw_get(address: str, target: str) -> int:
    """Return the status of a GET whose target goes out exactly as written."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/page.css", "/static/graphiql/graphiql.css"])
def test_public_path_answers_without_token(address: str, path: str) -> None:
    """The exact public paths are read by anyone."""
    assert httpx.get(f"http://{address}{path}").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/graphql",
        "/healthz;x",
        "//healthz",
        "/healthz/",
        "/healthz/../graphql",
        "/healthz%2f..%2fgraphql",
        "/Healthz",
        "/static",
        "/static/",
        "/static/../graphql",
        "/static/%2e%2e/graphql",
        "/static//graphql",
        "/static/..%2fgraphql",
        "/static/.hidden",
        "/static/graphiql%00.js",
        "/graphql/",
        "/graphql?healthz",
        "/other",
        "/?/healthz/../graphql/x",
    ],
)
def test_lookalike_paths_are_denied(address: str, target: str) -> None:
    """Nothing but the exact path is public: a target that only resembles one gets 401."""
    expected = 200 if target.startswith("/?") else 401  # the query string is no part of the path
    assert raw_get(address, target) == expected


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/page.css", "/graphql", "/other"])
def test_writes_are_denied_everywhere(address: str, path: str) -> None:
    """A public path is public for reading only."""
    response = httpx.post(f"http://{address}{path}", json={"query": "{ hello }"}, headers={"accept": "text/html"})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer wrong")],
        [("authorization", f"Basic {TOKEN}")],
        [("authorization", TOKEN)],
        [("authorization", f"Bearer {TOKEN} x")],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")],
        [("x-authorization", f"Bearer {TOKEN}")],
        [("cookie", f"authorization=Bearer {TOKEN}")],
    ],
)
def test_without_one_valid_token_the_answer_is_401(address: str, headers: list[tuple[str, str]]) -> None:
    """The refusal is JSON with a code, and says which scheme is wanted."""
    response = httpx.post(f"http://{address}/graphql", json={"query": "{ hello }"}, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert set(error) == {"message", "extensions"}


def test_valid_token_sets_the_principal(address: str) -> None:
    """The scheme's case does not matter, and the resolver sees the token's principal."""
    response = httpx.post(
        f"http://{address}/graphql", json={"query": "{ caller }"}, headers={"authorization": f"bearer {TOKEN}"}
    )
    assert response.json() == {"data": {"caller": "ada"}}


async def exchange(address: str, messages: list[Any], headers: dict[str, str] | None = None) -> list[Any]:
    """Send messages (text as it is, the rest as JSON) and return the answers up to `complete`, `error` or the close."""
    answers: list[Any] = []
    async with connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL], additional_headers=headers) as connection:
        for message in messages:
            await connection.send(message if isinstance(message, str) else json.dumps(message))
        try:
            while not answers or answers[-1]["type"] not in ("complete", "error"):
                answers.append(json.loads(await asyncio.wait_for(connection.recv(), 5)))
        except ConnectionClosed as closed:
            answers.append(closed.rcvd.code if closed.rcvd else None)
    return answers


def init(payload: Any = None) -> dict[str, Any]:
    """Build a connection_init message."""
    return {"type": "connection_init"} if payload is None else {"type": "connection_init", "payload": payload}


def subscribe(query: str, **rest: Any) -> dict[str, Any]:
    """Build a subscribe message."""
    return {"type": "subscribe", "id": "1", "payload": {"query": query, **rest}}


@pytest.mark.parametrize(("headers", "payload"), [(GOOD, None), (None, GOOD)])
def test_subscription_runs_with_a_token_in_header_or_init(
    address: str, headers: dict[str, str] | None, payload: dict[str, str] | None
) -> None:
    """Programs authenticate by the header, browsers by the payload of connection_init."""
    messages = [init(payload), subscribe("subscription S($to: Int!) { count(to: $to) }", variables={"to": 2})]
    ack, *events = asyncio.run(exchange(address, messages, headers))
    assert ack == {"type": "connection_ack"}
    assert [event.get("payload") for event in events] == [
        {"data": {"count": "ada 0"}},
        {"data": {"count": "ada 1"}},
        None,
    ]
    assert events[-1]["type"] == "complete"


@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": 1}]
)
def test_init_without_valid_token_is_closed(address: str, payload: dict[str, Any] | None) -> None:
    """No acknowledgement, no event: the connection ends as forbidden."""
    answers = asyncio.run(exchange(address, [init(payload), subscribe("subscription { count(to: 1) }")]))
    assert answers == [4403]


def test_subscribe_before_init_is_closed(address: str) -> None:
    """Even a valid header does not skip the protocol's order."""
    assert asyncio.run(exchange(address, [subscribe("subscription { count(to: 1) }")], GOOD)) == [4401]


@pytest.mark.parametrize(
    ("path", "headers", "protocol"),
    [
        ("/graphql", {"authorization": "Bearer wrong"}, PROTOCOL),
        ("/other", {}, PROTOCOL),
        ("/healthz", {}, PROTOCOL),
        ("/graphql", {**GOOD, "origin": "http://evil.example"}, PROTOCOL),
    ],
)
def test_handshake_is_refused(address: str, path: str, headers: dict[str, str], protocol: Subprotocol) -> None:
    """A wrong token, another path or a foreign origin never becomes a connection."""

    async def attempt() -> ClientConnection:
        return await connect(f"ws://{address}{path}", subprotocols=[protocol], additional_headers=headers)

    with pytest.raises(InvalidStatus) as caught:
        asyncio.run(attempt())
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "1",
        "{",
        '{"type": 1}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": []}}',
        '{"type": "complete"}',
        json.dumps(subscribe("{ hello }", pad="x" * 40_000)),
    ],
)
def test_malformed_or_huge_message_closes_the_connection(address: str, message: str) -> None:
    """A message of a wrong shape or size ends the connection with the protocol's code."""
    assert asyncio.run(exchange(address, [init(), message], GOOD))[-1] == 4400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "INVALID"),
        ("subscription {", "INVALID"),
        ("{ " + " ".join(f"a{i}: hello" for i in range(31)) + " }", "LIMIT"),
        ("{ " + "__typename " * 2100 + "}", "LIMIT"),
        ("query Q($n: String!) { hello(name: $n) }", "INVALID"),
        ("subscription S($to: Int!) { count(to: $to) }", "INVALID"),
    ],
)
def test_socket_operations_meet_the_same_limits(address: str, query: str, code: str) -> None:
    """What HTTP refuses before it runs is refused here with the same code."""
    error = asyncio.run(exchange(address, [init(), subscribe(query)], GOOD))[-1]
    assert error["type"] == "error"
    assert error["payload"][0]["extensions"]["code"] == code


def test_queries_and_failures_over_the_socket(address: str) -> None:
    """A query runs over the socket too, with coded errors and masked bugs."""
    _, event, end = asyncio.run(exchange(address, [init(), subscribe("{ caller missing }")], GOOD))
    assert event["payload"]["data"] == {"caller": "ada", "missing": None}
    assert event["payload"]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert end["type"] == "complete"
    _, _, failed, end = asyncio.run(exchange(address, [init(), subscribe("subscription { breaks }")], GOOD))
    assert failed["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in json.dumps(failed)
    assert end["type"] == "complete"


def test_revoked_token_ends_a_running_subscription(address: str, tokens: Tokens) -> None:
    """A token that is revoked while its subscription runs gets no further events."""
    tokens.known["ag_short"] = Principal("bob", "reader", "t2")

    async def follow() -> list[Any]:
        async with connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL]) as connection:
            await connection.send(json.dumps(init({"authorization": "Bearer ag_short"})))
            await connection.send(json.dumps(subscribe("subscription { count(to: 1000000) }")))
            await connection.recv()
            first = json.loads(await connection.recv())
            del tokens.known["ag_short"]
            last = first
            async with asyncio.timeout(10):
                while last["type"] == "next" and "errors" not in last["payload"]:
                    last = json.loads(await connection.recv())
            return [first, last]

    first, last = asyncio.run(follow())
    assert first["payload"]["data"] == {"count": "bob 0"}
    assert last["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
