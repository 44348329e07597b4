"""What scanning 10,000 small files costs at first, when nothing changed, and when one in a hundred did."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from reporting import report

from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.service import RegisterSource
from assetgraph.db.engine import Database
from assetgraph.inventory.discover import discover
from assetgraph.inventory.footers import read_footer
from assetgraph.inventory.service import StartScan, run_scan, start_scan
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.quality import queries as quality
from assetgraph.settings import Settings

pytestmark = pytest.mark.benchmark
DATASETS, DAYS, FILES, ROWS = 100, 10, 10, 200
MOST = DATASETS * DAYS * FILES


def write(file: Path, seed: int) -> None:
    """Write a file of 200 rows and 8 columns."""
    rng = np.random.default_rng(seed)
    pl.DataFrame({
        "event_id": rng.integers(0, 2**60, ROWS), "user_id": rng.integers(0, 10**6, ROWS),
        "item_id": rng.integers(0, 10**5, ROWS), "price": rng.random(ROWS), "rating": rng.integers(1, 6, ROWS),
        "event_type": rng.choice(["view", "cart", "buy"], ROWS), "country": rng.choice(["DE", "FR", "CN", "US"], ROWS),
        "query": [f"query {n}" for n in rng.integers(0, 500, ROWS)],
    }).write_parquet(file)  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 datasets of ten days of ten files, an hour old."""
    folder = tmp_path_factory.mktemp("lake")
    for dataset in range(DATASETS):
        for day in range(DAYS):
            below = folder / f"events_of_shop_{dataset:03}" / f"day=2026-01-{day + 1:02}"
            below.mkdir(parents=True)
            for number in range(FILES):
                write(below / f"part-{number}.parquet", dataset * 1000 + day * 10 + number)
    age(*folder.rglob("*.parquet"))
    return folder


def age(*files: Path) -> None:
    """Let no stamp be too young to be trusted, and each be another than before."""
    for file in files:
        moment = file.stat().st_mtime_ns - 3_600_000_000_123
        os.utime(file, ns=(moment, moment))


def measured(what: str, work: Callable[[], Any], rows: list[dict[str, Any]]) -> tuple[float, Any]:
    """Run something; returns its CPU seconds and its answer."""
    started, before = time.perf_counter(), sum(os.times()[:2])
    answer = work()
    wall, cpu = time.perf_counter() - started, sum(os.times()[:2]) - before
    rows.append({"step": what, "wall s": round(wall, 2), "CPU s": round(cpu, 2), "files/s": round(MOST / wall),
                 "files per CPU s": round(MOST / cpu)})  # fmt: skip
    return cpu, answer


def test_what_did_not_change_costs_next_to_nothing(
    lake: Path, database: Database, settings: Settings, incoming: Path
) -> None:
    """Scans as the worker runs them, in this process: list, compare, read, register."""
    folder = incoming / "lake"
    shutil.copytree(lake, folder)
    with database.transaction("test") as session:
        source = catalog_service.register_source(session, RegisterSource("shop", "s", str(folder.resolve())))

    def scan() -> dict[str, float]:
        with database.transaction("test") as session:
            run, _ = start_scan(session, settings, StartScan(source))
        [claim] = jobs.claim(database, "w", lease_seconds=3600, max_attempts=1)
        run_scan(JobContext(database, settings, claim))
        with database.reading() as session:
            return {row.name: row.value for row in quality.metrics_of(session, [run])[run]}

    def metadata() -> int:
        found = discover(folder, folder)
        return sum(read_footer(entry.path).rows for one in found for entry in one.entries)

    read_footer(str(next(folder.rglob("*.parquet"))))  # the kernel is loaded once in a worker's life
    table: list[dict[str, Any]] = []
    _, rows = measured("list, and rows and columns by footers", metadata, table)
    assert rows == MOST * ROWS
    full, first = measured("first scan: all profiled and registered", scan, table)
    assert first == {"datasets": DATASETS, "datasets_unchanged": 0, "findings": 0}
    _, again = measured("again, nothing changed", scan, table)
    assert again["datasets_unchanged"] == DATASETS
    _, again = measured("again, nothing changed", scan, table)
    for number in range(MOST // 100):
        day = folder / f"events_of_shop_{number // FILES:03}/day=2026-01-10"
        write(day / f"part-{number % FILES}.parquet", 10**6 + number)
        age(day / f"part-{number % FILES}.parquet")
    spread, again = measured("1 % of the files, the last day of ten datasets", scan, table)
    assert again["datasets_unchanged"] == DATASETS - 10
    for number in range(MOST // 100):
        day = folder / f"events_of_shop_050/day=2026-01-{number // FILES + 1:02}"
        write(day / f"part-{number % FILES}.parquet", 2 * 10**6 + number)
        age(day / f"part-{number % FILES}.parquet")
    one, again = measured("1 % of the files, one dataset", scan, table)
    assert again["datasets_unchanged"] == DATASETS - 1
    age(*folder.rglob("*.parquet"))
    touched, again = measured("all files touched, no byte changed", scan, table)
    assert again["datasets_unchanged"] == DATASETS
    for row, cpu in (("ten datasets", spread), ("one dataset", one), ("touched", touched)):
        table.append({"step": f"{row}: CPU beside the first scan", "CPU s": f"{100 * cpu / full:.1f} %"})
    report("Scanning 10,000 files of 200 rows in 100 datasets", table)
