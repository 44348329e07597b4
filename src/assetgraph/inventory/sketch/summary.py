"""From a column's state to the profile that people see; every number is exact or says how far it may be off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from assetgraph.inventory.sketch.distinct import Exact
from assetgraph.inventory.sketch.distribution import (
    distinct_count,
    frequent,
    numbers,
    patterns,
    quantiles,
    rank_error,
    scale_of,
)
from assetgraph.inventory.sketch.states import ColumnState, TableState

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TOP_VALUES = 10
HISTOGRAM_BINS = 20
#: Longest text of a value that a profile keeps, in characters.
TEXT_LENGTH = 256
_TIMES = ("date", "time", "datetime[", "duration[")


@dataclass(frozen=True)
class FieldProfile:
    """Statistics of a column; `count` is all rows, nulls included.

    Mean, deviation (of a sample), quantiles and histogram are of the finite numbers; min and max leave out NaN only.
    Lengths are in bytes, of lists in elements. What follows `histogram` is None where it does not apply to the type.
    """

    field: str
    count: int
    null_count: int
    distinct_count: int
    distinct_is_exact: bool
    min: str | None = None
    max: str | None = None
    mean: float | None = None
    stddev: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    #: Value, count, and by how much the count may be off; most frequent first, equal counts by value.
    top_values: tuple[tuple[str | None, int, int], ...] = ()
    #: Low edge, high edge, count; the high edge belongs to the last bin only.
    histogram: tuple[tuple[float, float, int], ...] = ()
    #: Relative standard error of distinct_count.
    distinct_error: float = 0.0
    #: By how much the rank of a quantile is off in 99 of 100 cases at most; 0: quantiles and histogram are exact.
    quantile_rank_error: float = 0.0
    zero_count: int | None = None
    negative_count: int | None = None
    nan_count: int | None = None
    positive_infinity_count: int | None = None
    negative_infinity_count: int | None = None
    empty_count: int | None = None
    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    #: Classes of characters and their share of the texts; from a sample where patterns_are_exact is false.
    patterns: tuple[tuple[str, float], ...] = ()
    patterns_are_exact: bool = True
    #: constant, strictly_increasing, increasing, strictly_decreasing or decreasing in the order of the rows.
    order: str | None = None
    #: Of points in time: between these lies the longest time without a value, in the type's own unit; approximate.
    largest_gap: tuple[int, int] | None = None
    #: What a struct or list nests, by path.
    nested: "tuple[FieldProfile, ...]" = ()

    def as_json(self) -> dict[str, Any]:
        """Return the profile with every tuple as an object that names its parts."""
        named = dict(vars(self))
        named["quantiles"] = [{"q": q, "value": value} for q, value in self.quantiles]
        named["top_values"] = [
            {"value": value, "count": count, "count_error_bound": bound} for value, count, bound in self.top_values
        ]
        named["histogram"] = [{"low": low, "high": high, "count": count} for low, high, count in self.histogram]
        named["patterns"] = [{"pattern": pattern, "share": share} for pattern, share in self.patterns]
        if self.largest_gap is not None:
            named["largest_gap"] = {"at_least": self.largest_gap[0], "at_most": self.largest_gap[1]}
        named["nested"] = [one.as_json() for one in self.nested]
        return named


def field_profiles(state: TableState, names: Sequence[str]) -> tuple[FieldProfile, ...]:
    """Return the profiles of a table's columns, each with those of what it nests."""
    profiles = []
    for name in names:
        nested = tuple(
            field_profile(column)
            for path, column in state.columns.items()
            if column.kind != "null" and path != name and path.startswith((f"{name}.", f"{name}[]"))
            and state.columns[name].kind == "nested"
        )  # fmt: skip
        profiles.append(replace(field_profile(state.columns[name]), nested=nested))
    return tuple(profiles)


def field_profile(state: ColumnState) -> FieldProfile:
    """Return the profile of one column or path."""
    distinct, error = distinct_count(state)
    top = frequent(state, TOP_VALUES)
    values = tuple(zip(rendered(top.values, state.dtype), top.counts, top.bounds, strict=True))
    low, high = rendered((state.low, state.high), state.dtype) if state.low is not None else (None, None)
    shown, patterns_exact = patterns(state)
    lengths, moments = state.lengths, state.moments
    described = FieldProfile(
        state.path, state.rows, state.nulls, distinct, distinct_is_exact=not error and state.kind != "nested", min=low,
        max=high, top_values=values, distinct_error=error, patterns=shown, patterns_are_exact=patterns_exact,
        order=_order(state), largest_gap=state.spans.largest_gap() if state.spans is not None else None,
    )  # fmt: skip
    if lengths is not None:
        described = replace(
            described, empty_count=lengths.empties, min_length=lengths.shortest, max_length=lengths.longest,
            mean_length=lengths.total / state.present,
        )  # fmt: skip
    if moments is None or not is_numeric(state.dtype):
        return described
    described = replace(described, zero_count=moments.zeros, negative_count=moments.negatives, **_of_numbers(state))
    if state.kind != "float":
        return described
    return replace(
        described, nan_count=moments.nans, positive_infinity_count=moments.positive_infinities,
        negative_infinity_count=moments.negative_infinities,
    )  # fmt: skip


def is_numeric(dtype: str) -> bool:
    """Say whether a type has numbers that a mean makes sense of."""
    return dtype.startswith(("int", "uint", "float", "decimal["))


def _order(state: ColumnState) -> str | None:
    order = state.order
    if isinstance(state.values, Exact) and len(state.values.hashes) == 1:
        return "constant"
    if order is None or not (order.never_falls or order.never_rises):
        return None
    return ("strictly_" if order.strict else "") + ("increasing" if order.never_falls else "decreasing")


def _of_numbers(state: ColumnState) -> dict[str, Any]:
    """Return mean, stddev, quantiles (linear interpolation) and histogram of the finite values."""
    moments = state.moments
    if moments is None or not moments.finite:
        return {}
    with np.errstate(all="ignore"):
        stddev = float(np.sqrt(moments.m2 / (moments.finite - 1))) if moments.finite > 1 else None
        at = quantiles(state, QUANTILES)
    return {
        "mean": moments.mean if np.isfinite(moments.mean) else None,
        "stddev": stddev if stddev is not None and np.isfinite(stddev) else None,
        "quantiles": tuple((q, float(value)) for q, value in zip(QUANTILES, at, strict=True) if np.isfinite(value)),
        "quantile_rank_error": rank_error(state),
        "histogram": _histogram(state),
    }


def _histogram(state: ColumnState) -> tuple[tuple[float, float, int], ...]:
    values, weights, exact = numbers(state)
    total = state.moments.finite if state.moments is not None else 0
    if not len(values):
        return ()
    low, high = float(values[0]), float(values[-1])
    if not exact and isinstance(state.low, int | float) and isinstance(state.high, int | float):
        scale = 10.0 ** scale_of(state.dtype)
        ends = (float(state.low) / scale, float(state.high) / scale)
        low, high = (end if np.isfinite(end) else seen for end, seen in zip(ends, (low, high), strict=True))
    # 20 edges must be apart from each other and the distance of the outer ones a number.
    with np.errstate(all="ignore"):
        edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
    if not np.all(np.isfinite(edges)) or not np.all(np.diff(edges) > 0):
        return ((low, high, total),)
    filled, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(low, high), weights=weights)
    # Of a sample the bins are shares of the whole, rounded so that their sum stays.
    ends_of_bins = np.rint(np.cumsum(filled) * (total / filled.sum())).astype(np.int64)
    counts = np.diff(ends_of_bins, prepend=0)
    return tuple((float(a), float(b), int(count)) for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True))


def rendered(values: Sequence[Any], dtype: str) -> list[str]:
    """Return kept values as text: ISO 8601 for times, true and false, hexadecimal digits for bytes."""
    if not values:
        return []
    if dtype.startswith(_TIMES):
        series = pl.Series(list(values), dtype=pl.Int64).cast(_time_type(dtype))
        texts = series.dt.to_string("iso:strict").str.replace(r"\.0+([+Z-].*)?$", "${1}").to_list()
    elif dtype == "boolean":
        texts = ["true" if value else "false" for value in values]
    elif dtype.startswith("float"):
        texts = [repr(float(value) + 0.0) for value in values]
    elif dtype.startswith("decimal["):
        texts = [format(Decimal(int(value)).scaleb(-scale_of(dtype)), "f") for value in values]
    else:
        texts = [value.hex() if isinstance(value, bytes) else str(value) for value in values]
    return [text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 1] + "…" for text in texts]


def _time_type(dtype: str) -> Any:
    if not dtype.endswith("]"):
        return pl.Date if dtype == "date" else pl.Time
    unit, _, zone = dtype[dtype.index("[") + 1 : -1].partition(",")
    known: Any = unit
    return pl.Duration(known) if dtype.startswith("duration") else pl.Datetime(known, zone or None)
