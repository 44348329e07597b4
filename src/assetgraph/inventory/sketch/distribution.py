"""What a column's state tells of the distribution of its values: quantiles, shares below, frequent values, patterns."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.sketch.distinct import DISTINCT_ERROR, EXACT_VALUES, Exact
from assetgraph.inventory.sketch.hashing import float_bits, word_hashes
from assetgraph.inventory.sketch.states import ColumnState

Floats = NDArray[np.float64]
#: Deviations within which an estimate is in 99 of 100 cases.
_SURE = 2.576
#: How often a sampled value has to occur before it is taken for a frequent one.
_SEEN = 3
_CANDIDATES = 1_024
_PATTERN_LENGTH = 40
_MOST_CLASSES = 65_536
#: Kinds of columns that have quantiles.
QUANTILE_KINDS = ("integer", "float", "big")


@dataclass(frozen=True)
class Frequent:
    """Values, counts, and by how much each count may be off (0: exact); most frequent first."""

    values: tuple[Any, ...]
    counts: tuple[int, ...]
    bounds: tuple[int, ...]
    #: How many values are none of these.
    others: int


def scale_of(dtype: str) -> int:
    """Return how many digits of a type's kept values are behind the point."""
    return int(dtype[8:-1]) if dtype.startswith("decimal[") else 0


def numbers(state: ColumnState) -> tuple[Floats, Floats, bool]:
    """Return (finite numbers in rising order, how many values each stands for, whether these are all of them).

    Times are numbers since 1970, truth is 0 and 1.
    """
    if state.kind not in QUANTILE_KINDS:
        return np.zeros(0), np.zeros(0), True
    if isinstance(state.values, Exact) and state.values.values is not None:
        values = state.values.values.astype(np.float64) / 10.0 ** scale_of(state.dtype)
        weights = state.values.counts.astype(np.float64)
        usual = np.isfinite(values)
        order = np.argsort(values[usual], kind="stable")
        return values[usual][order], weights[usual][order], True
    values = np.sort(state.sample.values.astype(np.float64))
    finite = state.moments.finite if state.moments is not None else state.present
    return values, np.full(len(values), finite / max(len(values), 1)), False


def quantiles(state: ColumnState, shares: Any) -> Floats:
    """Return the values at shares of the finite numbers, interpolated; NaN without any."""
    values, weights, exact = numbers(state)
    shares = np.asarray(shares, dtype=np.float64)
    if not len(values):
        return np.full(len(shares), np.nan)
    if not exact:
        return np.asarray(np.quantile(values, shares))
    # The n-1 steps between the n values, each of which stands for as many as it has counts.
    places = shares * (weights.sum() - 1.0)
    ends = np.cumsum(weights)
    low = values[np.searchsorted(ends, np.floor(places), side="right")]
    high = values[np.minimum(np.searchsorted(ends, np.floor(places) + 1.0, side="right"), len(values) - 1)]
    share = places - np.floor(places)
    with np.errstate(all="ignore"):
        return np.asarray(low * (1.0 - share) + high * share)


def cdf(state: ColumnState, at: Any) -> Floats:
    """Return the shares of the finite numbers that are not above the given ones."""
    values, weights, _ = numbers(state)
    if not len(values):
        return np.full(len(np.asarray(at)), np.nan)
    ends = np.concatenate(([0.0], np.cumsum(weights)))
    return np.asarray(ends[np.searchsorted(values, np.asarray(at, np.float64), side="right")] / ends[-1])


def rank_error(state: ColumnState) -> float:
    """Return by how much the rank of a quantile is off in 99 of 100 cases at most; 0 where it is exact."""
    values, _, exact = numbers(state)
    return 0.0 if exact or not len(values) else _SURE * 0.5 / float(np.sqrt(len(values)))


def frequent(state: ColumnState, limit: int = 10) -> Frequent:
    """Return the most frequent values; of a column with many distinct ones those that stand out from the rest."""
    if isinstance(state.values, Exact):
        if state.values.values is None:
            return Frequent((), (), (), state.present)
        values, counts = state.values.values, state.values.counts
        bounds = np.zeros(len(counts), np.int64)
    else:
        values, hashes, seen = _sampled_often(state)
        guesses: Floats = seen.astype(np.float64) * (state.present / max(len(state.sample), 1))
        counts, bounds = state.values.counts_of(hashes, guesses, seen)
        standing = counts > 2 * bounds
        values, counts, bounds = values[standing], counts[standing], bounds[standing]
    told = zip(values.tolist(), counts.tolist(), bounds.tolist(), strict=True)
    best = sorted(told, key=lambda one: (-one[1], _comparable(one[0])))[:limit]
    others = max(state.present - sum(count for _, count, _ in best), 0)
    return Frequent(tuple(one[0] for one in best), tuple(one[1] for one in best), tuple(one[2] for one in best), others)


def _sampled_often(state: ColumnState) -> tuple[NDArray[Any], Any, NDArray[np.int64]]:
    """Return (values, hashes, how often they were sampled) of those that the sample has most."""
    sample = state.sample
    if not len(sample) or state.kind not in ("integer", "float", "text", "bytes"):
        return sample.values[:0], np.zeros(0, np.uint64), np.zeros(0, np.int64)
    if state.kind == "integer":
        hashes = word_hashes(sample.values.view(np.uint64))
    else:
        hashes = word_hashes(float_bits(sample.values)) if state.kind == "float" else sample.hashes
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(starts, append=len(ordered))
    often = np.flatnonzero(counts >= _SEEN)
    often = often[np.argsort(-counts[often], kind="stable")][:_CANDIDATES]
    chosen = ordered[starts[often]]
    return sample.values[_first_places(hashes, chosen)], chosen, counts[often]


def _first_places(hashes: Any, chosen: Any) -> NDArray[np.int64]:
    """Return where each of the chosen hashes is first; to sort the places of all would take longest."""
    if not len(chosen):
        return np.zeros(0, np.int64)
    order = np.argsort(chosen)
    at = np.minimum(np.searchsorted(chosen[order], hashes), len(chosen) - 1)
    places = np.flatnonzero(chosen[order][at] == hashes)[::-1]
    first = np.zeros(len(chosen), np.int64)
    first[order[at[places]]] = places
    return first


def _comparable(value: Any) -> Any:
    # NaN is after every number, as Polars sorts.
    return (1, 0.0) if isinstance(value, float) and value != value else (0, value)


class _Classes(dict[int, str]):
    """The class of each character, found when it is met first."""

    def __missing__(self, point: int) -> str:
        one = chr(point)
        digit, upper, lower = one.isdigit(), one.isupper(), one.islower()
        found = "9" if digit else "A" if upper else "a" if lower else "w" if one.isalpha() else one
        # Marks of rare scripts are not worth their place.
        if len(self) < _MOST_CLASSES:
            self[point] = found
        return found


_CLASSES = _Classes()
_RUN, _RUNS = re.compile(r"([Aaw9])\1{4,}"), ("99999", "aaaaa", "AAAAA", "wwwww")


def pattern_of(text: str) -> str:
    """Return a text's classes of characters: A upper case, a lower case, 9 digits, w other letters, others as they are.

    A run of more than four of a class is written with a plus: `item_0000042` is `aaaa_9+`.
    """
    return _shortened(text[: 4 * _PATTERN_LENGTH].translate(_CLASSES))


def _shortened(classes: str) -> str:
    short = _RUN.sub(r"\1+", classes) if any(run in classes for run in _RUNS) else classes
    return short if len(short) <= _PATTERN_LENGTH else short[: _PATTERN_LENGTH - 1] + "…"


def patterns(state: ColumnState, limit: int = 5) -> tuple[tuple[tuple[str, float], ...], bool]:
    """Return the most frequent patterns of texts with their shares, and whether these are exact."""
    if state.kind != "text" or not state.present:
        return (), True
    exact = isinstance(state.values, Exact)
    if isinstance(state.values, Exact) and state.values.values is not None:
        pairs = zip(state.values.values.tolist(), state.values.counts.tolist(), strict=True)
    else:
        pairs = zip(state.sample.values.tolist(), [1] * len(state.sample), strict=True)
    whole: dict[str, int] = {}
    for text, count in pairs:
        classes = text[: 4 * _PATTERN_LENGTH].translate(_CLASSES)
        whole[classes] = whole.get(classes, 0) + count
    counts: dict[str, int] = {}
    for classes, count in whole.items():
        pattern = _shortened(classes)
        counts[pattern] = counts.get(pattern, 0) + count
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:limit]
    return tuple((pattern, count / total) for pattern, count in ranked), exact


def distinct_count(state: ColumnState) -> tuple[int, float]:
    """Return the number of distinct values, and its relative standard error: 0 where it is exact."""
    if isinstance(state.values, Exact):
        return len(state.values.hashes), 0.0
    if state.order is not None and state.order.strict and (state.order.never_falls or state.order.never_rises):
        # What rises all the way has no value twice.
        return state.present, 0.0
    estimated = round(state.values.distinct())
    return min(max(estimated, EXACT_VALUES + 1), state.present), DISTINCT_ERROR
