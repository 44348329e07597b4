"""GraphQL over HTTP to the letter, as a thin ASGI endpoint: bounded bodies, negotiated answers, exact statuses."""

from collections.abc import Callable
from typing import Any

import orjson
import strawberry
from graphql import GraphQLError, OperationType
from starlette.datastructures import Headers, QueryParams
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from assetgraph_server.auth import Principal
from assetgraph_server.errors import Rejected, masked, refusal
from assetgraph_server.execution import Engine, Operation
from assetgraph_server.limits import Limits
from assetgraph_server.negotiation import HTML, JSON, negotiate
from assetgraph_server.page import graphiql_page
from assetgraph_server.subscriptions import Subscriptions

MakeContext = Callable[[Principal | None, Scope], object]
_Fields = list[tuple[bytes, bytes]]


class _Refused(Exception):
    """A request that is no GraphQL request, or not one that this endpoint takes."""

    def __init__(self, status: int, message: str, code: str = "INVALID", extra: _Fields | None = None) -> None:
        self.status = status
        self.error = refusal(message, code)
        self.extra = extra or []
        super().__init__(message)


class GraphQLEndpoint:
    """ASGI application of one path: queries and mutations by POST, queries by GET, subscriptions by WebSocket."""

    def __init__(self, schema: strawberry.Schema, make_context: MakeContext, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._engine = Engine(schema, self._limits)
        self._make_context = make_context
        self._subscriptions = Subscriptions(schema, self._engine, make_context)
        self._page = graphiql_page()

    def routes(self, path: str = "/graphql") -> list[BaseRoute]:
        """Return the routes that serve this endpoint over HTTP and WebSocket."""
        return [Route(path, self, name="graphql"), WebSocketRoute(path, self, name="graphql-socket")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or serve one WebSocket."""
        if scope["type"] == "websocket":
            await self._subscriptions(scope, receive, send)
            return
        headers = Headers(scope=scope)
        readable = scope["method"] in ("GET", "HEAD")
        media_type = negotiate(", ".join(headers.getlist("accept")), page=readable)
        if media_type == HTML:
            await self._page(scope, receive, send)
            return
        extra: _Fields = []
        try:
            status, payload = await self._answer(scope, headers, receive, media_type)
        except _Refused as refused:
            status, payload, extra = refused.status, _errors([refused.error]), refused.extra
        except Rejected as rejected:
            # For application/json a well-formed request is answered 200, whatever becomes of its document.
            legacy = media_type == JSON and rejected.status == 400
            status, payload = 200 if legacy else rejected.status, _errors(rejected.errors)
        except Exception as error:  # noqa: BLE001 - whatever a bug raises, the caller sees only its id
            status, payload = 500, _errors([masked(error)])
        await _respond(send, status, media_type or JSON, payload, extra)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, media_type: str | None
    ) -> tuple[int, dict[str, Any]]:
        principal: Principal | None = scope.get("principal")
        if principal is None:
            challenge = [(b"www-authenticate", b'Bearer realm="assetgraph"')]
            message = "a valid token is needed: send the header `Authorization: Bearer <token>`"
            raise _Refused(401, message, "UNAUTHENTICATED", challenge)
        method = scope["method"]
        if method not in ("GET", "POST"):
            raise _Refused(405, "GraphQL is served by POST, and queries by GET", extra=[(b"allow", b"GET, POST")])
        if media_type is None:
            raise _Refused(406, "accept application/graphql-response+json or application/json")
        if method == "GET":
            operation = _from_query_string(scope["query_string"])
        else:
            _check_content_type(headers)
            operation = _from_body(await _body(headers, receive, self._limits.body_bytes))
        self._check_kind(operation, method)
        result = await self._engine.execute(operation, self._make_context(principal, scope))
        return 200, dict(result.formatted)

    def _check_kind(self, operation: Operation, method: str) -> None:
        kind = self._engine.kind(operation)
        if kind is OperationType.SUBSCRIPTION:
            raise Rejected([refusal("subscriptions go over WebSocket (graphql-transport-ws) on this path", "INVALID")])
        if kind is OperationType.MUTATION and method == "GET":
            raise _Refused(405, "mutations go by POST", extra=[(b"allow", b"POST")])


def _check_content_type(headers: Headers) -> None:
    name, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charset = next((part[8:].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    if name != JSON or charset not in ("utf-8", "utf8"):
        raise _Refused(415, "send the request as `Content-Type: application/json` in UTF-8")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _Refused(415, "send the request without a Content-Encoding")


async def _body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Read the body, refused as soon as it is known to be larger than `most` bytes: before any of it is decoded."""
    too_large = _Refused(413, f"the body is larger than the {most} bytes allowed: send smaller batches", "LIMIT")
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_large
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the client left before its request was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise too_large
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _from_body(body: bytes) -> Operation:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _Refused(400, f"the body is not valid JSON: {error}") from None
    if isinstance(data, list):
        raise _Refused(400, "batches are refused: send one operation a request")
    if not isinstance(data, dict):
        raise _Refused(400, "the body must be a JSON object with the key `query`")
    return _operation(data)


def _from_query_string(query_string: bytes) -> Operation:
    parameters = QueryParams(query_string)
    data: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if data.get(name):
            try:
                data[name] = orjson.loads(data[name])
            except orjson.JSONDecodeError as error:
                raise _Refused(400, f"the parameter `{name}` is not valid JSON: {error}") from None
        else:
            data.pop(name, None)
    data["operationName"] = data.get("operationName") or None
    return _operation(data)


def _operation(data: dict[str, Any]) -> Operation:
    query = data.get("query")
    if not isinstance(query, str) or not query:
        raise _Refused(400, "`query` must be the text of a GraphQL document")
    name = data.get("operationName")
    if name is not None and not isinstance(name, str):
        raise _Refused(400, "`operationName` must be a string or null")
    for key in ("variables", "extensions"):
        if not isinstance(data.get(key), dict | None):
            raise _Refused(400, f"`{key}` must be an object or null")
    return Operation(query, data.get("variables"), name, data.get("extensions"))


def _errors(errors: list[GraphQLError]) -> dict[str, Any]:
    return {"errors": [error.formatted for error in errors]}


async def _respond(send: Send, status: int, media_type: str, payload: dict[str, Any], extra: _Fields) -> None:
    try:
        body = orjson.dumps(payload)
    except TypeError as error:
        status, body = 500, orjson.dumps(_errors([masked(error)]))
    headers = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept"),
        (b"x-content-type-options", b"nosniff"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
