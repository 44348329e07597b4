"""Two servers on one database, in two processes: what one is told, a warm walk of the other shows at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from assetgraph_server.launch import environment, free_port
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.settings import Settings

NS = "postgres://shop:5432"
# Deeper than what is answered from SQL while the index lies behind the log.
WALK = """query($root: ID!) { lineage(root: $root, direction: BOTH, depth: 3) {
  nodes { node { id name ... on Dataset { description } } } edges { source target kind lastSeen runCount } } }"""


@pytest.fixture
def two(database: Database, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Addresses of a server in this process and of one in another, and a token for both."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "t", tokens.Role.ADMIN)
    other = settings.model_copy(update={"port": free_port()})
    command = [sys.executable, "-m", "assetgraph_server.cli", "serve", "--workers", "0"]
    process = subprocess.Popen(command, env={**os.environ, **environment(other)}, stdout=subprocess.DEVNULL)
    try:
        with serving(create_app(settings, database)) as here:
            deadline = time.monotonic() + 60
            while True:
                try:
                    assert httpx.get(f"http://127.0.0.1:{other.port}/healthz").is_success
                    break
                except httpx.HTTPError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield f"http://{here}", f"http://127.0.0.1:{other.port}", token
    finally:
        process.terminate()
        process.wait(20)


def tell(url: str, token: str, minute: int, kind: str = "RUNNING") -> None:
    """Send an event of a run that reads `a` and writes `b`."""
    event = {
        "eventType": kind, "eventTime": f"2026-03-01T08:{minute:02d}:00Z", "producer": "https://example.com/p",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"}, "job": {"namespace": "shop", "name": "j"},
        "inputs": [{"namespace": NS, "name": "a"}], "outputs": [{"namespace": NS, "name": "b"}],
    }  # fmt: skip
    answer = httpx.post(f"{url}/api/v1/lineage", json=event, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 201, answer.text


def test_what_one_process_is_told_the_other_shows(two: tuple[str, str, str]) -> None:
    """A description by the API, then a time by an event, each told to one server; both are warm, and both show it."""
    here, there, token = two
    clients = [Client(here, token), Client(there, token)]
    tell(here, token, 0, "START")
    found = clients[0].execute(f'{{ dataset(namespace: "{NS}", name: "a") {{ id }} }}')
    root: str = found["dataset"]["id"]

    def shown() -> dict[str, Any]:
        """Return what both show, each asked twice: cold and warm."""
        answers = [client.execute(WALK, root=root)["lineage"] for client in clients for _ in range(2)]
        assert answers.count(answers[0]) == len(answers)
        return dict(answers[0])

    def described() -> set[str | None]:
        return {one["node"].get("description") for one in shown()["nodes"]}

    def last() -> set[str]:
        return {one["lastSeen"][11:16] for one in shown()["edges"]}

    assert (described(), last()) == ({None}, {"08:00"})
    for minute, teller in enumerate((0, 1, 0), start=1):
        text = f"said by {teller} at {minute}"
        mutation = f"""mutation {{ registerDataset(input: {{ namespace: "{NS}", name: "b", description: "{text}" }}) {{
            dataset {{ id }} userErrors {{ message }} }} }}"""
        clients[teller].mutate(mutation)
        assert described() == {None, text}
        tell(two[1 - teller], token, minute)
        assert last() == {f"08:{minute:02d}"}
    for client in clients:
        client.close()
