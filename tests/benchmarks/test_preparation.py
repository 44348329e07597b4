"""Preparing a big table by all kinds of rules: rows per second, and memory that does not grow with the rows.

Each size runs in a fresh process with two threads: the rules alone, then the whole of what a job does, which also reads
the data for their fingerprint and describes each file that was written. BENCH_ROWS=32000000 adds a size. The
tables stay in the folder that ASSETGRAPH_BENCH_DATA names, else in the temporary one of the system; no output stays.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from event_tables import write_events
from reporting import report

pytestmark = pytest.mark.benchmark
SIZES = (2_000_000, 8_000_000)
#: Peak memory in MB at any size, and what the largest may need more than the one before: one bit per row, and slack for
#: what allocators keep.
MOST_MB, MOST_MORE_MB = 768, 64
PREPARE = """
import json, resource, sys, tempfile, time
from pathlib import Path
from assetgraph.factorization.interactions import id_expression
from assetgraph.inventory.discover import Candidate
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.formats import open_dataset
from assetgraph.inventory.prepare.engine import prepare
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.rules import (
    DuplicateRule, OutlierMethod, OutlierRule, Rules, ScaleMethod, ScaleRule, SplitBy, SplitRule, TextRule)
from assetgraph.inventory.profile import row_groups, scan_candidate

rules = Rules(
    text=(TextRule("query"),), required=("user_id",), positive=("quantity",),
    outliers=(OutlierRule("price", OutlierMethod.MAD, bound=50),), duplicates=DuplicateRule(),
    user_field="user_id", item_field="item_id", split=SplitRule(SplitBy.TIME, "ts", 0.1, 0.1),
    scaled=(ScaleRule("price", ScaleMethod.Z_SCORE),))
candidate, whole = Candidate.of_file(Path(sys.argv[1])), sys.argv[3] == "whole"
with tempfile.TemporaryDirectory(dir=sys.argv[2]) as name, open_dataset(candidate) as opened:
    began = time.perf_counter()
    pieces = Pieces.of(opened.frame, row_groups(candidate), Path(name))
    if whole:
        content_fingerprint(pieces.frame, [rows for _, rows in pieces.spans])
    done = prepare(pieces, rules, Path(name), id_expression, lambda share, message: None)
    if whole:
        for part, file in done.files.items():
            scan_candidate(Candidate.of_file(file, name=part))
    seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "rows": done.rows, "kept": done.kept, "seconds": round(seconds, 1), "rows/s": round(done.rows / seconds),
    "CPU s": round(used.ru_utime + used.ru_stime, 1), "peak MB": used.ru_maxrss // 1024}))
"""


def prepared(rows: int, what: str) -> dict[str, Any]:
    """Prepare a table in a fresh process; return what it took."""
    folder = Path(os.environ.get("ASSETGRAPH_BENCH_DATA", tempfile.gettempdir()))
    file = folder / f"assetgraph-events-{rows}.parquet"
    if not file.exists():
        write_events(file, rows)
    told = subprocess.run(
        [sys.executable, "-c", PREPARE, str(file), str(folder), what], check=True, capture_output=True, text=True,
        env={**os.environ, "POLARS_MAX_THREADS": "2"}, timeout=1_500,
    )  # fmt: skip
    return {"what": what, **json.loads(told.stdout)}


@pytest.mark.timeout(3_600)
def test_preparation_costs() -> None:
    """Peak memory is below the bound at all sizes, and does not grow from one to the next."""
    sizes = sorted({*SIZES, *map(int, os.environ.get("BENCH_ROWS", "").split())})
    taken = [prepared(rows, what) for what in ("rules", "whole") for rows in sizes]
    report(f"Preparation (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", taken)
    assert all(one["peak MB"] <= MOST_MB for one in taken)
    for what in ("rules", "whole"):
        peaks = [one["peak MB"] for one in taken if one["what"] == what]
        assert peaks[-1] - peaks[-2] <= MOST_MORE_MB
