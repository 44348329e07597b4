"""Events per second into one server process: eight keep-alive clients, and batches of a thousand; none lost."""

import http.client
import multiprocessing
import time
from collections.abc import Sequence

import orjson
import pytest
from assetgraph_server.launch import first_token, free_port, running_server
from dbt_events import dbt_events
from reporting import report

from assetgraph.db.engine import Database
from assetgraph.openlineage.queries import all_rows
from assetgraph.openlineage.tables import RAW_EVENT
from assetgraph.settings import Settings

pytestmark = pytest.mark.benchmark
CLIENTS = 8


def send(port: int, token: str, bodies: Sequence[bytes]) -> int:
    """Send events one by one over one connection; returns how many were not accepted."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    refused = 0
    for body in bodies:
        connection.request("POST", "/api/v1/lineage", body, headers)
        answer = connection.getresponse()
        answer.read()
        refused += answer.status != 201
    connection.close()
    return refused


def batch(port: int, token: str, bodies: Sequence[bytes]) -> float:
    """Send one batch; returns events per second."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = b"[" + b",".join(bodies) + b"]"
    started = time.perf_counter()
    connection.request("POST", "/api/v1/lineage/batch", body, {"Authorization": f"Bearer {token}"})
    told = orjson.loads(connection.getresponse().read())
    taken = time.perf_counter() - started
    assert told["summary"]["successful"] == len(bodies)
    return len(bodies) / taken


def test_events_into_one_server_process(settings: Settings, database: Database) -> None:
    """Limits: 400 events a second one by one, 1,500 in batches, on SQLite."""
    served = settings.model_copy(update={"port": free_port()})
    token = first_token(served, database)
    assert token is not None
    bodies = [orjson.dumps(event) for event in dbt_events(15)]
    with running_server(served), multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
        pool.starmap(send, [(served.port, token, bodies[place:400:CLIENTS]) for place in range(CLIENTS)])
        single = bodies[400:2800]
        parts = [(served.port, token, single[place::CLIENTS]) for place in range(CLIENTS)]
        started = time.perf_counter()
        refused = sum(pool.starmap(send, parts))
        alone = len(single) / (time.perf_counter() - started)
        batches = [batch(served.port, token, bodies[start : start + 1000]) for start in (2800, 3800, 4800)]
    with database.reading() as session:
        kept = sum(1 for _ in all_rows(session, RAW_EVENT, "id"))
    size = sum(map(len, bodies)) / len(bodies) / 1000
    rows = [{"database": database.engine.dialect.name, "kB per event": round(size, 1), "8 clients /s": round(alone),
             "batches of 1,000 /s": round(max(batches)), "refused": refused, "lost": 5800 - kept}]  # fmt: skip
    report("OpenLineage events accepted by one server process", rows)
    assert refused == 0
    assert kept == 5800
