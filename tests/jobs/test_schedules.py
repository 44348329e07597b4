"""Schedules: a run for each planned time, once, however many look; what was missed is made up for once."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving
from sqlalchemy import update

from assetgraph.catalog import service as catalog
from assetgraph.catalog import tokens
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError
from assetgraph.ids import AssetKind, asset_global_id, parse_global_id
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.jobs import schedule_queries, schedules
from assetgraph.jobs import service as jobs
from assetgraph.jobs.tables import SCHEDULE
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

LAUNCHERS = "assetgraph.work:LAUNCHERS"


@pytest.fixture
def source(database: Database, incoming: Path) -> int:
    """A source with one file."""
    (incoming / "events.csv").write_text("user,item\n1,2\n")
    with database.transaction("test") as session:
        return catalog.register_source(session, catalog.RegisterSource("shop", "incoming", str(incoming)))


def plan(database: Database, source: int, **more: Any) -> int:
    """Set a schedule."""
    with database.transaction("test") as session:
        return schedules.set_schedule(session, schedules.SetSchedule(source, "scan", **{"cron": "0 * * * *", **more}))


def due_since(database: Database, schedule: int, ago: timedelta) -> datetime:
    """Have a schedule's planned time lie in the past."""
    moment = (now() - ago).replace(second=0, microsecond=0)
    with database.transaction("test") as session:
        session.execute(update(SCHEDULE).where(SCHEDULE.c.id == schedule).values(next_at=moment))
    return moment


def row_of(database: Database, schedule: int) -> Any:
    """Return a schedule."""
    with database.reading() as session:
        return schedule_queries.by_ids(session, [schedule])[schedule]


def run_of(database: Database, run: int) -> Any:
    """Return a run."""
    with database.reading() as session:
        return lineage.runs_by_ids(session, [run])[run]


@pytest.mark.parametrize(("cron", "zone", "at", "latest", "following"), [
    ("30 2 * * *", "UTC", "2026-03-05T02:29:59", "2026-03-04T02:30", "2026-03-05T02:30"),
    ("30 2 * * *", "UTC", "2026-03-05T02:30:20", "2026-03-05T02:30", "2026-03-06T02:30"),
    ("*/15 * * * *", "Asia/Shanghai", "2026-03-05T02:31:00", "2026-03-05T02:30", "2026-03-05T02:45"),
    ("0 9 * * 1", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-23T08:00", "2026-03-30T07:00"),
])  # fmt: skip
def test_planned_times(cron: str, zone: str, at: str, latest: str, following: str) -> None:
    """In the schedule's time zone, over a change of its clock too."""
    found = schedules.planned_times(cron, zone, datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert [one.isoformat(timespec="minutes")[:16] for one in found] == [latest, following]


@pytest.mark.parametrize(("given", "path"), [
    ({"cron": "every day"}, ("cron",)), ({"cron": "* * * * * *"}, ("cron",)), ({"cron": "61 * * * *"}, ("cron",)),
    ({"cron": "0 0 31 2 *"}, ("cron",)), ({"time_zone": "Mars/Olympus"}, ("timeZone",)),
    ({"time_zone": "../../etc/passwd"}, ("timeZone",)),
])  # fmt: skip
def test_what_plans_nothing_is_refused(
    database: Database, source: int, given: dict[str, Any], path: tuple[str, ...]
) -> None:
    """With the argument that is wrong."""
    with pytest.raises(AssetgraphError) as raised:
        plan(database, source, **given)
    assert raised.value.path == path


def test_one_run_for_a_planned_time(database: Database, settings: Settings, source: int) -> None:
    """Whoever looks, and however many at once; the run knows what time it was planned for."""
    schedule = plan(database, source)
    assert schedules.launch_due(database, settings, LAUNCHERS, actor="w") == []
    due_since(database, schedule, timedelta(hours=5))
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(schedules.launch_due(database, settings, LAUNCHERS, actor="w")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    row = row_of(database, schedule)
    run = run_of(database, found[0])
    latest, following = schedules.planned_times("0 * * * *", "UTC", now())
    # Of the five hours that were missed, the last.
    assert (row.last_run_id, row.next_at, run.nominal_at, run.state) == (found[0], following, latest, RunState.QUEUED)


def test_nothing_is_queued_while_the_run_before_goes_on(database: Database, settings: Settings, source: int) -> None:
    """It is said, and the next planned time tries again."""
    schedule = plan(database, source)
    due_since(database, schedule, timedelta(hours=1))
    [run] = schedules.launch_due(database, settings, LAUNCHERS, actor="w")
    due_since(database, schedule, timedelta(minutes=1))
    assert schedules.launch_due(database, settings, LAUNCHERS, actor="w") == []
    assert "goes on" in row_of(database, schedule).problem
    with database.transaction("test") as session:
        jobs.cancel(session, run)
    due_since(database, schedule, timedelta(minutes=1))
    [second] = schedules.launch_due(database, settings, LAUNCHERS, actor="w")
    assert second != run
    assert row_of(database, schedule).problem is None


def test_what_cannot_be_queued_is_said(database: Database, settings: Settings, source: int, incoming: Path) -> None:
    """A source whose folder is gone: no run, a problem on the schedule, and the next time tries again."""
    schedule = plan(database, source)
    (incoming / "events.csv").unlink()
    incoming.rmdir()
    narrow = settings.model_copy(update={"scan_roots": ()})
    due_since(database, schedule, timedelta(minutes=1))
    assert schedules.launch_due(database, narrow, LAUNCHERS, actor="w") == []
    row = row_of(database, schedule)
    assert row.problem
    assert row.next_at > now()


def test_paused_and_replaced(database: Database, settings: Settings, source: int) -> None:
    """A source has one schedule; a paused one queues nothing."""
    first = plan(database, source)
    assert plan(database, source, cron="5 4 * * *", enabled=False) == first
    row = row_of(database, first)
    assert (row.cron, row.next_at) == ("5 4 * * *", None)
    assert schedules.launch_due(database, settings, LAUNCHERS, actor="w") == []


def test_a_worker_scans_on_time(database: Database, settings: Settings, source: int) -> None:
    """A real worker queues the run and does it."""
    schedule = plan(database, source)
    due_since(database, schedule, timedelta(minutes=1))
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    try:
        deadline = now() + timedelta(seconds=60)
        while now() < deadline:
            run = row_of(database, schedule).last_run_id
            if run is not None and run_of(database, run).state.final:
                break
            stop.wait(0.2)
        assert run_of(database, row_of(database, schedule).last_run_id).state is RunState.SUCCEEDED
    finally:
        stop.set()
        thread.join(30)


SET = """mutation($input: SetScheduleInput!) { setSchedule(input: $input) {
  schedule { id jobKind cron timeZone enabled nextAt problem asset { name } lastRun { id } }
  userErrors { code message path } } }"""
NODE = "query($id: ID!) { node(id: $id) { ... on Schedule { cron } } }"
LIST = "{ schedules(first: 5) { totalCount nodes { id cron asset { id name } } } }"
RUNS = "query($id: ID!) { node(id: $id) { ... on Schedule { jobKind problem lastRun { job { name } } } } }"
REMOVE = """mutation($input: RemoveScheduleInput!) { removeSchedule(input: $input) {
  schedule { id } userErrors { code path } } }"""


def test_over_http(database: Database, settings: Settings, source: int) -> None:
    """Producers set and remove, readers see, and readers may not set."""
    with database.transaction("test") as session:
        held = {
            role: tokens.create(session, role.value, role)[1] for role in (tokens.Role.PRODUCER, tokens.Role.READER)
        }
    identity = asset_global_id(AssetKind.SOURCE, source)
    given = {"source": identity, "cron": "*/5 * * * *", "timeZone": "Europe/Berlin"}
    with serving(create_app(settings, database)) as address:
        producer, reader = (Client(f"http://{address}", token) for token in held.values())
        made = producer.execute(SET, input=given)["setSchedule"]
        assert made["userErrors"] == []
        assert made["schedule"]["asset"] == {"name": "incoming"}
        assert made["schedule"]["nextAt"] is not None
        assert reader.execute(LIST)["schedules"]["totalCount"] == 1
        refused = reader.execute(SET, input=given)["setSchedule"]["userErrors"]
        assert [one["code"] for one in refused] == ["FORBIDDEN"]
        wrong = producer.execute(SET, input={**given, "cron": "never"})["setSchedule"]["userErrors"]
        assert [(one["code"], one["path"]) for one in wrong] == [("INVALID", ["cron"])]
        schedule = {"schedule": made["schedule"]["id"]}
        shown = reader.execute(
            "query($id: ID!) { node(id: $id) { ... on Schedule { cron } } }", id=schedule["schedule"]
        )
        assert shown["node"] == {"cron": "*/5 * * * *"}
        assert producer.execute(REMOVE, input=schedule)["removeSchedule"]["userErrors"] == []
        assert reader.execute(LIST)["schedules"]["totalCount"] == 0
        again = producer.execute(REMOVE, input=schedule)["removeSchedule"]["userErrors"]
        assert [one["code"] for one in again] == ["NOT_FOUND"]
        for client in (producer, reader):
            client.close()


def test_models_are_asked_by_a_schedule_too(database: Database, settings: Settings, source: int) -> None:
    """About the source's namespace, beside its scans; what there is nothing to ask about is told as a problem."""
    with database.transaction("test") as session:
        token = tokens.create(session, "p", tokens.Role.PRODUCER)[1]
    given = {"source": asset_global_id(AssetKind.SOURCE, source), "cron": "*/5 * * * *", "job": "PROPOSE"}
    with serving(create_app(settings, database)) as address:
        client = Client(f"http://{address}", token)
        refused = client.execute(SET, input={**given, "path": "x"})["setSchedule"]["userErrors"]
        assert [(one["code"], one["path"]) for one in refused] == [("INVALID", ["path"])]
        scans = client.execute(SET, input={**given, "job": "SCAN"})["setSchedule"]["schedule"]
        asks = client.execute(SET, input=given)["setSchedule"]["schedule"]
        assert [scans["jobKind"], asks["jobKind"]] == ["scan", "propose"]
        assert scans["id"] != asks["id"]
        schedule = int(parse_global_id(asks["id"])[1])
        due_since(database, schedule, timedelta(minutes=1))
        assert schedules.launch_due(database, settings, LAUNCHERS, actor="w") == []
        assert "no dataset" in client.execute(RUNS, id=asks["id"])["node"]["problem"]
        with database.transaction("test") as session:
            catalog.register_dataset(session, catalog.RegisterDataset("shop", "events"))
        due_since(database, schedule, timedelta(minutes=1))
        [run] = schedules.launch_due(database, settings, LAUNCHERS, actor="w")
        shown = client.execute(RUNS, id=asks["id"])["node"]
        assert (shown["problem"], shown["lastRun"]["job"]["name"]) == (None, "propose meanings")
        assert run_of(database, run).nominal_at is not None
        client.close()


def test_a_bug_in_one_turn_does_not_end_the_worker(database: Database, settings: Settings, source: int) -> None:
    """What it plans with cannot even be imported; what is queued is done all the same."""
    due_since(database, plan(database, source), timedelta(minutes=5))
    with database.transaction("test") as session:
        run, _ = start_scan(session, settings, StartScan(source))
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings, launchers="nowhere:NOTHING").run, args=(stop,), daemon=True)
    thread.start()
    for _ in range(600):
        if run_of(database, run).state.final:
            break
        stop.wait(0.1)
    stop.set()
    thread.join(30)
    assert run_of(database, run).state is RunState.SUCCEEDED
