"""What recording outside runs costs: one by one, and a thousand at once."""

import time

import pytest
from reporting import report

from assetgraph.catalog.service import AssetRef, RegisterVersion
from assetgraph.db.engine import Database
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState

pytestmark = pytest.mark.benchmark
ALONE, TOGETHER, DATASETS = 200, 1000, 100


def run(number: int) -> RecordRun:
    """Return a run with two inputs, an output and two column edges."""
    raw, more, made = (
        AssetRef(namespace="ns", name=f"{name}{(number + shift) % DATASETS}")
        for name, shift in (("raw", 0), ("raw", 1), ("clean", 0))
    )
    columns = (ColumnEdge(raw, "a", made, "b"), ColumnEdge(more, "a", made, "c"))
    return RecordRun("etl", f"job {number % DATASETS}", RunState.SUCCEEDED, f"r{number}", (raw, more), (made,), columns)


def test_recording_one_by_one_and_in_batches(database: Database) -> None:
    """Runs per second: each its own commit, or a thousand in one."""
    with database.transaction("bench") as session:
        for number in range(DATASETS):
            for name in ("raw", "clean"):
                lineage.register_version(session, RegisterVersion("ns", f"{name}{number}"))
        lineage.record_runs(session, [run(number) for number in range(DATASETS)])
    started = time.perf_counter()
    for number in range(DATASETS, DATASETS + ALONE):
        with database.transaction("bench") as session:
            lineage.record_run(session, run(number))
    alone = ALONE / (time.perf_counter() - started)
    commands = [run(number) for number in range(10_000, 10_000 + TOGETHER)]
    started = time.perf_counter()
    with database.transaction("bench") as session:
        done = lineage.record_runs(session, commands)
    together = TOGETHER / (time.perf_counter() - started)
    assert all(isinstance(one, int) for one in done)
    dialect = database.engine.dialect.name
    report("Recording runs", [{
        "database": dialect, "one commit each /s": round(alone), "1,000 per commit /s": round(together),
        "times faster": round(together / alone, 1),
    }])  # fmt: skip
    assert together > 3 * alone
