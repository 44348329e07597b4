"""Which rows are duplicates, exactly to a 128-bit hash, in memory that holds one bit per row and one bucket of hashes.

The hashes are Polars' own: they live for one run and are never stored.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.prepare.rules import Keep

#: The hashes of a table are spread over so many files, which are looked at one after the other.
BUCKETS = 64

_SEEDS = (0x9E37, 0xC2B2)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class RowSet:
    """A set of row numbers as bits."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros(rows // 8 + 1, dtype=np.uint8)
        self.count = 0

    def add(self, rows: NDArray[np.uint64]) -> None:
        """Add rows that are not in it yet."""
        one = np.left_shift(np.uint8(1), (rows & np.uint64(7)).astype(np.uint8))
        np.bitwise_or.at(self._bits, rows >> np.uint64(3), one)
        self.count += len(rows)

    def holds(self, rows: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return for each row whether it is in the set."""
        octets: NDArray[np.uint8] = self._bits[rows >> np.uint64(3)]
        bits: NDArray[np.uint8] = np.right_shift(octets, (rows & np.uint64(7)).astype(np.uint8)) & np.uint8(1)
        return bits.astype(np.bool_)


def duplicates(batches: Iterable[pl.DataFrame], row: str, rows: int, keep: Keep, folder: Path) -> RowSet:
    """Return the rows to drop so that each key stays once; `row` names the column of row numbers, below `rows`.

    The other columns of the batches are the key. Files are written below `folder`, and removed.
    """
    paths = [folder / f"hashes-{number}" for number in range(BUCKETS)]
    for batch in batches:
        _spill(batch, row, paths)
    found = RowSet(rows)
    for path in paths:
        if path.exists():
            words = np.fromfile(path, dtype=np.uint64).reshape(-1, 3)
            path.unlink()
            found.add(_repeated(words, keep))
    return found


def _spill(batch: pl.DataFrame, row: str, paths: list[Path]) -> None:
    words = np.zeros((batch.height, 3), dtype=np.uint64)
    for column in batch.drop(row):
        for lane, seed in enumerate(_SEEDS):
            hashed = column.hash(seed=seed).to_numpy()
            words[:, lane] = _mixed(words[:, lane] * _ODD + hashed)
    words[:, 2] = batch.get_column(row).cast(pl.UInt64).to_numpy()
    bucket = words[:, 0] >> np.uint64(58)
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket.astype(np.int64), minlength=BUCKETS))
    for path, some in zip(paths, np.split(words[order], ends[:-1]), strict=True):
        if len(some):
            with path.open("ab") as stream:
                some.tofile(stream)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * _MIX[0]
    words = (words ^ (words >> np.uint64(27))) * _MIX[1]
    return words ^ (words >> np.uint64(31))


def _repeated(words: NDArray[np.uint64], keep: Keep) -> NDArray[np.uint64]:
    first, second, rows = words.T
    order = np.lexsort((rows, second, first))
    same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    repeated = np.zeros(len(rows), dtype=bool)
    if keep is Keep.FIRST:
        repeated[1:] = same
    else:
        repeated[:-1] = same
    found: NDArray[np.uint64] = rows[order][repeated]
    return found
