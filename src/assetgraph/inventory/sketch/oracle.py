"""The plain half of a profile, in NumPy and Polars: for what the kernel does not know, and to check it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.sketch.distinct import Exact, Hashed, gathered
from assetgraph.inventory.sketch.hashing import (
    TEXT_SALT,
    Words,
    big_texts,
    canonical,
    column_keys,
    float_bits,
    known,
    mix,
    row_sums,
    text_hashes,
    type_name,
    word_hashes,
)
from assetgraph.inventory.sketch.measures import (
    Measures,
    has_times,
    kept,
    kind_of,
    list_lengths,
    measured,
    measured_texts,
    order_of,
    plain,
)
from assetgraph.inventory.sketch.sampling import NUMBERS, TEXTS, Sample, empty_sample, hashed_levels, sampled_rows
from assetgraph.inventory.sketch.states import ColumnState, Kind, TableState

_SHIFT = np.uint64(32)


def plain_state(frame: pl.DataFrame, *, first_row: int = 0, seed: int = 0) -> TableState:
    """Return the state of rows at hand; `first_row` is their place in the table."""
    rows, levels = sampled_rows(first_row, frame.height, 0, seed)
    ordered = np.empty(frame.height, np.uint8)
    ordered[rows] = levels
    lanes = np.zeros((2, frame.height), dtype=np.uint64)
    columns: dict[str, ColumnState] = {}
    for series in frame:
        states, added = plain_columns(series, ordered, seed)
        lanes += added
        columns |= {state.path: state for state in states}
    sums = row_sums(lanes[0], lanes[1])
    return TableState(frame.height, (int(sums[0]), int(sums[1])), table_schema(frame.schema), columns)


def table_schema(schema: pl.Schema) -> tuple[tuple[str, str], ...]:
    """Return names and types of the columns, as a fingerprint covers them."""
    return tuple((name, type_name(dtype)) for name, dtype in schema.items())


def plain_columns(series: pl.Series, levels: NDArray[np.uint8], seed: int) -> tuple[list[ColumnState], Words]:
    """Return the states of a column and of what it nests, and what it adds to its rows' lanes: uint64 (2, n)."""
    first, second = value_lanes(series)
    states = list(_states(series.name, series, first, levels, seed))
    return states, _keyed(first, second, series, column_keys(series.name, type_name(series.dtype)))


def _keyed(first: Words, second: Words, series: pl.Series, keys: Words) -> Words:
    added = np.stack((first * keys[0] + keys[2], second * keys[1] + keys[3]))
    if series.null_count():
        added[:, series.is_null().to_numpy()] = 0
    return added


def value_lanes(values: pl.Series) -> tuple[Words, Words]:
    """Return both lanes of each value, (n,) each; those of nulls mean nothing."""
    kind = kind_of(values.dtype)
    if kind == "null":
        return np.zeros(len(values), np.uint64), np.zeros(len(values), np.uint64)
    if kind == "nested":
        return _nested_lanes(values)
    if kind == "integer" or values.dtype == pl.UInt64:
        words = values if values.dtype == pl.UInt64 else plain(values)
        hashes = word_hashes(words.fill_null(0).to_numpy().view(np.uint64))
        return hashes, hashes
    if kind == "float":
        hashes = word_hashes(float_bits(plain(values).fill_null(0.0).to_numpy()))
        return hashes, hashes
    distinct = plain(values).unique()
    encoded = list(distinct.drop_nulls())
    texts = (
        big_texts(pl.Series(encoded, dtype=distinct.dtype))
        if kind == "big"
        else [value.encode() if isinstance(value, str) else value for value in encoded]
    )
    first, second = text_hashes(texts)
    if not len(texts):
        return np.zeros(len(values), np.uint64), np.zeros(len(values), np.uint64)
    numbers = pl.Series(np.arange(len(texts), dtype=np.uint32))
    codes = plain(values).replace_strict(distinct.drop_nulls(), numbers, default=0, return_dtype=pl.UInt32)
    places = codes.fill_null(0).to_numpy()
    return first[places], second[places]


def _nested_lanes(values: pl.Series) -> tuple[Words, Words]:
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    lanes = np.zeros((2, len(values)), dtype=np.uint64)
    if isinstance(values.dtype, pl.Struct):
        for field in values.dtype.fields:
            child = values.struct.field(field.name)
            keys = column_keys(field.name, type_name(known(field.dtype)))
            lanes += _keyed(*value_lanes(child), child, keys)
    elif isinstance(values.dtype, pl.List):
        lengths = values.list.len().fill_null(0).to_numpy().astype(np.int64)
        filled = lengths > 0
        if filled.any():
            elements, places, starts = exploded(values, lengths)
            one, two = value_lanes(elements)
            at = word_hashes(places.astype(np.uint64))
            own = np.stack((mix(one + at), mix((two ^ TEXT_SALT) + at)))
            if elements.null_count():
                own[:, elements.is_null().to_numpy()] = 0
            lanes[:, filled] = np.add.reduceat(own, starts, axis=1)
        lanes += word_hashes(lengths.astype(np.uint64))
    else:
        raise TypeError(f"values of type {values.dtype} cannot be profiled")
    return mix(lanes[0]), mix(lanes[1] ^ ((lanes[0] << _SHIFT) | (lanes[0] >> _SHIFT)))


def exploded(values: pl.Series, lengths: NDArray[np.int64]) -> tuple[pl.Series, NDArray[np.int64], NDArray[np.int64]]:
    """Return the elements of lists, each one's place in its list, and where each list that has some starts."""
    counts = lengths[lengths > 0]
    starts = np.cumsum(counts) - counts
    elements = values.filter(pl.Series(lengths > 0)).explode()
    return elements, np.arange(len(elements)) - np.repeat(starts, counts), starts


def _states(path: str, values: pl.Series, hashes: Words, levels: NDArray[np.uint8], seed: int) -> Iterator[ColumnState]:
    kind = kind_of(values.dtype)
    present = values.is_not_null().to_numpy()
    yield _one_state(path, values, hashes[present], levels[present])
    if kind != "nested":
        return
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(values.dtype, pl.Struct):
        for field in values.dtype.fields:
            child = values.struct.field(field.name)
            yield from _states(f"{path}.{field.name}", child, value_lanes(child)[0], levels, seed)
    elif isinstance(values.dtype, pl.List):
        lengths = values.list.len().fill_null(0).to_numpy().astype(np.int64)
        elements = pl.Series([], dtype=known(values.dtype.inner))
        places = np.zeros(0, np.int64)
        if (lengths > 0).any():
            elements, places, _ = exploded(values, lengths)
        # An element has no row of its own: the row's level and its place decide.
        keys = np.repeat(hashes, lengths) + word_hashes(places.astype(np.uint64))
        yield from _states(f"{path}[]", elements, value_lanes(elements)[0], hashed_levels(keys, seed), seed)


def _one_state(path: str, values: pl.Series, hashes: Words, levels: NDArray[np.uint8]) -> ColumnState:
    kind = kind_of(values.dtype)
    base = ColumnState(
        path, type_name(values.dtype), kind, len(values), values.null_count(),
        gathered(hashes, np.ones(len(hashes), np.int64), None), sample_of(None, hashes, levels, kind),
    )  # fmt: skip
    if kind == "null":
        return base
    if kind == "nested":
        if isinstance(values.dtype, pl.List | pl.Array):
            listed = values.arr.to_list() if isinstance(values.dtype, pl.Array) else values
            return replace(base, lengths=list_lengths(listed.drop_nulls().list.len().to_numpy().astype(np.int64)))
        return base
    present = plain(values).drop_nulls()
    counted, described = _counted(present, hashes, kind, values.dtype)
    order = order_of(plain(values), kind)
    numbers = kept(present, kind) if kind != "big" else present.cast(pl.Float64).to_numpy()
    return replace(
        base, values=counted, sample=sample_of(numbers, hashes, levels, kind), low=described.low, high=described.high,
        moments=described.moments, lengths=described.lengths, spans=described.spans, order=order,
    )  # fmt: skip


def _counted(present: pl.Series, hashes: Words, kind: Kind, dtype: pl.DataType) -> tuple[Exact | Hashed, Measures]:
    ones = np.ones(len(present), np.int64)
    if kind in ("text", "bytes"):
        return gathered(hashes, ones, kept(present, kind)), measured_texts(present, kind)
    values = kept(present, kind)
    if kind == "float":
        values = canonical(values)
    scale = int(dtype.scale) if isinstance(dtype, pl.Decimal) else 0
    counted = gathered(hashes, ones, values)
    if isinstance(counted, Exact) and counted.values is not None:
        # As the kernel does, which has these only: sums of floats depend on what is added to what.
        values, ones = counted.values, counted.counts
    return counted, measured(values, ones, kind, times=has_times(dtype), scale=scale)


def sample_of(values: NDArray[np.generic] | None, hashes: Words, levels: NDArray[np.uint8], kind: Kind) -> Sample:
    """Return the sample of present values with their levels; of floats the finite ones."""
    if values is None or kind in ("nested", "null"):
        return empty_sample(NUMBERS, np.int64)
    if kind in ("text", "bytes"):
        return Sample(TEXTS, 0, levels, values, hashes).fitted().sorted()
    if kind == "float" or kind == "big":
        usual = np.isfinite(values.astype(np.float64))
        values, levels = values.astype(np.float64)[usual] + 0.0, levels[usual]
    return Sample(NUMBERS, 0, levels, values, np.zeros(0, np.uint64)).fitted().sorted()
