"""The one layer that authenticates: everything is denied without a valid bearer token, but for exact public paths."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from assetgraph.errors import Unavailable
from assetgraph_server.negotiation import HTML, negotiate

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the token's name, its role and its id."""

    name: str
    role: str
    token_id: str


Authenticate = Callable[[str], Awaitable[Principal | None]]


def bearer_token(value: str) -> str | None:
    """Return the token of an Authorization value, None when it is not one well-formed bearer token."""
    match = _BEARER.fullmatch(value.strip())
    return match.group(1) if match else None


class Authentication:
    """ASGI middleware that sets scope["principal"], and scope["authenticate"] for a WebSocket's later token."""

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        public: frozenset[str] = frozenset({"/", "/healthz"}),
        static: str = "/static/",
        graphql: str = "/graphql",
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._public = public
        self._static = static
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is public or authenticated, answer the rest with 401."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["principal"] = None
        scope["authenticate"] = self._authenticate
        if scope["type"] == "http" and self._is_public(scope, headers):
            await self._app(scope, receive, send)
            return
        given = headers.getlist("authorization")
        token = bearer_token(given[0]) if len(given) == 1 else None
        if token is not None:
            try:
                scope["principal"] = await self._authenticate(token)
            except Unavailable as error:
                await _answer(scope, send, 503, error.code, error.message)
                return
        if scope["principal"] is not None or self._may_authenticate_later(scope, given):
            await self._app(scope, receive, send)
        else:
            message = "a valid token is needed: send the header `Authorization: Bearer <token>`"
            await _answer(scope, send, 401, "UNAUTHENTICATED", message)

    def _is_public(self, scope: Scope, headers: Headers) -> bool:
        """Only reads, and only of paths that match exactly as they stand: nothing is decoded or normalised here."""
        if scope["method"] not in ("GET", "HEAD"):
            return False
        path: str = scope["path"]
        if path in self._public:
            return True
        if path.startswith(self._static):
            return all(_SEGMENT.fullmatch(part) for part in path.removeprefix(self._static).split("/"))
        # The GraphiQL page holds no data; the endpoint answers a request for HTML with nothing else.
        return path == self._graphql and negotiate(", ".join(headers.getlist("accept")), page=True) == HTML

    def _may_authenticate_later(self, scope: Scope, given: list[str]) -> bool:
        """Browsers cannot set headers on a WebSocket: its connection_init carries the token."""
        return scope["type"] == "websocket" and scope["path"] == self._graphql and not given


async def _answer(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    """Refuse a request: 401 without a valid token, 503 while tokens cannot be looked up."""
    if scope["type"] == "websocket":
        reason = "Unauthorized" if status == 401 else "Try again later"
        await send({"type": "websocket.close", "code": 4401 if status == 401 else 1013, "reason": reason})
        return
    body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b'Bearer realm="assetgraph"') if status == 401 else (b"retry-after", b"5"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
