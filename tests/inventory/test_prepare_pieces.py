"""Preparations read in pieces: nothing of that shows in what they write."""

import dataclasses
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preparing import ROWS, RULES, SCHEMA, prepared

from assetgraph.errors import Invalid
from assetgraph.factorization.interactions import id_expression
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.prepare import duplicates as duplicates_module
from assetgraph.inventory.prepare import mapping, passes, ranks, writing
from assetgraph.inventory.prepare.engine import prepare
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.rules import (
    DuplicateRule,
    OutlierMethod,
    OutlierRule,
    Rules,
    ScaleMethod,
    ScaleRule,
    SplitBy,
    SplitRule,
    TextRule,
    TimeRule,
)  # fmt: skip
from assetgraph.inventory.prepare.scaling import ExactSum

FULL = Path(__file__).parents[1] / "data" / "online_retail" / "online_retail_full_no_invoice.parquet"


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that all examples share."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


def outcome(table: pl.DataFrame, rules: Rules, folder: Path, groups: list[int] | None, most: int) -> Any:
    """Return everything that a preparation in pieces of at most `most` rows says and writes, byte for byte."""
    folder.mkdir()
    try:
        pieces = Pieces.of(table.lazy(), groups, folder, most)
        done = prepare(pieces, rules, folder, id_expression, lambda _share, _message: None)
    except Invalid as error:
        return error.message
    prints = {part: content_fingerprint(pl.scan_parquet(file)) for part, file in done.files.items()}
    content = {part: file.read_bytes() for part, file in done.files.items()}
    counts = [(one.name, one.field, math.copysign(1, one.value), one.value) for one in done.counts]
    return (done.rows, done.kept, done.parts, counts, prints, content)


SCALES = st.sampled_from([
    (), (ScaleRule("n"),), (ScaleRule("n", ScaleMethod.Z_SCORE),),
    (ScaleRule("x", ScaleMethod.Z_SCORE), ScaleRule("n", ScaleMethod.Z_SCORE)),
])  # fmt: skip
TIMED = st.builds(
    dataclasses.replace, RULES, times=st.just((TimeRule("at", ("%Y-%m-%d", "%m/%d/%y")),)),
    split=st.just(SplitRule(SplitBy.TIME, "at", 0.2, 0.2)),
)  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, rules=st.builds(dataclasses.replace, st.one_of(RULES, TIMED), scaled=SCALES), data=st.data())
def test_pieces_do_not_show_in_what_is_written(
    room: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], rules: Rules, data: st.DataObject
) -> None:
    """Equal files, byte for byte, and counts, however much is read, hashed, sorted or written at once."""
    table = pl.DataFrame(rows, schema=SCHEMA)
    folder = Path(tempfile.mkdtemp(dir=room))
    whole = outcome(table, rules, folder / "whole", None, 1 << 18)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6).map(sorted))
    groups = [end - start for start, end in itertools.pairwise([0, *cuts, len(rows)])]
    with monkeypatch.context() as small:
        small.setattr(passes, "CHUNK", data.draw(st.integers(1, 5)))
        small.setattr(mapping, "MOST_WAITING", data.draw(st.integers(0, 5)))
        small.setattr(duplicates_module, "BUCKET_ROWS", 1)
        small.setattr(ranks, "IN_MEMORY", data.draw(st.integers(0, 5)))
        most = data.draw(st.integers(1, 7))
        assert outcome(table, rules, folder / "pieces", groups, most) == whole
        small.setattr(writing, "BLOCK_ROWS", data.draw(st.integers(1, 9)))
        again = outcome(table, rules, folder / "blocks", groups, most)
        assert again[:-1] == whole[:-1] if not isinstance(whole, str) else again == whole
    shutil.rmtree(folder)


def test_a_piece_of_one_row_is_scaled_like_any_other(tmp_path: Path) -> None:
    """Where Polars would divide instead of multiplying by the inverse."""
    table = pl.DataFrame({"x": [None, *(float(number) for number in range(1, 60))]}, schema={"x": pl.Float64})
    rules = Rules(scaled=(ScaleRule("x", ScaleMethod.Z_SCORE),))
    whole = outcome(table, rules, tmp_path / "whole", [60], 60)
    assert outcome(table, rules, tmp_path / "ones", [60], 1) == whole


@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_threads_do_not_show_in_what_is_written(tmp_path: Path, threads: str) -> None:
    """A process with other threads of Polars writes the same bytes, from pieces of another size."""
    rules = Rules(
        text=(TextRule("Description"),), outliers=(OutlierRule("Quantity", OutlierMethod.MAD, bound=50),),
        duplicates=DuplicateRule(), scaled=(ScaleRule("UnitPrice", ScaleMethod.Z_SCORE),), user_field="CustomerID",
        item_field="Description", split=SplitRule(SplitBy.USER, "CustomerID"),
    )  # fmt: skip
    here = prepared(pl.scan_parquet(FULL), rules, tmp_path / "here")
    code = """
import json, sys
from pathlib import Path
import polars as pl
from assetgraph.factorization.interactions import id_expression
from assetgraph.inventory.prepare.engine import prepare
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.rules import Rules
assert pl.thread_pool_size() == int(sys.argv[4])
folder = Path(sys.argv[2])
pieces = Pieces.of(pl.scan_parquet(sys.argv[1]), None, folder, 30_011)
prepare(pieces, Rules.of(json.loads(sys.argv[3])), folder, id_expression, lambda share, message: None)
"""
    (tmp_path / "there").mkdir()
    given_rules = json.dumps(rules.plain())
    subprocess.run(
        [sys.executable, "-c", code, str(FULL), str(tmp_path / "there"), given_rules, threads],
        env={**os.environ, "POLARS_MAX_THREADS": threads}, check=True, timeout=200,
    )  # fmt: skip
    for file in here.files.values():
        assert (tmp_path / "there" / file.name).read_bytes() == file.read_bytes(), file.name


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted),
)
def test_sums_are_exact(values: list[float], cuts: list[int]) -> None:
    """As fractions have it, in whatever pieces; the mean is rounded once."""
    total = ExactSum()
    for piece in np.split(np.array(values), cuts):
        total.add(piece)
    assert total.mean(len(values)) == float(sum(map(Fraction, values)) / len(values))
    total.add(np.array([math.inf]))
    assert math.isinf(total.mean(1))
