"""Relations over HTTP: found once, decided by stewards, and the decision stays."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from assetgraph_server import demo
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import event

from assetgraph.catalog import tokens
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

RELATE = """mutation($input: StartRelatingInput!) {
  startRelating(input: $input) { run { id } userErrors { code message path } } }"""
DECIDE = """mutation($input: DecideRelationInput!) {
  decideRelation(input: $input) { relation { id status } userErrors { code message path } } }"""
SHOWN = """query($name: String!, $rejected: Boolean) { dataset(namespace: "shop", name: $name) { candidateKeys
  relations(rejected: $rejected) { totalCount nodes { id kind status confidence
    from { name } to { name } fromDataset { name } toDataset { name } } } } }"""


@pytest.fixture
def clients(database: Database, settings: Settings) -> Iterator[tuple[Client, Client]]:
    """Clients of a steward and of a producer of a running service with a worker."""
    with database.transaction("test") as session:
        made = [tokens.create(session, role.value, role)[1] for role in (tokens.Role.STEWARD, tokens.Role.PRODUCER)]
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    with serving(create_app(settings, database)) as address:
        opened = [Client(f"http://{address}", token) for token in made]
        yield opened[0], opened[1]
        for client in opened:
            client.close()
    stop.set()
    thread.join()


def scan(client: Client, folder: Path) -> None:
    """Scan a folder into namespace shop."""
    given = {"namespace": "shop", "name": "s", "location": str(folder)}
    source = client.mutate(demo.REGISTER, input=given)["source"]["id"]
    client.wait(client.mutate(demo.SCAN, input={"source": source})["run"]["id"], quiet)


def quiet(_fraction: float, _message: str) -> None:
    """Show no progress."""


def relate(client: Client) -> None:
    """Look for relations in namespace shop."""
    client.wait(client.mutate(RELATE, input={"namespace": "shop"})["run"]["id"], quiet)


def shown(client: Client, name: str, *, rejected: bool = False) -> Any:
    """Return a dataset's keys and relations."""
    return client.execute(SHOWN, name=name, rejected=rejected)["dataset"]


def write(incoming: Path, orders: int) -> None:
    """Write customers and their orders."""
    customers = pl.DataFrame({"id": [f"C{number * 7919 % 100_000:05}" for number in range(400)]})
    customers.write_parquet(incoming / "customers.parquet")
    pl.DataFrame({
        "order_id": range(orders), "customer": [customers["id"][number * 31 % 400] for number in range(orders)],
        "line": [number % 3 for number in range(orders)],
    }).write_parquet(incoming / "orders.parquet")  # fmt: skip


def test_relations_are_found_decided_and_remembered(
    clients: tuple[Client, Client], database: Database, incoming: Path
) -> None:
    """A rejected one is hidden and stays rejected when data change; proposals that no longer hold go."""
    steward, producer = clients
    write(incoming, 5_000)
    scan(producer, incoming)
    relate(producer)
    found = shown(steward, "orders")
    assert found["candidateKeys"] == [["order_id"]]
    assert shown(steward, "customers")["candidateKeys"] == [["id"]]
    [relation] = found["relations"]["nodes"]
    assert (relation["kind"], relation["status"]) == ("FOREIGN_KEY", "PROPOSED")
    assert (relation["fromDataset"]["name"], relation["from"]["name"]) == ("orders", "customer")
    assert (relation["toDataset"]["name"], relation["to"]["name"]) == ("customers", "id")
    assert 0.6 <= relation["confidence"] <= 1
    assert shown(steward, "customers")["relations"]["nodes"] == [relation]
    node = steward.execute("query($id: ID!) { node(id: $id) { ... on Relation { kind } } }", id=relation["id"])
    assert node["node"] == {"kind": "FOREIGN_KEY"}

    given = {"relation": relation["id"], "status": "REJECTED"}
    [error] = producer.execute(DECIDE, input=given)["decideRelation"]["userErrors"]
    assert error["code"] == "FORBIDDEN"
    assert steward.mutate(DECIDE, input=given)["relation"]["status"] == "REJECTED"
    write(incoming, 6_000)
    scan(producer, incoming)
    relate(producer)
    assert shown(steward, "orders")["relations"]["totalCount"] == 0
    [kept] = shown(steward, "orders", rejected=True)["relations"]["nodes"]
    assert (kept["id"], kept["status"]) == (relation["id"], "REJECTED")

    steward.mutate(DECIDE, input={**given, "status": "PROPOSED"})
    pl.DataFrame({"id": ["x", "y", "z"]}).write_parquet(incoming / "customers.parquet")
    scan(producer, incoming)
    relate(producer)
    assert shown(steward, "orders", rejected=True)["relations"]["totalCount"] == 0
    [error] = steward.execute(DECIDE, input=given)["decideRelation"]["userErrors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["relation"])
    [error] = producer.execute(RELATE, input={"namespace": "nowhere"})["startRelating"]["userErrors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["namespace"])
    with database.reading() as session:
        assert changes.verify(session).broken_at is None


def test_statements_do_not_grow_with_relations(
    clients: tuple[Client, Client], database: Database, incoming: Path
) -> None:
    """Many relations cost as many statements as one."""
    steward, producer = clients
    write(incoming, 5_000)
    orders = pl.read_parquet(incoming / "orders.parquet")
    counts = []
    for more in range(2):
        if more:
            orders.with_columns(orders["customer"].alias(f"customer_{n}") for n in range(8)).write_parquet(
                incoming / "orders.parquet"
            )
        scan(producer, incoming)
        relate(producer)
        seen: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *said, seen=seen: seen.append(said[2]))
        found = shown(steward, "orders")["relations"]
        counts.append((found["totalCount"], len(seen)))
    assert counts[1][0] >= 9 > counts[0][0]
    assert counts[1][1] <= counts[0][1]


def test_the_real_deliveries_are_related(clients: tuple[Client, Client], incoming: Path, retail: Path) -> None:
    """Both deliveries hold the same customers and descriptions, and neither is a key."""
    for name in ("online_retail_to_2011-06-26", "online_retail_full_no_invoice"):
        (incoming / f"{name}.parquet").write_bytes((retail / f"{name}.parquet").read_bytes())
    steward, producer = clients
    scan(producer, incoming)
    relate(producer)
    found = shown(steward, "online_retail_to_2011-06-26")
    assert found["candidateKeys"] == []
    ends = {(one["kind"], one["from"]["name"], one["to"]["name"]) for one in found["relations"]["nodes"]}
    assert {("JOINABLE", "CustomerID", "CustomerID"), ("JOINABLE", "Description", "Description"),
            ("JOINABLE", "Country", "Country")} <= ends  # fmt: skip
    assert all(kind == "JOINABLE" for kind, _, _ in ends)
