"""Columns of texts being filled; see `fill`."""

from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.sketch import kernel, text_kernel
from assetgraph.inventory.sketch.fill import Filling, Scratch, bits_of, validity_of
from assetgraph.inventory.sketch.hashing import Words
from assetgraph.inventory.sketch.measures import Measures, objects, order_of, together
from assetgraph.inventory.sketch.reservoir import MOST_BYTES, Drawn, TextSample, shortened
from assetgraph.inventory.sketch.running import RunningLengths
from assetgraph.inventory.sketch.sampling import Sample
from assetgraph.inventory.sketch.states import KEPT_LENGTH

_NO_PLACES = np.zeros(0, np.int32)


class TextFilling(Filling):
    """A column of texts or bytes in Arrow's view layout."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        super().__init__(name, dtype)
        self._seen_lengths: list[NDArray[np.int64]] = []
        self._cache = np.zeros((text_kernel.CACHED, text_kernel.CACHE_COLUMNS), np.uint64)
        self.sampled = TextSample(texts=self.kind == "text")

    def _runs(self) -> RunningLengths:
        return RunningLengths()

    def _no_values(self) -> NDArray[Any]:
        return objects([])

    def add_sample(self, drawn: Drawn) -> None:
        """Add the values of the drawn rows of the open batch that are not null."""
        self.sampled.add(self._count, bits_of(self._validity), self._offset, drawn, self._fetched)

    def _sample(self) -> Sample:
        return self.sampled.result()

    def _fetched(self, rows: NDArray[np.int64]) -> tuple[Words, bytes, NDArray[np.int64]]:
        """Return hashes, bytes and ends of the texts of some rows of the open batch."""
        hashes = np.empty(len(rows), np.uint64)
        text_kernel.hash_texts(self._views, self._buffers, rows, hashes)
        lengths = np.minimum(self._views[rows, 0] & np.uint64(0xFFFFFFFF), np.uint64(MOST_BYTES))
        copied, ends = np.empty(int(lengths.sum()), np.uint8), np.empty(len(rows), np.int64)
        text_kernel.copy_texts(self._views, self._buffers, rows, MOST_BYTES, copied, ends)
        return hashes, copied.tobytes(), ends

    def _met_lengths(self) -> NDArray[np.int64]:
        """Return the lengths of the texts that were met, which may be longer than what is kept of them."""
        return np.concatenate(self._seen_lengths) if self._seen_lengths else np.zeros(0, np.int64)

    def open(self, series: pl.Series) -> None:
        """Take the next batch of plain values."""
        array = series.to_arrow(compat_level=pl.CompatLevel.newest())
        held = array.buffers()
        self._validity = validity_of(array)
        self._offset = int(array.offset)
        views = np.frombuffer(held[1], np.uint64) if held[1] is not None else np.zeros(0, np.uint64)
        self._views = views.reshape(-1, 2)[self._offset : self._offset + len(series)]
        self._buffers = np.array([buffer.address for buffer in held[2:]] or [0], np.int64)
        self._held = array
        self._series = series
        self._met: list[NDArray[np.int64]] = []
        self._low = self._high = -1
        self._count = len(series)
        self.rows += self._count
        self.nulls += series.null_count()
        self._add_order()

    def add(self, start: int, end: int, work: Scratch) -> None:
        """Add a piece of the batch to the column and to the lanes of its rows."""
        places, count = _NO_PLACES, end - start
        if self._validity is not None:
            count = kernel.valid_places(self._validity, self._offset, start, end, work.places)
            if not count:
                return
            places = work.places if count < end - start else places
        if self._exact:
            done = self._counted(start, places, count, work)
            if done == count:
                return
            places, count = (
                places[done:count].copy() if len(places) else np.arange(done, count, dtype=np.int32),
                count - done,
            )
        rose, self._low, self._high, *lengths = text_kernel.add_texts(
            self._views, self._buffers, start, places, count, self.keys, work.first, work.second, self._registers,
            self._counters, self._floor, self._low, self._high,
        )  # fmt: skip
        self._raise(rose)
        self._running.add(*lengths)

    def _counted(self, start: int, places: NDArray[np.int32], count: int, work: Scratch) -> int:
        """Count the texts of a piece one by one as long as they are few enough; return how many were counted."""
        done = 0
        while self._exact and done < count:
            before = self.used
            done, self.used = text_kernel.count_texts(
                self._views, self._buffers, start, places, done, count, self.keys, work.first, work.second, self._cache,
                self._table, self.used, self._room(), work.fresh_rows, work.hashes,
            )  # fmt: skip
            new = self.used - before
            if new:
                self._seen_hashes.append(work.hashes[:new].copy())
                self._met.append(work.fresh_rows[:new].copy())
            if done < count:
                self._grow()
                self._cache[:] = 0
        return done

    def close(self) -> None:
        """End the batch: what still lies in its buffers is kept."""
        if self._met:
            met = np.concatenate(self._met)
            self._seen.append(self._kept_at(met))
            self._seen_lengths.append((self._views[met, 0] & np.uint64(0xFFFFFFFF)).astype(np.int64))
            self._met = []
        if self._low >= 0:
            low, high = self._value_at(self._low), self._value_at(self._high)
            self.measures = together(self.measures, Measures(low, high))
            self._low = self._high = -1

    def _value_at(self, row: int) -> str | bytes:
        """Return the beginning of one text; Polars takes a hundred times as long for it."""
        _, raw, _ = self._fetched(np.array([row]))
        return shortened(raw, texts=self.kind == "text")

    def _ordered(self) -> tuple[bool, bool, bool]:
        if (self._views[:, 0] & np.uint64(0xFFFFFFFF)).max() > KEPT_LENGTH:
            # As at the seams of batches, where only what is kept of a text can be compared.
            order = order_of(self._series, self.kind)
            assert order is not None  # noqa: S101 - some value is present
            return order.never_falls, order.never_rises, order.strict
        found = text_kernel.ordered_texts(self._views, self._buffers, bits_of(self._validity), self._offset)
        return cast("tuple[bool, bool, bool]", found)

    def _kept_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return objects([value[:KEPT_LENGTH] for value in self._series.gather(rows).to_list()])
