"""The queue and its workers: each job ends right, once, whoever dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assetgraph.catalog.service import find_asset
from assetgraph.db.engine import Database
from assetgraph.errors import Conflict
from assetgraph.ids import AssetKind
from assetgraph.jobs import service
from assetgraph.lineage import queries
from assetgraph.lineage.tables import RunState, RunType
from assetgraph.settings import Settings

HERE = Path(__file__).parent


def enqueue(database: Database, kind: str, file: Path, key: str | None = None) -> int:
    """Queue a job of the tests' table."""
    with database.transaction("test") as session:
        run, _ = service.enqueue(
            session, kind=kind, type=RunType.OTHER, namespace="ns", job=kind, parameters={"file": str(file)},
            idempotency_key=key,
        )  # fmt: skip
    return run


def state_of(database: Database, run: int) -> Any:
    """Return a run's row."""
    with database.reading() as session:
        return queries.runs_by_ids(session, [run])[run]


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@contextmanager
def worker(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker process."""
    command = [sys.executable, str(HERE / "run_worker.py"), settings.url, str(settings.home), "handlers:HANDLERS"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(HERE)})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


def test_a_killed_worker_s_job_is_taken_over_and_ends_once(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """Kill -9 in the middle: another worker finishes it, and the killed attempt's child is gone."""
    file = tmp_path / "marks"
    run = enqueue(database, "slow_once", file)
    with worker(settings) as first:
        until(file.exists)
        first.kill()
        first.wait()
    with worker(settings):
        until(lambda: state_of(database, run).state.final)
    row = state_of(database, run)
    assert (row.state, row.attempt) == (RunState.SUCCEEDED, 2)
    assert file.read_text().splitlines() == ["begin 1", "begin 2", "2"]


def test_a_frozen_worker_cannot_write_after_a_takeover(database: Database, settings: Settings, tmp_path: Path) -> None:
    """The old token is refused: nothing of that transaction stays."""
    run = enqueue(database, "note", tmp_path / "marks")
    [old] = service.claim(database, "frozen", lease_seconds=0.05, max_attempts=3)
    time.sleep(0.1)
    [new] = service.claim(database, "fresh", lease_seconds=30, max_attempts=3)
    assert (old.run_id, new.run_id, new.token) == (run, run, old.token + 1)
    with pytest.raises(Conflict, match="taken over"), database.transaction("frozen") as session:
        service.finish(session, old, RunState.SUCCEEDED)
    assert state_of(database, run).state is RunState.RUNNING
    assert service.beat(database, old, 30) == "lost"
    assert service.beat(database, new, 30) == "held"


def test_a_running_job_is_cancelled_within_a_second_or_so(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """CPU-bound work ends with its child."""
    file = tmp_path / "marks"
    run = enqueue(database, "slow_once", file)
    with worker(settings):
        until(file.exists)
        with database.transaction("test") as session:
            service.cancel(session, run)
        until(lambda: state_of(database, run).state.final, 10)
    assert state_of(database, run).state is RunState.CANCELLED


def test_a_stopped_worker_gives_its_job_back_without_an_attempt(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """SIGTERM: the run waits again as if never tried."""
    file = tmp_path / "marks"
    run = enqueue(database, "slow_once", file)
    with worker(settings) as process:
        until(file.exists)
        process.terminate()
        process.wait(10)
    row = state_of(database, run)
    assert (row.state, row.attempt) == (RunState.QUEUED, 0)


@pytest.mark.parametrize(("kind", "error"), [("fail", "RuntimeError: a bug"), ("die", "given up: 3 workers died"),
                                              ("unknown", "knows no job of kind 'unknown'")])  # fmt: skip
def test_a_job_that_cannot_succeed_fails_with_its_reason(
    database: Database, settings: Settings, tmp_path: Path, kind: str, error: str
) -> None:
    """A bug fails at once, a crash after three attempts; the worker goes on with the next job."""
    run = enqueue(database, kind, tmp_path / "marks")
    after = enqueue(database, "note", tmp_path / "marks")
    with worker(settings):
        until(lambda: state_of(database, run).state.final and state_of(database, after).state.final)
    row = state_of(database, run)
    assert row.state is RunState.FAILED
    assert error in row.error
    assert state_of(database, after).state is RunState.SUCCEEDED


def test_what_costs_too_much_is_left_out_and_the_rest_is_done(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """Too much memory, no progress, a crash: each a finding that names it, none an attempt of the run."""
    file = tmp_path / "marks"
    run = enqueue(database, "costly", file)
    with worker(settings):
        until(lambda: state_of(database, run).state.final, 60)
    row = state_of(database, run)
    assert (row.state, row.attempt, row.error) == (RunState.SUCCEEDED, 1, None)
    assert file.read_text().splitlines() == ["memory", "still", "crash", "good", "1"]
    with database.reading() as session:
        found = [(one.subject, one.code) for one in queries.findings_of(session, [run])[run]]
    assert found == [("memory", "TOO_MUCH_MEMORY"), ("still", "STALLED"), ("crash", "CRASHED")]


def test_each_job_is_claimed_once_by_many_claimers(database: Database, tmp_path: Path) -> None:
    """Eight threads claim batches of twelve jobs: no run is handed out twice."""
    runs = [enqueue(database, "note", tmp_path / "marks") for _ in range(12)]
    taken: list[int] = []

    def claim(number: int) -> None:
        for _ in range(4):
            claims = service.claim(database, f"w{number}", lease_seconds=30, max_attempts=3, most=2)
            taken.extend(one.run_id for one in claims)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == runs


def test_one_key_gives_one_run(database: Database, tmp_path: Path) -> None:
    """A repeated request finds its run; another request under the key is refused."""
    first = enqueue(database, "note", tmp_path / "marks", key="k")
    assert enqueue(database, "note", tmp_path / "marks", key="k") == first
    with pytest.raises(Conflict, match="another request"):
        enqueue(database, "fail", tmp_path / "marks", key="k")


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """No worker ever sees it; cancelling a finished run is a conflict."""
    run = enqueue(database, "note", tmp_path / "marks")
    with database.transaction("test") as session:
        service.cancel(session, run)
    assert state_of(database, run).state is RunState.CANCELLED
    assert service.claim(database, "w", lease_seconds=1, max_attempts=3) == []
    done = enqueue(database, "note", tmp_path / "marks")
    with worker(settings):
        until(lambda: state_of(database, done).state.final)
    with pytest.raises(Conflict, match="succeeded already"), database.transaction("test") as session:
        service.cancel(session, done)
    with database.reading() as session:
        assert find_asset(session, AssetKind.DATASET, "jobs", f"done-{done}") is not None
