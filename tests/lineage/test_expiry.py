"""Time to live: what nobody says any more closes, as of when its time was over, and opens anew when it is said."""

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from test_declared import Shop, ref

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import RegisterVersion
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.jobs import queries as jobs
from assetgraph.jobs import service as queue
from assetgraph.jobs import worker as working
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.expiry import expire
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import Level, RunState, RunType
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk
from assetgraph.settings import Settings

DAY = timedelta(days=1)


@pytest.fixture
def shop(database: Database) -> Shop:
    """Datasets with versions."""
    made = Shop(database)
    with database.transaction("test") as session:
        for name in ("x", "a"):
            lineage.register_version(session, RegisterVersion("ns", name))
    return made


def run(shop: Shop, run_id: str, at: datetime) -> None:
    """Record a run of one job that made x of a, with a column."""
    columns = (ColumnEdge(ref("a"), "m", ref("x"), "n"),)
    command = RecordRun("ns", "j", RunState.SUCCEEDED, run_id, (ref("a"),), (ref("x"),), columns, at)
    with shop.database.transaction("test") as session:
        lineage.record_run(session, command)


def seen_at(shop: Shop, at: datetime) -> list[int]:
    """Return the run counts of the edges into x as of a moment."""
    with shop.database.reading() as session:
        root = NodeRef(AssetKind.DATASET, str(catalog.asset_id(session, AssetKind.DATASET, "ns", "x")))
        request = WalkRequest(root, Direction.UPSTREAM, 1, Level.DATASET, as_of=at)
        return [edge.run_count for edge in walk(session, request).edges]


def test_an_edge_lives_so_long_after_it_was_seen(shop: Shop) -> None:
    """Between definitions and columns; runs keep their versions, and a source its datasets."""
    old = now() - 10 * DAY
    run(shop, "1", old)
    assert expire(shop.database, 11, actor="test") == 0
    assert expire(shop.database, 3, actor="test", batch=2) == 3
    assert expire(shop.database, 3, actor="test") == 0
    assert (shop.edges(), shop.edges(Level.FIELD, "x#n")) == ([], [])
    assert [seen_at(shop, old + days * DAY) for days in (1, 2.9, 3.1)] == [[1], [1], []]


def test_an_edge_that_is_seen_again_opens_anew(shop: Shop) -> None:
    """Its count starts again; the gap stays in the past."""
    old = now() - 10 * DAY
    for number in range(3):
        run(shop, f"{number}", old)
    expire(shop.database, 3, actor="test")
    run(shop, "new", now() - DAY)
    [edge] = shop.edges()
    assert (edge.run_count, edge.first_seen > old + DAY) == (1, True)
    assert len(shop.edges(Level.FIELD, "x#n")) == 1
    assert [seen_at(shop, old + days * DAY) for days in (2, 5)] == [[3], []]


def test_a_late_word_shows_the_edge_once(shop: Shop) -> None:
    """Told after the edge closed, of a time when it was open; it lives as long as that word says."""
    old = now() - 10 * DAY
    run(shop, "1", old)
    expire(shop.database, 3, actor="test")
    run(shop, "2", old + 2 * DAY)
    expire(shop.database, 3, actor="test")
    assert shop.edges() == []
    assert [seen_at(shop, old + days * DAY) for days in (1, 2.5, 4, 6)] == [[1], [2], [1], []]


def test_declared_edges_expire_too(shop: Shop) -> None:
    """Unless they are said again."""
    shop.declare("p", "a")
    assert expire(shop.database, 1, actor="test") == 0
    assert shop.sources() == ["DECLARED a"]


def test_an_idle_worker_closes_them(shop: Shop, settings: Settings) -> None:
    """When the setting is there."""
    run(shop, "1", now() - 10 * DAY)
    assert len(shop.edges()) == 1
    stop = threading.Event()
    worker = Worker(settings.model_copy(update={"edge_ttl_days": 3}))
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        for _ in range(400):
            if not shop.edges():
                break
            stop.wait(0.05)
        assert shop.edges() == []
    finally:
        stop.set()
        thread.join()


def test_a_worker_that_is_never_idle_closes_them_on_time(
    shop: Shop, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between jobs, while more wait."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "jobs"))
    monkeypatch.setattr(working, "EXPIRE_SECONDS", 0.2)
    marks = tmp_path / "marks"
    with shop.database.transaction("test") as session:
        for _ in range(300):  # 15 seconds of work at least
            queue.enqueue(session, kind="nap", type=RunType.OTHER, namespace="ns", job="nap",
                          parameters={"file": str(marks)})  # fmt: skip
    assert shop.edges() == []  # loads the index before anything is closed beside it
    stop = threading.Event()
    worker = Worker(settings.model_copy(update={"edge_ttl_days": 3}), handlers="handlers:HANDLERS")
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not marks.exists():  # what a worker does at its start is over
            assert time.monotonic() < deadline
            time.sleep(0.02)
        run(shop, "1", now() - 10 * DAY)
        while shop.edges():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with shop.database.reading() as session:
            assert jobs.waiting(session) > 1
    finally:
        stop.set()
        thread.join()
