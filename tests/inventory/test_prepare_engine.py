"""Preparations: true on the real data, rows conserved for any data and rules, the same result every time."""

import datetime as dt
import itertools
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import ROWS, RULES, SCHEMA, prepared

from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.prepare.duplicates import duplicates
from assetgraph.inventory.prepare.engine import Prepared
from assetgraph.inventory.prepare.ranks import median_and_deviation, quantiles
from assetgraph.inventory.prepare.rules import (
    Case,
    DuplicateRule,
    Keep,
    OutlierMethod,
    OutlierRule,
    PatternRule,
    Rules,
    ScaleMethod,
    ScaleRule,
    SplitBy,
    SplitRule,
    TextRule,
    TimeRule,
)  # fmt: skip

RETAIL = Path(__file__).parents[1] / "data" / "online_retail"
FULL = RETAIL / "online_retail_full_no_invoice.parquet"
EARLY = RETAIL / "online_retail_to_2011-06-26.parquet"


def at(text: str) -> dt.datetime:
    """Return a time without a zone."""
    return dt.datetime.fromisoformat(text)


def counted(done: Prepared) -> dict[tuple[str, str | None], float]:
    """Return the counts that are not zero."""
    return {(one.name, one.field): one.value for one in done.counts if one.value}


def dropped(done: Prepared) -> float:
    """Return how many rows all rules dropped."""
    return sum(one.value for one in done.counts if one.name.startswith("dropped_"))


def read(done: Prepared, part: str) -> pl.DataFrame:
    """Return a part."""
    return pl.read_parquet(done.files[part])


def test_the_whole_year_gives_the_stated_numbers(tmp_path: Path) -> None:
    """1,454 descriptions are missing, 10,624 quantities negative; each alone, and each counted once together."""
    alone = prepared(pl.scan_parquet(FULL), Rules(required=("Description",)), tmp_path / "a")
    assert (alone.rows, alone.kept, counted(alone)) == (541_909, 540_455, {("dropped_null", "Description"): 1_454})
    negative = prepared(pl.scan_parquet(FULL), Rules(positive=("Quantity",)), tmp_path / "b")
    assert counted(negative) == {("dropped_not_positive", "Quantity"): 10_624}
    both = prepared(
        pl.scan_parquet(FULL), Rules(required=("Description", "CustomerID"), positive=("Quantity",)), tmp_path / "c"
    )
    table = pl.read_parquet(FULL)
    missing = table["Description"].is_null() | table["CustomerID"].is_null()
    assert counted(both) == {
        ("dropped_null", "Description"): 1_454,
        ("dropped_null", "CustomerID"): int(missing.sum()) - 1_454,
        ("dropped_not_positive", "Quantity"): table.filter(~missing & (pl.col("Quantity") <= 0)).height,
    }
    assert read(both, "clean").equals(table.filter(~missing & (pl.col("Quantity") > 0)))


def test_the_dirty_delivery_is_cleaned(tmp_path: Path) -> None:
    """Text dates, cancelled invoices, duplicates; what stays is what Polars in memory would keep."""
    rules = Rules(
        text=(TextRule("Description"),), times=(TimeRule("InvoiceDate", ("%m/%d/%y %H:%M",)),),
        excluded=(PatternRule("InvoiceNo", "^C"),), duplicates=DuplicateRule(),
    )  # fmt: skip
    done = prepared(pl.scan_parquet(EARLY), rules, tmp_path / "a")
    table = pl.read_parquet(EARLY).with_columns(
        pl.col("Description").str.normalize("NFC").str.strip_chars().str.replace_all(r"\s+", " "),
        pl.col("InvoiceDate").str.to_datetime("%m/%d/%y %H:%M", time_unit="us"),
    )
    bought = table.filter(~pl.col("InvoiceNo").str.starts_with("C"))
    wanted = bought.unique(keep="first", maintain_order=True)
    clean = read(done, "clean")
    assert clean.equals(wanted)
    assert counted(done)["dropped_pattern", "InvoiceNo"] == 4_350
    assert counted(done)["dropped_duplicate", None] == bought.height - wanted.height
    assert (clean["InvoiceDate"].min(), clean["InvoiceDate"].max()) == (
        at("2010-12-01 08:26"), at("2011-06-26 10:59")
    )  # fmt: skip


def test_splits_and_mappings_fit_together(tmp_path: Path) -> None:
    """Parts by time follow each other and hold all rows; indexes are dense and lead back to the ids."""
    rules = Rules(
        times=(TimeRule("InvoiceDate"),), user_field="CustomerID", item_field="Description",
        split=SplitRule(SplitBy.TIME, "InvoiceDate", 0.1, 0.2),
    )  # fmt: skip
    done = prepared(pl.scan_parquet(FULL), rules, tmp_path / "a")
    parts = [read(done, name) for name in ("train", "validation", "test")]
    assert sum(part.height for part in parts) == done.kept == done.rows - dropped(done)
    assert pl.concat(parts).sort(pl.all()).equals(read(done, "clean").sort(pl.all()))
    for before, after in itertools.pairwise(parts):
        assert before["InvoiceDate"].max() < after["InvoiceDate"].min()  # type: ignore[operator]
    assert parts[2].height / done.kept == pytest.approx(0.2, abs=0.01)
    clean, users, items = read(done, "clean"), read(done, "users"), read(done, "items")
    assert users["user_index"].to_list() == list(range(4_372))
    assert clean["CustomerID"].n_unique() == users.height
    assert clean["Description"].str.strip_chars().n_unique() == items.height
    joined = clean.join(users, on="user_index").join(items, on="item_index")
    assert joined.height == clean.height
    assert joined.filter(pl.col("user_id") != pl.col("CustomerID").cast(pl.Int64).cast(pl.String)).is_empty()
    assert joined.filter(pl.col("item_id") != pl.col("Description").str.strip_chars()).is_empty()


def test_a_split_by_user_keeps_users_whole_and_where_they_were(tmp_path: Path) -> None:
    """No user is in two parts; with more data a user stays; another seed gives another split."""

    def users(frame: pl.LazyFrame, seed: int, name: str) -> dict[str, set[float]]:
        split = SplitRule(SplitBy.USER, "CustomerID", 0.1, 0.2, seed)
        done = prepared(frame, Rules(split=split), tmp_path / name)
        return {part: set(read(done, part)["CustomerID"]) for part in ("train", "validation", "test")}

    half = users(pl.scan_parquet(FULL).head(200_000), 1, "a")
    full = users(pl.scan_parquet(FULL), 1, "b")
    assert full["train"] & full["test"] == full["train"] & full["validation"] == full["validation"] & full["test"]
    assert not full["train"] & full["test"]
    assert all(half[part] <= full[part] for part in half)
    assert len(full["test"]) / 4_372 == pytest.approx(0.2, abs=0.03)
    assert users(pl.scan_parquet(FULL), 2, "c")["test"] != full["test"]


def test_the_same_rules_on_the_same_data_give_the_same_bytes_of_content(tmp_path: Path) -> None:
    """Twice, and from another layout of the file: also where numbers are scaled by sums of floats."""
    rules = Rules(
        outliers=(OutlierRule("Quantity", OutlierMethod.MAD, bound=50),), duplicates=DuplicateRule(),
        scaled=(ScaleRule("UnitPrice", ScaleMethod.Z_SCORE),), user_field="CustomerID",
        split=SplitRule(SplitBy.USER, "CustomerID"),
    )  # fmt: skip
    other = tmp_path / "other.parquet"
    pl.read_parquet(FULL).write_parquet(other, row_group_size=10_007, compression="snappy")
    found = set()
    for name, file in (("a", FULL), ("b", FULL), ("c", other)):
        done = prepared(pl.scan_parquet(file), rules, tmp_path / name)
        found.add(tuple(content_fingerprint(pl.scan_parquet(done.files[part])) for part in sorted(done.files)))
    assert len(found) == 1


def test_scales_are_learnt_of_the_training_part_alone(tmp_path: Path) -> None:
    """A test part that lies higher does not move them; the metrics undo them."""
    table = pl.DataFrame({"t": list(range(10)), "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 100.0, None]})
    rules = Rules(
        times=(TimeRule("t", ("epoch",)),), scaled=(ScaleRule("x"),), split=SplitRule(SplitBy.TIME, "t", 0.0, 0.2)
    )
    done = prepared(table, rules, tmp_path / "a")
    assert read(done, "train")["x"].to_list() == pytest.approx([number / 7 for number in range(8)])
    assert read(done, "test")["x"].to_list() == [pytest.approx(99 / 7), None]
    assert (counted(done)["scale_min", "x"], counted(done)["scale_max", "x"]) == (1, 8)
    assert read(done, "train")["t"][1] == at("1970-01-01 00:00:01")
    score = prepared(table, Rules(scaled=(ScaleRule("x", ScaleMethod.Z_SCORE),)), tmp_path / "b")
    values = table["x"].drop_nulls()
    assert read(score, "clean")["x"].drop_nulls().to_list() == pytest.approx(
        ((values - values.mean()) / values.std(ddof=0)).to_list()
    )


def test_text_and_times_are_normalised(tmp_path: Path) -> None:
    """NFC, trimmed, one space, case; several formats in order; offsets are applied; what fits none is dropped."""
    table = pl.DataFrame({
        "name": ["  Cafe\u0301  AU\tlait ", "\u3000", None, "plain", "plain"],
        "at": ["6/26/11 10:59", "2011-06-26T12:59:00+02:00", "2011-06-26", "never", None],
    })  # fmt: skip
    rules = Rules(
        text=(TextRule("name", Case.LOWER),),
        times=(TimeRule("at", ("%m/%d/%y %H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d")),),
    )
    done = prepared(table, rules, tmp_path / "a")
    clean = read(done, "clean")
    assert clean["name"].to_list() == ["caf\u00e9 au lait", None, None, "plain"]
    noon = at("2011-06-26 10:59")
    assert clean["at"].to_list() == [noon, noon, at("2011-06-26"), None]
    assert counted(done) == {("changed_text", "name"): 2, ("dropped_time", "at"): 1}


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that all examples share."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, rules=RULES)
def test_rows_are_conserved_whatever_the_data_and_the_rules(room: Path, rows: list[Any], rules: Rules) -> None:
    """Input = kept + dropped; parts make up what is kept; an input row by itself decides; refused only when empty."""
    table = pl.DataFrame(rows, schema=SCHEMA)
    assert Rules.of(json.loads(json.dumps(rules.plain()))) == rules
    folder = Path(tempfile.mkdtemp(dir=room)) / "out"
    try:
        done = prepared(table, rules, folder)
    except Invalid as error:
        assert any(said in error.message for said in ("no row is left", "has no rows", "part has no rows"))
        return
    assert (done.rows, done.kept + dropped(done)) == (len(rows), len(rows))
    clean = read(done, "clean")
    assert clean.height == done.kept
    if rules.split is not None:
        parts = [read(done, name) for name in ("train", "validation", "test")]
        together = pl.concat(parts)
        assert content_fingerprint(together.lazy()) == content_fingerprint(clean.lazy())
        assert sum(part["user"].n_unique() for part in parts) >= together["user"].n_unique()
    for field in rules.required:
        assert clean[field].null_count() == 0
    for field in rules.positive:
        assert (clean[field].cast(pl.Float64) > 0).all()
    if rules.duplicates is not None and (keys := rules.duplicates.fields):
        assert not clean.select(keys).is_duplicated().any()
    if rules.user_field is not None:
        users = read(done, "users")
        assert set(clean["user_index"]) == set(range(users.height))


@given(
    values=st.lists(st.one_of(st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, 1.0, 1.5])), min_size=1),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_counting_bits_gives_what_sorting_gives(values: list[float], shares: list[float]) -> None:
    """Of floats and of whole numbers, whatever the batches."""
    for numbers in (np.array(values), np.array(values).view(np.int64)):
        batches = np.array_split(numbers, 3)
        counted = quantiles(lambda batches=batches: batches, shares, in_memory=0)  # type: ignore[misc]
        ordered = np.sort(numbers)
        assert counted == [ordered[max(math.ceil(share * len(numbers)) - 1, 0)].item() for share in shares]
        assert quantiles(lambda batches=batches: batches, shares) == counted  # type: ignore[misc]


def test_the_median_and_its_deviation_are_numpy_s() -> None:
    """Even and odd numbers of values."""
    for size in (1, 2, 7, 1000):
        numbers = np.random.default_rng(size).normal(size=size)
        found = median_and_deviation(lambda numbers=numbers: [numbers], in_memory=10)  # type: ignore[misc]
        assert found is not None
        median, deviation = found
        assert median == pytest.approx(np.median(numbers))
        assert deviation == pytest.approx(np.median(np.abs(numbers - np.median(numbers))))


def test_duplicates_are_those_that_polars_finds_in_memory(tmp_path: Path) -> None:
    """First and last, over batches in any order."""
    generator = np.random.default_rng(7)
    table = pl.DataFrame({
        "row": range(50_000), "a": generator.integers(0, 300, 50_000), "b": generator.integers(0, 300, 50_000),
    }).with_columns(pl.when(pl.col("a") < 5).then(None).otherwise(pl.col("a")).alias("a"))  # fmt: skip
    batches = list(table.iter_slices(7_000))[::-1]
    for keep, name in ((Keep.FIRST, "first"), (Keep.LAST, "last")):
        found = duplicates(batches, "row", table.height, keep, tmp_path)
        stays = table.unique(["a", "b"], keep=name)["row"]  # type: ignore[arg-type]
        assert found.count == table.height - len(stays)
        assert not found.holds(stays.cast(pl.UInt64).to_numpy()).any()
    assert list(tmp_path.iterdir()) == []


TABLE = pl.DataFrame({"user": ["a", "b"], "n": [1, 2], "at": ["x", "y"], "user_index": [1, 1]})


@pytest.mark.parametrize(
    ("rules", "error", "said", "path"),
    [
        (Rules(required=("usr",)), NotFound, "no column 'usr'; known: user, n, at", ("rules", "required", "0")),
        (Rules(positive=("user",)), Invalid, "'user' is String, not a number", ("rules", "positive", "0")),
        (Rules(text=(TextRule("n"),)), Invalid, "'n' is Int64, not text", ("rules", "text", "0", "field")),
        (Rules(times=(TimeRule("at"),)), Invalid, "say how its times", ("rules", "times", "0", "formats")),
        (Rules(times=(TimeRule("n", ("%Y",)),)), Invalid, "known: epoch", ("rules", "times", "0", "formats")),
        (Rules(excluded=(PatternRule("at", "("),)), Invalid, "no regular expression (unclosed group)",
         ("rules", "excluded", "0", "pattern")),
        (Rules(outliers=(OutlierRule("n", low=0.5, high=0.5),)), Invalid, "0 <= low < high <= 1",
         ("rules", "outliers", "0")),
        (Rules(outliers=(OutlierRule("n"),)), Invalid, "drop nothing", ("rules", "outliers", "0")),
        (Rules(outliers=(OutlierRule("n", OutlierMethod.MAD, bound=-1),)), Invalid, "above 0",
         ("rules", "outliers", "0", "bound")),
        (Rules(outliers=(OutlierRule("user_index", OutlierMethod.MAD),)), Invalid, "its MAD is 0; use QUANTILE",
         ("rules", "outliers")),
        (Rules(split=SplitRule(SplitBy.TIME, "at")), Invalid, "add a rule to `times`", ("rules", "split", "field")),
        (Rules(split=SplitRule(SplitBy.USER, "user", 0.5, 0.5)), Invalid, "must leave rows", ("rules", "split")),
        (Rules(split=SplitRule(SplitBy.USER, "user", 0.0, 1e-9)), Invalid, "test part has no rows", ("rules", "split")),
        (Rules(scaled=(ScaleRule("user_index"),)), Invalid, "one value only", ("rules", "scaled")),
        (Rules(user_field="user"), Invalid, "a column 'user_index' already", ("rules",)),
        (Rules(excluded=(PatternRule("user", "."),)), Invalid, "no row is left of 2: dropped_pattern user 2",
         ("rules",)),
        (Rules(text=(TextRule("at"), TextRule("at"))), Invalid, "has two rules", ("rules", "text", "1", "field")),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(
    tmp_path: Path, rules: Rules, error: type[AssetgraphError], said: str, path: tuple[str, ...]
) -> None:
    """With the place in the input, and with what would work."""
    with pytest.raises(error) as raised:
        prepared(TABLE, rules, tmp_path / "a")
    assert said in raised.value.message
    assert raised.value.path == path
