"""Reading a table once, in pieces that bound the memory, into its state."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import polars as pl

from assetgraph.inventory.sketch.oracle import plain_state
from assetgraph.inventory.sketch.scan import Accumulator
from assetgraph.inventory.sketch.states import TableState

#: Rows that are read at once at most.
SLICE_ROWS = 1 << 18
#: Tables of fewer rows go the plain way, which needs no compiled code in memory.
COMPILED_ROWS = 4_096

Progress = Callable[[float], None]


def slices(row_groups: Sequence[int]) -> list[tuple[int, int]]:
    """Return (first row, rows) of the pieces that row groups are read in."""
    pieces, first = [], 0
    for rows in row_groups:
        pieces += [(first + start, min(SLICE_ROWS, rows - start)) for start in range(0, rows, SLICE_ROWS)]
        first += rows
    return pieces


def table_state(
    frame: pl.LazyFrame,
    row_groups: Sequence[int] | None = None,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> TableState:
    """Read a table once and return its state; it is the same for the same rows, seed and row groups.

    row_groups: how many rows each has where that is known before: two threads then read and count a half each, which
    needs less memory and time than Polars' own batches. on_progress gets the share of the rows that are done.
    """
    schema = frame.collect_schema()
    if row_groups is None:
        return _in_batches(frame, schema, seed)
    pieces = slices(row_groups)
    if sum(row_groups) < COMPILED_ROWS or len(pieces) < 2:
        return _small(frame.collect(), schema, seed)
    whole = sum(row_groups)
    middle = next(at for at, (first, rows) in enumerate(pieces) if 2 * (first + rows) >= whole) + 1
    halves = [half for half in (pieces[:middle], pieces[middle:]) if half]
    halt, told = Event(), _Told(whole, on_progress)
    with ThreadPoolExecutor(len(halves)) as threads:
        tasks = [threads.submit(_half, frame, schema, half, seed, halt, told) for half in halves]
        try:
            states = [task.result() for task in tasks]
        except BaseException:
            halt.set()
            raise
    return states[0] if len(states) == 1 else states[0].merged(states[1], ordered=True)


class _Told:
    """Adds up what the threads have done."""

    def __init__(self, whole: int, on_progress: Progress | None) -> None:
        self._whole, self._on_progress, self._done, self._lock = whole, on_progress, 0, Lock()

    def add(self, rows: int) -> None:
        if self._on_progress is not None:
            with self._lock:
                self._done += rows
                self._on_progress(self._done / self._whole)


def _half(
    frame: pl.LazyFrame, schema: pl.Schema, pieces: list[tuple[int, int]], seed: int, halt: Event, told: _Told
) -> TableState:
    filled = Accumulator(schema, first_row=pieces[0][0], seed=seed)
    for first, rows in pieces:
        if halt.is_set():
            break
        filled.add(frame.slice(first, rows).collect())
        told.add(rows)
    return filled.state()


def _in_batches(frame: pl.LazyFrame, schema: pl.Schema, seed: int) -> TableState:
    batches: Iterator[pl.DataFrame] = frame.collect_batches(chunk_size=SLICE_ROWS // 4, maintain_order=True)
    first = next(batches, None)
    if first is None:
        return plain_state(pl.DataFrame(schema=schema), seed=seed)
    filled = None
    for batch in batches:
        if batch.height:
            filled = filled or Accumulator(schema, seed=seed)
            if first is not None:
                filled.add(first)
                first = None
            filled.add(batch)
    if filled is None and first is not None:
        return _small(first, schema, seed)
    assert filled is not None  # noqa: S101
    return filled.state()


def _small(frame: pl.DataFrame, schema: pl.Schema, seed: int) -> TableState:
    if frame.height < COMPILED_ROWS:
        return plain_state(frame, seed=seed)
    filled = Accumulator(schema, seed=seed)
    for piece in frame.iter_slices(SLICE_ROWS):
        filled.add(piece)
    return filled.state()
