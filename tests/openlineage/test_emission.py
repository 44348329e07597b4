"""What the service's own runs do, told to a real HTTP server and to a file, on both databases."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from official import check
from sqlalchemy import update

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import Conflict
from assetgraph.factorization import service as factorization
from assetgraph.feedback import export
from assetgraph.feedback import service as feedback
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import AssetKind
from assetgraph.inventory import service as inventory
from assetgraph.inventory.located import check_readable
from assetgraph.jobs import service as jobs
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import RunType
from assetgraph.openlineage.emission import Emitter, emitting
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.sinks import FileSink, HttpSink, Undelivered
from assetgraph.openlineage.tables import EMISSION
from assetgraph.settings import Settings


class Endpoint:
    """A server that keeps what it is sent; it answers with given statuses first."""

    def __init__(self, *statuses: int) -> None:
        """Start with nothing received."""
        self.statuses = list(statuses)
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_fourth: Callable[[], None] = lambda: None


@contextmanager
def endpoint(*statuses: int) -> Iterator[tuple[str, Endpoint]]:
    """Run an endpoint on a free port; gives its URL."""
    kept = Endpoint(*statuses)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = kept.statuses.pop(0) if kept.statuses else 201
            if status == 201:
                kept.received.append(json.loads(body))
                kept.headers.append(dict(self.headers))
                if len(kept.received) == 4:
                    kept.at_fourth()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1/lineage", kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def finish(database: Database, run: int) -> Any:
    """Wait for a run and return it."""
    for _ in range(1200):
        with database.reading() as session:
            row = lineage.runs_by_ids(session, [run])[run]
        if row.state.final:
            return row
        threading.Event().wait(0.05)
    raise AssertionError("the run did not end")


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """Run a worker, and whatever the settings say of emission."""
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    try:
        with emitting(settings):
            yield
            stop.set()
            thread.join()
    finally:
        stop.set()
        thread.join()


def small_loop(database: Database, settings: Settings, incoming: Path) -> None:
    """Scan, train, feed back, export, and fail once."""
    (incoming / "orders.csv").write_text("user,item,amount\na,x,1\na,y,2\nb,y,2\nb,z,5\nc,x,1\n")
    with database.transaction("test") as session:
        source = catalog.register_source(session, catalog.RegisterSource("shop", "in", str(incoming)))
        run, _ = inventory.start_scan(session, settings, inventory.StartScan(source))
    finish(database, run)
    training = factorization.StartTraining(
        "shop", "m", AssetRef(namespace="shop", name="orders"), "user", "item",
        parameters=factorization.TrainingParameters(factors=2, iterations=2, holdout=0),
    )  # fmt: skip
    with database.transaction("test") as session:
        run, _ = factorization.start_training(session, settings, training, check_readable=check_readable)
    finish(database, run)
    with database.transaction("test") as session:
        model = catalog.find_asset(session, AssetKind.MODEL, "shop", "m")
        assert model is not None
        click = feedback.FeedbackSpec(event=FeedbackEvent.CLICK, user="a", item="x")
        feedback.record(session, feedback.RecordFeedback((click,), model))
        run, _ = export.start_export(session, export.StartExport(model, "shop", "clicks"))
    finish(database, run)
    (incoming / "orders.csv").write_text("user,item,amount\nother,x,1\n")
    with database.transaction("test") as session:
        run, _ = factorization.start_training(session, settings, training, check_readable=check_readable)
    assert finish(database, run).error


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return (event type, job) of events, without those that only say that a run goes on."""
    return [(one["eventType"], one["job"]["name"]) for one in events if one["eventType"] != "RUNNING"]


LOOP = [
    ("START", "scan in"), ("COMPLETE", "scan in"), ("START", "train m"), ("COMPLETE", "train m"),
    ("START", "export feedback of m"), ("COMPLETE", "export feedback of m"), ("START", "train m"), ("FAIL", "train m"),
]  # fmt: skip


def test_own_runs_are_told_to_an_endpoint_and_a_file(
    database: Database, settings: Settings, incoming: Path, tmp_path: Path
) -> None:
    """Scan, training, export and a failure; the endpoint is down at first; every event is valid."""
    file = tmp_path / "out" / "events.ndjson"
    with endpoint(503, 500, 503) as (url, kept):
        more = {"openlineage_url": url, "openlineage_api_key": "secret", "openlineage_file": str(file)}
        configured = settings.model_copy(update=more)
        with working(configured):
            small_loop(database, configured, incoming)
            for _ in range(200):
                if told(kept.received) == LOOP:
                    break
                threading.Event().wait(0.05)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == kept.received
    assert told(lines) == LOOP
    for one in lines:
        check(one)
    assert {one["Authorization"] for one in kept.headers} == {"Bearer secret"}
    ended = {one["job"]["name"]: one for one in lines if one["eventType"] == "COMPLETE"}
    [scanned] = ended["scan in"]["outputs"]
    assert (scanned["namespace"], scanned["name"]) == ("shop", "orders")
    assert [one["name"] for one in scanned["facets"]["schema"]["fields"]] == ["user", "item", "amount"]
    assert scanned["facets"]["dataQualityMetrics"]["columnMetrics"]["amount"]["max"] == 5
    assert scanned["outputFacets"]["outputStatistics"]["rowCount"] == 5
    [source] = ended["scan in"]["inputs"]
    assert source["facets"]["dataSource"]["uri"] == incoming.as_uri()
    [read], [made] = ended["train m"]["inputs"], ended["train m"]["outputs"]
    assert (read["name"], read["facets"]["version"]["datasetVersion"]) == ("orders", "1")
    assert (made["namespace"], made["name"]) == ("assetgraph://model/shop", "m")
    [clicks] = ended["export feedback of m"]["outputs"]
    assert clicks["facets"]["schema"]["fields"][0]["name"] == "user"
    assert ended["export feedback of m"]["inputs"][0]["name"] == "m"
    assert "no longer at its location" in lines[-1]["run"]["facets"]["errorMessage"]["message"]


def test_runs_that_a_schedule_starts_say_what_time_they_were_planned_for(
    database: Database, settings: Settings, incoming: Path, tmp_path: Path
) -> None:
    """On every event of theirs, in an export, and on no event of the others; a repeated request is one run."""
    (incoming / "orders.csv").write_text("user,item\na,x\n")
    planned = datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=2)))
    with working(settings):
        for nominal_at in (planned, None):
            with database.transaction("test") as session:
                source = catalog.register_source(session, catalog.RegisterSource("shop", "in", str(incoming)))
                key = None if nominal_at is None else "nightly 2026-03-01"
                command = inventory.StartScan(source, None, key, nominal_at)
                run, _ = inventory.start_scan(session, settings, command)
                if key is not None:
                    assert inventory.start_scan(session, settings, command) == (run, False)
                    with pytest.raises(Conflict):
                        inventory.start_scan(session, settings, inventory.StartScan(source, None, key, now()))
            assert finish(database, run).error is None
    events = drained(database)
    for one in events:
        check(one)
    said = [one["run"]["facets"].get("nominalTime", {}).get("nominalStartTime") for one in events]
    assert [name for name, before in zip(said, [None, *said], strict=False) if name != before] == [
        "2026-03-01T05:00:00Z", None
    ]  # fmt: skip
    with database.reading() as session:
        exported = [orjson.loads(line) for line in export_lines(session)]
        rows = lineage.runs_by_ids(session, [run])
    assert rows[run].nominal_at is None
    told_in_export = [one["run"]["facets"].get("nominalTime") for one in exported if "run" in one]
    assert [one and one["nominalStartTime"] for one in told_in_export] == ["2026-03-01T05:00:00Z", None]


class Killed(BaseException):
    """The process ends here."""


class Recorder:
    """A sink that keeps events in memory, and may be killed right after one has arrived."""

    name = "http"

    def __init__(self, kills: int | None = None) -> None:
        """Keep nothing yet; `kills` is the number of the event after which the process ends."""
        self.events: list[dict[str, Any]] = []
        self.kills = kills

    def send(self, event: dict[str, Any]) -> None:
        """Keep an event."""
        self.events.append(event)
        if len(self.events) == self.kills:
            raise Killed

    def close(self) -> None:
        """Nothing is open."""


def drained(database: Database, kills: int | None = None) -> list[dict[str, Any]]:
    """Tell all that is left with a new emitter, whose predecessor let go of the cursor."""
    sink = Recorder(kills)
    emitter = Emitter(database, sink)
    try:
        while emitter.step():
            pass
    except Killed:
        pass
    emitter._release()
    return sink.events


def test_a_kill_between_sending_and_noting_it_repeats_the_event_and_loses_none(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """Killed after each event in turn: the next emitter begins with the same event, word for word."""
    with working(settings):
        small_loop(database, settings, incoming)
    found: list[dict[str, Any]] = []
    last: dict[str, Any] | None = None
    while events := drained(database, kills=2):
        if last is not None:
            assert events[0] == last
        last = events[-1]
        found += events if not found else events[1:]
    assert told(found) == LOOP
    assert drained(database) == []


EMIT = """import sys, threading
from assetgraph.errors import Conflict
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.emission import emitting
from assetgraph.settings import Settings
with emitting(Settings(database_url=sys.argv[1], openlineage_url=sys.argv[2], home=sys.argv[3])):
    threading.Event().wait(60)
"""


def test_a_killed_process_loses_nothing(database: Database, tmp_path: Path) -> None:
    """SIGKILL while the endpoint has the event and has not answered: the next process sends it again."""
    for _ in range(3):
        with database.transaction("test") as session:
            run, _ = jobs.enqueue(session, kind="x", type=RunType.OTHER, namespace="ns", job="j", parameters={})
            jobs.cancel(session, run)
    with endpoint() as (url, kept):
        kept.at_fourth = lambda: process.kill()  # noqa: PLW0108 - it starts below
        process = subprocess.Popen([sys.executable, "-c", EMIT, database.url, url, str(tmp_path)])
        process.wait(30)
        assert told(kept.received) == [("START", "j"), ("ABORT", "j")] * 2
        with database.transaction("test") as session:
            # What half a minute would do.
            session.execute(update(EMISSION).values(expires_at=now()))
        rest = drained(database)
    assert rest == kept.received[2:] + rest[2:]
    assert told(rest) == [("START", "j"), ("ABORT", "j")] * 2


def test_one_emitter_at_a_time(database: Database) -> None:
    """The other waits while the cursor is held, and goes on where the first stopped."""
    with database.transaction("test") as session:
        run, _ = jobs.enqueue(session, kind="x", type=RunType.OTHER, namespace="ns", job="j", parameters={})
        jobs.cancel(session, run)
    first, second = Emitter(database, Recorder()), Emitter(database, Recorder())
    assert first._claim() == 0
    assert not second.step()
    assert first.step()
    assert told(first.sink.events) == [("START", "j"), ("ABORT", "j")]  # type: ignore[attr-defined]
    first._release()
    assert not second.step()
    for one in first.sink.events:  # type: ignore[attr-defined]
        check(one)


def test_an_endpoint_that_calls_an_event_wrong_does_not_hold_up_the_others() -> None:
    """400 is passed over; anything else is tried again, when the endpoint says."""
    event = {"run": {"runId": "r"}}
    with endpoint(400, 201, 401, 302) as (url, kept):
        sink = HttpSink(url, "")
        sink.send(event)
        sink.send(event)
        assert kept.received == [event]
        for _ in range(2):
            with pytest.raises(Undelivered):
                sink.send(event)
        sink.close()
    with pytest.raises(Undelivered, match="cannot be reached"):
        HttpSink(url, "").send(event)


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    """What a kill left in the file goes, and the event comes again whole."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n{"b":')
    sink = FileSink(path)
    sink.send({"b": 2})
    sink.close()
    assert path.read_bytes() == b'{"a":1}\n{"b":2}\n'


def test_an_idle_emitter_writes_nothing(database: Database) -> None:
    """Neither to the log nor to the cursor."""
    with database.transaction("test") as session:
        catalog.ensure_dataset(session, "ns", "d")
    emitter = Emitter(database, Recorder())
    assert not emitter.step()
    with database.reading() as session:
        assert changes.newest(session) == 1
