"""Footers of Parquet files, read as pyarrow reads them; damaged ones are findings."""

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetgraph.inventory.discover import BrokenFile
from assetgraph.inventory.footers import Footer, parse_footer, read_footer

ROWS = 1000


def table(rows: int = ROWS) -> pa.Table:
    """Return columns of all kinds, flat and nested, with nulls."""
    random.seed(5)
    some = [None if place % 7 == 0 else place for place in range(rows)]
    return pa.table({
        "whole": pa.array(some, pa.int64()), "small": pa.array([place % 100 for place in range(rows)], pa.int8()),
        "real": pa.array([place / 3 for place in range(rows)], pa.float64()),
        "single": pa.array([place / 4 for place in range(rows)], pa.float32()),
        "text": pa.array([f"value {place}" for place in range(rows)]), "flag": pa.array([True, False] * (rows // 2)),
        "day": pa.array([dt.date(2020, 1, 1) + dt.timedelta(place) for place in range(rows)]),
        "at": pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * rows, pa.timestamp("us", "UTC")),
        "money": pa.array([Decimal(place) for place in range(rows)], pa.decimal128(20, 2)),
        "none": pa.nulls(rows, pa.int32()),
        "inner": pa.array([{"a": place, "b": [str(place)]} for place in range(rows)]),
        "many": pa.array([[place] * (place % 3) for place in range(rows)]),
    })  # fmt: skip


@pytest.mark.parametrize("options", [
    {}, {"row_group_size": 100}, {"compression": "zstd"}, {"version": "1.0"}, {"write_statistics": False},
    {"use_dictionary": False, "data_page_version": "2.0"}, {"write_page_index": True, "store_schema": False},
])  # fmt: skip
def test_what_pyarrow_says(tmp_path: Path, options: dict[str, Any]) -> None:
    """Rows, leaf columns, null counts, bounds and sizes."""
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path, **options)
    footer = read_footer(str(path))
    expected = pq.read_metadata(path)
    assert (footer.rows, footer.row_groups) == (ROWS, expected.num_row_groups)
    assert [name for name, _ in footer.leaves] == [expected.schema.column(i).path for i in range(expected.num_columns)]
    assert [kind for _, kind in footer.leaves] == [
        expected.schema.column(i).physical_type for i in range(expected.num_columns)
    ]
    for place, column in enumerate(footer.columns()):
        chunks = [expected.row_group(group).column(place) for group in range(expected.num_row_groups)]
        assert column.compressed_bytes == sum(chunk.total_compressed_size for chunk in chunks)
        stated = [chunk.statistics for chunk in chunks]
        if any(one is None for one in stated):
            assert column.nulls is None
            assert column.low is None
            continue
        assert column.nulls == sum(one.null_count for one in stated)
        bounded = [one for one in stated if one.has_min_max]
        if column.path in ("whole", "small", "real", "single", "flag"):
            assert (column.low, column.high) == (min(one.min for one in bounded), max(one.max for one in bounded))
        if column.path == "text":
            assert column.low == min(one.min for one in bounded).encode()
        if column.path == "none":
            assert column.low is None


def test_files_that_polars_writes(tmp_path: Path) -> None:
    """Their footers say what is in them."""
    path = tmp_path / "p.parquet"
    pl.DataFrame({"a": [1, None, 3], "b": ["x", "y", None]}).write_parquet(path)
    footer = read_footer(str(path))
    assert footer.rows == 3
    assert [(one.path, one.nulls, one.low, one.high) for one in footer.columns()] == [
        ("a", 1, 1, 3), ("b", 1, b"x", b"y"),
    ]  # fmt: skip


def test_digests_tell_schemas_and_data(tmp_path: Path) -> None:
    """Equal schema, other data: one digest of the schema, two of the footer."""

    def footer(name: str, frame: pl.DataFrame) -> Footer:
        frame.write_parquet(tmp_path / name)
        return read_footer(str(tmp_path / name))

    one, other = (footer(name, pl.DataFrame({"a": values})) for name, values in (("1", [1, 2]), ("2", [1, 3])))
    assert one.schema_digest == other.schema_digest
    assert one.digest != other.digest
    assert footer("3", pl.DataFrame({"a": [1, 2]})).digest == one.digest
    assert footer("4", pl.DataFrame({"a": [1.0, 2.0]})).schema_digest != one.schema_digest


def test_wide_and_long_footers(tmp_path: Path) -> None:
    """More columns and row groups than there is room for at first, and a footer longer than the tail read."""
    path = tmp_path / "w.parquet"
    wide = pl.DataFrame({f"column number {place}": np.arange(50) for place in range(700)})
    wide.write_parquet(path, row_group_size=5)
    footer = read_footer(str(path))
    assert len(footer.columns()) == 700
    assert footer.row_groups == pq.read_metadata(path).num_row_groups
    assert {(one.low, one.high) for one in footer.columns()} == {(0, 49)}


@pytest.mark.parametrize(("content", "code"), [
    (b"", "EMPTY_FILE"), (b"PAR1", "MALFORMED"), (b"a,b\n1,2\n" * 3, "MALFORMED"),
    (b"PAR1" + b"\0" * 20 + b"\xff\xff\xff\x7fPAR1", "MALFORMED"),
    (b"PAR1" + b"\0" * 20 + b"\x04\0\0\0PAR1", "MALFORMED"),
])  # fmt: skip
def test_what_is_no_footer(tmp_path: Path, content: bytes, code: str) -> None:
    """Files that have none are findings with a code."""
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    with pytest.raises(BrokenFile) as raised:
        read_footer(str(path))
    assert raised.value.reason == code
    with pytest.raises(BrokenFile, match="cannot be read"):
        read_footer(str(tmp_path / "missing.parquet"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a footer with several row groups."""
    path = tmp_path_factory.mktemp("footer") / "s.parquet"
    pq.write_table(table(), path, row_group_size=300)
    content = path.read_bytes()
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_damaged_footers(sound: bytes, data: st.DataObject) -> None:
    """Any bytes changed, cut or put in: a footer or a finding, soon, and never a read beyond the end."""
    changed = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        how = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if how == "set":
            changed[place] = data.draw(st.integers(0, 255))
        elif how == "cut":
            del changed[place : place + data.draw(st.integers(1, 40))]
        else:
            changed[place:place] = data.draw(st.binary(min_size=1, max_size=12))
        if not changed:
            return
    try:
        footer = parse_footer(bytes(changed))
    except BrokenFile as error:
        assert error.reason == "MALFORMED"
        return
    assert all(one.path is not None for one in footer.columns())
