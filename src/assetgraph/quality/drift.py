"""How far two stored distributions of a column are apart, without reading any data.

Population stability index: sum of (q - p) ln(q / p) over the baseline's deciles, or over categories; 0.1 is commonly
called a small shift and 0.25 a large one. Kolmogorov-Smirnov: the largest distance of the cumulative distributions,
0 to 1, for numbers only. Jensen-Shannon: the distance (the root of the divergence to the base 2), 0 to 1. Nulls take no
part: completeness tells of those.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.quality.checks import DriftMeasure
from assetgraph.quality.values import Family, epoch_seconds, family_of, is_complete, moment, number

#: Bins that the baseline's quantiles make.
BINS = 10
#: A share that is nothing counts as this much: the index knows no empty bins.
LEAST_SHARE = 1e-4
#: Points that stand for a curve between known quantiles.
POINTS = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """What a column's values look like: numbers with weights, or categories with counts and the mass of all others."""

    #: Ascending, with the share of each; empty for categories.
    values: Floats = field(default_factory=lambda: np.empty(0))
    shares: Floats = field(default_factory=lambda: np.empty(0))
    #: Share of each known category, and of the ones that are not known.
    categories: Mapping[str, float] = field(default_factory=dict)
    other: float = 0.0
    #: How many values it is of, and whether it is all of them as they are.
    count: float = 0.0
    exact: bool = True

    @property
    def is_numeric(self) -> bool:
        """Whether it has an order."""
        return len(self.values) > 0

    @staticmethod
    def of_weighted(
        values: Sequence[float] | Floats, weights: Sequence[float] | Floats, *, exact: bool = False
    ) -> "Distribution":
        """Return the distribution of numbers with weights, such as a quantile sketch holds; in any order."""
        at, mass = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        kept = np.isfinite(at) & (mass > 0)
        unique, places = np.unique(at[kept], return_inverse=True)
        total = np.bincount(places, weights=mass[kept], minlength=len(unique))
        count = float(total.sum())
        shares: Floats = np.divide(total, count or 1.0)
        return Distribution(unique, shares, count=count, exact=exact)

    @staticmethod
    def of_counts(counts: Mapping[str, float], other: float = 0.0) -> "Distribution":
        """Return the distribution of categories; `other` is how many values are none of those."""
        total = float(sum(counts.values()) + other)
        if total <= 0:
            return Distribution()
        known = {name: count / total for name, count in counts.items() if count > 0}
        return Distribution(categories=known, other=max(other, 0.0) / total, count=total, exact=other <= 0)

    @staticmethod
    def of_profile(profile: Mapping[str, Any], type_name: str) -> "Distribution | None":
        """Return the distribution that a stored field profile shows; None where it shows none.

        Exact where the profile names every value. Else numbers are the curve through quantiles and histogram, and texts
        their most frequent values beside the mass of all others.
        """
        present = int(profile["count"]) - int(profile["null_count"])
        family, top = family_of(type_name), profile["top_values"]
        if present <= 0 or family is Family.NESTED:
            return None
        if family in (Family.NUMBER, Family.TIME):
            if is_complete(dict(profile)):
                read = [(_position(one["value"], family), one["count"]) for one in top]
                known = [(at, count) for at, count in read if at is not None]
                return Distribution.of_weighted(*zip(*known, strict=True), exact=True) if known else None
            return _of_curve(profile, family, present)
        counts = {str(one["value"]): float(one["count"]) for one in top if one["value"] is not None}
        return Distribution.of_counts(counts, max(present - sum(counts.values()), 0.0)) if counts else None


@dataclass(frozen=True)
class Drift:
    """How far a distribution is from its baseline; `exact` where both were known value by value."""

    psi: float
    jensen_shannon: float
    kolmogorov_smirnov: float | None
    exact: bool

    def of(self, measure: DriftMeasure) -> float | None:
        """Return one of the numbers; None where it has no meaning (an order that categories do not have)."""
        return {
            DriftMeasure.PSI: self.psi, DriftMeasure.JENSEN_SHANNON: self.jensen_shannon,
            DriftMeasure.KOLMOGOROV_SMIRNOV: self.kolmogorov_smirnov,
        }[measure]  # fmt: skip


def drift(baseline: Distribution, current: Distribution) -> Drift | None:
    """Return how far a distribution is from its baseline; None where the two cannot be compared."""
    if not baseline.count or not current.count or baseline.is_numeric != current.is_numeric:
        return None
    exact = baseline.exact and current.exact
    if not baseline.is_numeric:
        before, after = _categories(baseline, current)
        return Drift(_psi(before, after), _jensen_shannon(before, after), None, exact)
    before, after = _binned(baseline, current)
    return Drift(_psi(before, after), _jensen_shannon(before, after), _kolmogorov_smirnov(baseline, current), exact)


def profile_drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> Drift | None:
    """Return the drift between two fields of versions (`type` and `profile` of each); None where there is none."""
    if not before["profile"] or not after["profile"]:
        return None
    one = Distribution.of_profile(before["profile"], before["type"])
    other = Distribution.of_profile(after["profile"], after["type"])
    return None if one is None or other is None else drift(one, other)


def _position(text: str | None, family: Family) -> float | None:
    if family is Family.NUMBER:
        return number(text)
    at = None if text is None else moment(text)
    return None if at is None else epoch_seconds(at)


def _of_curve(profile: Mapping[str, Any], family: Family, present: int) -> Distribution | None:
    """Return points of equal weight on the curve through all that is known of the cumulative distribution."""
    knots = {float(one["value"]): float(one["q"]) for one in profile["quantiles"]}
    bins = profile["histogram"]
    total = sum(one["count"] for one in bins)
    seen = 0
    for one in bins:
        # A quantile says where the mass lies inside a bin; at its edges the histogram's own count is exact.
        knots[float(one["low"])] = seen / total if total else 0.0
        seen += one["count"]
        knots[float(one["high"])] = seen / total if total else 1.0
    for name, share in (("min", 0.0), ("max", 1.0)):
        at = _position(profile[name], family)
        if at is not None:
            knots.setdefault(at, share)
    if len(knots) < 2:
        return None
    places = np.array(sorted(knots))
    reached = np.maximum.accumulate(np.array([knots[at] for at in places]))
    middles = (np.arange(POINTS) + 0.5) / POINTS
    points = np.interp(middles, *_strict(reached, places))
    return Distribution.of_weighted(points, np.full(POINTS, present / POINTS))


def _strict(reached: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Return the inverse of a cumulative curve: over a stretch without mass its last place counts."""
    keep = np.append(np.diff(reached) > 0, True)
    first = np.argmax(reached > reached[0]) - 1 if (reached > reached[0]).any() else 0
    keep[max(first, 0)] = True
    return reached[keep], places[keep]


def _categories(baseline: Distribution, current: Distribution) -> tuple[Floats, Floats]:
    """Return the shares of categories that are known on both sides, and last those of all others."""
    names = [
        name for name in {**baseline.categories, **current.categories}
        if all(name in side.categories or side.other == 0 for side in (baseline, current))
    ]  # fmt: skip
    sides = []
    for side in (baseline, current):
        known = [side.categories.get(name, 0.0) for name in names]
        sides.append(np.array([*known, max(1.0 - sum(known), 0.0)]))
    return sides[0], sides[1]


def _binned(baseline: Distribution, current: Distribution) -> tuple[Floats, Floats]:
    """Return the shares between the baseline's deciles; a value that is frequent by itself has a bin of its own."""
    reached = np.cumsum(baseline.shares)
    cuts = np.searchsorted(reached, np.arange(1, BINS) / BINS - 1e-9)
    edges = np.unique(baseline.values[np.minimum(cuts, len(baseline.values) - 1)])
    heavy = baseline.values[baseline.shares >= 0.5 / BINS]
    edges = np.unique(np.concatenate([edges, heavy, np.nextafter(heavy, -np.inf)]))
    return _between(baseline, edges), _between(current, edges)


def _between(side: Distribution, edges: Floats) -> Floats:
    shares: Floats = np.diff(np.concatenate([[0.0], _cumulative(side, edges), [1.0]]))
    return np.maximum(shares, 0.0)


def _cumulative(side: Distribution, at: Floats) -> Floats:
    reached = np.concatenate([[0.0], np.cumsum(side.shares)])
    found: Floats = reached[np.searchsorted(side.values, at, side="right")]
    return found


def _psi(before: Floats, after: Floats) -> float:
    p, q = np.maximum(before, LEAST_SHARE), np.maximum(after, LEAST_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))


def _jensen_shannon(before: Floats, after: Floats) -> float:
    middle = (before + after) / 2
    parts = 0.0
    for side in (before, after):
        there = side > 0
        parts += float(np.sum(side[there] * np.log2(side[there] / middle[there]))) / 2
    return math.sqrt(min(max(parts, 0.0), 1.0))


def _kolmogorov_smirnov(baseline: Distribution, current: Distribution) -> float:
    at = np.concatenate([baseline.values, current.values])
    return float(np.max(np.abs(_cumulative(baseline, at) - _cumulative(current, at))))
