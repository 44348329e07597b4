"""Real scans and trainings whose worker is killed in the middle: taken over, they end right, once."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from assetgraph_server.launch import environment

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.service import AssetRef, RegisterSource
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.factorization import artifact
from assetgraph.factorization import queries as models
from assetgraph.factorization.service import StartTraining, TrainingParameters, start_training
from assetgraph.ids import AssetKind
from assetgraph.inventory.located import check_readable
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.quality import queries as quality
from assetgraph.settings import Settings

COPIES = 6


@contextmanager
def worker(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `assetgraph worker` as operators do."""
    command = [sys.executable, "-m", "assetgraph_server.cli", "worker"]
    process = subprocess.Popen(command, env=environment(settings))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def run_of(database: Database, run: int) -> Any:
    """Return a run's row."""
    with database.reading() as session:
        return lineage.runs_by_ids(session, [run])[run]


def killed_in_the_middle(database: Database, settings: Settings, run: int, middle: Callable[[], bool]) -> None:
    """Kill -9 a worker in the middle of a run, and have another finish it."""
    with worker(settings) as first:
        until(middle)
        first.kill()
        first.wait()
    assert run_of(database, run).state is RunState.RUNNING
    with worker(settings):
        until(lambda: run_of(database, run).state.final)
    row = run_of(database, run)
    assert (row.state, row.attempt, row.error) == (RunState.SUCCEEDED, 2, None)
    with database.reading() as session:
        assert changes.verify(session).broken_at is None


def datasets(database: Database) -> dict[str, int]:
    """Return the number of versions of each dataset, by name."""
    with database.reading() as session:
        rows = catalog.datasets_page(session, {}, PageRequest.of(100, None)).rows
        pages = {row.name: catalog.versions_page(session, row.id, PageRequest.of(100, None)) for row in rows}
        return {name: page.total for name, page in pages.items()}


@pytest.fixture
def source(database: Database, incoming: Path, retail: Path) -> int:
    """A source that holds the real data several times."""
    for number in range(COPIES):
        # Not a numbered series, which would be one dataset.
        name = f"delivery-{number}-of-{'abcdef'[number]}.parquet"
        shutil.copyfile(retail / "online_retail_full_no_invoice.parquet", incoming / name)
    with database.transaction("test") as session:
        return catalog_service.register_source(session, RegisterSource("shop", "s", str(incoming.resolve())))


def test_a_scan_killed_in_the_middle_ends_right_once(database: Database, settings: Settings, source: int) -> None:
    """What the first worker registered stays and is not registered again; the rest follows."""
    with database.transaction("test") as session:
        run, _ = start_scan(session, settings, StartScan(source))
    killed_in_the_middle(database, settings, run, lambda: 1 <= len(datasets(database)) < COPIES)
    assert datasets(database) == {f"delivery-{number}-of-{'abcdef'[number]}": 1 for number in range(COPIES)}
    with database.reading() as session:
        made = lineage.neighbours_by_kind(session, [run], [EdgeKind.PRODUCED], upstream=False, level=Level.VERSION)
        assert len(made[run]) == COPIES
        assert [row.value for row in quality.metrics_of(session, [run])[run] if row.name == "datasets"] == [COPIES]


def test_a_scan_is_cancelled_within_a_second_or_so(database: Database, settings: Settings, source: int) -> None:
    """In the middle of a file: what was registered stays whole, nothing more comes, and no process reads on."""
    with database.transaction("test") as session:
        run, _ = start_scan(session, settings, StartScan(source))
    with worker(settings) as process:
        until(lambda: 1 <= len(datasets(database)) < COPIES)
        with database.transaction("test") as session:
            jobs.cancel(session, run)
        asked = time.monotonic()
        until(lambda: run_of(database, run).state.final)
        assert time.monotonic() - asked < 5  # a second where the machine is not busy
        assert run_of(database, run).state is RunState.CANCELLED
        found = datasets(database)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        reading = [child for child in children if Path(f"/proc/{child}/stat").read_text().split()[2] == "R"]
        assert reading == []
    assert 1 <= len(found) < COPIES
    assert datasets(database) == found
    with database.reading() as session:
        assert changes.verify(session).broken_at is None


def test_a_training_killed_in_the_middle_ends_right_once(database: Database, settings: Settings, source: int) -> None:
    """One model version comes of it, with its artifact whole and nothing half written beside it."""
    with database.transaction("test") as session:
        scan, _ = start_scan(session, settings, StartScan(source, "delivery-0-of-a.parquet"))
    with worker(settings):
        until(lambda: run_of(database, scan).state.final)
    data = AssetRef(namespace="shop", name="delivery-0-of-a")
    asked = StartTraining("shop", "m", data, "CustomerID", "Description", "Quantity",
                          parameters=TrainingParameters(iterations=25, holdout=0.0))  # fmt: skip
    with database.transaction("test") as session:
        run, _ = start_training(session, settings, asked, check_readable=check_readable)
    killed_in_the_middle(database, settings, run, lambda: "training: iteration" in str(run_of(database, run).message))
    with database.reading() as session:
        model = catalog_service.find_asset(session, AssetKind.MODEL, "shop", "m")
        assert model is not None
        [version] = models.model_versions_page(session, model, PageRequest.of(10, None)).rows
    assert [path.name for path in settings.artifacts.iterdir()] == [version.artifact]
    loaded = artifact.load(settings.artifacts / version.artifact)
    assert loaded.users.shape == (version.user_count, 64)
