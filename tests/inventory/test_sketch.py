"""States of profiles: the kernel against the plain path, merging, packing, and how far estimates are off."""

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetgraph.errors import Invalid
from assetgraph.inventory.sketch import distinct
from assetgraph.inventory.sketch.distribution import cdf, frequent, pattern_of, patterns, quantiles
from assetgraph.inventory.sketch.oracle import plain_state
from assetgraph.inventory.sketch.packing import from_bytes, to_bytes
from assetgraph.inventory.sketch.reading import table_state
from assetgraph.inventory.sketch.sampling import sampled_rows
from assetgraph.inventory.sketch.scan import Accumulator
from assetgraph.inventory.sketch.states import ColumnState, Moments, TableState, fingerprint, merge
from assetgraph.inventory.sketch.summary import field_profile, field_profiles

WORD = st.text(max_size=20) | st.sampled_from(["", "a", "aaaaaaaaaaaaa", "aaaaaaaaaaaab", "äöü", "x" * 300])
ROW = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "small": st.none() | st.integers(-3, 3),
        "x": st.none() | st.floats(width=64),
        "f": st.none() | st.floats(width=32),
        "s": st.none() | WORD,
        "b": st.none() | st.binary(max_size=20),
        "t": st.none() | st.datetimes(),
        "ok": st.none() | st.booleans(),
        "u": st.none() | st.integers(0, 2**64 - 1),
        "d": st.none() | st.decimals(-1000, 1000, places=2),
        "l": st.none() | st.lists(st.none() | st.integers(-2, 2), max_size=3),
        "o": st.none() | st.fixed_dictionaries({"p": st.none() | st.integers(0, 3), "q": st.none() | WORD}),
        "n": st.none(),
    }
)
SCHEMA: dict[str, Any] = {
    "i": pl.Int64, "small": pl.Int8, "x": pl.Float64, "f": pl.Float32, "s": pl.String, "b": pl.Binary,
    "t": pl.Datetime("us"), "ok": pl.Boolean, "u": pl.UInt64, "d": pl.Decimal(10, 2), "l": pl.List(pl.Int16),
    "o": pl.Struct({"p": pl.Int64, "q": pl.String}), "n": pl.Null,
}  # fmt: skip


def compiled(frame: pl.DataFrame, sizes: Sequence[int] = (1 << 17,), first_row: int = 0) -> TableState:
    """Return the kernel's state of a frame, fed in batches of the sizes in turn."""
    filled = Accumulator(frame.schema, first_row=first_row)
    start = turn = 0
    while start < frame.height:
        filled.add(frame.slice(start, size := sizes[turn % len(sizes)]))
        start, turn = start + size, turn + 1
    return filled.state()


def without_moments(state: TableState) -> bytes:
    """Return a state as bytes without the numbers whose last digits depend on the order of additions."""
    columns = {}
    for path, column in state.columns.items():
        told = {name: getattr(column, name) for name in ColumnState.__dataclass_fields__}
        if column.moments is not None:
            told["moments"] = Moments(**{**vars(column.moments), "mean": 0.0, "m2": 0.0})
        columns[path] = ColumnState(**told)
    return to_bytes(TableState(state.rows, state.sums, state.schema, columns))


def agree(one: TableState, two: TableState) -> None:
    """Check that two states are equal, the moments up to their last digits."""
    assert without_moments(one) == without_moments(two)
    for path, column in one.columns.items():
        other = two.columns[path].moments
        if column.moments is None or other is None:
            assert column.moments is other
            continue
        if abs(column.moments.mean) < 1e150 and column.moments.m2 < 1e300:
            assert column.moments.mean == pytest.approx(
                other.mean, rel=1e-9, abs=1e-9 * column.moments.m2**0.5 + 1e-300
            )
            assert column.moments.m2 == pytest.approx(other.m2, rel=1e-6, abs=1e-6 * column.moments.mean**2)


def events(rows: int, seed: int = 3) -> pl.DataFrame:
    """Return a table whose columns have few and many values, nulls, an order, and long and short texts."""
    drawn = np.random.default_rng(seed)
    numbers = drawn.integers(0, rows * 2, rows)
    frame = pl.DataFrame(
        {
            "id": np.arange(rows),
            "user": (drawn.pareto(1.1, rows) * 50).astype(np.int64),
            "item": pl.Series(drawn.zipf(1.3, rows) % 30_000).cast(pl.String),
            "price": np.exp(drawn.normal(3, 1, rows)),
            "kind": pl.Series(
                np.array(["view", "click", "buy"], dtype=object)[drawn.integers(0, 3, rows)], dtype=pl.String
            ),
            "session": "session-" + pl.Series(numbers).cast(pl.String).str.zfill(30),
            "at": pl.Series(1_700_000_000_000_000 + np.sort(drawn.integers(0, 10**12, rows))).cast(pl.Datetime("us")),
        }
    )
    gone = pl.Series(drawn.random(rows) < 0.3)
    return frame.with_columns(pl.when(~gone).then(pl.col(name)).alias(name) for name in ("price", "session"))


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=30), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_the_kernel_gives_what_the_plain_path_gives(rows: list[dict[str, Any]], sizes: list[int]) -> None:
    """For every type and any batches: to the bit, but for the last digits of moments that were added in pieces."""
    frame = pl.DataFrame(rows, schema=SCHEMA)
    agree(compiled(frame, sizes), plain_state(frame))


def test_kernel_and_plain_path_agree_beyond_the_exact_table() -> None:
    """With more distinct values than are counted exactly, registers, counters and samples are the same to the bit."""
    frame = events(150_000)
    one, two = compiled(frame, (40_000, 70_001)), plain_state(frame)
    assert isinstance(one.columns["user"].values, distinct.Exact)
    assert isinstance(one.columns["session"].values, distinct.Hashed)
    agree(one, two)


@settings(deadline=None, max_examples=40)
@given(st.lists(ROW, min_size=3, max_size=30), st.data())
def test_merging_knows_no_order(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """Merged in any grouping and order, parts give the state of the whole."""
    frame = pl.DataFrame(rows, schema=SCHEMA)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=2, max_size=2)))
    bounds = list(zip([0, *cuts], [*cuts, len(rows)], strict=True))
    a, b, c = (plain_state(frame.slice(low, high - low), first_row=low) for low, high in bounds)
    agree(merge(merge(a, b, ordered=True), c, ordered=True), plain_state(frame))
    agree(merge(a, merge(b, c, ordered=True), ordered=True), plain_state(frame))
    agree(merge(merge(a, b), c), merge(c, merge(b, a)))


def test_large_parts_merge_to_the_whole() -> None:
    """Also beyond the exact table and the samples' limits, in any order."""
    frame = events(300_000)
    parts = [plain_state(frame.slice(at, 60_000), first_row=at) for at in range(0, 300_000, 60_000)]
    forward, backward = reduce(merge, parts), reduce(merge, reversed(parts))
    agree(forward, backward)
    assert fingerprint(forward) == fingerprint(plain_state(frame))
    agree(reduce(lambda one, two: merge(one, two, ordered=True), parts), plain_state(frame))


def test_row_groups_give_what_batches_give(tmp_path: Path) -> None:
    """Row groups read ahead, batches and the plain path give one state; reading again gives the same bytes."""
    frame = events(700_000)
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=90_000)
    groups = [90_000] * 7 + [70_000]
    lazy = pl.scan_parquet(tmp_path / "a.parquet")
    whole = table_state(lazy, groups)
    assert to_bytes(whole) == to_bytes(table_state(lazy, groups))
    agree(whole, table_state(lazy))
    agree(whole, plain_state(frame))


@settings(deadline=None, max_examples=40)
@given(st.lists(ROW, max_size=10))
def test_states_survive_being_stored(rows: list[dict[str, Any]]) -> None:
    """Bytes and back give equal bytes, equal profiles and the same fingerprint."""
    frame = pl.DataFrame(rows, schema=SCHEMA)
    state = plain_state(frame)
    again = from_bytes(to_bytes(state))
    assert to_bytes(again) == to_bytes(state)
    assert fingerprint(again) == fingerprint(state)
    assert field_profiles(again, frame.columns) == field_profiles(state, frame.columns)


def test_stored_states_are_small_and_damage_is_noticed() -> None:
    """A small table takes little, a big one some hundred kilobytes a column; damaged or foreign bytes are refused."""
    small = to_bytes(plain_state(events(100)))
    assert len(small) < 20_000
    packed = to_bytes(compiled(events(1_000_000)))
    assert len(packed) < 7 * 300_000
    for damaged in (b"", b"PAR1", packed[:-100], packed[:20], packed[:4] + b"\x09\x00" + packed[6:]):
        with pytest.raises(Invalid):
            from_bytes(damaged)


def test_states_of_other_tables_do_not_merge() -> None:
    """Columns of another name or type are an error, not a silent mixture."""
    with pytest.raises(Invalid):
        merge(plain_state(pl.DataFrame({"a": [1]})), plain_state(pl.DataFrame({"a": ["x"]})))


@pytest.mark.parametrize("count", [5_000, 8_192, 8_193, 30_000, 400_000])
def test_distinct_values_are_counted(count: int) -> None:
    """Exact up to 8,192, then within 3 % on each of several tables, 1 % in the root mean square."""
    errors = []
    for trial in range(6):
        values = np.random.default_rng(trial).integers(0, 2**62, count)
        state = compiled(pl.DataFrame({"v": np.concatenate((values, values[: count // 2]))})).columns["v"]
        shown = field_profile(state)
        assert shown.distinct_is_exact is (count <= distinct.EXACT_VALUES)
        errors.append(shown.distinct_count / len(np.unique(values)) - 1)
    if count <= distinct.EXACT_VALUES:
        assert errors == [0] * 6
    assert max(np.abs(errors)) < 0.03
    assert float(np.sqrt(np.mean(np.square(errors)))) < 0.012


@pytest.mark.parametrize("shape", ["random", "sorted", "skewed", "sparse"])
def test_quantiles_keep_their_rank(shape: str) -> None:
    """Each is within half a percent of the rank asked for; of sorted columns much nearer."""
    drawn = np.random.default_rng(11)
    values = drawn.normal(0, 1, 1_500_000)
    values = np.sort(values) if shape == "sorted" else np.exp(4 * values) if shape == "skewed" else values
    series = pl.Series("v", values)
    if shape == "sparse":
        series = pl.Series("v", [None], dtype=pl.Float64).extend_constant(None, 1).clear().append(series)
        series = pl.select(pl.when(pl.Series(drawn.random(len(values)) < 0.2)).then(series).alias("v")).to_series()
    state = compiled(series.to_frame()).columns["v"]
    present = np.sort(series.drop_nulls().to_numpy())
    shares = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    ranks = np.searchsorted(present, quantiles(state, shares)) / len(present)
    bound = 0.0002 if shape == "sorted" else 0.005
    assert np.abs(ranks - shares).max() < bound
    assert (
        np.abs(
            cdf(state, present[:: len(present) // 50]) - np.arange(0, len(present), len(present) // 50) / len(present)
        ).max()
        < 0.005
    )
    assert 0 < field_profile(state).quantile_rank_error <= 0.0051


def test_frequent_values_stand_out() -> None:
    """Counts of the frequent ones are within the bound told; a column of unique values has none."""
    frame = events(1_000_000)
    state = compiled(frame)
    for name in ("item", "kind", "user"):
        told = frequent(state.columns[name])
        counts = dict(frame.get_column(name).value_counts().iter_rows())
        assert len(told.values) >= 3
        for value, count, bound in zip(told.values, told.counts, told.bounds, strict=True):
            assert abs(counts[value] - count) <= bound
        assert told.values[0] == frame.get_column(name).mode()[0]
    assert frequent(state.columns["id"]).values == ()
    assert frequent(state.columns["session"]).values == ()


def test_sampled_rows_do_not_depend_on_the_pieces() -> None:
    """Rows and levels are those of the whole, wherever a piece begins and whichever level it starts from."""
    rows, levels = sampled_rows(0, 10_000, 0, 5)
    whole = dict(zip(rows.tolist(), levels.tolist(), strict=True))
    for first, count, floor in ((0, 10_000, 3), (777, 3_000, 0), (5_001, 2_000, 5)):
        piece, reached = sampled_rows(first, count, floor, 5)
        expected = {row: level for row, level in whole.items() if first <= row < first + count and level >= floor}
        assert dict(zip((piece + first).tolist(), reached.tolist(), strict=True)) == expected
    assert sampled_rows(0, 10_000, 3, 6)[0].tolist() != sampled_rows(0, 10_000, 3, 5)[0].tolist()


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([1, 2, None, 5], "strictly_increasing"),
        ([1, 1, 2], "increasing"),
        ([3, 2, 1], "strictly_decreasing"),
        ([3, 3, 1], "decreasing"),
        ([4, 4], "constant"),
        ([1, 3, 2], None),
        ([None], None),
        (["a", "b", "ba"], "strictly_increasing"),
        ([1.0, float("nan"), 2.0], None),
    ],
)
def test_order_is_told(values: list[Any], order: str | None) -> None:
    """Nulls are left out; in one piece, in batches and merged in order the answer is the same."""
    frame = pl.DataFrame({"v": pl.Series(values, strict=False)})
    for state in (plain_state(frame), compiled(frame, (1,))):
        assert field_profile(state.columns["v"]).order == order


def test_no_order_is_claimed_beyond_what_is_kept() -> None:
    """Two long texts that differ only behind the kept part, at the end of one batch and the start of the next."""
    frame = pl.DataFrame({"v": ["x" * 400 + "2", "x" * 400 + "1"]})
    assert field_profile(compiled(frame, (1,)).columns["v"]).order is None
    assert field_profile(plain_state(frame).columns["v"]).order is None


def test_a_strictly_rising_column_has_exactly_as_many_values() -> None:
    """Order proves what the registers only estimate."""
    found = field_profile(compiled(events(100_000)).columns["id"])
    assert (found.distinct_count, found.distinct_is_exact) == (100_000, True)


def test_the_largest_gap_lies_within_its_bounds() -> None:
    """A week without events in a year of them is found, in one piece and merged from parts of it."""
    seconds = np.concatenate((np.arange(0, 15_000_000, 60), np.arange(15_600_000, 31_000_000, 60)))
    frame = pl.DataFrame({"t": pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))})
    parts = [compiled(frame.slice(at, 100_000), first_row=at) for at in range(0, frame.height, 100_000)]
    for state in (compiled(frame), reduce(merge, parts)):
        gap = field_profile(state.columns["t"]).largest_gap
        assert gap is not None
        assert gap[0] <= 600_060 * 1_000_000 <= gap[1]
        assert gap[1] - gap[0] < 3 * 3_600 * 1_000_000


def test_patterns_are_classes_of_characters() -> None:
    """Digits, capitals, small and other letters; long runs are shortened."""
    assert [pattern_of(text) for text in ("AB-123", "item_0000042", "Köln", "", "北京")] == [
        "AA-999", "aaaa_9+", "Aaaa", "", "ww",
    ]  # fmt: skip
    state = plain_state(pl.DataFrame({"v": ["A-1", "B-2", "xx", None]})).columns["v"]
    assert patterns(state) == ((("A-9", 2 / 3), ("aa", 1 / 3)), True)


def test_nested_fields_have_paths() -> None:
    """Fields of structs by dotted path, elements of lists as `[]`, both in each other."""
    rows = [{"o": {"p": [{"q": 1}, {"q": None}]}}, {"o": None}, {"o": {"p": []}}]
    profiles = field_profiles(plain_state(pl.DataFrame(rows)), ["o"])
    nested = {one.field: one for one in profiles[0].nested}
    assert list(nested) == ["o.p", "o.p[]", "o.p[].q"]
    assert (nested["o.p"].count, nested["o.p"].null_count, nested["o.p"].empty_count) == (3, 1, 1)
    assert (nested["o.p[].q"].count, nested["o.p[].q"].null_count, nested["o.p[].q"].max) == (2, 1, "1")


def test_counts_of_special_values() -> None:
    """Zeros, negatives, NaN, infinities and empty texts are counted apart."""
    frame = pl.DataFrame(
        {
            "x": [0.0, -0.0, -1.0, float("nan"), float("inf"), float("-inf"), None],
            "s": ["", "", "abc", "ä", None, None, "x"],
            "d": pl.Series([Decimal("0.00"), Decimal("-1.50")] + [None] * 5, dtype=pl.Decimal(8, 2)),
        }
    )
    x, s, d = field_profiles(compiled(frame), frame.columns)
    assert (x.zero_count, x.negative_count, x.nan_count) == (2, 2, 1)
    assert (x.positive_infinity_count, x.negative_infinity_count) == (1, 1)
    assert (s.empty_count, s.min_length, s.max_length, s.mean_length) == (2, 0, 3, 6 / 5)
    assert (d.zero_count, d.negative_count, d.min, d.mean) == (1, 1, "-1.50", -0.75)
