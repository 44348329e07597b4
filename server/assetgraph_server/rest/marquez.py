"""The Marquez read API: GET /api/v1/... with the answers that Marquez's clients and pages expect."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import orjson
from starlette.datastructures import URLPath
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from assetgraph.clock import as_utc
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage.index import GraphIndex
from assetgraph.openlineage import marquez, marquez_graph, marquez_stats
from assetgraph.openlineage.marquez import Part
from assetgraph.openlineage.marquez_queries import Sought, Window
from assetgraph_server.auth import Principal
from assetgraph_server.context import Context
from assetgraph_server.errors import masked
from assetgraph_server.rest.answers import RETRY_AFTER, described, status_of
from assetgraph_server.rest.raw_path import Found, RawPaths, decoded, raw_path

PREFIX = b"/api/v1/"
DEPTH = 20
_NUMBER = re.compile(r"-?[0-9]{1,12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Query:
    """The parameters behind `?`: the last of a name counts, all of a list."""

    def __init__(self, query_string: bytes) -> None:
        """Decode them; raises Invalid for what is no text."""
        self._given: dict[str, list[str]] = {}
        for pair in query_string.split(b"&"):
            if pair:
                name, _, value = (decoded(part.replace(b"+", b" "), what="query") for part in pair.partition(b"="))
                self._given.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """Return a text."""
        return self._given[name][-1] if name in self._given else None

    def texts(self, name: str) -> list[str]:
        """Return all texts of a name."""
        return self._given.get(name, [])

    def needed(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if not value:
            raise Invalid(f"the parameter {name} is missing", path=(name,))
        return value

    def number(self, name: str, default: int) -> int:
        """Return a whole number."""
        value = self.text(name)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value):
            raise Invalid(f"{name} must be a whole number, not '{value[:40]}'", path=(name,))
        return int(value)

    def flag(self, name: str) -> bool:
        """Return true or false, which is the default; Python's spelling counts too."""
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false"):
            raise Invalid(f"{name} must be true or false, not '{value[:40]}'", path=(name,))
        return value == "true"

    def choice(self, name: str, *known: str) -> str:
        """Return one of some words, whatever its case; the first is the default."""
        value = self.text(name) or known[0]
        if value.lower() not in known:
            raise Invalid(f"{name} cannot be '{value[:40]}'", path=(name,), known=known)
        return value.lower()

    def moment(self, name: str, default: datetime) -> datetime:
        """Return a moment; one without a zone is in UTC."""
        value = self.text(name)
        if value is None:
            return default
        try:
            # A `+` that the client did not encode has become a space.
            return as_utc(datetime.fromisoformat(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", value)))
        except (ValueError, OverflowError):
            raise Invalid(f"{name} must be an ISO 8601 date and time, not '{value[:40]}'", path=(name,)) from None

    def day(self, name: str) -> datetime | None:
        """Return the start of a day (YYYY-MM-DD)."""
        value = self.text(name)
        if value is None:
            return None
        try:
            if not _DAY.fullmatch(value):
                raise ValueError
            return datetime.combine(datetime.fromisoformat(value), time(), UTC)
        except ValueError:
            raise Invalid(f"{name} must be a day, YYYY-MM-DD, not '{value[:40]}'", path=(name,)) from None

    def part(self, limit: int = 100) -> Part:
        """Return which part of a list is asked for."""
        return Part(self.number("limit", limit), self.number("offset", 0))


@dataclass(frozen=True)
class Ask:
    """One request: where to read, what is asked for, the names in the path, and the graph in memory."""

    session: Session
    query: Query
    names: tuple[str, ...]
    index: GraphIndex

    @property
    def thing(self) -> tuple[str, str]:
        """The namespace and name of a dataset or job."""
        return self.names[0], self.names[1]

    @property
    def depth(self) -> int:
        """How far a graph goes."""
        return self.query.number("depth", DEPTH)

    @property
    def part(self) -> Part:
        """Which part of a list is asked for."""
        return self.query.part()


Handler = Callable[[Ask], Any]


def _jobs(ask: Ask) -> Any:
    return marquez.jobs(ask.session, ask.names[0] if ask.names else None, ask.query.texts("lastRunStates"), ask.part)


def _column_lineage(ask: Ask) -> Any:
    downstream = ask.query.flag("withDownstream")
    return marquez_graph.column_lineage(ask.session, ask.query.needed("nodeId"), ask.depth, downstream=downstream)


def _events(ask: Ask) -> Any:
    ascending = ask.query.choice("sortDirection", "desc", "asc") == "asc"
    after, before = ask.query.moment("after", marquez.EPOCH), ask.query.moment("before", marquez.FAR)
    return marquez.events(ask.session, Window(after, before, ascending), ask.part)


def _search(ask: Ask) -> Any:
    query = ask.query
    kinds = {"any": (AssetKind.DATASET, AssetKind.JOB), "dataset": (AssetKind.DATASET,), "job": (AssetKind.JOB,)}
    by_time = query.choice("sort", "name", "update_at", "updated_at") != "name"
    sought = Sought(
        query.needed("q"), kinds[query.choice("filter", *kinds)], query.text("namespace"), query.day("after"),
        query.day("before"), by_time,
    )  # fmt: skip
    return marquez.search(ask.session, sought, query.part(limit=10))


def _stats(count: Callable[[Session, str, str | None], Any]) -> Handler:
    """Return what counts over a period, which must be said, in a time zone."""

    def counted(ask: Ask) -> Any:
        ask.query.needed("period")
        return count(ask.session, ask.query.choice("period", "day", "week"), ask.query.text("timezone"))

    return counted


_DATASET, _JOB = "namespaces/{namespace}/datasets", "namespaces/{namespace}/jobs"
ROUTES: dict[str, Handler] = {
    "namespaces": lambda ask: marquez.namespaces(ask.session, ask.part),
    "namespaces/{namespace}": lambda ask: marquez.namespace(ask.session, ask.names[0]),
    _DATASET: lambda ask: marquez.datasets(ask.session, ask.names[0], ask.part),
    f"{_DATASET}/{{dataset}}": lambda ask: marquez.dataset(ask.session, *ask.thing),
    f"{_DATASET}/{{dataset}}/versions": lambda ask: marquez.dataset_versions(ask.session, *ask.thing, ask.part),
    f"{_DATASET}/{{dataset}}/versions/{{version}}": (
        lambda ask: marquez.dataset_version(ask.session, *ask.thing, ask.names[2])
    ),
    _JOB: _jobs,
    f"{_JOB}/{{job}}": lambda ask: marquez.job(ask.session, *ask.thing),
    f"{_JOB}/{{job}}/versions": lambda ask: marquez.job_versions(ask.session, *ask.thing, ask.part),
    f"{_JOB}/{{job}}/versions/{{version}}": (
        lambda ask: marquez.job_version_of(ask.session, *ask.thing, ask.names[2])
    ),
    f"{_JOB}/{{job}}/runs": lambda ask: marquez.job_runs(ask.session, *ask.thing, ask.part),
    "jobs": _jobs,
    "jobs/runs/{run}": lambda ask: marquez.run(ask.session, ask.names[0]),
    "jobs/runs/{run}/facets": lambda ask: marquez.run_facets(ask.session, ask.names[0], ask.query.text("type")),
    "lineage": lambda ask: marquez_graph.lineage(ask.session, ask.query.needed("nodeId"), ask.depth, ask.index),
    "column-lineage": _column_lineage,
    "runlineage/upstream": lambda ask: marquez_graph.upstream_runs(ask.session, ask.query.needed("runId"), ask.depth),
    "events/lineage": _events,
    "events": _events,
    "search": _search,
    "tags": lambda ask: marquez.tags(ask.session, ask.part),
    "sources": lambda ask: marquez.sources(ask.session, ask.part),
    **{
        f"stats/{name}": _stats(count)
        for name, count in (
            ("lineage-events", marquez_stats.lineage_events), ("datasets", marquez_stats.datasets),
            ("jobs", marquez_stats.jobs), ("sources", marquez_stats.sources),
        )
    },
    "sources/{source}": lambda ask: marquez.source(ask.session, ask.names[0]),
}  # fmt: skip


class MarquezRoute(BaseRoute):
    """All paths of the API in one route, which looks at the path as it was sent."""

    def __init__(self, make_context: Callable[[Principal | None, Scope], Context]) -> None:
        """Keep how to reach the data."""
        self._make_context = make_context
        self._paths: RawPaths[Handler] = RawPaths({PREFIX.decode() + path: one for path, one in ROUTES.items()})

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take reads of known paths; the rest below the prefix only where no other route wants it."""
        if scope["type"] != "http" or not raw_path(scope).startswith(PREFIX):
            return Match.NONE, {}
        try:
            known = self._paths.find(raw_path(scope)) is not None
        except Invalid:
            known = True
        return Match.FULL if known and scope["method"] in ("GET", "HEAD") else Match.PARTIAL, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Refuse: nothing here has a name to build an address from."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            response = Response(await self._answer(scope), media_type="application/json")
        except Exception as error:  # noqa: BLE001 - whatever a bug raises, the caller sees only its id
            response = refusal(error)
        response.headers["cache-control"] = "no-store"
        if scope["method"] == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> bytes:
        found = self._paths.find(raw_path(scope))
        if found is None:
            raise NotFound("there is no such path in the Marquez read API", path=("path",))
        if scope["method"] not in ("GET", "HEAD"):
            raise _NotAllowed("this path is read with GET; pipelines write by POST /api/v1/lineage")
        query, context = Query(scope["query_string"]), self._make_context(scope["principal"], scope)
        return await context.read(_answered, found, query, context.index)


def _answered(session: Session, found: Found[Handler], query: Query, index: GraphIndex) -> bytes:
    return orjson.dumps(found.handler(Ask(session, query, found.names, index)))


class _NotAllowed(AssetgraphError):
    """A method that a path does not have."""

    code = "METHOD_NOT_ALLOWED"


def refusal(error: Exception) -> Response:
    """Answer a failure: in this service's words, with the two members that Marquez has."""
    shown: Any
    if isinstance(error, AssetgraphError):
        status, shown = status_of(error), described(error)
    else:
        status, shown = 500, masked(error).formatted
    headers = {}
    if isinstance(error, _NotAllowed):
        status, headers = 405, {"allow": "GET, HEAD"}
    elif status == 503:
        headers = {"retry-after": RETRY_AFTER}
    content = {"code": status, "message": shown["message"], "errors": [shown]}
    return Response(orjson.dumps(content), status, headers, "application/json")
