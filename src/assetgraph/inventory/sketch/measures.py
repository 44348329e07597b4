"""Ranges, moments, lengths and order of values at hand, in NumPy and Polars; and how each type's values are kept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.sketch.states import (
    KEPT_LENGTH,
    Kind,
    Lengths,
    Moments,
    Order,
    Spans,
    Value,
    spans_of_values,
)


@dataclass(frozen=True, eq=False)
class Measures:
    """What is known of values beside their distinct ones and a sample."""

    low: Value | None = None
    high: Value | None = None
    moments: Moments | None = None
    lengths: Lengths | None = None
    spans: Spans | None = None


def kind_of(dtype: pl.DataType) -> Kind:
    """Return how values of a type are kept."""
    if isinstance(dtype, pl.Null):
        return "null"
    if dtype.is_nested():
        return "nested"
    if isinstance(dtype, pl.Int128 | pl.UInt128 | pl.UInt64 | pl.Decimal):
        return "big"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.Boolean) or dtype.is_integer() or dtype.is_temporal():
        return "integer"
    if isinstance(dtype, pl.Binary):
        return "bytes"
    return "text" if isinstance(dtype, pl.String | pl.Categorical | pl.Enum) else "nested"


def has_times(dtype: pl.DataType) -> bool:
    """Say whether a type is a point in time, so that there are gaps between its values."""
    return isinstance(dtype, pl.Date | pl.Datetime)


def plain(values: pl.Series) -> pl.Series:
    """Return values as Int64, Float64, String or Binary; those beyond 64 bits as they are."""
    kind = kind_of(values.dtype)
    if kind == "integer":
        physical = values.to_physical() if values.dtype.is_temporal() else values
        return physical if physical.dtype == pl.Int64 else physical.cast(pl.Int64)
    if kind == "float":
        return values if values.dtype == pl.Float64 else values.cast(pl.Float64)
    return values.cast(pl.String) if kind == "text" and values.dtype != pl.String else values


def kept(values: pl.Series, kind: Kind) -> NDArray[Any]:
    """Return present plain values as an array: of numbers, or of objects of which texts are shortened."""
    if kind == "integer" or kind == "float":
        return values.to_numpy()
    if kind == "text":
        values = values.str.head(KEPT_LENGTH)
    elif kind == "bytes":
        values = values.bin.head(KEPT_LENGTH)
    elif kind == "big":
        return objects([whole_number(value) for value in values])
    return objects(values.to_list())


def objects(values: list[Any]) -> NDArray[Any]:
    """Return a list as an array of objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def whole_number(value: Any) -> int:
    """Return a number beyond 64 bits as an integer, a decimal by its digits without the point."""
    return int(value.scaleb(-value.as_tuple().exponent)) if hasattr(value, "scaleb") else int(value)


def measured(
    values: NDArray[Any],
    counts: NDArray[np.int64],
    kind: Kind,
    *,
    times: bool,
    scale: int = 0,
    lengths: NDArray[np.int64] | None = None,
) -> Measures:
    """Return the measures of values that occur `counts` times.

    scale: how many digits of decimals are behind the point; lengths: of texts and bytes, in bytes.
    """
    if not len(values) or kind in ("nested", "null"):
        return Measures()
    if kind == "float":
        return _of_floats(values, counts)
    if kind == "integer" or kind == "big":
        numbers = values.astype(np.float64) / 10.0**scale
        zeros, negatives = int(counts[values == 0].sum()), int(counts[values < 0].sum())
        moments = _moments(numbers, counts, zeros, negatives)
        spans = spans_of_values(values) if times else None
        return Measures(int(values.min()), int(values.max()), moments, spans=spans)
    if lengths is None:
        raise ValueError("texts are measured with their lengths")
    # Texts compare by code point, which is the order of their bytes in UTF-8.
    low, high = min(values.tolist()), max(values.tolist())
    return Measures(low, high, lengths=_lengths(lengths, counts))


def _lengths(lengths: NDArray[np.int64], counts: NDArray[np.int64]) -> Lengths:
    empties = int(counts[lengths == 0].sum())
    return Lengths(int(lengths.min()), int(lengths.max()), int((lengths * counts).sum()), empties)


def measured_texts(values: pl.Series, kind: Kind) -> Measures:
    """Return the measures of present texts or bytes, each once, by Polars."""
    if not len(values):
        return Measures()
    lengths = (values.str.len_bytes() if kind == "text" else values.bin.size()).cast(pl.Int64).to_numpy()
    ends = kept(pl.Series([values.min(), values.max()], dtype=values.dtype), kind)
    return Measures(ends[0], ends[1], None, _lengths(lengths, np.ones(len(lengths), np.int64)))


def list_lengths(lengths: NDArray[np.int64]) -> Lengths | None:
    """Return the lengths of lists, (n,)."""
    return _lengths(lengths, np.ones(len(lengths), np.int64)) if len(lengths) else None


def _moments(numbers: NDArray[np.float64], counts: NDArray[np.int64], zeros: int, negatives: int) -> Moments:
    finite = int(counts.sum())
    if not finite:
        return Moments(zeros=zeros, negatives=negatives)
    with np.errstate(all="ignore"):
        mean = float((numbers * (counts / finite)).sum())
        m2 = float((np.square(numbers - mean) * counts).sum())
    return Moments(finite, mean, m2, zeros, negatives)


def _of_floats(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Measures:
    usual = np.isfinite(values)
    zeros, negatives = int(counts[values == 0].sum()), int(counts[values < 0].sum())
    base = _moments(values[usual], counts[usual], zeros, negatives)
    nans, up, down = (int(counts[chosen].sum()) for chosen in (np.isnan(values), values == np.inf, values == -np.inf))
    moments = Moments(base.finite, base.mean, base.m2, zeros, negatives, nans, up, down)
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        return Measures(moments=moments)
    return Measures(float(numbers.min()) + 0.0, float(numbers.max()) + 0.0, moments)


def together(one: Measures, two: Measures) -> Measures:
    """Return the measures of both together."""
    return Measures(
        _joined(min, one.low, two.low), _joined(max, one.high, two.high),
        _joined(Moments.merged, one.moments, two.moments), _joined(Lengths.merged, one.lengths, two.lengths),
        _joined(Spans.merged, one.spans, two.spans),
    )  # fmt: skip


def _joined(join: Any, one: Any, two: Any) -> Any:
    if one is None or two is None:
        return two if one is None else one
    return join(one, two)


def order_of(values: pl.Series, kind: Kind) -> Order | None:
    """Return how plain values follow each other, nulls left out."""
    if kind in ("nested", "null"):
        return None
    present = values.drop_nulls()
    if not len(present):
        return None
    first, last = kept(pl.concat((present.head(1), present.tail(1))), kind).tolist()
    whole: Any = present.to_numpy() if kind in ("integer", "float") else present
    # Most columns have no order, and their first thousand values show it.
    falls = rises = equal = False
    for part in (whole[:1_000], whole):
        one, two = part[:-1], part[1:]
        if kind in ("text", "bytes"):
            one, two = (
                side.str.head(KEPT_LENGTH) if kind == "text" else side.bin.head(KEPT_LENGTH) for side in (one, two)
            )
        falls, rises, equal = (not bool(compared.all()) for compared in (two >= one, two <= one, two != one))
        if not (falls and rises) and equal and kind in ("text", "bytes") and _cut(one, two, kind):
            # As at the seams of batches, where only what is kept of a text can be compared.
            falls = rises = True
        if falls and rises:
            break
    if kind == "float" and present.is_nan().any():
        falls = rises = True
    return Order(first, last, not falls, not rises, not equal and not (falls and rises))


def _cut(one: pl.Series, two: pl.Series, kind: Kind) -> bool:
    """Say whether two neighbours are equal as far as they are kept, and may go on differently."""
    lengths = one.str.len_chars() if kind == "text" else one.bin.size()
    return bool(((one == two) & (lengths == KEPT_LENGTH)).any())
