"""The ASGI application: authentication around everything, GraphQL, health, metrics, pages."""

import time
from typing import Any

import anyio.to_thread
import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assetgraph.catalog import tokens
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.jobs import queries as jobs
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.index_files import IndexFiles
from assetgraph.recommendations.service import Recommender
from assetgraph.settings import Settings
from assetgraph_server.auth import Authentication, Principal
from assetgraph_server.context import Context
from assetgraph_server.http import GraphQLEndpoint
from assetgraph_server.page import SecurityHeaders, page_routes
from assetgraph_server.rest.ingest import Ingest
from assetgraph_server.rest.marquez import MarquezRoute
from assetgraph_server.schema import schema

#: A token is looked up again after this long: so long a revoked one may still be taken.
TOKEN_SECONDS = 5.0
MOST_CACHED_TOKENS = 10_000


class Authenticator:
    """Looks tokens up, and keeps valid ones for a few seconds."""

    def __init__(self, database: Database) -> None:
        """Start with nothing known."""
        self._database = database
        self._known: dict[str, tuple[float, Principal]] = {}

    async def __call__(self, token: str) -> Principal | None:
        """Return who a token belongs to, or None."""
        digest = tokens.digest(token)
        found = self._known.get(digest)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        principal = await anyio.to_thread.run_sync(self._look_up, token)
        self._known.pop(digest, None)
        if principal is not None:
            if len(self._known) >= MOST_CACHED_TOKENS:
                self._known.clear()
            self._known[digest] = (time.monotonic() + TOKEN_SECONDS, principal)
        return principal

    def _look_up(self, token: str) -> Principal | None:
        with self._database.reading() as session:
            row = tokens.authenticate(session, token)
        return None if row is None else Principal(str(row.name), str(row.role), str(row.id))


class Observed:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._app = app
        self._requests = Counter(
            "assetgraph_http_requests", "Requests by method and status.", ["method", "status"], registry=registry
        )
        self._seconds = Histogram("assetgraph_http_request_seconds", "Time to answer a request.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests.labels(scope["method"], message["status"]).inc()
                self._seconds.observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, noting)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def _healthz(_request: Request) -> Response:
    return _json({"status": "ok"})


class _Probes:
    """Readiness and metrics."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._registry = registry
        self._waiting = Gauge("assetgraph_jobs_open", "Runs that wait or run.", registry=registry)

    async def readyz(self, _request: Request) -> Response:
        """Say whether the database answers and is at the newest revision."""

        def check() -> str | None:
            with self._database.reading() as session:
                session.execute(text("SELECT 1"))
            return migrate.current(self._database.url)

        try:
            revision = await anyio.to_thread.run_sync(check)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
            return _json({"status": "unavailable", "reason": type(error).__name__}, 503)
        ready = revision == migrate.head()
        return _json({"status": "ok" if ready else "migrate", "revision": revision}, 200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        """Answer in Prometheus' text format."""

        def count() -> int:
            with self._database.reading() as session:
                return jobs.waiting(session)

        self._waiting.set(await anyio.to_thread.run_sync(count))
        return Response(generate_latest(self._registry), media_type="text/plain; version=0.0.4; charset=utf-8")


def create_app(settings: Settings, database: Database | None = None) -> ASGIApp:
    """Return the application on a migrated database."""
    opened = database or Database(settings.url)
    recommender = Recommender(settings)
    index = GraphIndex(IndexFiles(settings.home / "index"))
    registry = CollectorRegistry()

    def make_context(principal: Principal | None, _scope: Scope) -> Context:
        assert principal is not None  # noqa: S101 - the endpoint answers 401 before
        return Context(opened, settings, recommender, index, principal)

    probes = _Probes(opened, registry)
    routes = [
        Route("/healthz", _healthz), Route("/readyz", probes.readyz), Route("/metrics", probes.metrics),
        *GraphQLEndpoint(schema, make_context).routes(), *Ingest(opened).routes(), *page_routes(),
    ]  # fmt: skip
    routes.append(MarquezRoute(make_context))
    inner = Starlette(routes=routes)
    return Observed(SecurityHeaders(Authentication(inner, Authenticator(opened))), registry)
