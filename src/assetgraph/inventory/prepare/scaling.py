"""Normalising numbers: by range or by mean and deviation, learnt of finite values and applied to all."""

import math
from dataclasses import dataclass

import polars as pl

from assetgraph.errors import Invalid
from assetgraph.inventory.prepare.rules import ScaleMethod, ScaleRule
from assetgraph.inventory.prepare.writing import blocks


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
        return ((pl.col(self.field).cast(pl.Float64) - self.offset) / self.width).alias(self.field)


def learn(table: pl.LazyFrame, rule: ScaleRule) -> Scale:
    """Return the scale of a column; raises Invalid where its finite values do not differ.

    Sums are exact within blocks of rows, in the rows' order, so that the same data give the same bits.
    """
    column = pl.col(rule.field).cast(pl.Float64)
    finite = table.select(column).filter(pl.col(rule.field).is_finite())
    number = pl.col(rule.field)
    low, high, count = finite.select(number.min().alias("low"), number.max().alias("high"), pl.len()).collect().row(0)
    if low is None or not high > low:
        message = f"column '{rule.field}' has {'one value' if count else 'no number'} only; it cannot be normalised"
        raise Invalid(message, path=("rules", "scaled"))
    if rule.method is ScaleMethod.MIN_MAX:
        return _usable(Scale(rule.field, rule.method, low, high - low))
    mean = math.fsum(math.fsum(one.to_series().to_list()) for one in blocks(finite)) / count
    squares = math.fsum(math.fsum(((one.to_series() - mean) ** 2).to_list()) for one in blocks(finite))
    return _usable(Scale(rule.field, rule.method, mean, math.sqrt(squares / count)))


def _usable(scale: Scale) -> Scale:
    if not (math.isfinite(scale.offset) and math.isfinite(scale.width) and scale.width > 0):
        raise Invalid(f"the numbers of column '{scale.field}' are too far apart to be normalised; drop outliers first")
    return scale
