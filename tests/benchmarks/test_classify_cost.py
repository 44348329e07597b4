"""What it costs to say what a table's columns mean."""

import time

import polars as pl
import pytest
from labelled import tables
from reporting import report

from assetgraph.inventory.classify.engine import classify
from assetgraph.inventory.classify.kinds import Table


@pytest.mark.benchmark
def test_a_table_of_ten_thousand_rows() -> None:
    """CPU milliseconds for a table of 10,000 rows, over the held-out tables, with and without headers."""
    grown = [pl.concat([frame] * (10_000 // len(frame) + 1)).head(10_000) for _, frame, _ in tables("heldout")]
    grown += [frame.rename({name: f"c{n}" for n, name in enumerate(frame.columns)}) for frame in grown]
    for frame in grown[:3]:
        classify(Table(frame))
    times = []
    for frame in grown:
        began = time.process_time()
        classify(Table(frame))
        times.append((time.process_time() - began) * 1000)
    times.sort()
    median, most = times[len(times) // 2], times[int(len(times) * 0.95)]
    report("classify a table of 10,000 rows", [{"CPU ms, median": f"{median:.1f}", "95th percentile": f"{most:.1f}"}])
    assert median <= 15
    assert most <= 20
