"""OpenLineage in: POST /api/v1/lineage for one event, /api/v1/lineage/batch for many."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Invalid, Limit, Unavailable
from assetgraph.openlineage.events import MAX_EVENT_BYTES, check_event, parse_event, parse_json
from assetgraph.openlineage.facts import Facts, facts_of
from assetgraph_server.auth import Principal
from assetgraph_server.context import require
from assetgraph_server.rest.answers import answer, described, refused
from assetgraph_server.rest.body import Left, read_body
from assetgraph_server.rest.writer import EventWriter, Outcome

MAX_BATCH_BYTES = 4 * MAX_EVENT_BYTES
MAX_BATCH_EVENTS = 10_000
#: Smaller bodies are read at once: handing them to a thread costs more than reading them.
_SMALL = 64 * 1024


class Ingest:
    """The two paths of one service."""

    def __init__(self, database: Database) -> None:
        """Share one writer."""
        self._writer = EventWriter(database)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of both paths."""
        return [
            Route("/api/v1/lineage", _Endpoint(self._one), methods=["POST"], name="openlineage"),
            Route("/api/v1/lineage/batch", _Endpoint(self._many), methods=["POST"], name="openlineage-batch"),
        ]

    async def _one(self, principal: Principal, headers: Headers, receive: Receive) -> Response:
        """201 once the event is committed, whether it was new or known."""
        body = await read_body(headers, receive, MAX_EVENT_BYTES)
        facts = await _worked(_facts, body)
        [outcome] = await self._writer.write(principal.name, [facts])
        if isinstance(outcome, AssetgraphError):
            raise outcome
        return Response(status_code=201)

    async def _many(self, principal: Principal, headers: Headers, receive: Receive) -> Response:
        """200 with what became of each event; those that are in order are kept whatever the others are."""
        body = await read_body(headers, receive, MAX_BATCH_BYTES)
        outcomes = await _worked(_all_facts, body)
        good = [one for one in outcomes if isinstance(one, Facts)]
        written: list[Outcome] = []
        if good:
            try:
                written = await self._writer.write(principal.name, good)
            except Unavailable as error:
                if len(good) == len(outcomes):
                    raise
                written = [error] * len(good)
        results = iter(written)
        return answer(_summary([one if isinstance(one, AssetgraphError) else next(results) for one in outcomes]))


class _Endpoint:
    """An ASGI application: who may not write is refused before the body is looked at, errors become answers."""

    def __init__(self, handle: Callable[[Principal, Headers, Receive], Any]) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response
        try:
            principal: Principal = scope["principal"]
            require(principal, "produce")
            response = await self._handle(principal, Headers(scope=scope), receive)
        except Left:
            return
        except Exception as error:  # noqa: BLE001 - whatever a bug raises, the caller sees only its id
            response = refused(error)
        await response(scope, receive, send)


async def _worked(work: Callable[[bytes], Any], body: bytes) -> Any:
    if len(body) < _SMALL:
        return work(body)
    return await anyio.to_thread.run_sync(work, body)


def _facts(body: bytes) -> Facts:
    return facts_of(parse_event(body))


def _all_facts(body: bytes) -> list[Facts | AssetgraphError]:
    events = parse_json(body)
    if not isinstance(events, list):
        raise Invalid("the body must be a JSON array of events")
    if len(events) > MAX_BATCH_EVENTS:
        raise Limit(f"the batch has {len(events)} events; at most {MAX_BATCH_EVENTS} are allowed")
    found: list[Facts | AssetgraphError] = []
    for event in events:
        try:
            found.append(facts_of(check_event(event)))
        except AssetgraphError as error:
            found.append(error)
    return found


def _summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the answer that the specification describes (OpenLineage.yml, /lineage/batch)."""
    failed = [
        {"index": index, "reason": one.message, "retriable": isinstance(one, Unavailable), **described(one)}
        for index, one in enumerate(outcomes) if isinstance(one, AssetgraphError)
    ]  # fmt: skip
    retriable = sum(bool(one["retriable"]) for one in failed)
    summary = {
        "received": len(outcomes), "successful": len(outcomes) - len(failed), "failed": len(failed),
        "retriable": retriable, "non_retriable": len(failed) - retriable,
    }  # fmt: skip
    status = "partial_success" if failed else "success"
    return {"status": status, "summary": summary, "failed_events": failed}
