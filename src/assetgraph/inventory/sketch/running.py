"""The measures of a column while its pieces come in: plain numbers, as there are tens of thousands of pieces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.sketch import moments
from assetgraph.inventory.sketch.measures import Measures
from assetgraph.inventory.sketch.states import BUCKETS, Lengths, Moments, Spans, span_shift, spans_of


class RunningNumbers:
    """Range and moments of numbers, and the spans of times."""

    def __init__(self, *, times: bool) -> None:
        self._times = RunningTimes() if times else None
        self._low: Any = None
        self._high: Any = None
        self._finite, self._mean, self._m2 = 0, 0.0, 0.0
        self._told = (0, 0, 0, 0, 0)

    def add(self, values: NDArray[Any], begin: int, end: int) -> None:
        """Add the numbers from begin to end, int64 or float64 (n,), one at least."""
        if values.dtype == np.int64:
            low, high, mean, m2, *counts = moments.integer_moments(values, begin, end)
            finite, told = end - begin, (*counts, 0, 0, 0)
            if self._times is not None:
                self._times.add(values, begin, end, low, high)
        else:
            low, high, mean, m2, finite, *told = moments.float_moments(values, begin, end)
        if finite:
            self._add_moments(finite, mean, m2)
        one, two, three, four, five = self._told
        self._told = (one + told[0], two + told[1], three + told[2], four + told[3], five + told[4])
        # Floats that are all NaN have no range.
        if low <= high:
            self._low = low if self._low is None or low < self._low else self._low
            self._high = high if self._high is None or high > self._high else self._high

    def _add_moments(self, finite: int, mean: float, m2: float) -> None:
        """Merge the moments of a piece, as `Moments.merged` does."""
        if not self._finite:
            self._finite, self._mean, self._m2 = finite, mean, m2
            return
        whole = self._finite + finite
        distance, share = mean - self._mean, finite / whole
        self._m2 += m2 + distance * distance * share * self._finite
        self._mean = self._mean * (1.0 - share) + mean * share
        self._finite = whole

    def measures(self) -> Measures:
        """Return the measures of what was added."""
        if self._low is None and not any(self._told):
            return Measures()
        told = Moments(self._finite, self._mean, self._m2, *self._told)
        if isinstance(self._low, float):
            return Measures(self._low + 0.0, self._high + 0.0, told)
        return Measures(self._low, self._high, told, spans=self._times.spans() if self._times is not None else None)


class RunningTimes:
    """Which buckets of time have a value."""

    def __init__(self) -> None:
        self._low = self._high = self._shift = self._base = 0
        self._taken = np.zeros(0, np.bool_)

    def add(self, values: NDArray[np.int64], begin: int, end: int, low: int, high: int) -> None:
        """Add the times from begin to end, of which low and high are the least and the greatest."""
        if len(self._taken):
            low, high = min(low, self._low), max(high, self._high)
        shift = span_shift(low, high)
        first, last = low >> shift, high >> shift
        if not len(self._taken) or shift != self._shift or first < self._base or last - self._base >= BUCKETS:
            known = (np.flatnonzero(self._taken) + self._base) >> (shift - self._shift)
            self._shift, self._base = shift, first
            # Times mostly rise: what comes next has its buckets behind these.
            self._taken = np.zeros(BUCKETS, np.bool_)
            self._taken[known - self._base] = True
        self._low, self._high = low, high
        moments.occupy(values, begin, end, self._shift, self._base, self._taken)

    def spans(self) -> Spans | None:
        """Return the spans of what was added."""
        return spans_of(np.flatnonzero(self._taken) + self._base, self._shift) if len(self._taken) else None


class RunningLengths:
    """Lengths of texts, in bytes."""

    def __init__(self) -> None:
        self._shortest, self._longest, self._total, self._empties = -1, 0, 0, 0

    def add(self, shortest: int, longest: int, total: int, empties: int) -> None:
        """Add the lengths of a piece."""
        self._shortest = shortest if self._shortest < 0 else min(self._shortest, shortest)
        self._longest = max(self._longest, longest)
        self._total += total
        self._empties += empties

    def measures(self) -> Measures:
        """Return the measures of what was added."""
        if self._shortest < 0:
            return Measures()
        return Measures(lengths=Lengths(self._shortest, self._longest, self._total, self._empties))
