"""Distinct and frequent values: exact by a table of hashes while there are few, then by registers and counters.

What is kept is a function of the values seen: the table up to 8,192 distinct ones, above them HyperLogLog registers
(p = 14) and one row of counters. Merging in any order gives the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.sketch.hashing import Words

#: Distinct values that are counted exactly.
EXACT_VALUES = 8_192
REGISTERS = 16_384
COUNTERS = 8_192
#: Relative standard error of the number of distinct values above EXACT_VALUES: 1.04 / sqrt(REGISTERS).
DISTINCT_ERROR = 0.0081
_RANKS = 51


@dataclass(frozen=True, eq=False)
class Exact:
    """Every distinct value with its count, ordered by hash; `values` is None for nested ones, known by hash only."""

    hashes: Words
    counts: NDArray[np.int64]
    values: NDArray[Any] | None

    def sorted(self) -> "Exact":
        """Return it in its one canonical order."""
        order = np.argsort(self.hashes)
        return Exact(self.hashes[order], self.counts[order], None if self.values is None else self.values[order])


@dataclass(frozen=True, eq=False)
class Hashed:
    """HyperLogLog registers, uint8 (16384,), and counters, int64 (8192,): the lowest 13 bits of a hash tell which."""

    registers: NDArray[np.uint8]
    counters: NDArray[np.int64]

    def distinct(self) -> float:
        """Return the estimated number of distinct values (Ertl 2017, the improved estimator without tables)."""
        histogram = np.bincount(self.registers, minlength=_RANKS + 1).astype(np.float64)
        tail = REGISTERS * _tau(1.0 - histogram[_RANKS] / REGISTERS)
        for rank in range(_RANKS - 1, 0, -1):
            tail = 0.5 * (tail + histogram[rank])
        tail += REGISTERS * _sigma(histogram[0] / REGISTERS)
        return float(REGISTERS / (2.0 * np.log(2.0)) * REGISTERS / tail)

    def counts_of(self, hashes: Words, guesses: NDArray[np.float64], seen: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return (counts, bounds) of values, int64 (n,): 99 of 100 counts are off by no more than their bound.

        guesses: what a sample says of the counts; seen: how often the sample has the values. A counter is its values'
        counts together: of it, the guesses for the other values of this list are taken off, and what a counter
        usually holds of values that are not in the list. How far counters without a listed value lie from that is the
        bound; where listed values meet in one counter, the error of the guesses is added.
        """
        places = (hashes & np.uint64(COUNTERS - 1)).astype(np.int64)
        together = np.bincount(places, guesses, COUNTERS)
        squares = np.bincount(places, (guesses / np.maximum(seen, 1)) ** 2 * seen, COUNTERS)
        rest = np.delete(self.counters, np.unique(places))
        usual = float(np.median(rest))
        low, high = np.quantile(rest, (0.005, 0.995))
        met = squares[places] - (guesses / np.maximum(seen, 1)) ** 2 * seen
        bounds = np.ceil(max(high - usual, usual - low) + 3.0 * np.sqrt(np.maximum(met, 0.0)))
        counts = np.rint(self.counters[places] - (together[places] - guesses) - usual)
        return np.maximum(counts, 0).astype(np.int64), bounds.astype(np.int64)


def empty_hashed() -> Hashed:
    """Return the state of nothing."""
    return Hashed(np.zeros(REGISTERS, np.uint8), np.zeros(COUNTERS, np.int64))


def spread_counts(hashes: Words, counts: NDArray[np.int64], into: Hashed) -> None:
    """Add counted values to registers and counters, in place."""
    index = (hashes >> np.uint64(50)).astype(np.int64)
    rest = hashes << np.uint64(14)
    np.maximum.at(into.registers, index, (np.minimum(_leading_zeros(rest), 50) + 1).astype(np.uint8))
    np.add.at(into.counters, (hashes & np.uint64(COUNTERS - 1)).astype(np.int64), counts)


def gathered(hashes: Words, counts: NDArray[np.int64], values: NDArray[Any] | None) -> Exact | Hashed:
    """Return the state of values, given with repetitions."""
    distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    if len(distinct) > EXACT_VALUES:
        into = empty_hashed()
        spread_counts(hashes, counts, into)
        return into
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, inverse, counts)
    return Exact(distinct, sums, None if values is None else values[first])


def merged(one: Exact | Hashed, two: Exact | Hashed) -> Exact | Hashed:
    """Return the state of both together."""
    if isinstance(one, Exact) and isinstance(two, Exact):
        values = None if one.values is None or two.values is None else np.concatenate((one.values, two.values))
        return gathered(np.concatenate((one.hashes, two.hashes)), np.concatenate((one.counts, two.counts)), values)
    if isinstance(one, Hashed) and isinstance(two, Hashed):
        return Hashed(np.maximum(one.registers, two.registers), one.counters + two.counters)
    hashed, exact = (one, two) if isinstance(one, Hashed) else (two, one)
    assert isinstance(hashed, Hashed) and isinstance(exact, Exact)  # noqa: S101
    into = Hashed(hashed.registers.copy(), hashed.counters.copy())
    spread_counts(exact.hashes, exact.counts, into)
    return into


def _leading_zeros(words: Words) -> NDArray[np.int64]:
    zeros = np.zeros(len(words), np.int64)
    left = words.copy()
    for step in (32, 16, 8, 4, 2, 1):
        empty = left < (np.uint64(1) << np.uint64(64 - step))
        zeros[empty] += step
        left[empty] <<= np.uint64(step)
    zeros[words == 0] = 64
    return zeros


def _sigma(share: float) -> float:
    if share >= 1.0:
        return float("inf")
    factor, total = 1.0, share
    while True:
        share *= share
        before = total
        total += share * factor
        factor += factor
        if total == before:
            return total


def _tau(share: float) -> float:
    if share in (0.0, 1.0):
        return 0.0
    factor, total = 1.0, 1.0 - share
    while True:
        share = share**0.5
        before = total
        factor *= 0.5
        total -= (1.0 - share) ** 2 * factor
        if total == before:
            return total / 3.0
