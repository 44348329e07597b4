"""The 12-column event table of the scan benchmarks; the same rows for the same number of them."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet
from numpy.typing import NDArray

ROW_GROUP = 250_000
_KINDS = ("view", "click", "cart", "purchase", "impression", "remove")
_DEVICES = ("mobile", "desktop", "tablet", "tv")
_COUNTRIES = ("DE", "US", "CN", "FR", "GB", *(f"C{number:02d}" for number in range(40)))


def write_events(file: Path, rows: int) -> None:
    """Write the table in row groups of a quarter of a million rows, packed with Zstandard, and rename it into place."""
    drawn = np.random.default_rng(7)
    unfinished = file.with_suffix(".unfinished")
    writer = None
    for start in range(0, rows, ROW_GROUP):
        count = min(ROW_GROUP, rows - start)
        table = _events(drawn, start, count, rows).to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pyarrow.parquet.ParquetWriter(unfinished, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer is not None:
        writer.close()
    unfinished.rename(file)


def _events(drawn: np.random.Generator, start: int, count: int, rows: int) -> pl.DataFrame:
    words = np.array([f"w{number}" for number in range(3_000)], dtype=object)
    rating = drawn.integers(1, 6, count).astype(np.float32)
    rating[drawn.random(count) < 0.01] = np.nan
    times = np.sort(drawn.integers(0, 3_000_000_000_000, count)) + (start // ROW_GROUP) * 3_000_000_000_000
    items = np.minimum((drawn.pareto(0.7, count) * 20).astype(np.int64) % 40_000, 40_000)
    frame = pl.DataFrame(
        {
            "event_id": np.arange(start, start + count),
            "user_id": (drawn.pareto(1.1, count) * 500).astype(np.int64) % 2_000_000,
            "item_id": "item_" + pl.Series(items).cast(pl.String).str.zfill(7),
            "event_type": _chosen(drawn, _KINDS, count, (0.5, 0.2, 0.1, 0.05, 0.1, 0.05)),
            "price": np.round(np.exp(drawn.normal(3, 1, count)), 2),
            "quantity": drawn.integers(1, 20, count).astype(np.int32),
            "rating": rating,
            "ts": pl.Series(1_700_000_000_000_000 + times).cast(pl.Datetime("us")),
            "country": _chosen(drawn, _COUNTRIES, count, (0.3, 0.2, 0.15, 0.1, 0.05, *([0.005] * 40))),
            "device": _chosen(drawn, _DEVICES, count, (0.25, 0.25, 0.25, 0.25)),
            "session_id": _sessions(drawn.integers(0, max(1, rows // 6), count)),
            "query": pl.Series(words[drawn.integers(0, 3_000, count)], dtype=pl.String)
            + " "
            + pl.Series(words[(drawn.pareto(1, count) * 3).astype(np.int64) % 3_000], dtype=pl.String),
        }
    )
    gone = {"price": 0.03, "rating": 0.85, "query": 0.84}
    missing = {name: pl.Series(drawn.random(count) < share) for name, share in gone.items()}
    return frame.with_columns(pl.when(~missing[name]).then(pl.col(name)).alias(name) for name in gone)


def _chosen(drawn: np.random.Generator, names: tuple[str, ...], count: int, shares: tuple[float, ...]) -> pl.Series:
    return pl.Series(np.array(names, dtype=object)[drawn.choice(len(names), count, p=shares)], dtype=pl.String)


def _sessions(numbers: NDArray[np.int64]) -> pl.Series:
    """Return texts of 35 characters, random to look at, the same for the same number."""
    words = np.stack([_scattered(numbers.astype(np.uint64) + np.uint64(salt)) for salt in (1, 1 << 40)], axis=1)
    raw = words.view(np.uint8).reshape(-1, 16)
    return "s-" + pl.Series([row.tobytes() for row in raw], dtype=pl.Binary).bin.encode("hex") + "x"


def _scattered(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = words * np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(31)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    return words
