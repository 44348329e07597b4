"""Normalising numbers: by range or by mean and deviation, learnt of finite values and applied to all."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.errors import Invalid
from assetgraph.inventory.prepare.rules import ScaleMethod, ScaleRule


@dataclass(frozen=True)
class Scale:
    """A column becomes (value - offset) / width; `named` gives both back under their usual names."""

    field: str
    method: ScaleMethod
    offset: float
    width: float

    def named(self) -> list[tuple[str, float]]:
        """Return the numbers that undo it, as metrics."""
        if self.method is ScaleMethod.MIN_MAX:
            return [("scale_min", self.offset), ("scale_max", self.offset + self.width)]
        return [("scale_mean", self.offset), ("scale_stddev", self.width)]

    def expression(self) -> pl.Expr:
        """Return the scaled column."""
        # NumPy divides each number; Polars multiplies by the inverse, but not where a piece has one row.
        return pl.col(self.field).cast(pl.Float64).map_batches(
            self._applied, return_dtype=pl.Float64, is_elementwise=True
        )  # fmt: skip

    def _applied(self, values: pl.Series) -> pl.Series:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values.fill_null(0.0).to_numpy() - self.offset) / self.width
        return pl.Series(values.name, scaled).set(values.is_null(), None)


def learn(read: Callable[[], Iterable[NDArray[np.float64]]], rule: ScaleRule) -> Scale:
    """Return the scale of a column; raises Invalid where its finite values do not differ.

    `read` gives the finite values, in any pieces, as often as it is called. Sums are exact and rounded once, so that
    the same values give the same bits however they are pieced together.
    """
    low, high, count = math.inf, -math.inf, 0
    total = ExactSum()
    for values in read():
        if len(values):
            low, high, count = min(low, float(values.min())), max(high, float(values.max())), count + len(values)
            if rule.method is ScaleMethod.Z_SCORE:
                total.add(values)
    if not high > low:
        message = f"column '{rule.field}' has {'one value' if count else 'no number'} only; it cannot be normalised"
        raise Invalid(message, path=("rules", "scaled"))
    # A range from -0.0 begins at 0.0, whichever of the two came first.
    low, high = low + 0.0, high + 0.0
    if rule.method is ScaleMethod.MIN_MAX:
        return _usable(Scale(rule.field, rule.method, low, high - low))
    mean = total.mean(count)
    squares = ExactSum()
    for values in read():
        with np.errstate(over="ignore"):
            squares.add((values - mean) ** 2)
    return _usable(Scale(rule.field, rule.method, mean, math.sqrt(squares.mean(count))))


class ExactSum:
    """A sum of floats without any rounding: whole multiples of 2**-1126, the smallest bit that it keeps."""

    _LOWEST = 1126
    _HALF = 27

    def __init__(self) -> None:
        self._units = 0
        self._infinite = False

    def add(self, values: NDArray[np.float64]) -> None:
        """Add numbers, none of them NaN; fewer than 2**26 at a time, so that sums of halves of mantissas are exact."""
        mantissas, exponents = np.frexp(values)
        if not np.isfinite(mantissas).all():
            self._infinite = True
            return
        whole = np.ldexp(mantissas, 53).astype(np.int64)
        high, low = whole >> self._HALF, whole & ((1 << self._HALF) - 1)
        places = exponents.astype(np.int64) - 53 + self._LOWEST
        for half, shift in ((high, self._HALF), (low, 0)):
            sums = np.bincount(places, weights=half.astype(np.float64))
            for place in np.flatnonzero(sums).tolist():
                self._units += int(sums[place]) << (place + shift)

    def mean(self, count: int) -> float:
        """Return the sum divided by a count, rounded once; infinite where a number was, or where it is too large."""
        try:
            return math.inf if self._infinite else self._units / (count << self._LOWEST)
        except OverflowError:
            return math.inf


def _usable(scale: Scale) -> Scale:
    if not (math.isfinite(scale.offset) and math.isfinite(scale.width) and scale.width > 0):
        raise Invalid(f"the numbers of column '{scale.field}' are too far apart to be normalised; drop outliers first")
    return scale
