"""What a scan keeps of a dataset's parts for the next one, and how states become the state of the whole."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import xxhash

from assetgraph.inventory.formats.schemas import Agreed
from assetgraph.inventory.identity import Mark
from assetgraph.inventory.sketch.packing import to_bytes
from assetgraph.inventory.sketch.states import TableState

#: Fewer parts are merged again sooner than their merged state is read.
SMALLEST_SPAN = 4


@dataclass(frozen=True)
class Kept:
    """What the scan before kept of a dataset: its columns, and for each part its files' marks and its state."""

    #: `identity.how_read` of the dataset then.
    how: str
    columns: Agreed
    #: Columns that are declared free of nulls.
    required: frozenset[str]
    #: Digests of each part's own columns, and what its files are known by.
    own: Mapping[int, str]
    marks: Mapping[int, Sequence[Mark]]
    state: Callable[[int], TableState]
    #: The state of a span, by `span_key`; None where none is kept.
    span: Callable[[int], TableState | None]


@dataclass(frozen=True)
class KeptPart:
    """A part to be kept for the next scan; `packed` is its state where that is new."""

    key: int
    #: Digest of its own columns.
    own: str
    marks: list[Mark]
    packed: bytes | None = field(repr=False)
    #: Whether its files are marked otherwise than before, their content being the same.
    is_moved: bool = False


@dataclass(frozen=True)
class KeptSpan:
    """Neighbouring parts whose merged state is to be kept for the next scan; `packed` is that state where it is new."""

    key: int
    packed: bytes | None = field(repr=False)


def span_key(parts: Sequence[int]) -> int:
    """Return the key of a span: of the keys of its parts in their order; below 2^62."""
    return xxhash.xxh3_64_intdigest(np.array(parts, np.int64).tobytes()) >> 2


class _Held(NamedTuple):
    start: int
    size: int
    state: TableState


class Merging:
    """Merges the states of parts in their order, always two of as many parts: each is merged a logarithm of times.

    What is merged so are spans of 2^k parts that start at a multiple of 2^k. Kept from scan to scan, they leave a scan
    that finds one part changed a logarithm of states to read and to merge; the result is the same.
    """

    def __init__(self, keys: Sequence[int], same: Collection[int], kept: Kept | None) -> None:
        """Prepare for parts of these keys, of which `same` are what they were when `kept` was kept."""
        self._keys, self._kept = keys, kept
        #: How many parts from each place on are the same.
        self._same = [0] * (len(keys) + 1)
        for at in range(len(keys) - 1, -1, -1):
            self._same[at] = self._same[at + 1] + 1 if keys[at] in same else 0
        self._held: list[_Held] = []
        self._next = 0
        self.spans: list[KeptSpan] = []

    def add_kept(self) -> None:
        """Add the next part, which did not change."""
        at, self._next = self._next, self._next + 1
        if at >= self._merged:
            self._push(*self._unread(at))

    def add(self, state: TableState) -> None:
        """Add the next part, whose state this is."""
        self._next += 1
        self._push(1, state)

    def result(self) -> TableState:
        """Return the state of the whole."""
        state = self._held.pop().state
        while self._held:
            state = self._held.pop().state.merged(state, ordered=True)
        return state

    @property
    def _merged(self) -> int:
        """How many parts are merged, also such as are still to be added."""
        return self._held[-1].start + self._held[-1].size if self._held else 0

    def _unread(self, at: int) -> tuple[int, TableState]:
        """Return the largest kept state that starts at a place, and of how many parts it is."""
        assert self._kept is not None  # noqa: S101 - else nothing is the same
        size = 1
        while at % (2 * size) == 0 and 2 * size <= self._same[at]:
            size *= 2
        while size >= SMALLEST_SPAN:
            state = self._kept.span(span_key(self._keys[at : at + size]))
            if state is not None:
                self._keep_within(at, size)
                return size, state
            size //= 2
        return 1, self._kept.state(self._keys[at])

    def _keep_within(self, at: int, size: int) -> None:
        """Keep a span, and those within it."""
        while size >= SMALLEST_SPAN:
            self.spans.append(KeptSpan(span_key(self._keys[at : at + size]), None))
            size //= 2
            if size >= SMALLEST_SPAN:
                self._keep_within(at + size, size)

    def _push(self, size: int, state: TableState) -> None:
        start = self._merged
        while self._held and self._held[-1].size <= size:
            before = self._held.pop()
            start, size, state = before.start, before.size + size, before.state.merged(state, ordered=True)
            if size >= SMALLEST_SPAN:
                self.spans.append(KeptSpan(span_key(self._keys[start : start + size]), to_bytes(state)))
        self._held.append(_Held(start, size, state))
