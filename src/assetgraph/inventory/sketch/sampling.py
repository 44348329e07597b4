"""A sample of rows that depends on the seed and the rows' places only: the same for all threads and merge orders.

Rows play a tournament: of two neighbours one, told by a coin that the seed fixes, survives to the next level, of two
neighbouring survivors one to the level above, and so on. The rows of level L are one in 2^L, spread evenly over the
table, so that what is sorted is sampled almost exactly. A sample keeps the lowest level that fits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.sketch.hashing import Words, mix

#: Rows of a numeric sample at most, and at least half as many once more were seen: a quantile's rank is off by
#: 0.51 % at most in 99 of 100 cases (2.58 deviations of a sample of 65,536).
NUMBERS = 131_072
#: Texts of a sample at most.
TEXTS = 4_096
#: A row of a table cannot reach a higher one.
TOP_LEVEL = 48
LEVEL_SALT = np.uint64(0xD1B54A32D192ED03)


def seed_word(seed: int) -> int:
    """Return a seed spread over 64 bits."""
    return seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF


def _coins(level: int, nodes: Words, seed: int) -> Words:
    salt = np.uint64((seed_word(seed) + level * int(LEVEL_SALT)) & 0xFFFFFFFFFFFFFFFF)
    coins: Words = mix(nodes ^ salt) & np.uint64(1)
    return coins


def sampled_rows(first: int, count: int, floor: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return (rows, levels) of the rows from `first` that reach level `floor`; rows count from `first`."""
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    nodes = np.arange(first >> floor, ((first + count - 1) >> floor) + 1, dtype=np.uint64)
    rows = nodes
    for level in range(floor, 0, -1):
        rows = rows * np.uint64(2) + _coins(level, rows, seed)
    inside = (rows >= np.uint64(first)) & (rows < np.uint64(first + count))
    rows, nodes = rows[inside], nodes[inside]
    levels = np.full(len(rows), floor, dtype=np.uint8)
    left = np.arange(len(rows))
    for level in range(floor + 1, TOP_LEVEL + 1):
        parents = nodes >> np.uint64(1)
        won = (nodes & np.uint64(1)) == _coins(level, parents, seed)
        left, nodes = left[won], parents[won]
        if not len(left):
            break
        levels[left] = level
    return rows.astype(np.int64) - first, levels


def hashed_levels(keys: Words, seed: int) -> NDArray[np.uint8]:
    """Return a level for each key, L or higher for one in 2^L: for elements of lists, without rows of their own."""
    mixed = mix(keys ^ np.uint64(seed & 0xFFFFFFFFFFFFFFFF))
    lowest = mixed & (~mixed + np.uint64(1))
    levels = np.where(mixed == 0, TOP_LEVEL, np.log2(np.maximum(lowest, np.uint64(1)).astype(np.float64)))
    return np.minimum(levels, TOP_LEVEL).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of sampled rows, nulls left out; `values` is an array of numbers or an array of str or bytes objects."""

    limit: int
    floor: int
    levels: NDArray[np.uint8]
    values: NDArray[Any]
    #: Of texts the hashes, by which they are looked up among the counters; else empty.
    hashes: Words

    def __len__(self) -> int:
        return len(self.levels)

    def sorted(self) -> "Sample":
        """Return it in its one canonical order: by level, then by hash or number."""
        if len(self.hashes) or not len(self):
            return self._taken(np.lexsort((self.hashes, self.levels)), self.floor) if len(self) else self
        # To sort numbers is four times as fast as to sort their places.
        parts = [np.sort(self.values[self.levels == level]) for level in np.unique(self.levels)]
        return Sample(self.limit, self.floor, np.sort(self.levels), np.concatenate(parts), self.hashes)

    def _taken(self, chosen: Any, floor: int) -> "Sample":
        hashes = self.hashes[chosen] if len(self.hashes) else self.hashes
        return Sample(self.limit, floor, self.levels[chosen], self.values[chosen], hashes)

    def fitted(self) -> "Sample":
        """Return it at the lowest level that fits its limit."""
        if len(self) <= self.limit:
            return self
        above = np.cumsum(np.bincount(self.levels, minlength=TOP_LEVEL + 1)[::-1])[::-1]
        floor = int(np.argmax(above <= self.limit))
        return self._taken(self.levels >= floor, floor)


def empty_sample(limit: int, dtype: Any) -> Sample:
    """Return the sample of nothing."""
    return Sample(limit, 0, np.zeros(0, np.uint8), np.zeros(0, dtype), np.zeros(0, np.uint64))


def joined(samples: list[Sample]) -> Sample:
    """Return the sample of all that the samples are of; the result does not depend on their order."""
    return united(samples).sorted()


def united(samples: list[Sample]) -> Sample:
    """Return the sample of all that the samples are of, not yet in its canonical order."""
    floor = max(one.floor for one in samples)
    kept = [one if one.floor == floor else one._taken(one.levels >= floor, floor) for one in samples]
    whole = Sample(
        samples[0].limit,
        floor,
        np.concatenate([one.levels for one in kept]),
        np.concatenate([one.values for one in kept]),
        np.concatenate([one.hashes for one in kept]),
    )
    return whole.fitted()
