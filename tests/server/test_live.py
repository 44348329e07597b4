"""Subscriptions of the real service over graphql-transport-ws: nothing missed, nothing repeated, resumable."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from assetgraph_server.app import create_app
from serving import serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from assetgraph.catalog import service as catalog
from assetgraph.catalog import tokens
from assetgraph.catalog.service import RegisterSource
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind, asset_global_id
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

PROTOCOL = Subprotocol("graphql-transport-ws")
CHANGES = """subscription($after: String, $kinds: [AssetKind!]) { changes(after: $after, kinds: $kinds) {
  sequence cursor action entity { id ... on Dataset { name description } } } }"""
RUN_UPDATES = "subscription($run: ID) { runUpdates(run: $run) { id state progress message } }"


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    """Run the real application."""
    with serving(create_app(settings, database)) as found:
        yield found


@asynccontextmanager
async def connected(address: str, database: Database, role: tokens.Role) -> AsyncIterator[ClientConnection]:
    """Open a connection as a browser does: the token comes with connection_init."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "live", role)
    async with connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL]) as connection:
        payload = {"authorization": f"Bearer {token}"}
        await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await connection.recv())["type"] == "connection_ack"
        yield connection


async def subscribe(connection: ClientConnection, query: str, **variables: Any) -> None:
    """Start the one subscription of a connection."""
    payload = {"query": query, "variables": variables}
    await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))


async def event(connection: ClientConnection) -> dict[str, Any]:
    """Return the next message."""
    async with asyncio.timeout(20):
        message: dict[str, Any] = json.loads(await connection.recv())
    return message


def dataset(database: Database, name: str, description: str | None = None) -> None:
    """Make or change a dataset: one commit."""
    with database.transaction("test") as session:
        catalog.register_dataset(session, catalog.RegisterDataset("ns", name, description=description))


async def in_thread(command: Callable[..., Any], *args: Any) -> None:
    """Run blocking work beside the connection."""
    await asyncio.to_thread(command, *args)


def test_changes_come_live_and_resume_after_a_cursor(address: str, database: Database) -> None:
    """A dropped connection goes on where it stopped; each event sees the data as it is at that moment."""

    async def story() -> None:
        async with connected(address, database, tokens.Role.READER) as first:
            await subscribe(first, CHANGES, kinds=["DATASET"])
            await asyncio.sleep(0.5)
            await in_thread(dataset, database, "a", "old")
            seen = [await event(first), await event(first)]
            await in_thread(dataset, database, "a", "new")
            seen.append(await event(first))
        found = [one["payload"]["data"]["changes"] for one in seen]
        assert [one["action"] for one in found] == ["created", "changed", "changed"]
        assert found[2]["entity"] == {"id": found[0]["entity"]["id"], "name": "a", "description": "new"}
        await in_thread(dataset, database, "b")
        await in_thread(dataset, database, "c")
        async with connected(address, database, tokens.Role.READER) as second:
            await subscribe(second, CHANGES, after=found[2]["cursor"], kinds=["DATASET"])
            missed = [(await event(second))["payload"]["data"]["changes"] for _ in range(2)]
        assert [one["entity"]["name"] for one in missed] == ["b", "c"]

    asyncio.run(story())


def test_run_updates_follow_one_run_to_its_end(
    address: str, database: Database, settings: Settings, incoming: Path
) -> None:
    """First the run as it is, then each change of it, and the final state completes the subscription."""
    with database.transaction("test") as session:
        source = catalog.register_source(session, RegisterSource("shop", "s", str(incoming.resolve())))
        run, _ = start_scan(session, settings, StartScan(source))
        start_scan(session, settings, StartScan(source, idempotency_key="another"))

    def work() -> None:
        [claim] = jobs.claim(database, "w", lease_seconds=30, max_attempts=3)
        jobs.progress(database, claim, 0.5, "half")
        with database.transaction("w") as session:
            jobs.finish(session, claim, RunState.SUCCEEDED)

    async def story() -> list[dict[str, Any]]:
        async with connected(address, database, tokens.Role.READER) as connection:
            await subscribe(connection, RUN_UPDATES, run=asset_global_id(AssetKind.RUN, run))
            seen = [await event(connection)]
            await in_thread(work)
            while seen[-1]["type"] == "next":
                seen.append(await event(connection))
        return seen

    *events, end = asyncio.run(story())
    assert end["type"] == "complete"
    found = [one["payload"]["data"]["runUpdates"] for one in events]
    assert {one["id"] for one in found} == {asset_global_id(AssetKind.RUN, run)}
    assert found[0]["state"] == "QUEUED"
    assert (found[-1]["state"], found[-1]["progress"], found[-1]["message"]) == ("SUCCEEDED", 0.5, "half")


@pytest.mark.parametrize("query", [CHANGES, RUN_UPDATES])
def test_a_frontend_gets_no_live_data(address: str, database: Database, query: str) -> None:
    """The role that may only recommend sees neither the log nor the runs."""

    async def story() -> dict[str, Any]:
        async with connected(address, database, tokens.Role.FRONTEND) as connection:
            await subscribe(connection, query)
            return await event(connection)

    message = asyncio.run(story())
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == "FORBIDDEN"


def test_an_unknown_run_is_an_error_not_a_silent_end(address: str, database: Database) -> None:
    """The caller learns that there is nothing to follow."""

    async def story() -> dict[str, Any]:
        async with connected(address, database, tokens.Role.READER) as connection:
            await subscribe(connection, RUN_UPDATES, run=asset_global_id(AssetKind.RUN, 999))
            return await event(connection)

    message = asyncio.run(story())
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == "NOT_FOUND"
