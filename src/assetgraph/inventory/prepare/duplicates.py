"""Which rows are duplicates, exactly to a 128-bit hash, in memory that holds one bit per row and one bucket of hashes.

The hashes are Polars' own: they live for one run and are never stored.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.prepare.rules import Keep

#: The hashes of a table are spread over files of about so many rows (24 bytes each), looked at one after the other.
BUCKET_ROWS = 1 << 19
FEWEST_BITS, MOST_BITS = 4, 10

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


class Hashes:
    """The hashes of rows in files, spread so that each holds few enough to be looked at in memory."""

    def __init__(self, folder: Path, rows: int) -> None:
        """Take up to `rows` rows; files are written below `folder`, which is there."""
        self._bits = min(max((rows // BUCKET_ROWS).bit_length(), FEWEST_BITS), MOST_BITS)
        self._paths = [folder / f"hashes-{number}" for number in range(1 << self._bits)]

    def add(self, batch: pl.DataFrame, row: str) -> None:
        """Add rows: the column `row` has their numbers, the others are the key."""
        words = np.zeros((batch.height, 3), dtype=np.uint64)
        for column in batch.drop(row):
            for lane, seed in enumerate(_SEEDS):
                hashed = column.hash(seed=seed).to_numpy()
                words[:, lane] = _mixed(words[:, lane] * _ODD + hashed)
        words[:, 2] = batch.get_column(row).cast(pl.UInt64).to_numpy()
        # Of 16 bits, so that NumPy sorts by digits.
        bucket = (words[:, 0] >> np.uint64(64 - self._bits)).astype(np.uint16)
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._paths)))
        for path, some in zip(self._paths, np.split(words[order], ends[:-1]), strict=True):
            if len(some):
                with path.open("ab") as stream:
                    some.tofile(stream)

    def repeated(self, keep: Keep) -> Iterator[NDArray[np.uint64]]:
        """Yield the rows to drop so that each key stays once; the files are gone then."""
        for path in self._paths:
            if path.exists():
                words = np.fromfile(path, dtype=np.uint64).reshape(-1, 3)
                path.unlink()
                yield _repeated(words, keep)


def duplicates(batches: Iterable[pl.DataFrame], row: str, rows: int, keep: Keep, folder: Path) -> RowSet:
    """Return the rows to drop so that each key stays once; `row` names the column of row numbers, below `rows`.

    The other columns of the batches are the key. Files are written below `folder`, and removed.
    """
    hashes = Hashes(folder, rows)
    for batch in batches:
        hashes.add(batch, row)
    found = RowSet(rows)
    for again in hashes.repeated(keep):
        found.add(again)
    return found


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * _MIX[0]
    words = (words ^ (words >> np.uint64(27))) * _MIX[1]
    return words ^ (words >> np.uint64(31))


def _repeated(words: NDArray[np.uint64], keep: Keep) -> NDArray[np.uint64]:
    words = words[np.argsort(words[:, 0])]
    alike = words[1:, 0] == words[:-1, 0]
    # Most rows are alone in most tables; only the others are sorted by all of their words.
    some = np.zeros(len(words), dtype=bool)
    some[1:] |= alike
    some[:-1] |= alike
    first, second, rows = words[some].T
    order = np.lexsort((rows, second, first))
    same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
    repeated = np.zeros(len(rows), dtype=bool)
    if keep is Keep.FIRST:
        repeated[1:] = same
    else:
        repeated[:-1] = same
    found: NDArray[np.uint64] = rows[order][repeated]
    return found
