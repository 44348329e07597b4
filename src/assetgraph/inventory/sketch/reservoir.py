"""Samples being filled, a batch at a time; what they keep is what `sampling` says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.inventory.sketch import kernel
from assetgraph.inventory.sketch.hashing import Words
from assetgraph.inventory.sketch.measures import objects
from assetgraph.inventory.sketch.sampling import NUMBERS, TEXTS, Sample, seed_word
from assetgraph.inventory.sketch.states import KEPT_LENGTH

#: What is kept of a text has no more bytes.
MOST_BYTES = 4 * KEPT_LENGTH
_NO_WORDS = np.zeros(0, np.uint64)


@dataclass
class Drawn:
    """The sampled rows of a batch and the levels that they reach; arrays that the batches share."""

    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    levels: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    count: int = 0

    def draw(self, first: int, count: int, floor: int, seed: int) -> None:
        """Draw the rows of a batch of `count` rows that starts at `first`."""
        most = (count >> floor) + 2
        if len(self.rows) < most:
            self.rows, self.levels = np.empty(most, np.int64), np.empty(most, np.uint8)
        self.count = kernel.survivors(first, count, floor, seed_word(seed), self.rows, self.levels)


class _Reservoir:
    """Words of sampled rows, in the order of the rows, at the lowest level that fits."""

    def __init__(self, limit: int) -> None:
        self.limit, self.floor, self.used = limit, 0, 0
        self.words, self.levels = np.empty(0, np.uint64), np.empty(0, np.uint8)

    def add(self, bits: Words, validity: NDArray[np.uint8], offset: int, drawn: Drawn, what: int) -> None:
        needed = min(self.used + drawn.count, 2 * self.limit)
        if needed > len(self.words):
            words, levels, room = self.words, self.levels, min(2 * needed, 2 * self.limit)
            self.words, self.levels = np.empty(room, np.uint64), np.empty(room, np.uint8)
            self.words[: self.used], self.levels[: self.used] = words[: self.used], levels[: self.used]
        self.used, self.floor = kernel.sample(
            bits, validity, offset, drawn.rows, drawn.levels, drawn.count, what, self.floor, self.limit,
            self.words, self.levels, self.used,
        )  # fmt: skip


class NumberSample:
    """The sample of a column of int64 or float64."""

    def __init__(self, *, floats: bool) -> None:
        self._floats = floats
        self._held = _Reservoir(NUMBERS)

    @property
    def floor(self) -> int:
        """The level that rows have to reach."""
        return self._held.floor

    def add(self, bits: Words, validity: NDArray[np.uint8], offset: int, drawn: Drawn) -> None:
        """Add a batch's drawn rows that are not null; bits: its values, uint64 (n,); validity: Arrow's, or empty."""
        self._held.add(bits, validity, offset, drawn, int(self._floats))

    def result(self) -> Sample:
        """Return the sample in its canonical order."""
        held = self._held
        values = held.words[: held.used].view(np.float64 if self._floats else np.int64)
        return Sample(held.limit, held.floor, held.levels[: held.used].copy(), values.copy(), _NO_WORDS).sorted()


@dataclass
class Fetched:
    """Texts of a batch: the places of their rows in the column, their hashes, their bytes, and where each ends."""

    places: NDArray[np.uint64]
    hashes: Words
    copied: bytes
    ends: NDArray[np.int64]

    def chosen(self, chosen: NDArray[np.int64]) -> list[bytes]:
        """Return the bytes of chosen ones."""
        starts = np.concatenate(([0], self.ends[:-1]))[chosen].tolist()
        return [self.copied[start:end] for start, end in zip(starts, self.ends[chosen].tolist(), strict=True)]

    def values(self, *, texts: bool) -> list[Any]:
        """Return what is kept of all, as str or bytes."""
        ends = self.ends.tolist()
        if texts and self.copied.isascii():
            whole, starts = self.copied.decode("ascii"), [0, *ends[:-1]]
            found = [whole[start:end] for start, end in zip(starts, ends, strict=True)]
            is_long = len(ends) > 0 and np.diff(self.ends, prepend=0).max() > KEPT_LENGTH
            return [one[:KEPT_LENGTH] for one in found] if is_long else found
        return [shortened(raw, texts=texts) for raw in self.chosen(np.arange(len(ends)))]


class TextSample:
    """The sample of a column of texts or bytes, which are copied from each batch, and made Python's at the end."""

    def __init__(self, *, texts: bool) -> None:
        self._texts = texts
        self._held = _Reservoir(TEXTS)
        self._rows = 0
        self._fetched: list[Fetched] = []

    @property
    def floor(self) -> int:
        """The level that rows have to reach."""
        return self._held.floor

    def add(
        self, count: int, validity: NDArray[np.uint8], offset: int, drawn: Drawn,
        fetch: Callable[[NDArray[np.int64]], tuple[Words, bytes, NDArray[np.int64]]],
    ) -> None:  # fmt: skip
        """Add the drawn rows of a batch of `count` that are not null.

        fetch: gives the hashes, bytes and ends of rows of the batch.
        """
        held = self._held
        held.add(_NO_WORDS, validity, offset, drawn, self._rows + 2)
        fresh = held.words[np.searchsorted(held.words[: held.used], np.uint64(self._rows)) : held.used].copy()
        if len(fresh):
            self._fetched.append(Fetched(fresh, *fetch((fresh - np.uint64(self._rows)).astype(np.int64))))
        self._rows += count
        if sum(len(one.places) for one in self._fetched) > 4 * held.limit:
            self._fetched = [self._left()]

    def _left(self) -> Fetched:
        """Return those of the fetched texts that are still in the sample, all of its rows."""
        if len(self._fetched) == 1 and len(self._fetched[0].places) == self._held.used:
            return self._fetched[0]
        hashes, texts = [], list[bytes]()
        for one in self._fetched:
            chosen = np.flatnonzero(np.isin(one.places, self._held.words[: self._held.used], assume_unique=True))
            hashes.append(one.hashes[chosen])
            texts += one.chosen(chosen)
        ends = np.cumsum([len(text) for text in texts])
        return Fetched(self._held.words[: self._held.used].copy(), np.concatenate(hashes), b"".join(texts), ends)

    def result(self) -> Sample:
        """Return the sample in its canonical order; its values are str or bytes objects, shortened."""
        held = self._held
        if not self._fetched:
            return Sample(held.limit, held.floor, np.zeros(0, np.uint8), objects([]), _NO_WORDS)
        left = self._left()
        values = objects(left.values(texts=self._texts))
        return Sample(held.limit, held.floor, held.levels[: held.used].copy(), values, left.hashes).sorted()


def shortened(raw: bytes, *, texts: bool) -> str | bytes:
    """Return what is kept of a text or bytes, of which `raw` are at least the first MOST_BYTES bytes."""
    # The last character may be cut.
    return raw.decode("utf-8", "ignore")[:KEPT_LENGTH] if texts else raw[:KEPT_LENGTH]
