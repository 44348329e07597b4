"""POST /api/v1/lineage and /batch as real producers use them: over HTTP, on both databases."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from assetgraph_server.rest import writer
from full_event import all_kinds, full_event
from service import Service, running
from sqlalchemy import select
from story import dataset, event, story
from telling import different, expected, lines, tell  # noqa: F401 - a fixture

from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.openlineage.queries import all_rows
from assetgraph.openlineage.tables import RAW_EVENT
from assetgraph.settings import Settings

ONE, BATCH = "/api/v1/lineage", "/api/v1/lineage/batch"


@pytest.fixture
def service(settings: Settings, database: Database) -> Iterator[Service]:
    """A server on the test's database."""
    with running(settings, database) as started:
        yield started


def stored(database: Database) -> list[dict[str, Any]]:
    """Return the events as they were kept."""
    with database.reading() as session:
        return [orjson.loads(zlib.decompress(row.body)) for row in all_rows(session, RAW_EVENT, "body")]


def test_parallel_senders_give_the_graph_of_one(service: Service, database: Database, expected: list[str]) -> None:
    """Eight connections, each event twice, whatever overtakes what; nothing is refused."""
    with service.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: client.post(ONE, content=orjson.dumps(one)), [*story(), *story()[::-1]]))
    assert {answer.status_code for answer in answers} == {201}
    assert not (found := different(lines(database), expected)), found
    assert len(stored(database)) == len(story())


def test_a_batch_tells_what_became_of_each_event(service: Service, database: Database, expected: list[str]) -> None:
    """What is wrong is named by its place and field; the rest is kept."""
    broken = event("COMPLETE", "r", "j", 1, [{"namespace": "n"}])
    with service.client() as client:
        answer = client.post(BATCH, json=[*story(), broken, 7, *story()])
        assert answer.status_code == 200
        told = answer.json()
        assert told["status"] == "partial_success"
        assert told["summary"] == {"received": 2 * len(story()) + 2, "successful": 2 * len(story()), "failed": 2,
                                   "retriable": 0, "non_retriable": 2}  # fmt: skip
        first, second = told["failed_events"]
        assert (first["index"], first["extensions"]["field"], first["retriable"]) == (
            len(story()), "inputs.0.name", False)  # fmt: skip
        assert second["reason"] == "an event must be a JSON object"
        assert client.post(BATCH, json=[]).json()["status"] == "success"
        assert client.post(BATCH, json={}).status_code == 400
        assert client.post(BATCH, content=b"[" + b"1," * 10_000 + b"1]").status_code == 413
    assert not (found := different(lines(database), expected)), found


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
@pytest.mark.parametrize("chunked", [True, False])
def test_bodies_come_compressed_and_chunked(service: Service, encoding: str, chunked: bool) -> None:
    """With and without a Content-Length."""
    body = orjson.dumps(full_event())
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}
    packed = packers[encoding](body)
    content: Any = iter([packed[:100], packed[100:]]) if chunked else packed
    with service.client() as client:
        answer = client.post(ONE, content=content, headers={"Content-Encoding": encoding})
    assert answer.status_code == 201, answer.text


def test_odd_but_honest_events_are_taken(service: Service, database: Database) -> None:
    """No schemaURL, no zone, nine digits, unknown facets and keys, names of every kind, nulls for what is absent."""
    odd = event("COMPLETE", "not a uuid", "job: a/b#c%d ünïcode 仕事", 1, [dataset("s3://x/y?z=1#é%2F")])
    odd |= {"eventTime": "2026-03-01T10:00:00", "surprise": [1], "outputs": None}
    odd["inputs"][0]["facets"] = {"unknown_thing": {"x": [1, None]}, "schema": None, "documentation": {
        "_producer": "p", "description": "d", "_deleted": False}}  # fmt: skip
    with service.client() as client:
        assert client.post(ONE, json=odd).status_code == 201
        assert client.post(ONE, content=orjson.dumps(odd), headers={"Content-Type": "text/plain"}).status_code == 201
    assert stored(database) == [odd]
    graph = "\n".join(lines(database))
    assert "job: a/b#c%d ünïcode 仕事" in graph
    assert "s3://x/y?z=1#é%2F" in graph


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"eventTime": "yesterday"}, "eventTime"), ({"eventTime": None}, "eventTime"),
        ({"eventTime": "0001-01-01T00:00:00+14:00"}, "eventTime"), ({"eventTime": 5}, "eventTime"),
        ({"eventType": "DONE"}, "eventType"), ({"run": {}}, "run.runId"), ({"run": {"runId": ""}}, "run.runId"),
        ({"job": {"namespace": "n"}}, "job.name"), ({"job": None}, "job"), ({"run": None, "job": None}, "run"),
        ({"inputs": {}}, "inputs"), ({"outputs": [{"namespace": "n", "name": ""}]}, "outputs.0.name"),
        ({"outputs": [dataset("d", schema={"fields": [{"type": "int"}]})]}, "outputs.0.facets.schema.fields.0.name"),
        ({"outputs": [dataset("d", {}, {"outputStatistics": {"rowCount": -1}})]},
         "outputs.0.outputFacets.outputStatistics.rowCount"),
        ({"run": {"runId": "r", "facets": {"parent": {"run": {}}}}}, "run.facets.parent.run.runId"),
        ({"inputs": [dataset("a\x00b")]}, "inputs.0.name"),
        ({"run": {"runId": "r", "facets": {"x": {"deep": ["\x00"]}}}}, "run.facets.x.deep.0"),
        ({"inputs": [dataset("n" * 901)]}, "inputs.0.name"),
        ({"job": {"namespace": "n", "name": "j", "facets": {"f" * 201: {}}}}, "facets"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(service: Service, database: Database, change: Any, field: str) -> None:
    """400 with the field; nothing is kept."""
    with service.client() as client:
        answer = client.post(ONE, json=event("START", "r", "j", 1) | change)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["extensions"] == {"code": "INVALID", "field": field}
    assert stored(database) == []


def test_only_producers_may_write(service: Service, database: Database) -> None:
    """The real checks: no token, a reader, a frontend."""
    for path in (ONE, BATCH):
        assert httpx.post(service.url + path, json=[]).status_code == 401
        for role in ("reader", "frontend"):
            with service.client(role) as client:
                answer = client.post(path, json=[story()[0]])
                assert answer.status_code == 403
                assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert stored(database) == []


def test_overload_is_503_with_retry_after(sqlite_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is taken, a few wait and the others are sent away to come again; nothing is lost."""
    monkeypatch.setattr(writer, "MOST_WAITING", 3)
    database, other = Database(sqlite_url), Database(sqlite_url)
    events = [event("START", f"r{place}", "j", place) for place in range(8)]
    with running(settings, database) as service, service.client() as client, ThreadPoolExecutor(8) as pool:
        held, taken = threading.Event(), threading.Event()

        def hold() -> None:
            with other.transaction("other"):
                taken.set()
                held.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        taken.wait(30)
        waiting = [pool.submit(client.post, ONE, json=one) for one in events]
        while sum(one.done() for one in waiting) < 5:
            pass
        refused = [one.result() for one in waiting if one.done()]
        assert {(one.status_code, one.headers["retry-after"]) for one in refused} == {(503, "1")}
        held.set()
        statuses = sorted(one.result().status_code for one in waiting)
        assert statuses == [201] * 3 + [503] * 5
        assert [client.post(ONE, json=one).status_code for one in events] == [201] * 8
        holder.join()
    assert len(stored(database)) == 8
    database.close()
    other.close()


def test_a_bomb_is_refused_and_the_connection_lives(service: Service) -> None:
    """200 MB in 200 kB; broken and cut streams; encodings nobody reads."""
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < 250_000
    body = gzip.compress(orjson.dumps(full_event()))
    cases = [(bomb, "gzip", 413), (body[:-9], "gzip", 400), (b"plain", "gzip", 400), (body, "br", 415),
             (b"x" * 17_000_000, "identity", 413), (body, "gzip", 201)]  # fmt: skip
    with service.client() as client:
        for content, encoding, status in cases:
            assert client.post(ONE, content=content, headers={"Content-Encoding": encoding}).status_code == status


WRONG: list[bytes] = [
    b"null", b"7", b"-1", b"1e999", b"18446744073709551616", b'""', b'"\\u0000"', b'"\\ud800"', b"[]", b"{}", b"true",
    b'"' + b"x" * 3000 + b'"', b'"' + b"%" * 900 + b'"', b"[" * 300 + b"]" * 300, b'[{"name": 1}]', b"[null]",
    b'{"a": {"b": "c"}}', '"\N{PILE OF POO}"'.encode(),
]  # fmt: skip


def mutations(value: Any) -> Iterator[bytes]:
    """Yield an event with each of its values replaced by each wrong one."""
    marker = "@@@"

    def places(part: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        yield path
        for name in part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
            yield from places(part[name], (*path, name))

    for path in places(value, ()):
        copy = orjson.loads(orjson.dumps(value))
        holder: Any = {"": copy}
        *way, last = ("", *path)
        for name in way:
            holder = holder[name]
        if not path:
            continue
        holder[last] = marker
        head, tail = orjson.dumps(copy).split(b'"@@@"')
        yield from (head + wrong + tail for wrong in WRONG)


@pytest.mark.slow
def test_no_hostile_event_breaks_anything(service: Service, database: Database, tmp_path: Any) -> None:
    """Every value of every facet replaced by every wrong one: taken or refused, never a 5xx, never half written."""
    corpus = [body for one in all_kinds() for body in mutations(one)]
    corpus += [b"", b"{", b'{"a": "\xff"}', b"[" * 10_000, b'{"a":' * 10_000, orjson.dumps(full_event())[:-20]]
    assert len(corpus) > 5000
    with service.client() as client, ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda body: client.post(ONE, content=body).status_code, corpus[::7]))
    assert set(statuses) == {201, 400}
    again = Database(f"sqlite:///{tmp_path / 'again.db'}")
    migrate.upgrade(again.url)
    for one in stored(database):
        tell(again, [one])
    assert not (found := different(lines(database), lines(again))), found
    with database.reading() as session:
        kept = len(session.execute(select(RAW_EVENT.c.id)).all())
    assert 0 < kept <= statuses.count(201)
    again.close()
