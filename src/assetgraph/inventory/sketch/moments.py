"""The compiled ranges, moments and lengths of a piece of a column; see `kernel`."""

from typing import Any

import numpy as np

from assetgraph.compiled import compiled, part
from assetgraph.inventory.sketch.intrinsics import load, swapped
from assetgraph.inventory.sketch.kernel import U

_BLOCK = 1_024
#: Sums may be added up in any order, several at once.
_LOOSE = frozenset({"reassoc", "nsz", "contract"})


@compiled("(int64[:], int64, int64) -> int64, int64, float64, int64, int64", fastmath=_LOOSE)
def integer_moments(values: Any, start: Any, end: Any) -> Any:
    """Return (min, max, sum as float, zeros, negatives) of integers; there is at least one."""
    low, high = values[start], values[start]
    total = 0.0
    zeros, negatives = 0, 0
    for at in range(start, end):
        value = values[at]
        low = min(low, value)
        high = max(high, value)
        total += np.float64(value)
        zeros += value == 0
        negatives += value < 0
    return low, high, total, zeros, negatives


@compiled("(int64[:], int64, int64, float64) -> float64", fastmath=_LOOSE)
def integer_spread(values: Any, start: Any, end: Any, mean: Any) -> float:
    """Return the sum of squared distances from the mean."""
    total = 0.0
    for at in range(start, end):
        distance = np.float64(values[at]) - mean
        total += distance * distance
    return total


@compiled(
    "(float64[:], int64, int64) -> float64, float64, float64, int64, int64, int64, int64, int64, int64", fastmath=_LOOSE
)
def float_moments(values: Any, start: Any, end: Any) -> Any:
    """Return (min, max, sum of the finite, how many finite, zeros, negatives, NaN, +inf, -inf).

    Without a value that is not NaN, min is +inf and max -inf.
    """
    low, high = np.inf, -np.inf
    total = 0.0
    finite, zeros, negatives, nans, up, down = 0, 0, 0, 0, 0, 0
    for at in range(start, end):
        value = values[at]
        low = value if value < low else low
        high = value if value > high else high
        usual = abs(value) < np.inf
        total += value if usual else 0.0
        finite += usual
        zeros += value == 0.0
        negatives += value < 0.0
        nans += value != value
        up += value == np.inf
        down += value == -np.inf
    return low, high, total, finite, zeros, negatives, nans, up, down


@compiled("(float64[:], int64, int64, float64) -> float64", fastmath=_LOOSE)
def float_spread(values: Any, start: Any, end: Any, mean: Any) -> float:
    """Return the sum of squared distances of the finite values from the mean."""
    total = 0.0
    for at in range(start, end):
        value = values[at]
        distance = value - mean if abs(value) < np.inf else 0.0
        total += distance * distance
    return total


@compiled("(int64[:]) -> bool, bool, bool")
def ordered(values: Any) -> Any:
    """Return whether numbers without NaN never fall, never rise, and whether no two neighbours are equal."""
    falls, rises, equal = False, False, False
    for start in range(1, len(values), _BLOCK):
        # Without a branch in the loop several are compared at once.
        for at in range(start, min(start + _BLOCK, len(values))):
            falls |= values[at] < values[at - 1]
            rises |= values[at] > values[at - 1]
            equal |= values[at] == values[at - 1]
        if falls and rises:
            break
    return not falls, not rises, not equal


@compiled("(int64[:], int64, int64, int64, int64, bool[:])")
def occupy(values: Any, start: Any, end: Any, shift: Any, base: Any, taken: Any) -> None:
    """Mark the buckets of 2^shift that have a value; `base` is the first bucket's number."""
    for at in range(start, end):
        taken[(values[at] >> shift) - base] = True


@part
def _tail(views: Any, buffers: Any, row: Any) -> Any:
    """Return the address from the fifth byte of a text of more than twelve bytes, else 0."""
    if (views[row, 0] & U(0xFFFFFFFF)) <= U(12):
        return 0
    tail = views[row, 1]
    return buffers[np.int64(tail & U(0xFFFFFFFF))] + np.int64(tail >> U(32)) + 4


@part
def _head(views: Any, row: Any) -> Any:
    """Return the first four bytes of a text, comparable."""
    return swapped(views[row, 0] & U(0xFFFFFFFF00000000))


@part
def _next(views: Any, buffers: Any, row: Any) -> Any:
    """Return the fifth to twelfth byte of a text, comparable; zeros where it is shorter."""
    address = _tail(views, buffers, row)
    return swapped(load(address) if address else views[row, 1])


@part
def _less(views: Any, buffers: Any, one: Any, two: Any) -> bool:
    """Say whether the text at one place comes before that at another, compared as bytes."""
    head_1, head_2 = _head(views, one), _head(views, two)
    if head_1 != head_2:
        return bool(head_1 < head_2)
    length_1: Any = np.int64(views[one, 0] & U(0xFFFFFFFF))
    length_2: Any = np.int64(views[two, 0] & U(0xFFFFFFFF))
    address_1, address_2 = _tail(views, buffers, one), _tail(views, buffers, two)
    left: Any = max(min(length_1, length_2) - 4, 0)
    place = 0
    while place < left:
        # A text of more than twelve bytes has eight bytes after its fourth; of a later word the eight bytes are read
        # that end with it, so that nothing beyond the text is touched.
        size = min(left - place, 8)
        back = 8 - size if place else 0
        word_1 = load(address_1 + place - back) >> U(8 * back) if address_1 else views[one, 1]
        word_2 = load(address_2 + place - back) >> U(8 * back) if address_2 else views[two, 1]
        if size < 8:
            kept = U(0xFFFFFFFFFFFFFFFF) >> U(8 * (8 - size))
            word_1 &= kept
            word_2 &= kept
        if word_1 != word_2:
            return bool(swapped(word_1) < swapped(word_2))
        place += 8
    return bool(length_1 < length_2)


@compiled(
    "(uint64[:,:], int64[:], int64, int32[:], int64, int64, int64, int64) -> int64, int64, int64, int64, int64, int64"
)
def text_moments(views: Any, buffers: Any, start: Any, places: Any, begin: Any, count: Any, low: Any, high: Any) -> Any:
    """Return (row of the least, row of the greatest, shortest, longest, sum of lengths, empties) of texts, in bytes.

    places: the rows from `start`, or empty for all; the texts are those from `begin` to `count` of them. low, high: the
    rows of the least and greatest so far, or -1.
    """
    dense = len(places) == 0
    row = start + begin if dense else start + np.int64(places[begin])
    low, high = (row, row) if low < 0 else (low, high)
    low_head, low_next = _head(views, low), _next(views, buffers, low)
    high_head, high_next = _head(views, high), _next(views, buffers, high)
    shortest = longest = np.int64(views[row, 0] & U(0xFFFFFFFF))
    total: Any = 0
    empties = 0
    for at in range(begin, count):
        row = start + at if dense else start + np.int64(places[at])
        length = np.int64(views[row, 0] & U(0xFFFFFFFF))
        shortest = min(shortest, length)
        longest = max(longest, length)
        total += length
        empties += length == 0
        head = _head(views, row)
        if head <= low_head:
            following = _next(views, buffers, row)
            if head < low_head or following < low_next or (following == low_next and _less(views, buffers, row, low)):
                low, low_head, low_next = row, head, following
        if head >= high_head:
            following = _next(views, buffers, row)
            if (
                head > high_head
                or following > high_next
                or (following == high_next and _less(views, buffers, high, row))
            ):
                high, high_head, high_next = row, head, following
    return low, high, shortest, longest, total, empties
