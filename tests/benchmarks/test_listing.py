"""How fast a source of 10,000 files is listed and grouped; nothing is opened."""

import os
import time
from pathlib import Path

import pytest
from reporting import report

from assetgraph.inventory.discover import discover

pytestmark = pytest.mark.benchmark
GOAL = 40_000


def test_ten_thousand_files_are_listed_fast(tmp_path: Path) -> None:
    """100 datasets of hive partitions, and as many files in series; warm cache, best of five."""
    for number in range(100):
        for day in range(10):
            folder = tmp_path / "hive" / f"{number:03}" / f"day={day}"
            folder.mkdir(parents=True)
            for part in range(5):
                (folder / f"part-{part}.parquet").write_bytes(b"x")
        folder = tmp_path / "series" / f"{number:03}"
        folder.mkdir(parents=True)
        for part in range(50):
            (folder / f"events_2026-01-{part % 28 + 1:02}-{part:04}.csv").write_bytes(b"x")
    wall, cpu = [], []
    for _ in range(5):
        started, before = time.perf_counter(), sum(os.times()[:2])
        found = discover(tmp_path, tmp_path)
        wall.append(time.perf_counter() - started)
        cpu.append(sum(os.times()[:2]) - before)
    files = sum(len(one.entries) for one in found)
    assert (len(found), files) == (200, 10_000)
    rows = [{"files/s (wall)": round(files / min(wall)), "files per CPU s": round(files / min(cpu)), "goal": GOAL}]
    report("Listing 10,000 files, nothing opened", rows)
    assert files / min(cpu) >= GOAL
