"""Columns being filled by the compiled kernel, a piece of a batch at a time; a filled one gives its state."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.sketch import kernel, moments
from assetgraph.inventory.sketch.distinct import COUNTERS, EXACT_VALUES, REGISTERS, Exact, Hashed, spread_counts
from assetgraph.inventory.sketch.hashing import Words, canonical, column_keys, type_name
from assetgraph.inventory.sketch.measures import (
    Measures,
    has_times,
    kind_of,
    measured,
    together,
)
from assetgraph.inventory.sketch.reservoir import Drawn, NumberSample, TextSample
from assetgraph.inventory.sketch.running import RunningLengths, RunningNumbers
from assetgraph.inventory.sketch.sampling import Sample
from assetgraph.inventory.sketch.states import ColumnState, Order

#: Rows hashed at once: their lanes and hashes stay in the processor's second cache.
PIECE = 16_384
#: Of the table of a new column; it grows up to twice the values that are kept.
_FIRST_SLOTS = 512
_NO_BITS = np.frombuffer(b"", np.uint8)


class Scratch:
    """Arrays that the pieces of a batch share; for one thread."""

    def __init__(self) -> None:
        self.first, self.second, self.hashes, self.bits = (np.zeros(PIECE, np.uint64) for _ in range(4))
        self.places = np.zeros(PIECE, np.int32)
        self.fresh = np.zeros(EXACT_VALUES, np.int32)
        self.fresh_rows = np.zeros(EXACT_VALUES, np.int64)
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
        self._last: Any = None
        self._validity: NDArray[np.uint8] | None = None
        self._offset = self._count = 0
        self.measures = Measures()
        self._table = np.zeros((_FIRST_SLOTS, 2), np.uint64)
        self._seen: list[NDArray[Any]] = []
        self._seen_hashes: list[Words] = []
        self._registers = np.zeros(0, np.uint8)
        self._counters = np.zeros(0, np.uint32)
        self._floor = self._rose = 0
        self._exact = True
        self._running: Any = self._runs()
        self._lengths: NDArray[np.int64] | None = None

    def _room(self) -> int:
        """Return how many distinct values the table takes."""
        return min(EXACT_VALUES, len(self._table) // 2)

    def _grow(self) -> None:
        """Make room for more values, or cease to keep them."""
        if self.used == EXACT_VALUES:
            self._spill()
            return
        larger = np.zeros((4 * len(self._table), 2), np.uint64)
        kernel.move_counts(self._table, larger)
        self._table = larger

    def _raise(self, rose: int) -> None:
        """Note that registers rose."""
        self._rose += rose
        if self._rose > REGISTERS // 8:
            self._floor, self._rose = int(self._registers.min()), 0

    @abstractmethod
    def _runs(self) -> RunningNumbers | RunningLengths:
        """Return where the measures of pieces run together once the values are too many to be kept."""

    @abstractmethod
    def _no_values(self) -> NDArray[Any]:
        """Return no values, in an array of their type."""

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

    def _add_order(self) -> None:
        """Add the open batch to what is known of the values' order."""
        first, last = kernel.present_ends(bits_of(self._validity), self._offset, self._count)
        if first < 0:
            return
        self._last = self._value_at(last)
        if self.order is None or self.order.never_falls or self.order.never_rises:
            never_falls, never_rises, unlike = self._ordered()
            strict = unlike and (never_falls or never_rises)
            later = Order(self._value_at(first), self._last, never_falls, never_rises, strict)
            self.order = self.order.then(later) if self.order is not None else later

    @abstractmethod
    def _value_at(self, row: int) -> Any:
        """Return one value of the open batch, as it is kept."""

    @abstractmethod
    def _ordered(self) -> tuple[bool, bool, bool]:
        """Return whether the open batch never falls, never rises, and whether no two neighbours are equal."""

    def _whole_order(self) -> Order | None:
        # Once neither rises nor falls throughout, only the last value is still to be told.
        return None if self.order is None else replace(self.order, last=self._last)

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


def validity_of(array: Any) -> NDArray[np.uint8] | None:
    """Return the bitmap of an Arrow array's values that are not null; None where it holds no null."""
    held = array.buffers()[0]
    return np.frombuffer(held, np.uint8) if array.null_count and held is not None else None


def bits_of(validity: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return a bitmap as compiled functions take it, empty where all values are present."""
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
        self.sampled.add(self._bits, bits_of(self._validity), self._offset, drawn)

    def _sample(self) -> Sample:
        return self.sampled.result()

    def open(self, series: pl.Series) -> None:
        """Take the next batch of plain values."""
        array = series.to_arrow()
        self._validity = validity_of(array)
        self._offset = int(array.offset)
        kind = np.int64 if self.kind == "integer" else np.float64
        held = array.buffers()[1]
        self._values: NDArray[Any] = np.frombuffer(held, kind)[self._offset : self._offset + len(series)]
        self._bits = self._values.view(np.uint64)
        self._held = array
        self._count = len(series)
        self.rows += self._count
        self.nulls += series.null_count()
        self._add_order()

    def add(self, start: int, end: int, work: Scratch) -> None:
        """Add a piece of the batch to the column and to the lanes of its rows."""
        values, begin, count = self._values, start, end - start
        floats = self.kind == "float"
        if self._validity is not None:
            count = kernel.mix_present(
                self._bits, self._validity, self._offset, start, end, int(floats), self.keys, work.first, work.second,
                work.bits, work.hashes,
            )  # fmt: skip
            if not count:
                return
            values, begin = work.bits.view(values.dtype), 0
        else:
            bits, place = self._bits, start
            if floats:
                kernel.canonical_floats(bits, values, start, count, work.bits)
                bits, place = work.bits, 0
            kernel.mix_words(bits, place, count, self.keys, work.first, work.second, work.hashes)
        done = 0
        while self._exact and done < count:
            before = self.used
            done, self.used = kernel.count_values(
                work.hashes, done, count, self._table, self.used, self._room(), work.fresh
            )
            if self.used > before:
                met = work.fresh[: self.used - before]
                self._seen_hashes.append(work.hashes[met])
                found = values[begin + met]
                self._seen.append(found if self.kind == "integer" else canonical(found))
            if done < count:
                self._grow()
        if done < count:
            self._raise(kernel.spread(work.hashes, done, count, self._registers, self._counters, self._floor))
            self._running.add(values, begin + done, begin + count)

    def _value_at(self, row: int) -> int | float:
        value: int | float = self._values[row].item()
        return value

    def _ordered(self) -> tuple[bool, bool, bool]:
        if self.kind == "integer" and self._validity is None:
            found = moments.ordered(self._values)
        else:
            compared = moments.ordered_integers if self.kind == "integer" else moments.ordered_floats
            found = compared(self._values, bits_of(self._validity), self._offset)
        return cast("tuple[bool, bool, bool]", found)
