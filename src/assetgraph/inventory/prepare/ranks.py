"""Exact order statistics of a column that is too long to sort: counted by its bits, 16 at a time, in up to four passes.

As soon as few enough values share the first bits of the wanted ones, these are sorted.

Polars' exact quantile holds the whole column, and its approximate one differs from run to run, so that the same rules
on the same data would give another result.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

#: So many values are sorted in memory (32 MiB); of more the bits are counted.
IN_MEMORY = 1 << 22
_DIGITS = 1 << 16

Values = NDArray[np.float64] | NDArray[np.int64]
Read = Callable[[], Iterable[Values]]


def values_at(read: Read, places: Callable[[int], Sequence[int]], *, in_memory: int | None = None) -> list[float | int]:
    """Return the values at some places (from 0) of the sorted column; `places` is asked with the number of values.

    `read` gives the column in batches, as often as it is called; without NaN, all float64 or all int64.
    """
    in_memory = IN_MEMORY if in_memory is None else in_memory
    few: list[Values] = []
    total, whole = 0, False
    counts = np.zeros(_DIGITS, dtype=np.int64)
    floats = True
    for batch in read():
        floats = batch.dtype == np.float64
        total += len(batch)
        counts += np.bincount(_keys(batch) >> np.uint64(48), minlength=_DIGITS)
        whole = total <= in_memory
        few = [*few, _plain(batch)] if whole else []
    wanted = list(places(total))
    if whole:
        ordered = np.sort(np.concatenate(few)) if few else np.array([])
        return [ordered[place].item() for place in wanted]
    keys = [_descend(counts, place, 0) for place in wanted]
    alike = {prefix: int(counts[prefix]) for prefix, _ in keys}
    for digit in (1, 2, 3):
        if sum(alike.values()) <= in_memory:
            return _among(read, keys, digit)
        keys, alike = _next_digit(read, keys, digit)
    return [_value(key, floats=floats) for key, _ in keys]


def quantiles(read: Read, shares: Sequence[float], *, in_memory: int | None = None) -> list[float | int]:
    """Return for each share q the smallest value that at least q of the values do not pass; empty without values."""

    def places(total: int) -> list[int]:
        return [max(math.ceil(share * total) - 1, 0) for share in shares] if total else []

    return values_at(read, places, in_memory=in_memory)


def median_and_deviation(read: Read, *, in_memory: int | None = None) -> tuple[float, float] | None:
    """Return the median and the median absolute deviation from it; None without values."""

    def middle(total: int) -> list[int]:
        return [(total - 1) // 2, total // 2] if total else []

    found = values_at(read, middle, in_memory=in_memory)
    if not found:
        return None
    median = found[0] / 2 + found[1] / 2

    def distances() -> Iterator[Values]:
        for batch in read():
            yield np.abs(batch.astype(np.float64) - median)

    low, high = values_at(distances, middle, in_memory=in_memory)
    return median, low / 2 + high / 2


def _keys(values: Values) -> NDArray[np.uint64]:
    """Return unsigned words in the order of the values; -0.0 is 0.0."""
    if values.dtype == np.float64:
        bits = (values + 0.0).view(np.uint64)
        negative = bits >> np.uint64(63) == 1
        return np.where(negative, ~bits, bits | np.uint64(1 << 63))
    return values.view(np.uint64) ^ np.uint64(1 << 63)


def _value(key: int, *, floats: bool) -> float | int:
    if not floats:
        return key - (1 << 63)
    bits = key & ~(1 << 63) if key >> 63 else ~key & ((1 << 64) - 1)
    return float(np.array([bits], dtype=np.uint64).view(np.float64)[0])


def _descend(counts: NDArray[np.int64], place: int, prefix: int) -> tuple[int, int]:
    """Return the prefix with one digit more, and the place among the values that have it."""
    ends = np.cumsum(counts)
    digit = int(np.searchsorted(ends, place, side="right"))
    return (prefix << 16) | digit, place - int(ends[digit] - counts[digit])


def _next_digit(
    read: Read, keys: Sequence[tuple[int, int]], digit: int
) -> tuple[list[tuple[int, int]], dict[int, int]]:  # fmt: skip
    """Return the keys with one digit more, and how many values begin with each of them."""
    shift = np.uint64(64 - 16 * digit)
    counts = {prefix: np.zeros(_DIGITS, dtype=np.int64) for prefix, _ in keys}
    for batch in read():
        words = _keys(batch)
        for prefix in counts:
            inside = words[words >> shift == np.uint64(prefix)]
            counts[prefix] += np.bincount((inside >> (shift - np.uint64(16))) & np.uint64(0xFFFF), minlength=_DIGITS)
    longer = [_descend(counts[prefix], place, prefix) for prefix, place in keys]
    return longer, {key: int(counts[key >> 16][key & 0xFFFF]) for key, _ in longer}


def _among(read: Read, keys: Sequence[tuple[int, int]], digit: int) -> list[float | int]:
    """Sort the values that begin with the same digits as the wanted ones, and return those."""
    shift = np.uint64(64 - 16 * digit)
    found: dict[int, list[Values]] = {prefix: [] for prefix, _ in keys}
    for batch in read():
        starts = _keys(batch) >> shift
        for prefix, values in found.items():
            values.append(_plain(batch[starts == np.uint64(prefix)]))
    ordered = {prefix: np.sort(np.concatenate(values)) for prefix, values in found.items()}
    return [ordered[prefix][place].item() for prefix, place in keys]


def _plain(values: Values) -> Values:
    """Return floats with 0.0 in the place of -0.0, which sorting leaves in any order."""
    return (values + 0.0).view(np.float64) if values.dtype == np.float64 else values
