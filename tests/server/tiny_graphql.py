"""A tiny GraphQL service, served by a real uvicorn on a free port, for the tests of the layers around any schema."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import Enum

import strawberry
from assetgraph_server.auth import Authentication, Principal
from assetgraph_server.http import GraphQLEndpoint
from assetgraph_server.limits import Limits
from assetgraph_server.page import page_routes
from serving import serving as serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from assetgraph.errors import NotFound

TOKEN = "ag_good-token"


@dataclass
class Context:
    """What resolvers of the tiny schema see."""

    principal: Principal


Info = strawberry.Info[Context, None]


@strawberry.enum
class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@strawberry.type
class Item:
    """A thing that contains things."""

    name: str

    @strawberry.field
    def child(self) -> "Item":
        """Return the thing inside."""
        return Item(name=self.name + "'")


@strawberry.type
class Query:
    """Reads."""

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        """Greet."""
        return f"hello {name}"

    @strawberry.field
    async def caller(self, info: Info) -> str:
        """Tell who calls."""
        await asyncio.sleep(0)
        return info.context.principal.name

    @strawberry.field
    def item(self) -> Item:
        """Return a thing."""
        return Item(name="a")

    @strawberry.field
    def colour(self, colour: Colour) -> str:
        """Return the value of a choice."""
        return str(colour.value)

    @strawberry.field
    def missing(self) -> str | None:
        """Fail in the expected way."""
        raise NotFound("no dataset 'x'", known=["a", "b"], path=["input", "name"])

    @strawberry.field
    def broken(self) -> str | None:
        """Fail as a bug does."""
        raise RuntimeError("password=hunter2")

    @strawberry.field
    async def slow(self) -> str:
        """Take longer than the test's limit."""
        await asyncio.sleep(5)
        return "late"


@strawberry.type
class Mutation:
    """Writes."""

    @strawberry.mutation
    def touch(self) -> str:
        """Do nothing."""
        return "touched"


@strawberry.type
class Subscription:
    """Follows."""

    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncGenerator[str, None]:
        """Count upwards."""
        for number in range(to):
            await asyncio.sleep(0)
            yield f"{info.context.principal.name} {number}"

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        """Yield once, then fail as a bug does."""
        yield 1
        raise RuntimeError("password=hunter2")


@dataclass
class Tokens:
    """Valid tokens and their principals."""

    known: dict[str, Principal] = field(default_factory=lambda: {TOKEN: Principal("ada", "reader", "t1")})
    asked: list[str] = field(default_factory=list)

    async def authenticate(self, token: str) -> Principal | None:
        """Return the token's principal."""
        self.asked.append(token)
        return self.known.get(token)


def make_context(principal: Principal | None, _scope: Scope) -> Context:
    """Build the context of one operation."""
    assert principal is not None
    return Context(principal)


def make_schema() -> strawberry.Schema:
    """Build the tiny schema."""
    return strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)


async def _health(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def make_app(tokens: Tokens, limits: Limits | None = None) -> ASGIApp:
    """Build the whole application: pages, health, GraphQL, all behind the authentication."""
    endpoint = GraphQLEndpoint(make_schema(), make_context, limits)
    routes = [*page_routes(), Route("/healthz", _health), *endpoint.routes()]
    return Authentication(Starlette(routes=routes), tokens.authenticate)
