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
from assetgraph.inventory.sketch.reservoir import MOST_BYTES, Drawn, NumberSample, TextSample, shortened
from assetgraph.inventory.sketch.running import RunningLengths, RunningNumbers
from assetgraph.inventory.sketch.sampling import Sample
from assetgraph.inventory.sketch.states import KEPT_LENGTH, ColumnState, Order

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
        #: Texts have smaller samples than numbers: most rows that are drawn for these concern no text.
        self.drawn: dict[type, Drawn] = {NumberSample: Drawn(), TextSample: Drawn()}


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
        self._table = np.zeros((_SLOTS, 2), np.uint64)
        self._seen: list[NDArray[Any]] = []
        self._seen_hashes: list[Words] = []
        self._registers = np.zeros(0, np.uint8)
        self._counters = np.zeros(0, np.uint32)
        self._floor = self._rose = 0
        self._exact = True
        self._running: Any = self._runs()
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
    def _runs(self) -> RunningNumbers | RunningLengths:
        """Return where the measures of pieces run together once the values are too many to be kept."""

    @abstractmethod
    def _no_values(self) -> NDArray[Any]:
        """Return no values, in an array of their type."""

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
        values = np.concatenate(self._seen) if self._seen else self._no_values()
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

    @abstractmethod
    def add_sample(self, drawn: Drawn) -> None:
        """Add the values of the drawn rows of the open batch that are not null."""

    @abstractmethod
    def _sample(self) -> Sample:
        """Return the sample of all batches."""

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
        values: Exact | Hashed
        if self._exact:
            values = self._exact_values()
            self.measures = self._measured(values)
        else:
            values = Hashed(self._registers, self._counters.astype(np.int64))
            self.measures = together(self.measures, self._running.measures())
        told = self.measures
        return ColumnState(
            self.name, self.dtype, self.kind, self.rows, self.nulls, values, self._sample(), told.low, told.high,
            told.moments, told.lengths, self._whole_order(), told.spans,
        )  # fmt: skip


def _validity(array: Any) -> NDArray[np.uint8] | None:
    held = array.buffers()[0]
    return np.frombuffer(held, np.uint8) if array.null_count and held is not None else None


def _bits_of(validity: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    return _NO_BITS if validity is None else validity


class WordFilling(Filling):
    """A column of numbers, truth values or times, 64 bits each."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        super().__init__(name, dtype)
        self.sampled = NumberSample(floats=self.kind == "float")

    def _runs(self) -> RunningNumbers:
        return RunningNumbers(times=self.times)

    def _no_values(self) -> NDArray[Any]:
        return np.zeros(0, np.int64 if self.kind == "integer" else np.float64)

    def add_sample(self, drawn: Drawn) -> None:
        """Add the values of the drawn rows of the open batch that are not null."""
        self.sampled.add(self._bits, _bits_of(self._validity), self._offset, drawn)

    def _sample(self) -> Sample:
        return self.sampled.result()

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
            self._running.add(values, begin + done, begin + count)

    def meet(self, places: NDArray[np.int32]) -> None:
        """Keep the piece's present values at places, which are new."""
        values, begin = self._piece
        met = values[begin + places]
        self._seen.append(met if self.kind == "integer" else canonical(met))

    def _order_of(self, series: pl.Series) -> Order | None:
        if self.kind == "float" or self._validity is not None:
            return order_of(series, self.kind)
        never_falls, never_rises, distinct = moments.ordered(self._values)
        strict = bool(distinct and (never_falls or never_rises))
        first, last = self._values[[0, -1]].tolist()
        return Order(first, last, bool(never_falls), bool(never_rises), strict)


class TextFilling(Filling):
    """A column of texts or bytes in Arrow's view layout."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        super().__init__(name, dtype)
        self._seen_lengths: list[NDArray[np.int64]] = []
        self.sampled = TextSample(texts=self.kind == "text")

    def _runs(self) -> RunningLengths:
        return RunningLengths()

    def _no_values(self) -> NDArray[Any]:
        return objects([])

    def add_sample(self, drawn: Drawn) -> None:
        """Add the values of the drawn rows of the open batch that are not null."""
        self.sampled.add(len(self._series), _bits_of(self._validity), self._offset, drawn, self._fetched)

    def _sample(self) -> Sample:
        return self.sampled.result()

    def _fetched(self, rows: NDArray[np.int64]) -> tuple[Words, bytes, NDArray[np.int64]]:
        """Return hashes, bytes and ends of the texts of some rows of the open batch."""
        views = self._views[rows]
        lanes, hashes = np.zeros((2, len(rows)), np.uint64), np.zeros(len(rows), np.uint64)
        kernel.mix_texts(views, self._buffers, 0, _NO_PLACES, len(rows), self.keys, lanes[0], lanes[1], hashes)
        lengths = np.minimum(views[:, 0] & np.uint64(0xFFFFFFFF), np.uint64(MOST_BYTES))
        copied, ends = np.empty(int(lengths.sum()), np.uint8), np.empty(len(rows), np.int64)
        kernel.copy_texts(self._views, self._buffers, rows, MOST_BYTES, copied, ends)
        return hashes, copied.tobytes(), ends

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
            self._running.add(shortest, longest, total, empties)

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
            low, high = self._text_at(self._low), self._text_at(self._high)
            self.measures = together(self.measures, Measures(low, high))
            self._low = self._high = -1

    def _text_at(self, row: int) -> str | bytes:
        """Return the beginning of one text; Polars takes a hundred times as long for it."""
        _, raw, _ = self._fetched(np.array([row]))
        return shortened(raw, texts=self.kind == "text")

    def _kept_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return objects([value[:KEPT_LENGTH] for value in self._series.gather(rows).to_list()])


def filling(name: str, dtype: pl.DataType) -> WordFilling | TextFilling | None:
    """Return an empty column of a type, or None for a type that the kernel does not know."""
    kind = kind_of(dtype)
    if kind in ("integer", "float"):
        return WordFilling(name, dtype)
    return TextFilling(name, dtype) if kind in ("text", "bytes") else None
