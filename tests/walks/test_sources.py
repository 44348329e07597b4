"""Sources over HTTP with a real worker: every format in one folder, a database, rules, and what is never stored."""

import gzip
import sqlite3
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
from sqlalchemy import inspect, select

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.db.metadata import all_tables
from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

FRAME = pl.DataFrame({"user": ["a", "b", "c"], "value": [1.5, 2.5, None]})
REGISTER = """mutation($input: RegisterSourceInput!) { registerSource(input: $input) {
  source { id location grouping { kind pattern name } } userErrors { code message path } } }"""
FOUND = """query($run: ID!) { node(id: $run) { ... on Run { state message findings { subject code message }
  outputs { ... on DatasetVersion { dataset { name } location rowCount } } } } }"""


@pytest.fixture
def named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a database that they name, whose URL has a secret in it."""
    path = tmp_path / "hush-hush.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, price REAL)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(1, 2.5), (2, None)])
    connection.close()
    (tmp_path / "url").write_text(f"sqlite:///{path}\n")
    return settings.model_copy(update={"scan_databases": {"shop": f"file:{tmp_path / 'url'}"}})


@pytest.fixture
def client(database: Database, named: Settings) -> Iterator[Client]:
    """A client of a running service with a worker."""
    with database.transaction("test") as session:
        _, token = tokens.create(session, "pipeline", tokens.Role.ADMIN)
    stop = threading.Event()
    thread = threading.Thread(target=Worker(named).run, args=(stop,))
    thread.start()
    with serving(create_app(named, database)) as address:
        opened = Client(f"http://{address}", token)
        yield opened
        opened.close()
    stop.set()
    thread.join()


def scanned(client: Client, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """Register and scan a source; returns the run, and the rows of the versions that it made by dataset."""
    source = client.mutate(REGISTER, input=given)["source"]
    run = client.mutate(demo.SCAN, input={"source": source["id"]})["run"]["id"]
    client.wait(run, lambda _fraction, _message: None)
    found = client.execute(FOUND, run=run)["node"]
    return found, {one["dataset"]["name"]: one["rowCount"] for one in found["outputs"]}


def test_a_folder_of_every_format_is_scanned(client: Client, incoming: Path) -> None:
    """Each good file is a dataset with its rows, each broken one a finding with a code."""
    FRAME.write_parquet(incoming / "a.parquet")
    FRAME.write_csv(incoming / "b.csv", separator=";")
    (incoming / "c.tsv").write_bytes(FRAME.write_csv(separator="\t").encode("utf-16"))
    (incoming / "d.csv.gz").write_bytes(gzip.compress(FRAME.write_csv().encode()))
    FRAME.write_ndjson(incoming / "e.ndjson")
    FRAME.write_json(incoming / "f.json")
    FRAME.write_ipc(incoming / "g.arrow")
    FRAME.write_excel(incoming / "h.xlsx", "sheet")
    FRAME.write_delta(str(incoming / "i"))
    for day in (1, 2):
        FRAME.write_csv(incoming / f"j_2026-01-0{day}.csv")
    (incoming / "k.csv").write_text("id,id\n1,2\n")
    for name in ("a.parquet", "b.csv", "d.csv.gz", "e.ndjson", "f.json", "g.arrow", "h.xlsx"):
        (incoming / f"bad-{name}").write_bytes((incoming / name).read_bytes()[:20] if name != "b.csv" else b"a\n1,2\n")
    found, rows = scanned(client, {"namespace": "shop", "name": "s", "location": str(incoming)})
    assert rows == {**dict.fromkeys(["a", "b", "c", "d", "e", "f", "g", "h/sheet", "i"], 3), "j": 6, "k": 1}
    codes = {one["subject"]: one["code"] for one in found["findings"]}
    bad = ["bad-a", "bad-b", "bad-d", "bad-e", "bad-f", "bad-g", "bad-h"]
    assert codes == {**dict.fromkeys(bad, "MALFORMED"), "k": "DUPLICATE_COLUMNS"}
    assert found["state"] == "SUCCEEDED"


def test_what_killed_scans_left_goes_with_the_next(client: Client, incoming: Path, named: Settings) -> None:
    """Temporary files of runs that nobody works on."""
    given = {"namespace": "shop", "name": "s", "location": str(incoming)}
    for number in (1, 999_999):
        (named.home / "scratch" / f"run-{number}" / "assetgraph-x").mkdir(parents=True)
    (incoming / "a.csv.gz").write_bytes(gzip.compress(FRAME.write_csv().encode()))
    scanned(client, given)
    assert not [file for file in (named.home / "scratch").rglob("*") if file.is_file()]
    assert not (named.home / "scratch" / "run-999999").exists()
    assert not (named.home / "scratch" / "run-1").exists()


def test_rules_are_kept_with_the_source_and_can_be_changed(client: Client, incoming: Path) -> None:
    """Registering again without rules keeps them, with rules replaces them."""
    for name in ("x_2026-01-01.csv", "x_2026-01-02.csv", "y.csv"):
        FRAME.write_csv(incoming / name)
    given: dict[str, Any] = {"namespace": "shop", "name": "s", "location": str(incoming)}
    rules = [{"kind": "SPLIT", "pattern": "x_*.csv", "name": None}]
    _, rows = scanned(client, {**given, "grouping": rules})
    assert sorted(rows) == ["x_2026-01-01", "x_2026-01-02", "y"]
    assert client.mutate(REGISTER, input=given)["source"]["grouping"] == rules
    other = [{"kind": "SKIP", "pattern": "y.csv", "name": None}, {"kind": "GROUP", "pattern": "*.csv", "name": "all"}]
    found, rows = scanned(client, {**given, "grouping": other})
    assert rows == {"all": 6}
    assert found["outputs"][0]["location"] == f"{incoming.resolve()}/*.csv"
    assert client.mutate(REGISTER, input={**given, "grouping": []})["source"]["grouping"] == []
    refused = client.execute(REGISTER, input={**given, "grouping": [{"kind": "GROUP", "pattern": "/etc/*"}]})
    [error] = refused["registerSource"]["userErrors"]
    assert (error["code"], error["path"]) == ("INVALID", ["grouping", "pattern"])


def test_a_database_is_scanned_and_its_url_is_stored_nowhere(client: Client, database: Database) -> None:
    """Neither in a row of any table nor in what is answered."""
    found, rows = scanned(client, {"namespace": "shop", "name": "db", "location": "database://shop"})
    assert rows == {"orders": 2}
    assert found["outputs"][0]["location"] == "database://shop/orders"
    with database.reading() as session:
        assert inspect(session.connection).get_table_names()
        for table in all_tables().sorted_tables:
            assert "hush-hush" not in str(session.execute(select(table)).all())
    for location in ("database://other", "s3://bucket/x", "sqlite:////tmp/x.db"):
        given = {"namespace": "shop", "name": "no", "location": location}
        [error] = client.execute(REGISTER, input=given)["registerSource"]["userErrors"]
        assert (error["code"], error["path"]) == ("INVALID" if "sqlite" in location else "FORBIDDEN", ["location"])
