"""The content fingerprint: blind to storage and order, sensitive to every value, name and type."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetgraph.inventory.fingerprint import content_fingerprint

RETAIL = Path(__file__).parents[1] / "data" / "online_retail" / "online_retail_full_no_invoice.parquet"
ROW = st.tuples(
    st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.floats(width=64), st.none() | st.text(max_size=5)
)
SCHEMA = {"n": pl.Int64, "x": pl.Float64, "s": pl.String}
MOMENT = dt.datetime(2011, 12, 9, 12, 50, tzinfo=dt.UTC)


def of(values: Sequence[object], dtype: pl.DataType | type[pl.DataType]) -> str:
    """Return the fingerprint of one column named v."""
    return content_fingerprint(pl.LazyFrame({"v": pl.Series(values, dtype=dtype)}))


def test_the_fingerprint_of_the_real_data_never_changes() -> None:
    """It is stored, so no version of Polars or of this code may give another one under the same prefix."""
    assert content_fingerprint(pl.scan_parquet(RETAIL)) == "agc2:2820322779bf75e669ba3b18aa676007"


def test_rewriting_does_not_change_it(tmp_path: Path) -> None:
    """Other compression, row groups, order of rows and of columns, and several files give the same fingerprint."""
    frame = pl.read_parquet(RETAIL).head(50_000)
    expected = content_fingerprint(frame.lazy())
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=7).select(reversed(frame.columns))
    shuffled.write_parquet(tmp_path / "a.parquet", compression="gzip", row_group_size=7_001, statistics=False)
    assert content_fingerprint(pl.scan_parquet(tmp_path / "a.parquet")) == expected
    for number, part in enumerate(frame.iter_slices(20_000)):
        part.write_parquet(tmp_path / f"part-{number}.parquet", compression="lz4")
    assert content_fingerprint(pl.scan_parquet(tmp_path / "part-*.parquet")) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, min_size=1, max_size=12), st.data())
def test_order_does_not_matter_and_each_value_does(rows: list[tuple[object, ...]], data: st.DataObject) -> None:
    """Any permutation keeps the fingerprint; any one value replaced by an unequal one changes it."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    expected = content_fingerprint(frame.lazy())
    permuted = pl.DataFrame(data.draw(st.permutations(rows)), schema=SCHEMA, orient="row")
    assert content_fingerprint(permuted.lazy()) == expected
    at = data.draw(st.integers(0, len(rows) - 1))
    other = data.draw(ROW)
    changed = pl.DataFrame([*rows[:at], other, *rows[at + 1 :]], schema=SCHEMA, orient="row")
    same = changed.row(at) == frame.row(at) or changed.slice(at, 1).equals(frame.slice(at, 1))
    assert (content_fingerprint(changed.lazy()) == expected) is same


def test_values_belong_to_their_rows() -> None:
    """Columns with equal values in another pairing are another table."""
    first = pl.LazyFrame({"a": [1, 2], "b": [10, 20]})
    second = pl.LazyFrame({"a": [1, 2], "b": [20, 10]})
    assert content_fingerprint(first) != content_fingerprint(second)


def test_values_belong_to_their_columns() -> None:
    """Swapped column names are another table."""
    assert content_fingerprint(pl.LazyFrame({"a": [1], "b": [2]})) != content_fingerprint(
        pl.LazyFrame({"a": [2], "b": [1]})
    )


def test_repeated_rows_count() -> None:
    """A row twice, thrice or not at all are three tables."""
    assert len({of([1] * times, pl.Int64) for times in range(5)}) == 5


def test_zeros_and_nans_are_canonical() -> None:
    """0.0 equals -0.0 and every NaN equals every other, but not null."""
    assert of([0.0], pl.Float64) == of([-0.0], pl.Float64)
    assert of([float("nan")], pl.Float64) == of([-float("nan")], pl.Float64)
    assert len({of([float("nan")], pl.Float64), of([None], pl.Float64), of([0.0], pl.Float64)}) == 3


def test_null_is_not_the_empty_value() -> None:
    """Null differs from empty text, zero, false and the empty list."""
    empties: list[tuple[object, pl.DataType]] = [
        ("", pl.String()),
        (b"", pl.Binary()),
        (0, pl.Int64()),
        (False, pl.Boolean()),
    ]
    for empty, dtype in empties:
        assert of([None], dtype) != of([empty], dtype)
    assert len({of([value], pl.List(pl.Int64)) for value in (None, [], [None], [0], [0, 0])}) == 5


def test_the_type_is_part_of_it() -> None:
    """Equal numbers in another type are another table; text is text however it is encoded."""
    types: list[pl.DataType] = [
        *(pl.Int64(), pl.Int32(), pl.UInt64(), pl.Float64(), pl.Float32()),
        *(pl.Decimal(10, 0), pl.Decimal(10, 2)),
    ]
    assert len({of([1], dtype) for dtype in types}) == len(types)
    assert of(["a", None], pl.Categorical) == of(["a", None], pl.String) == of(["a", None], pl.Enum(["b", "a"]))


@pytest.mark.parametrize(
    ("dtype", "one", "other"),
    [
        (pl.Boolean, True, False),
        (pl.UInt64, 2**64 - 1, 2**64 - 2),
        (pl.Int128, 2**100, 2**100 + 1),
        (pl.Decimal(38, 2), Decimal("1.10"), Decimal("1.01")),
        (pl.Date, dt.date(2011, 12, 9), dt.date(2011, 12, 10)),
        (pl.Time, dt.time(1), dt.time(2)),
        (pl.Duration("us"), dt.timedelta(1), dt.timedelta(2)),
        (pl.Datetime("us", "UTC"), MOMENT, MOMENT + dt.timedelta(microseconds=1)),
        (pl.Binary, b"\x00", b"\x00\x00"),
        (pl.List(pl.String), ["a", "b"], ["b", "a"]),
        (pl.List(pl.List(pl.Int64)), [[1], [2, 3]], [[1, 2], [3]]),
        (pl.Array(pl.Int64, 2), [1, 2], [2, 1]),
        (pl.Struct({"a": pl.Int64, "b": pl.Int64}), {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (pl.List(pl.Struct({"a": pl.Float64})), [{"a": 0.5}], [{"a": None}]),
    ],
)
def test_every_type_is_hashed_by_value(dtype: pl.DataType, one: object, other: object) -> None:
    """Values of each type are told apart, null included, and their order does not matter."""
    assert of([one, None, other], dtype) == of([other, one, None], dtype)
    assert len({of(values, dtype) for values in ([one], [other], [None], [one, other])}) == 4


def test_empty_tables_differ_by_their_columns() -> None:
    """Without rows the fingerprint is that of the schema."""
    frames = [pl.LazyFrame(schema=schema) for schema in ({"a": pl.Int64}, {"b": pl.Int64}, {"a": pl.Null})]
    assert len({content_fingerprint(frame) for frame in frames}) == 3
