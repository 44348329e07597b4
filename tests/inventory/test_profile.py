"""Profiles: true on the real data, calm on every type, and a typed finding for every broken file."""

import datetime as dt
import json
import random
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from assetgraph.inventory.discover import BrokenFile, Candidate, discover
from assetgraph.inventory.profile import FieldProfile, profile, quality_metrics, scan_candidate

RETAIL = Path(__file__).parents[1] / "data" / "online_retail"
FULL = RETAIL / "online_retail_full_no_invoice.parquet"
EARLY = RETAIL / "online_retail_to_2011-06-26.parquet"


def candidate(path: Path) -> Candidate:
    """Return the one dataset of a file or folder."""
    (found,) = discover(path, path)
    return found


def profiled(tmp_path: Path, values: list[object], dtype: pl.DataType | type[pl.DataType]) -> FieldProfile:
    """Write one column as Parquet and return its profile, after a trip through strict JSON."""
    file = tmp_path / "one.parquet"
    pl.DataFrame({"count": pl.Series(values, dtype=dtype)}).write_parquet(file)
    described = profile(candidate(file))
    json.dumps(described.as_json(), allow_nan=False)
    return described.field_profiles[0]


def test_the_profile_of_the_real_data_is_true() -> None:
    """Counts, ranges and distinct numbers are those known of the data set; progress is told by rows."""
    shares: list[float] = []
    described = profile(candidate(FULL), shares.append)
    fields = {one.field: one for one in described.field_profiles}
    assert (described.row_count, described.size_bytes) == (541_909, FULL.stat().st_size)
    assert [(shape.name, shape.ordinal) for shape in described.fields][:2] == [("Description", 0), ("Quantity", 1)]
    assert {shape.name: shape.type for shape in described.fields}["CustomerID"] == "Float64"
    assert (fields["Description"].null_count, fields["Description"].distinct_count) == (1_454, 4_223)
    assert (fields["CustomerID"].null_count, fields["CustomerID"].distinct_count) == (135_080, 4_372)
    assert (fields["UnitPrice"].min, fields["UnitPrice"].max) == ("-11062.06", "38970.0")
    assert (fields["InvoiceDate"].min, fields["InvoiceDate"].max) == ("2010-12-01T08:26:00", "2011-12-09T12:50:00")
    assert fields["Description"].top_values[0] == ("WHITE HANGING HEART T-LIGHT HOLDER", 2_369, 0)
    assert sum(count for _, _, count in fields["Quantity"].histogram) == 541_909
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_statistics_equal_those_of_polars() -> None:
    """Mean, deviation and quantiles agree with Polars' own exact ones, and negative quantities are all there."""
    quantity = pl.read_parquet(FULL).get_column("Quantity")
    assert int((quantity < 0).sum()) == 10_624
    found = next(one for one in profile(candidate(FULL)).field_profiles if one.field == "Quantity")
    assert found.mean == pytest.approx(quantity.mean())
    assert found.stddev == pytest.approx(quantity.std())
    for q, value in found.quantiles:
        assert value == pytest.approx(quantity.quantile(q, "linear"))


def test_csv_of_the_real_data_is_the_same_dataset(tmp_path: Path) -> None:
    """Written as CSV and as TSV, the early delivery keeps its types, statistics and fingerprint."""
    expected = scan_candidate(candidate(EARLY))
    frame = pl.read_parquet(EARLY)
    for name, separator in (("early.csv", ","), ("early.tsv", "\t")):
        frame.write_csv(tmp_path / name, separator=separator)
        found = scan_candidate(candidate(tmp_path / name))
        assert found.fingerprint == expected.fingerprint
        assert found.profile.fields == expected.profile.fields
        assert found.profile.field_profiles == expected.profile.field_profiles


@pytest.mark.parametrize(
    ("values", "type_text"),
    [
        (["1", "", "-20"], "Int64"),
        (["1", "2.5", "1e3"], "Float64"),
        (["1200950001234567890", "7"], "Int64"),
        (["12009500012345678901", "7"], "String"),
        (["01234", "99999"], "String"),
        (["+4930123", "1"], "String"),
        (["0", "0.5", "-0.5"], "Float64"),
        (["true", "FALSE", ""], "Boolean"),
        (["2011-12-09", "2010-01-31"], "Date"),
        (["2011-12-09", "2010-13-31"], "String"),
        (["2011-12-09 12:50", "2010-12-01 08:26"], "Datetime[us]"),
        (["2011-12-09T12:50:00.25Z", "2010-12-01T08:26:00+02:00"], "Datetime[us, UTC]"),
        (["6/26/11 10:59", "1/2/11 9:00"], "String"),
        (["1"] * 5_000 + ["late text"], "String"),
        (["", ""], "String"),
    ],
)
def test_csv_columns_get_the_type_that_all_their_values_have(tmp_path: Path, values: list[str], type_text: str) -> None:
    """The whole column decides; codes with leading zeros and numbers too long for a float stay text."""
    file = tmp_path / "a.csv"
    file.write_text("key,v\n" + "".join(f"k,{value}\n" for value in values))
    described = scan_candidate(candidate(file)).profile
    assert described.fields[1].type == type_text
    assert described.row_count == len(values)


def test_partitions_give_their_column(tmp_path: Path) -> None:
    """A hive dataset has the partition key as a column; a numbered one is the sum of its files."""
    for year in (2010, 2011):
        folder = tmp_path / "hive" / f"year={year}"
        folder.mkdir(parents=True)
        pl.DataFrame({"a": [1, 2]}).write_parquet(folder / "x.parquet")
        (tmp_path / "parts").mkdir(exist_ok=True)
        pl.DataFrame({"a": [year]}).write_parquet(tmp_path / "parts" / f"{year}.parquet")
    hive, parts = (scan_candidate(one).profile for one in discover(tmp_path, tmp_path))
    assert [shape.name for shape in hive.fields] == ["a", "year"]
    assert (hive.row_count, parts.row_count) == (4, 2)


def test_nan_and_infinity_do_not_poison_statistics(tmp_path: Path) -> None:
    """They count as values; mean, deviation, quantiles and histogram are of the finite ones."""
    found = profiled(tmp_path, [1.0, 3.0, float("nan"), float("inf"), -0.0, 0.0, None], pl.Float64)
    assert (found.count, found.null_count, found.distinct_count) == (7, 1, 5)
    assert (found.min, found.max, found.mean) == ("0.0", "inf", 1.0)
    assert sum(count for _, _, count in found.histogram) == 4
    assert profiled(tmp_path, [float("nan")], pl.Float64).mean is None


@pytest.mark.parametrize("values", [[1e308, -1e308, 1e308], [5e-324, 0.0], [1.0, 1.0 + 2**-52], [7.0]])
def test_extreme_numbers_are_binned(tmp_path: Path, values: list[object]) -> None:
    """Ranges too wide or too narrow for 20 bins get one bin."""
    assert sum(count for _, _, count in profiled(tmp_path, values, pl.Float64).histogram) == len(values)


@pytest.mark.parametrize(
    ("dtype", "values", "low", "high"),
    [
        (pl.Boolean, [True, False, None], "false", "true"),
        (pl.Int128, [2**100, -5, None], "-5", str(2**100)),
        (pl.UInt64, [2**64 - 1, 0, None], "0", str(2**64 - 1)),
        (pl.Decimal(10, 2), [Decimal("1.50"), Decimal("-2.25"), None], "-2.25", "1.50"),
        (pl.Date, [dt.date(2011, 1, 2), dt.date(2010, 1, 2), None], "2010-01-02", "2011-01-02"),
        (pl.Time, [dt.time(1, 2), dt.time(3), None], "01:02:00", "03:00:00"),
        (pl.Categorical, ["b", "a", None], "a", "b"),
        (pl.Enum(["b", "a"]), ["b", "a", None], "a", "b"),
        (pl.Binary, [b"\xff", b"\x00", None], "00", "ff"),
    ],
)
def test_every_flat_type_has_a_range(
    tmp_path: Path, dtype: pl.DataType, values: list[object], low: str, high: str
) -> None:
    """Minimum and maximum are text that loses nothing; nulls are counted apart."""
    found = profiled(tmp_path, values, dtype)
    assert (found.min, found.max, found.null_count, found.distinct_count) == (low, high, 1, 2)
    assert {value for value, _, _ in found.top_values} == {low, high}


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.List(pl.Int64), [[1], [1], [], None]),
        (pl.Array(pl.Int64, 1), [[1], [1], [2], None]),
        (pl.Struct({"a": pl.String}), [{"a": "x"}, {"a": "x"}, {"a": None}, None]),
    ],
)
def test_nested_columns_are_counted(tmp_path: Path, dtype: pl.DataType, values: list[object]) -> None:
    """Nested values have counts, nulls and a distinct number that says that it is by hash."""
    found = profiled(tmp_path, values, dtype)
    assert (found.count, found.null_count, found.distinct_count, found.distinct_is_exact) == (4, 1, 2, False)


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Float64, pl.Boolean, pl.Date, pl.List(pl.Int64)])
@pytest.mark.parametrize("rows", [0, 3])
def test_columns_without_values_are_profiled(tmp_path: Path, dtype: pl.DataType, rows: int) -> None:
    """All-null and zero-row columns of any type have no range and no values."""
    found = profiled(tmp_path, [None] * rows, dtype)
    assert (found.count, found.null_count, found.distinct_count, found.min, found.mean) == (rows, rows, 0, None, None)


def test_long_text_is_shortened_in_the_profile(tmp_path: Path) -> None:
    """A profile does not store a megabyte of one value."""
    found = profiled(tmp_path, ["x" * 1_000_000], pl.String)
    assert found.max is not None
    assert len(found.max) == 256


def test_metrics_are_shares_of_the_profile() -> None:
    """Completeness counts what is not null, per field and over all; uniqueness the distinct share of it."""
    metrics = {(name, field): value for name, field, value, _ in quality_metrics(profile(candidate(FULL)))}
    assert metrics["row_count", None] == 541_909
    assert metrics["completeness", "CustomerID"] == pytest.approx(1 - 135_080 / 541_909)
    assert metrics["completeness", None] == pytest.approx(1 - (135_080 + 1_454) / (541_909 * 6))
    assert metrics["uniqueness", "CustomerID"] == pytest.approx(4_372 / (541_909 - 135_080))


def test_an_empty_table_has_no_shares(tmp_path: Path) -> None:
    """Of nothing, no share is claimed."""
    pl.DataFrame(schema={"a": pl.Int64}).write_parquet(tmp_path / "a.parquet")
    names = [name for name, _, _, _ in quality_metrics(profile(candidate(tmp_path / "a.parquet")))]
    assert names == ["row_count", "size_bytes"]


WHOLE = EARLY.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.parquet", b"", "EMPTY_FILE"),
        ("a.parquet", WHOLE[:-1000], "MALFORMED"),
        ("a.parquet", WHOLE[1000:5000], "MALFORMED"),
        ("a.parquet", b"user,item\n1,2\n", "MALFORMED"),
        ("a.parquet", WHOLE[:-8] + b"\xff\xff\xff\x7fPAR1", "MALFORMED"),
        ("a.csv", b"", "EMPTY_FILE"),
        ("a.csv", b"\n\n", "EMPTY_FILE"),
        ("a.csv", b"a,b\n\xff\xfe,2\n", "ENCODING"),
        ("a.csv", b"a,b\n\x00\x01\x02,2\n", "ENCODING"),
        ("a.csv", b"a,b\n1,2,3,4\n", "MALFORMED"),
    ],
)
def test_a_broken_file_is_a_typed_finding(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """It has a reason, and a message that names the file and not the server's folders."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokenFile) as caught:
        scan_candidate(candidate(tmp_path / name))
    assert caught.value.reason == reason
    assert name in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_files_that_do_not_fit_together_are_a_finding(tmp_path: Path) -> None:
    """Parts with different columns are one broken dataset."""
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(BrokenFile) as caught:
        scan_candidate(candidate(tmp_path))
    assert caught.value.reason == "SCHEMA_MISMATCH"


def test_a_vanished_file_is_a_finding(tmp_path: Path) -> None:
    """A file that is deleted between the walk and the reading does not end the scan."""
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    found = candidate(file)
    file.unlink()
    with pytest.raises(BrokenFile) as caught:
        scan_candidate(found)
    assert caught.value.reason == "UNREADABLE"


def test_damaged_bytes_end_in_a_result_or_a_finding(tmp_path: Path) -> None:
    """Files with random bytes changed, footer and pages, raise nothing but BrokenFile (Polars panics on some)."""
    source = random.Random(5)
    good = tmp_path / "good.parquet"
    pl.read_parquet(EARLY).head(500).write_parquet(good)
    content = good.read_bytes()
    outcomes = set()
    for round_number in range(60):
        damaged = bytearray(content)
        start = len(damaged) - 1200 if round_number % 2 else 0
        for _ in range(4):
            damaged[source.randrange(start, len(damaged))] = source.randrange(256)
        file = tmp_path / f"damaged{round_number}.parquet"
        file.write_bytes(damaged)
        try:
            scan_candidate(candidate(file))
            outcomes.add("read")
        except BrokenFile:
            outcomes.add("broken")
    assert "broken" in outcomes
