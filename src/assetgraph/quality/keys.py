"""Values as 64-bit keys: counting distinct ones in bounded memory, and keeping a column's for others to refer to."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

Words = NDArray[np.uint64]

#: Keys that a column's set keeps (2 MiB); of more, those whose hash is small: the same ones in every column.
MOST_KEPT = 1 << 18
#: Keys that are counted in memory (32 MiB); more of them go to files.
MOST_IN_MEMORY = 1 << 22
#: Files that spilled keys are spread over by their first bits, so that each can be counted by itself.
PARTS = 64
_PART_SHIFT = np.uint64(58)
_MULTIPLY = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def mixed(words: Words) -> Words:
    """Return words through the finalizer of splitmix64: one to one, and every bit depends on every bit."""
    out = words ^ (words >> _SHIFTS[0])
    out *= _MULTIPLY[0]
    out ^= out >> _SHIFTS[1]
    out *= _MULTIPLY[1]
    out ^= out >> _SHIFTS[2]
    return out


def unique(words: Words) -> Words:
    """Return each word once, ascending; several times faster than NumPy's own, which hashes."""
    ordered = np.sort(words)
    first = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def stable_keys(values: pl.Series) -> Words:
    """Return a 64-bit key of each value that is not null (or NaN); equal values of other widths have the same one.

    Whole numbers have one key whether a column keeps them as integers or as floats, moments whatever their unit.
    Nothing of it comes from Polars' own hashes, so that keys may be kept.
    """
    values = values.drop_nulls()
    dtype = values.dtype
    if dtype.is_float() or isinstance(dtype, pl.Decimal):
        return _float_keys(values.cast(pl.Float64).drop_nans().to_numpy())
    if isinstance(dtype, pl.Datetime):
        values = values.dt.epoch("us")
    elif isinstance(dtype, pl.Date):
        values = values.cast(pl.Datetime("us")).dt.epoch("us")
    if dtype == pl.UInt64:
        return mixed(values.to_numpy().astype(np.uint64))
    if values.dtype.is_integer() or values.dtype.is_temporal() or values.dtype == pl.Boolean:
        return mixed(values.to_physical().cast(pl.Int64).to_numpy().view(np.uint64))
    return _text_keys(values)


def _float_keys(floats: NDArray[np.float64]) -> Words:
    floats = floats + 0.0
    whole = (np.trunc(floats) == floats) & (np.abs(floats) < 2.0**63)
    keys = np.empty(len(floats), dtype=np.uint64)
    keys[whole] = mixed(floats[whole].astype(np.int64).view(np.uint64))
    keys[~whole] = mixed(floats[~whole].view(np.uint64) ^ np.uint64(0x9E3779B97F4A7C15))
    return keys


def _text_keys(values: pl.Series) -> Words:
    """Hash each distinct value once."""
    if not len(values):
        return np.empty(0, dtype=np.uint64)
    if not isinstance(values.dtype, pl.Binary):
        values = values.cast(pl.String).cast(pl.Binary)
    distinct = values.unique()
    digests = np.fromiter(map(xxhash.xxh3_64_intdigest, distinct.to_list()), dtype=np.uint64, count=len(distinct))
    if len(distinct) == len(values):
        return digests  # in another order, which nobody asks for
    numbers = pl.Series(np.arange(len(distinct), dtype=np.uint32))
    codes = values.replace_strict(distinct, numbers, return_dtype=pl.UInt32)
    keys: Words = digests[codes.to_numpy()]
    return keys


@dataclass(frozen=True)
class KeySet:
    """The distinct keys of a column, or a share of them: sorted, those below `share` of all 64-bit numbers."""

    share: float
    hashes: Words

    @property
    def is_exact(self) -> bool:
        """Whether it holds every key."""
        return self.share >= 1

    @property
    def bound(self) -> np.uint64:
        """The greatest key that it would hold."""
        return np.uint64(min(int(self.share * 2.0**64), 2**64) - 1)

    def judge(self, keys: Words) -> tuple[int, int]:
        """Return (how many of some keys it can judge, how many of those it does not hold)."""
        judged = keys if self.is_exact else keys[keys <= self.bound]
        if not len(self.hashes):
            return len(judged), len(judged)
        places = np.minimum(np.searchsorted(self.hashes, judged), len(self.hashes) - 1)
        return len(judged), int(np.count_nonzero(self.hashes[places] != judged))

    def to_bytes(self) -> bytes:
        """Return the keys as they are stored."""
        return self.hashes.astype("<u8").tobytes()

    @staticmethod
    def of_bytes(share: float, stored: bytes) -> "KeySet":
        """Return a stored set."""
        return KeySet(share, np.frombuffer(stored, dtype="<u8").astype(np.uint64))


class KeyCollector:
    """Collects a column's distinct keys; where they become too many, those with great hashes are dropped."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        """Start with none."""
        self._most = most
        self._share = 1.0
        self._kept = np.empty(0, dtype=np.uint64)

    def add(self, values: pl.Series) -> None:
        """Take the values of a batch."""
        found = KeySet(self._share, self._kept)
        keys = unique(stable_keys(values))
        if self._share < 1:
            keys = keys[keys <= found.bound]
        self._kept = unique(np.concatenate([self._kept, keys]))
        while len(self._kept) > self._most:
            self._share /= 2
            self._kept = self._kept[self._kept <= KeySet(self._share, self._kept).bound]

    def found(self) -> KeySet:
        """Return what was collected."""
        return KeySet(self._share, self._kept)


class DistinctRows:
    """Counts distinct rows of one or several columns, exactly but for 64-bit hashes of what is no whole number.

    One column of whole numbers or moments is told apart without error. Of n other rows two share a hash by chance with
    a probability of about n^2 / 2^65: 0.003 % for 40 million.
    """

    def __init__(self, spill: Callable[[], Path] | None = None, most_in_memory: int = MOST_IN_MEMORY) -> None:
        """Count in memory first; `spill` gives a folder for more, the system's for temporary files when left out."""
        self.rows = 0
        self._spill = spill
        self._most = most_in_memory
        self._chunks: list[Words] = []
        self._held = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows without nulls."""
        keys = _row_keys(rows)
        self.rows += len(keys)
        self._chunks.append(keys)
        self._held += len(keys)
        if self._held > self._most:
            self._compact()

    def distinct(self) -> int:
        """Return how many distinct rows there were; the files are gone after that."""
        if self._folder is None:
            return len(unique(self._joined()))
        self._write(self._joined())
        with self._folder as folder:
            parts = sorted(Path(folder).iterdir())
            return sum(len(unique(np.fromfile(part, dtype=np.uint64))) for part in parts)

    def close(self) -> None:
        """Remove what was spilled."""
        if self._folder is not None:
            self._folder.cleanup()

    def _joined(self) -> Words:
        joined = np.concatenate(self._chunks) if self._chunks else np.empty(0, dtype=np.uint64)
        self._chunks, self._held = [], 0
        return joined

    def _compact(self) -> None:
        """Keep distinct keys only; write them away where these are still many."""
        keys = unique(self._joined())
        if self._folder is None and len(keys) <= self._most // 2:
            self._chunks, self._held = [keys], len(keys)
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="assetgraph-unique-", dir=None if self._spill is None else self._spill()
            )
        self._write(keys)

    def _write(self, keys: Words) -> None:
        if self._folder is None:
            return
        keys = np.sort(keys)
        cuts = np.searchsorted(keys >> _PART_SHIFT, np.arange(PARTS + 1, dtype=np.uint64))
        for part in range(PARTS):
            with (Path(self._folder.name) / f"{part:02}").open("ab") as file:
                keys[cuts[part] : cuts[part + 1]].tofile(file)


def _row_keys(rows: pl.DataFrame) -> Words:
    [first, *others] = rows.get_columns()
    dtype = first.dtype
    if not others and (dtype.is_integer() or dtype.is_temporal()) and not isinstance(dtype, pl.Int128 | pl.UInt128):
        physical: Any = first.to_physical()
        wide = pl.UInt64 if physical.dtype == pl.UInt64 else pl.Int64
        return mixed(physical.cast(wide).to_numpy().view(np.uint64))
    # Within one run and one version of Polars these are the same for the same values; they are not kept.
    rows = rows.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    return mixed(rows.hash_rows(seed=7).to_numpy())
