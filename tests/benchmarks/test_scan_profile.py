"""The complete profile of a big table beside the cost of just reading it, and beside DuckDB's SUMMARIZE.

What counts is CPU time, user and system, with two threads: of a fresh process with all its imports, and of one that did
the same with a small table before, as the worker's child processes run one job after the other. The tables stay in the
folder that ASSETGRAPH_BENCH_DATA names, else in the system's temporary one.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from event_tables import write_events
from reporting import report

from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import scan_candidate
from assetgraph.inventory.sketch.distribution import QUANTILE_KINDS, frequent, quantiles

pytestmark = pytest.mark.benchmark
REPEATS = 3
RAW = """
import sys, polars as pl
pl.scan_parquet(sys.argv[1]).select(pl.all().hash().sum()).collect(engine="streaming")
"""
PROFILE = """
import sys, pathlib
from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import scan_candidate
file = pathlib.Path(sys.argv[1])
scan_candidate(discover(file, file)[0])
"""
#: Runs code with a small table first, and prints the CPU seconds that it then takes with the large one.
WARM = """
import sys, time
code, small, large = sys.argv[1:]
sys.argv = ["", small]
exec(code)
sys.argv = ["", large]
started = time.process_time()
exec(code)
print(time.process_time() - started)
"""
DUCKDB = """
import sys, duckdb
duckdb.sql("SET threads = 2")
duckdb.sql("SET enable_progress_bar = false")
duckdb.sql(f"SUMMARIZE SELECT * FROM '{sys.argv[1]}'").fetchall()
"""


#: As the service's processes have it (assetgraph_server/__init__.py).
ENV = {**os.environ, "POLARS_MAX_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}


def events(rows: int) -> Path:
    """Return the file of a table, written once."""
    folder = Path(os.environ.get("ASSETGRAPH_BENCH_DATA", tempfile.gettempdir()))
    file = folder / f"assetgraph-events-{rows}.parquet"
    if not file.exists():
        write_events(file, rows)
    return file


def spent(code: str, file: Path) -> tuple[float, float, int]:
    """Run code in a fresh process; return (CPU seconds, wall seconds, peak memory in MB)."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code, str(file)], env=ENV)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss // 1024


def spent_warm(code: str, file: Path) -> float:
    """Return the CPU seconds that code takes in a process that did the same with a small table before."""
    command = [sys.executable, "-c", WARM, code, str(events(1_000_000)), str(file)]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


@pytest.mark.parametrize("rows", [10_000_000, 40_000_000])
def test_profile_costs(rows: int) -> None:
    """CPU as a multiple of reading, and memory that does not grow with the rows."""
    file = events(rows)
    ways = {"raw read (hash sum of all columns)": RAW, "assetgraph, complete profile": PROFILE}
    if importlib.util.find_spec("duckdb"):
        ways["DuckDB SUMMARIZE"] = DUCKDB
    spent(PROFILE, events(1_000_000))
    runs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in ways}
    warm: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS if rows <= 10_000_000 else 1):
        for name, code in ways.items():
            runs[name].append(spent(code, file))
            warm[name].append(spent_warm(code, file))
    cpu = {name: statistics.median(one[0] for one in taken) for name, taken in runs.items()}
    then = {name: statistics.median(taken) for name, taken in warm.items()}
    raw, ours = list(cpu)[:2]
    table: list[dict[str, Any]] = [
        {
            "way": name, "CPU s": round(cpu[name], 2), "wall s": round(min(one[1] for one in taken), 2),
            "peak MB": max(one[2] for one in taken), "CPU / raw": round(cpu[name] / cpu[raw], 2),
            "CPU s, warm": round(then[name], 2), "warm / raw": round(then[name] / then[raw], 2),
        }
        for name, taken in runs.items()
    ]  # fmt: skip
    report(f"Profile of {rows:,} rows, 12 columns (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", table)
    assert max(one[2] for one in runs[ours]) <= 768
    # The goals are 1.6 and 0.30; docs/benchmarks.md says what is reached where. A fresh process imports for 0.4 s.
    assert then[ours] / then[raw] <= 1.6
    assert cpu[ours] / cpu[raw] <= 1.8
    if "DuckDB SUMMARIZE" in cpu:
        assert then[ours] / then["DuckDB SUMMARIZE"] <= 0.30
        assert cpu[ours] / cpu["DuckDB SUMMARIZE"] <= 0.35


def test_profile_is_accurate() -> None:
    """Distinct counts, quantiles and frequent values of ten million rows against the exact ones."""
    file = events(10_000_000)
    state = scan_candidate(discover(file, file)[0]).state
    rows: list[dict[str, Any]] = []
    shares = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    errors, ranks = [], [0.0]
    for name, column in state.columns.items():
        values = pl.scan_parquet(file).select(name).collect().to_series().drop_nulls()
        exact = values.n_unique()
        told = column.distinct()[0]
        errors.append(told / exact - 1)
        off = None
        if column.kind in QUANTILE_KINDS:
            numbers = np.sort(values.to_physical().cast(pl.Float64).to_numpy())
            numbers = numbers[np.isfinite(numbers)]
            found = quantiles(column, shares)
            low, high = (np.searchsorted(numbers, found, side=side) / len(numbers) for side in ("left", "right"))
            off = float(np.maximum(np.maximum(low - shares, shares - high), 0).max())
            ranks.append(off)
        top = frequent(column, 5)
        told_top = [one for one in zip(top.values, top.counts, top.bounds, strict=True) if one[0] == one[0]]
        wrong = [abs(int(values.to_physical().eq(value).sum()) - count) for value, count, _ in told_top]
        rows.append(
            {
                "column": name, "distinct": exact, "told": told, "error %": round(100 * errors[-1], 2),
                "rank off %": None if off is None else round(100 * off, 3), "top counts": list(top.counts[:3]),
                "off": wrong[:3], "bounds": list(top.bounds[:3]),
            }
        )  # fmt: skip
        assert all(found <= one[2] for found, one in zip(wrong, told_top, strict=True))
    report("Accuracy at 10,000,000 rows", rows)
    assert max(np.abs(errors)) <= 0.03
    assert float(np.sqrt(np.mean(np.square(errors)))) <= 0.01
    assert max(ranks) <= 0.005
