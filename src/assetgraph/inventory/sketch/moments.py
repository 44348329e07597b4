"""The compiled ranges, moments and lengths of a piece of a column; see `kernel`."""

from typing import Any

import numpy as np

from assetgraph.compiled import compiled, part
from assetgraph.inventory.sketch.kernel import is_present

_BLOCK = 1_024
#: Sums may be added up in any order, several at once.
_LOOSE = frozenset({"reassoc", "nsz", "contract"})


@compiled("(int64[:], int64, int64) -> int64, int64, float64, float64, int64, int64", fastmath=_LOOSE)
def integer_moments(values: Any, start: Any, end: Any) -> Any:
    """Return (min, max, mean, sum of squared distances from it, zeros, negatives) of integers, one at least."""
    piece = values[start:end]
    low, high = piece[0], piece[0]
    total = 0.0
    zeros, negatives = 0, 0
    for at in range(len(piece)):
        value = piece[at]
        low = min(low, value)
        high = max(high, value)
        total += np.float64(value)
        zeros += value == 0
        negatives += value < 0
    mean, spread = total / (end - start), 0.0
    for at in range(len(piece)):
        distance = np.float64(piece[at]) - mean
        spread += distance * distance
    return low, high, mean, spread, zeros, negatives


@compiled(
    "(float64[:], int64, int64) -> float64, float64, float64, float64, int64, int64, int64, int64, int64, int64",
    fastmath=_LOOSE,
)
def float_moments(values: Any, start: Any, end: Any) -> Any:
    """Return (min, max, mean and sum of squared distances of the finite, how many these, zeros, negatives, NaN, +-inf).

    Without a value that is not NaN, min is +inf and max -inf; without a finite one, the mean is 0.
    """
    piece = values[start:end]
    low, high = np.inf, -np.inf
    total = 0.0
    finite, zeros, negatives, nans, up, down = 0, 0, 0, 0, 0, 0
    for at in range(len(piece)):
        value = piece[at]
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
    mean, spread = total / finite if finite else 0.0, 0.0
    for at in range(len(piece)):
        value = piece[at]
        distance = value - mean if abs(value) < np.inf else 0.0
        spread += distance * distance
    return low, high, mean, spread, finite, zeros, negatives, nans, up, down


@compiled("(int64[:]) -> bool, bool, bool")
def ordered(values: Any) -> Any:
    """Return whether numbers without NaN never fall, never rise, and whether no two neighbours are equal."""
    falls, rises, equal = False, False, False
    before, after = values[:-1], values[1:]
    for start in range(0, len(after), _BLOCK):
        # Without a branch in the loop several are compared at once.
        one, two = before[start : start + _BLOCK], after[start : start + _BLOCK]
        for at in range(len(two)):
            falls |= two[at] < one[at]
            rises |= two[at] > one[at]
            equal |= two[at] == one[at]
        if falls and rises:
            break
    return not falls, not rises, not equal


@part
def _ordered_present(values: Any, validity: Any, offset: int) -> Any:
    falls, rises, equal = False, False, False
    before = -1
    for row in range(len(values)):
        if not is_present(validity, row + offset):
            continue
        if values[row] != values[row]:
            return False, False, False
        if before >= 0:
            falls |= values[row] < values[before]
            rises |= values[row] > values[before]
            equal |= values[row] == values[before]
            if falls and rises:
                break
        before = row
    return not falls, not rises, not equal


@compiled("(int64[:], uint8[:], int64) -> bool, bool, bool")
def ordered_integers(values: Any, validity: Any, offset: int) -> Any:
    """Return what `ordered` does, nulls left out."""
    return _ordered_present(values, validity, offset)


@compiled("(float64[:], uint8[:], int64) -> bool, bool, bool")
def ordered_floats(values: Any, validity: Any, offset: int) -> Any:
    """Return what `ordered` does, nulls left out; NaN has no place in an order."""
    return _ordered_present(values, validity, offset)


@compiled("(int64[:], int64, int64, int64, int64, bool[:])")
def occupy(values: Any, start: Any, end: Any, shift: Any, base: Any, taken: Any) -> None:
    """Mark the buckets of 2^shift that have a value; `base` is the first bucket's number."""
    for at in range(start, end):
        taken[(values[at] >> shift) - base] = True
