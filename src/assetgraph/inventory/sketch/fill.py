"""Columns being filled by the compiled kernel, a piece of a batch at a time; a filled one gives its state."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.sketch import kernel, moments
from assetgraph.inventory.sketch.distinct import COUNTERS, EXACT_VALUES, REGISTERS, Exact, Hashed, spread_counts
from assetgraph.inventory.sketch.hashing import Words, canonical, column_keys, type_name
from assetgraph.inventory.sketch.measures import (
    Measures,
    has_times,
    kept,
    kind_of,
    measured,
    objects,
    order_of,
    together,
)
from assetgraph.inventory.sketch.sampling import NUMBERS, TEXTS, Sample, empty_sample, seed_word, united
from assetgraph.inventory.sketch.states import KEPT_LENGTH, ColumnState, Lengths, Moments, Order, Spans, span_shift

#: Rows hashed at once: their lanes and hashes stay in the processor's second cache.
PIECE = 16_384
_SLOTS = 32_768
_NO_PLACES = np.zeros(0, np.int32)
_NO_BITS = np.frombuffer(b"", np.uint8)


class Scratch:
    """Arrays that the pieces of a batch share; for one thread."""

    def __init__(self) -> None:
        self.first, self.second, self.hashes, self.bits = (np.zeros(PIECE, np.uint64) for _ in range(4))
        self.places = np.zeros(PIECE, np.int32)
        self.fresh = np.zeros(EXACT_VALUES, np.int32)
        #: The sampled rows of the batch and the levels that they reach.
        self.rows, self.levels = np.zeros(0, np.int64), np.zeros(0, np.uint8)

    def draw(self, first: int, count: int, floor: int, seed: int) -> int:
        """Draw the sample's rows of a batch that starts at `first`; return how many."""
        most = (count >> floor) + 2
        if len(self.rows) < most:
            self.rows, self.levels = np.empty(most, np.int64), np.empty(most, np.uint8)
        return int(kernel.survivors(first, count, floor, seed_word(seed), self.rows, self.levels))


class Filling(ABC):
    """What a column has been filled with; subclasses know where its values lie."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        self.name = name
        self.dtype = type_name(dtype)
        self.kind = kind_of(dtype)
        self.keys = column_keys(name, self.dtype)
        self.times = has_times(dtype)
        self.rows = self.nulls = self.used = 0
        self.order: Order | None = None
        self._latest: pl.Series | None = None
        self._validity: NDArray[np.uint8] | None = None
        self._offset = 0
        self.measures = Measures()
        numeric = self.kind in ("integer", "float")
        kept_as: Any = (np.int64 if self.kind == "integer" else np.float64) if numeric else object
        self.sample = empty_sample(NUMBERS if numeric else TEXTS, kept_as)
        self._pending: list[Sample] = []
        self._table = np.zeros((_SLOTS, 2), np.uint64)
        self._seen: list[NDArray[Any]] = []
        self._seen_hashes: list[Words] = []
        self._registers = np.zeros(0, np.uint8)
        self._counters = np.zeros(0, np.uint32)
        self._floor = self._rose = 0
        self._exact = True
        self._lengths: NDArray[np.int64] | None = None

    def count(self, hashes: Words, count: int, fresh: NDArray[np.int32]) -> int:
        """Count a piece's values; return from which on their measures have to be taken."""
        done = 0
        if self._exact and count:
            before = self.used
            done, self.used = kernel.count_values(hashes, count, self._table, self.used, EXACT_VALUES, fresh)
            if self.used > before:
                met = fresh[: self.used - before].copy()
                self._seen_hashes.append(hashes[met])
                self.meet(met)
            if done < count:
                self._spill()
        if done < count:
            self._rose += kernel.spread(hashes, done, count, self._registers, self._counters, self._floor)
            if self._rose > REGISTERS // 8:
                self._floor, self._rose = int(self._registers.min()), 0
        return done

    @abstractmethod
    def meet(self, places: NDArray[np.int32]) -> None:
        """Keep the piece's present values at places, which are new."""

    def close(self) -> None:  # noqa: B027 - most keep nothing back
        """End the batch: what still lies in its buffers is kept."""

    def _met_lengths(self) -> NDArray[np.int64] | None:
        """Return the lengths of the texts that were met, which may be longer than what is kept of them."""
        return None

    def _exact_values(self) -> Exact:
        filled = self._table[self._table[:, 0] != 0]
        filled = filled[np.argsort(filled[:, 0])]
        values = np.concatenate(self._seen) if self._seen else self.sample.values[:0]
        hashes = np.concatenate(self._seen_hashes) if self._seen_hashes else np.zeros(0, np.uint64)
        order = np.argsort(hashes)
        lengths = self._met_lengths()
        self._lengths = None if lengths is None else lengths[order]
        return Exact(hashes[order], filled[:, 1].astype(np.int64), values[order])

    def _spill(self) -> None:
        self.close()
        exact = self._exact_values()
        hashed = Hashed(np.zeros(REGISTERS, np.uint8), np.zeros(COUNTERS, np.int64))
        spread_counts(exact.hashes, exact.counts, hashed)
        self._registers, self._counters = hashed.registers, hashed.counters.astype(np.uint32)
        self.measures = self._measured(exact)
        self._exact = False
        self._table = np.zeros((0, 2), np.uint64)
        self._seen, self._seen_hashes = [], []

    def _measured(self, exact: Exact) -> Measures:
        assert exact.values is not None  # noqa: S101
        return measured(exact.values, exact.counts, self.kind, times=self.times, lengths=self._lengths)

    def add_sample(self, work: Scratch, found: int) -> None:
        """Add the values of the `found` sampled rows of the open batch that are not null."""
        validity = self._validity if self._validity is not None else _NO_BITS
        picked, reached = np.empty(found, np.int64), np.empty(found, np.uint8)
        count = kernel.pick(validity, self._offset, work.rows, work.levels, found, self.sample.floor, picked, reached)
        if not count:
            return
        self._pending.append(self._sampled(picked[:count], reached[:count]))
        if len(self.sample) + sum(len(one) for one in self._pending) > 2 * self.sample.limit:
            self._join()

    def _join(self) -> None:
        if self._pending:
            self.sample = united([self.sample, *self._pending])
            self._pending = []

    @abstractmethod
    def _sampled(self, rows: NDArray[np.int64], levels: NDArray[np.uint8]) -> Sample:
        """Return the open batch's rows as a sample."""

    def _add_order(self, series: pl.Series) -> None:
        """Add the open batch to what is known of the values' order."""
        if series.null_count() == len(series):
            return
        self._latest = series
        if self.order is None or self.order.never_falls or self.order.never_rises:
            later = self._order_of(series)
            if later is not None:
                self.order = self.order.then(later) if self.order is not None else later

    def _order_of(self, series: pl.Series) -> Order | None:
        return order_of(series, self.kind)

    def _whole_order(self) -> Order | None:
        if self.order is None or self._latest is None:
            return None
        # Once neither rises nor falls throughout, only the last value is still to be told.
        last = kept(self._latest.drop_nulls().tail(1), self.kind).tolist()[0]
        return replace(self.order, last=last)

    def state(self) -> ColumnState:
        """Return what was filled in."""
        self._join()
        self.sample = self.sample.sorted()
        values: Exact | Hashed
        if self._exact:
            values = self._exact_values()
            self.measures = self._measured(values)
        else:
            values = Hashed(self._registers, self._counters.astype(np.int64))
        told = self.measures
        return ColumnState(
            self.name, self.dtype, self.kind, self.rows, self.nulls, values, self.sample, told.low, told.high,
            told.moments, told.lengths, self._whole_order(), told.spans,
        )  # fmt: skip


def _validity(array: Any) -> NDArray[np.uint8] | None:
    held = array.buffers()[0]
    return np.frombuffer(held, np.uint8) if array.null_count and held is not None else None


class WordFilling(Filling):
    """A column of numbers, truth values or times, 64 bits each."""

    def open(self, series: pl.Series) -> None:
        """Take the next batch of plain values."""
        array = series.to_arrow()
        self._validity = _validity(array)
        self._offset = int(array.offset)
        kind = np.int64 if self.kind == "integer" else np.float64
        held = array.buffers()[1]
        self._values = np.frombuffer(held, kind)[self._offset : self._offset + len(series)]
        self._bits = self._values.view(np.uint64)
        self._held = array
        self.rows += len(series)
        self.nulls += series.null_count()
        self._add_order(series)

    def add(self, start: int, end: int, work: Scratch) -> None:
        """Add a piece of the batch to the column and to the lanes of its rows."""
        values: NDArray[Any] = self._values
        begin, count = start, end - start
        bits, bits_begin = self._bits, start
        places = None
        if self._validity is not None:
            count = kernel.valid_places(self._validity, self._offset, start, end, work.places)
            if not count:
                return
            if count < end - start:
                places = work.places
                kernel.take(bits, start, places, count, work.bits)
                bits, bits_begin, begin = work.bits, 0, 0
                values = bits.view(self._values.dtype)
        self._piece: tuple[NDArray[Any], int] = (values, begin)
        if self.kind == "float":
            canonical = work.bits if places is None else bits
            kernel.canonical_floats(bits, values, begin, count, canonical)
            bits, bits_begin = canonical, 0
        if places is None:
            kernel.mix_words(bits, bits_begin, count, self.keys, work.first, work.second, work.hashes)
        else:
            kernel.mix_sparse(bits, places, count, self.keys, work.first, work.second, work.hashes)
        done = self.count(work.hashes, count, work.fresh)
        if done < count:
            told = self._integers if self.kind == "integer" else self._floats
            self.measures = together(self.measures, told(values, begin + done, begin + count))

    def meet(self, places: NDArray[np.int32]) -> None:
        """Keep the piece's present values at places, which are new."""
        values, begin = self._piece
        met = values[begin + places]
        self._seen.append(met if self.kind == "integer" else canonical(met))

    def _sampled(self, rows: NDArray[np.int64], levels: NDArray[np.uint8]) -> Sample:
        if self.kind == "integer" and len(rows) > self.sample.limit // 2:
            fitting = Sample(self.sample.limit, self.sample.floor, levels, rows, np.zeros(0, np.uint64)).fitted()
            rows, levels = fitting.values, fitting.levels
            return Sample(self.sample.limit, fitting.floor, levels, self._values[rows], np.zeros(0, np.uint64))
        array: NDArray[Any] = self._values[rows]
        if self.kind == "float":
            usual = np.isfinite(array)
            array, levels = array[usual] + 0.0, levels[usual]
        return Sample(self.sample.limit, self.sample.floor, levels, array, np.zeros(0, np.uint64))

    def _order_of(self, series: pl.Series) -> Order | None:
        if self.kind == "float" or self._validity is not None:
            return order_of(series, self.kind)
        never_falls, never_rises, distinct = moments.ordered(self._values)
        strict = bool(distinct and (never_falls or never_rises))
        first, last = self._values[[0, -1]].tolist()
        return Order(first, last, bool(never_falls), bool(never_rises), strict)

    def _integers(self, values: NDArray[Any], begin: int, end: int) -> Measures:
        low, high, total, zeros, negatives = moments.integer_moments(values, begin, end)
        mean = total / (end - begin)
        m2 = moments.integer_spread(values, begin, end, mean)
        spans = self._occupied(values, begin, end, low, high) if self.times else None
        return Measures(low, high, Moments(end - begin, mean, m2, zeros, negatives), spans=spans)

    def _occupied(self, values: NDArray[Any], begin: int, end: int, low: int, high: int) -> Spans | None:
        known = self.measures.spans
        whole_low, whole_high = min(low, int(self.measures.low or low)), max(high, int(self.measures.high or high))
        shift = max(span_shift(whole_low, whole_high), known.shift if known else 0)
        base = low >> shift
        taken = np.zeros((high >> shift) - base + 1, np.bool_)
        moments.occupy(values, begin, end, shift, base, taken)
        return Spans(shift, base, taken)

    def _floats(self, values: NDArray[Any], begin: int, end: int) -> Measures:
        low, high, total, finite, zeros, negatives, nans, up, down = moments.float_moments(values, begin, end)
        mean = total / finite if finite else 0.0
        m2 = moments.float_spread(values, begin, end, mean) if finite else 0.0
        told = Moments(finite, mean, m2, zeros, negatives, nans, up, down)
        if nans == end - begin:
            return Measures(moments=told)
        return Measures(low + 0.0, high + 0.0, told)


class TextFilling(Filling):
    """A column of texts or bytes in Arrow's view layout."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        super().__init__(name, dtype)
        self._seen_lengths: list[NDArray[np.int64]] = []

    def _met_lengths(self) -> NDArray[np.int64]:
        """Return the lengths of the texts that were met, which may be longer than what is kept of them."""
        return np.concatenate(self._seen_lengths) if self._seen_lengths else np.zeros(0, np.int64)

    def open(self, series: pl.Series) -> None:
        """Take the next batch of plain values."""
        array = series.to_arrow(compat_level=pl.CompatLevel.newest())
        held = array.buffers()
        self._validity = _validity(array)
        self._offset = int(array.offset)
        views = np.frombuffer(held[1], np.uint64) if held[1] is not None else np.zeros(0, np.uint64)
        self._views = views.reshape(-1, 2)[self._offset : self._offset + len(series)]
        self._buffers = np.array([buffer.address for buffer in held[2:]] or [0], np.int64)
        self._held = array
        self._series = series
        self._met: list[NDArray[np.int64]] = []
        self._low = self._high = -1
        self.rows += len(series)
        self.nulls += series.null_count()
        self._add_order(series)

    def add(self, start: int, end: int, work: Scratch) -> None:
        """Add a piece of the batch to the column and to the lanes of its rows."""
        places, count = _NO_PLACES, end - start
        if self._validity is not None:
            count = kernel.valid_places(self._validity, self._offset, start, end, work.places)
            if not count:
                return
            places = work.places if count < end - start else places
        kernel.mix_texts(
            self._views, self._buffers, start, places, count, self.keys, work.first, work.second, work.hashes
        )
        self._piece = (start, places)
        done = self.count(work.hashes, count, work.fresh)
        if done < count:
            self._low, self._high, shortest, longest, total, empties = moments.text_moments(
                self._views, self._buffers, start, places, done, count, self._low, self._high
            )
            lengths = Lengths(shortest, longest, total, empties)
            self.measures = together(self.measures, Measures(lengths=lengths))

    def meet(self, places: NDArray[np.int32]) -> None:
        """Keep the piece's present values at places, which are new."""
        start, rows = self._piece
        self._met.append((rows[places] if len(rows) else places).astype(np.int64) + start)

    def close(self) -> None:
        """End the batch: what still lies in its buffers is kept."""
        if self._met:
            met = np.concatenate(self._met)
            self._seen.append(self._kept_at(met))
            self._seen_lengths.append((self._views[met, 0] & np.uint64(0xFFFFFFFF)).astype(np.int64))
            self._met = []
        if self._low >= 0:
            low, high = self._kept_at(np.array([self._low, self._high]))
            self.measures = together(self.measures, Measures(low, high))
            self._low = self._high = -1

    def _kept_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return objects([value[:KEPT_LENGTH] for value in self._series.gather(rows).to_list()])

    def _sampled(self, rows: NDArray[np.int64], levels: NDArray[np.uint8]) -> Sample:
        # Texts are dear to fetch: those that will not fit are left out before.
        kept_rows = Sample(self.sample.limit, self.sample.floor, levels, rows, np.zeros(0, np.uint64)).fitted()
        rows, levels = kept_rows.values, kept_rows.levels
        lanes, hashes = np.zeros((2, len(rows)), np.uint64), np.zeros(len(rows), np.uint64)
        views = self._views[rows]
        kernel.mix_texts(views, self._buffers, 0, _NO_PLACES, len(rows), self.keys, lanes[0], lanes[1], hashes)
        return Sample(self.sample.limit, kept_rows.floor, levels, self._kept_at(rows), hashes)


def filling(name: str, dtype: pl.DataType) -> WordFilling | TextFilling | None:
    """Return an empty column of a type, or None for a type that the kernel does not know."""
    kind = kind_of(dtype)
    if kind in ("integer", "float"):
        return WordFilling(name, dtype)
    return TextFilling(name, dtype) if kind in ("text", "bytes") else None
