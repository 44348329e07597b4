"""The Marquez read API under bad input, without permission, and with much to show."""

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from assetgraph_server.rest.raw_path import RawPaths, decoded
from hypothesis import given
from hypothesis import strategies as st
from marquez_story import part, served
from sqlalchemy import event as sql_event
from story import NS, at, columns, dataset, event, made_of
from telling import tell

from assetgraph.catalog.tokens import Role
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid
from assetgraph.lineage.index import GraphIndex
from assetgraph.openlineage import marquez_graph
from assetgraph.settings import Settings

SPACE = part(NS)
#: One address of every kind.
READS = [
    "namespaces", f"namespaces/{SPACE}", f"namespaces/{SPACE}/datasets", f"namespaces/{SPACE}/datasets/orders",
    f"namespaces/{SPACE}/datasets/orders/versions", "namespaces/shop/jobs", "namespaces/shop/jobs/model",
    "namespaces/shop/jobs/model/versions", "namespaces/shop/jobs/model/runs", "jobs", "jobs/runs/r1",
    "jobs/runs/r1/facets?type=run", f"lineage?nodeId=dataset:{SPACE}:orders",
    f"column-lineage?nodeId=dataset:{SPACE}:orders", "runlineage/upstream?runId=r1", "events/lineage", "events",
    "search?q=o", "stats/lineage-events?period=DAY", "stats/datasets?period=WEEK&timezone=Asia/Kolkata",
    "stats/jobs?period=day", "stats/sources?period=WEEK", "tags", "sources", f"sources/{SPACE}",
]  # fmt: skip


@pytest.fixture
def service(database: Database, settings: Settings) -> Iterator[tuple[str, str]]:
    """Address and a reader's token."""
    with served(database, settings) as found:
        yield found


def raw(service: tuple[str, str], target: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Send a target as it is written; gives status, headers and body."""
    address, token = service
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as connection:
        head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        connection.sendall(f"{method} {target} HTTP/1.1\r\n".encode("latin-1") + head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    lines, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = lines.decode().split("\r\n")
    return (
        int(status.split()[1]),
        {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)},
        body,
    )


def test_every_path_needs_a_token_that_may_read(database: Database, settings: Settings) -> None:
    """None: 401; a frontend's: 403, with a code; a head has no body."""
    with served(database, settings, Role.FRONTEND) as (address, token):
        for path in READS:
            assert httpx.get(f"{address}/api/v1/{path}").status_code == 401
            denied = httpx.get(f"{address}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
            assert denied.status_code == 403
            assert denied.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_heads_and_other_methods(service: tuple[str, str]) -> None:
    """HEAD is GET without the body; what writes is told where to."""
    for path in READS:
        status, headers, body = raw(service, f"/api/v1/{path}")
        assert status == 200
        assert int(headers["content-length"]) == len(body)
        head = raw(service, f"/api/v1/{path}", "HEAD")
        assert (head[0], head[2]) == (200, b"")
        assert head[1]["content-length"] == headers["content-length"]
    for method in ("PUT", "DELETE", "PATCH"):
        status, headers, body = raw(service, "/api/v1/namespaces/shop", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert orjson.loads(body)["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


BAD = [
    "namespaces/%", "namespaces/%2", "namespaces/%zz", "namespaces/%ff", "namespaces/%C3%28/datasets",
    "namespaces/a%00b", "search?q=%", "search?q=%ff", "search?q=%00", "search", "search?q=", "lineage",
    "lineage?nodeId=", "lineage?nodeId=table:a:b", "lineage?nodeId=dataset", "lineage?nodeId=dataset:a:b&depth=x",
    "lineage?nodeId=dataset:a:b&depth=-1", "lineage?nodeId=dataset:a:b&depth=101",
    f"lineage?nodeId=dataset:{':' * 100}", f"lineage?nodeId=dataset:a:{'b' * 5000}",
    "column-lineage?nodeId=dataset:a:b&withDownstream=maybe", "runlineage/upstream", "namespaces?limit=-1",
    "namespaces?limit=1001", "namespaces?limit=1e3", "namespaces?offset=-1", "namespaces?offset=99999999999999999999",
    "namespaces?limit=", "tags?limit=%D9%A1", "events?before=yesterday", "events?after=2026-13-01T00:00:00Z",
    "events?after=0001-01-01T00:00:00%2B14:00", "search?q=a&after=2026-02-30", "jobs?lastRunStates=LOST",
    "jobs/runs/r1/facets", "jobs/runs/r1/facets?type=dataset", "stats/jobs", "stats/lineage-events?period=MONTH",
    "stats/jobs?period=WEEK&timezone=Mars/Crater", "stats/jobs?period=WEEK&timezone=../../etc/passwd",
    "stats/jobs?period=WEEK&timezone=%2Fetc%2Fpasswd",
]  # fmt: skip


def test_bad_input_is_refused_and_named(service: tuple[str, str]) -> None:
    """400 with a code, never more."""
    for target in BAD:
        status, headers, body = raw(service, f"/api/v1/{target}")
        assert status == 400, (target, body)
        assert headers["content-type"] == "application/json"
        answer = orjson.loads(body)
        assert answer["code"] == 400
        assert answer["errors"][0]["extensions"]["code"] == "INVALID"
        assert answer["errors"][0]["extensions"]["field"]


ABSENT = [
    "", "x", "namespaces/", "namespaces//datasets", "namespaces/shop/datasets/", f"namespaces/{SPACE}/datasets/a/b",
    "namespaces/shop/jobs/model/versions/x/y", "namespaces/%25/jobs", f"namespaces/{SPACE}/datasets/ORDERS",
    "jobs/runs/00000000-0003-8000-8000-ffffffffffff", "jobs/runs/00000000-0003-8000-bfff-ffffffffffff",
    f"namespaces/{SPACE}/datasets/orders/versions/00000000-0001-8000-bfff-ffffffffffff",
    "lineage?nodeId=dataset:a:b", "lineage?nodeId=dataset:a", "column-lineage?nodeId=datasetField:a:b:c",
    "lineage?nodeId=run:none", "lineage?nodeId=job:shop:orders", f"lineage?nodeId=dataset:{SPACE}:orders%23x",
    "runlineage/upstream?runId=none", "sources/none", "namespaces/" + "n" * 3000,
]  # fmt: skip


def test_what_is_not_there_is_404(service: tuple[str, str]) -> None:
    """Paths and things alike, as JSON."""
    for target in ABSENT:
        status, _, body = raw(service, f"/api/v1/{target}")
        assert status == 404, (target, body)
        assert orjson.loads(body)["errors"][0]["extensions"]["code"] == "NOT_FOUND"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_name_comes_out_as_it_went_in(name: str) -> None:
    """Encoded by a client, decoded once, whatever it holds."""
    paths = RawPaths({"/api/{space}/of/{name}": "found", "/api/{space}/of/it": "fixed"})
    found = paths.find(f"/api/{part(name)}/of/{part(part(name))}".encode())
    assert found is not None
    if name != "it":
        assert found == ("found", (name, part(name)))
    assert decoded(part(name).encode()) == name


@given(st.binary())
def test_no_bytes_of_a_path_are_more_than_refused(path: bytes) -> None:
    """Text, or Invalid."""
    try:
        RawPaths({"/{a}/{b}": 0, "/{a}": 1, "{a}": 2}).find(path)
    except Invalid as error:
        assert re.fullmatch("the path .*", error.message)


def many(database: Database) -> None:
    """Tell of a job that has run thirty times between thirty datasets each side, and of columns over them."""
    for turn in range(30):
        made = made_of(*((f"c{i}", f"many/in{turn}", f"c{i}") for i in range(5)))
        tell(database, [
            event("COMPLETE", f"many{turn}", "many", 100 + turn,
                  [dataset(f"many/in{turn}", schema=columns(*(f"c{i}" for i in range(5))))],
                  [dataset("many/hub", columnLineage=made, schema=columns(*(f"c{i}" for i in range(5))))]),
            event("COMPLETE", f"each{turn}", f"each{turn}", 140 + turn, [dataset("many/hub")],
                  [dataset(f"many/out{turn}", tags={"tags": [{"key": f"t{turn}", "value": "1"}]})]),
            {"eventTime": at(1), "dataset": {"namespace": f"many{turn}", "name": "x"}},
        ])  # fmt: skip


class Reader:
    """Reads with a token, and counts the statements of a read."""

    def __init__(self, service: tuple[str, str], database: Database) -> None:
        """Read once, so that the token is known from here on."""
        self._address, self._headers = service[0], {"Authorization": f"Bearer {service[1]}"}
        self._engine = database.engine
        self.size("tags")

    def size(self, path: str) -> int:
        """Return how much is in the list of an answer."""
        answer = httpx.get(f"{self._address}/api/v1/{path}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        return len(said) if isinstance(said, list) else next(len(one) for one in said.values() if isinstance(one, list))

    def statements(self, path: str) -> int:
        """Return the number of statements of one request."""
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            if not arguments[2].startswith("BEGIN"):
                seen.append(arguments[2])

        sql_event.listen(self._engine, "before_cursor_execute", note)
        try:
            self.size(path)
        finally:
            sql_event.remove(self._engine, "before_cursor_execute", note)
        return len(seen)


PAGED = ["namespaces", f"namespaces/{SPACE}/datasets", "jobs", f"namespaces/{SPACE}/datasets/many%2Fhub/versions",
         "namespaces/shop/jobs/many/versions", "namespaces/shop/jobs/many/runs", "events", "search?q=many", "tags",
         "sources"]  # fmt: skip
STATS = [f"stats/{name}?period={period}&timezone=Europe/Berlin" for period in ("DAY", "WEEK")
         for name in ("lineage-events", "datasets", "jobs", "sources")]  # fmt: skip
HUB = f"{SPACE}:many/hub"
GRAPHS = [f"lineage?nodeId=dataset:{HUB}", f"column-lineage?nodeId=dataset:{HUB}&withDownstream=true",
          "runlineage/upstream?runId=each7"]  # fmt: skip


def test_lists_cost_the_same_for_few_and_for_many(service: tuple[str, str], database: Database) -> None:
    """What belongs to a page comes with the page; a kind of thing that the short one lacks may cost one more."""
    many(database)
    reader = Reader(service, database)
    for path in PAGED:
        limit = f"{path}&limit=" if "?" in path else f"{path}?limit="
        few, whole = reader.statements(f"{limit}2"), reader.statements(f"{limit}1000")
        assert reader.size(f"{limit}1000") > 25, path
        assert few <= whole <= few + 1 <= 30, path


def test_numbers_over_time_cost_one_statement(service: tuple[str, str], database: Database) -> None:
    """Whatever there is to count."""
    reader = Reader(service, database)
    few = [reader.statements(path) for path in STATS]
    many(database)
    assert [reader.statements(path) for path in STATS] == few
    assert max(few) <= reader.statements("tags?limit=1")


def test_graphs_cost_the_same_for_few_and_for_many(service: tuple[str, str], database: Database) -> None:
    """Statements follow the depth alone; the first read after a change lets the index catch up."""
    reader = Reader(service, database)
    many(database)
    before = {path: (reader.size(path), reader.statements(path)) for path in GRAPHS}
    wider = [
        event("COMPLETE", f"more{turn}", f"more{turn}", 101.5, [dataset(f"more/in{turn}", schema=columns("x"))],
              [dataset("many/hub", columnLineage=made_of(("c1", f"more/in{turn}", "x")))])
        for turn in range(30)
    ]  # fmt: skip
    tell(database, wider)
    for path, (shown, few) in before.items():
        grown = 0 if path.startswith("runlineage") else 30
        assert reader.size(path) >= shown + grown, path
        assert reader.statements(path) == few <= 30, path


def test_a_graph_that_is_too_large_is_cut_and_says_so(
    service: tuple[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearest nodes first; every edge ends at nodes that are there."""
    many(database)
    monkeypatch.setattr(marquez_graph, "MAX_NODES", 10)
    for path in GRAPHS[:2]:
        answer = orjson.loads(raw(service, f"/api/v1/{path}")[2])
        assert answer["truncated"] is True
        assert "budget" in answer["reason"] or "first" in answer["reason"]
        known = {node["id"] for node in answer["graph"]}
        assert len(known) == 10
        for node in answer["graph"]:
            assert all(edge["origin"] in known for edge in node["inEdges"])
            assert all(edge["destination"] in known for edge in node["outEdges"])


def test_sql_and_index_answer_alike(service: tuple[str, str], database: Database) -> None:
    """The graph in memory gives what the statements give."""
    many(database)
    with database.reading() as session:
        index = GraphIndex()
        for name in ("orders", "raw", "ledger", "many/hub", "seed", "final"):
            for depth in (0, 1, 2, 5, 20):
                node = f"dataset:{NS}:{name}"
                in_memory, in_sql = (marquez_graph.lineage(session, node, depth, one) for one in (index, None))
                assert orjson.dumps(in_memory) == orjson.dumps(in_sql)
