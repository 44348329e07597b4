"""The numbers of profiles beside DuckDB's exact answers on the same files."""

import gzip
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import scan_candidate
from assetgraph.inventory.sketch.summary import FieldProfile

ROWS = 30_000


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    """Values of every plain type, with nulls, extremes, and more distinct ones than are counted exactly."""
    rng = np.random.default_rng(7)
    nothing = rng.random(ROWS) < 0.1
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - columns without an offset are what is tested
    frame = pl.DataFrame({
        "id": rng.permutation(ROWS) - 5,
        "big": rng.integers(-(2**62), 2**62, ROWS),
        "price": np.round(rng.normal(20, 50, ROWS), 3),
        "flag": rng.random(ROWS) < 0.3,
        "day": [date(2020, 1, 1) + timedelta(days=int(n)) for n in rng.integers(0, 2000, ROWS)],
        "at": [start + timedelta(seconds=int(n)) for n in rng.integers(0, 10**7, ROWS)],
        "country": rng.choice(["DE", "FR", "日本", "Österreich", "US"], ROWS),
        "query": [f"q {n} \"quoted\", with; marks" for n in rng.integers(0, 20_000, ROWS)],
    })  # fmt: skip
    maybe = ["big", "price", "flag", "day", "at", "country", "query"]
    gaps = [pl.when(pl.Series(np.roll(nothing, 7 * n))).then(None).otherwise(pl.col(name)).alias(name)
            for n, name in enumerate(maybe)]  # fmt: skip
    return frame.with_columns(gaps)


def hive(frame: pl.DataFrame, folder: Path) -> str:
    """Write files of partitions."""
    for n, part in enumerate(frame.iter_slices(ROWS // 4)):
        below = folder / "events" / f"part={n}"
        below.mkdir(parents=True)
        part.write_parquet(below / "a.parquet", row_group_size=1000)
    return f"read_parquet('{folder}/events/*/*.parquet', hive_partitioning=false)"


def delta(frame: pl.DataFrame, folder: Path) -> str:
    """Write a Delta table of one commit, whose data files are all its files."""
    frame.write_delta(str(folder / "events"))
    return f"read_parquet('{folder}/events/*.parquet')"


def single(name: str, write: Callable[[pl.DataFrame, Path], Any], read: str) -> Callable[[pl.DataFrame, Path], str]:
    """Return what writes one file and says how DuckDB reads it."""

    def written(frame: pl.DataFrame, folder: Path) -> str:
        write(frame, folder / name)
        return read.format(path=folder / name)

    return written


CSV = "read_csv('{path}', header=true, all_varchar=false, sample_size=-1, nullstr='')"
FORMATS: dict[str, Callable[[pl.DataFrame, Path], str]] = {
    "parquet": single("e.parquet", lambda frame, path: frame.write_parquet(path, row_group_size=7000),
                      "read_parquet('{path}')"),
    "partitions": hive,
    "csv": single("e.csv", pl.DataFrame.write_csv, CSV),
    "semicolons": single("e.csv", lambda one, path: one.write_csv(path, separator=";", line_terminator="\r\n"), CSV),
    "tsv": single("e.tsv", lambda frame, path: frame.write_csv(path, separator="\t"), CSV),
    "csv.gz": single("e.csv.gz", lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())), CSV),
    "csv.zst": single(
        "e.csv.zst", lambda one, path: path.write_bytes(pa.compress(one.write_csv().encode(), "zstd", asbytes=True)),
        CSV,
    ),
    "ndjson": single("e.ndjson", pl.DataFrame.write_ndjson, "read_json('{path}', sample_size=-1)"),
    "json": single("e.json", pl.DataFrame.write_json, "read_json('{path}', sample_size=-1)"),
    "arrow": single("e.arrow", pl.DataFrame.write_ipc, "arrow"),
    "delta": delta,
}  # fmt: skip


def asked(source: str, column: str, kind: str) -> str:
    """Return the question of one column; NaN is left out of ranges, as profiles do."""
    there = f'FILTER (NOT isnan("{column}"))' if kind in ("FLOAT", "DOUBLE") else ""
    return (f'SELECT count(*), count("{column}"), min("{column}") {there}, max("{column}") {there}, '
            f'count(DISTINCT "{column}") FROM {source}')  # fmt: skip


def value_of(text: str | None, like: Any) -> Any:
    """Return what a profile's text of a value says, as DuckDB's Python value has it."""
    if text is None or like is None:
        return text
    if isinstance(like, bool):
        return {"true": True, "false": False}[text]
    if isinstance(like, datetime):
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if like.tzinfo is not None and found.tzinfo is None else found
    if isinstance(like, date):
        return date.fromisoformat(text)
    return type(like)(text) if isinstance(like, int | float | Decimal) else text


def held(profile: FieldProfile, told: tuple[Any, ...]) -> None:
    """Hold a column's profile to DuckDB's numbers."""
    rows, present, low, high, distinct = told
    assert (profile.count, profile.count - profile.null_count) == (rows, present), profile.field
    for text, exact in ((profile.min, low), (profile.max, high)):
        said = value_of(text, exact)
        same = math.isclose(said, exact, rel_tol=1e-12) if isinstance(exact, float) else said == exact
        assert same, (profile.field, text, exact)
    if profile.distinct_is_exact:
        assert profile.distinct_count == distinct, profile.field
    else:
        assert abs(profile.distinct_count - distinct) <= 5 * profile.distinct_error * distinct + 1, profile.field


@pytest.mark.parametrize("form", FORMATS)
def test_counts_and_ranges_are_duckdb_s(events: pl.DataFrame, tmp_path: Path, form: str) -> None:
    """Rows, values, least and greatest of every column; distinct ones exactly, or within five standard errors."""
    source = FORMATS[form](events, tmp_path)
    [found] = discover(tmp_path, tmp_path)
    profiles = scan_candidate(found).profile.field_profiles
    database = duckdb.connect()
    if source == "arrow":
        database.register("arrow", events.to_arrow())
    kinds = {name: str(kind) for name, kind, *_ in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    compared = [profile for profile in profiles if profile.field in kinds]
    assert len(compared) == events.width
    for profile in compared:
        told = database.execute(asked(source, profile.field, kinds[profile.field])).fetchone()
        assert told is not None
        held(profile, told)


def test_special_floats_and_decimals_are_duckdb_s(tmp_path: Path) -> None:
    """Infinities are in the range, NaN is not; decimals are exact."""
    schema: dict[str, Any] = {"f": pl.Float64, "d": pl.Decimal(38, 2), "u": pl.UInt64}
    pl.DataFrame({
        "f": [1.5, math.nan, math.inf, -math.inf, None, -0.0] * 100,
        "d": [Decimal("12345678901234567890.12"), Decimal("-0.01"), None] * 200,
        "u": [2**63 + 5, 7, None] * 200,
    }, schema=schema).write_parquet(tmp_path / "s.parquet")  # fmt: skip
    [found] = discover(tmp_path, tmp_path)
    source = f"read_parquet('{tmp_path}/s.parquet')"
    for profile in scan_candidate(found).profile.field_profiles:
        told = duckdb.execute(asked(source, profile.field, "DOUBLE" if profile.field == "f" else "")).fetchone()
        assert told is not None
        held(profile, told)


def test_real_data_is_as_duckdb_counts_it(retail: Path) -> None:
    """Every column of the real files."""
    for file in sorted(retail.glob("*.parquet")):
        [found] = discover(file, file.parent)
        source = f"read_parquet('{file}')"
        kinds = {name: str(kind) for name, kind, *_ in duckdb.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
        for profile in scan_candidate(found).profile.field_profiles:
            told = duckdb.execute(asked(source, profile.field, kinds[profile.field])).fetchone()
            assert told is not None
            held(profile, told)
