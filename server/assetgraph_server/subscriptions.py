"""Operations over WebSocket: Strawberry's graphql-transport-ws, with our authentication, limits and errors."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import orjson
import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived
from strawberry.schema.base import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from assetgraph_server.auth import Authenticate, Principal, bearer_token
from assetgraph_server.errors import Rejected, masked, refusal
from assetgraph_server.execution import Engine, Operation

_INIT_SECONDS = 10
_MOST_AT_ONCE = 20


class _Connection:
    """One WebSocket: who is on it, asked again from time to time because a token may be revoked meanwhile."""

    def __init__(self, scope: Scope, token: str | None, recheck_seconds: float) -> None:
        self.scope = scope
        self._recheck_seconds = recheck_seconds
        self.connection_params: dict[str, object] = {}
        self._token = token
        self._principal: Principal | None = None
        self._checked = 0.0

    async def open(self) -> bool:
        """Authenticate by the handshake's token or the one in the payload of connection_init."""
        given = self.connection_params.get("authorization", self.connection_params.get("Authorization"))
        if self._token is None and isinstance(given, str):
            self._token = bearer_token(given)
        return await self._ask() is not None

    async def principal(self) -> Principal:
        """Return the caller; raises `Rejected` once the token is no longer valid."""
        recent = time.monotonic() - self._checked < self._recheck_seconds
        principal = self._principal if recent else await self._ask()
        if principal is None:
            raise Rejected([refusal("the token is no longer valid: connect again with another", "UNAUTHENTICATED")])
        return principal

    async def _ask(self) -> Principal | None:
        authenticate: Authenticate | None = self.scope.get("authenticate")
        self._principal = None
        if authenticate is not None and self._token is not None:
            self._principal = await authenticate(self._token)
        self._checked = time.monotonic()
        return self._principal


class _Source:
    """Stands where Strawberry's handler expects the schema: it asks only for `stream`."""

    def __init__(self, engine: Engine, make_context: Callable[[Principal | None, Scope], object]) -> None:
        self._engine = engine
        self._make_context = make_context

    async def stream(
        self,
        query: str,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: object = None,
        operation_name: str | None = None,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Give the results of one operation, each checked against the token that opened the connection."""
        return self._results(context_value, Operation(query, variable_values, operation_name))

    async def _results(self, connection: _Connection, operation: Operation) -> AsyncGenerator[ExecutionResult, None]:
        try:
            context = self._make_context(await connection.principal(), connection.scope)
            if self._engine.kind(operation) is not OperationType.SUBSCRIPTION:
                yield _converted(await self._engine.execute(operation, context))
                return
            async with aclosing(self._engine.subscribe(operation, context)) as events:
                async for event in events:
                    await connection.principal()
                    yield _converted(event)
        except Rejected as rejected:
            yield PreExecutionError(data=None, errors=rejected.errors)
        except Exception as error:  # noqa: BLE001 - whatever a bug raises, the caller sees only its id
            yield PreExecutionError(data=None, errors=[masked(error)])


def _converted(result: CoreResult) -> ExecutionResult:
    return ExecutionResult(data=result.data, errors=result.errors, extensions=result.extensions)


class _Adapter(ASGIWebSocketAdapter):
    """Reads messages no larger than the bound on bodies."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        view = cast("Subscriptions", self.view)
        receive = self.ws.receive_text

        async def bounded() -> str:
            text = await receive()
            if len(text) > view.body_bytes:
                raise NonJsonMessageReceived
            return text

        self.ws.receive_text = bounded  # type: ignore[method-assign]
        async for message in super().iter_json(ignore_parsing_errors=ignore_parsing_errors):
            yield message


class _Handler(BaseGraphQLTransportWSHandler[_Connection, None]):
    """Closes the connection on messages of a wrong shape, which Strawberry's handler takes for granted."""

    async def handle_message(self, message: Message) -> None:
        if not _well_formed(message):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)


def _well_formed(message: object) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] in ("subscribe", "complete") and not isinstance(message.get("id"), str):
        return False
    if message["type"] != "subscribe":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class Subscriptions(GraphQL[_Connection, None]):
    """ASGI application of the WebSocket side; HTTP never reaches it."""

    websocket_adapter_class = _Adapter
    graphql_transport_ws_handler_class = _Handler

    def __init__(
        self, schema: strawberry.Schema, engine: Engine, make_context: Callable[[Principal | None, Scope], object]
    ) -> None:
        super().__init__(
            schema=schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=_INIT_SECONDS),
            max_subscriptions_per_connection=_MOST_AT_ONCE,
        )
        self.schema = cast("BaseSchema", _Source(engine, make_context))
        self.body_bytes = engine.limits.body_bytes
        self._recheck_seconds = engine.limits.recheck_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await self.run(WebSocket(scope, receive=receive, send=send))

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,
    ) -> _Connection:
        """Return the connection; each of its operations gets a context of its own."""
        token = bearer_token(request.headers.get("authorization", ""))
        return _Connection(request.scope, token, self._recheck_seconds)

    async def on_ws_connect(self, context: _Connection) -> Any:
        """Acknowledge a connection_init only with a valid token."""
        if not await context.open():
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)

    def decode_json(self, data: str | bytes) -> object:
        """Decode a message."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        """Encode a message as text: the protocol has no binary frames."""
        return orjson.dumps(cast("Mapping[str, object]", data)).decode()
