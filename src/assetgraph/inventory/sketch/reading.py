"""Reading a table once, in pieces that bound the memory, into its state."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from assetgraph.inventory.sketch.oracle import plain_state
from assetgraph.inventory.sketch.scan import Accumulator
from assetgraph.inventory.sketch.states import TableState

#: Rows that are read at once at most.
SLICE_ROWS = 1 << 18
#: Tables of fewer rows go the plain way, which needs no compiled code in memory.
COMPILED_ROWS = 4_096

Progress = Callable[[float], None]


def slices(row_groups: Sequence[int], most: int = SLICE_ROWS) -> list[tuple[int, int]]:
    """Return (first row, rows) of the pieces that row groups are read in: several small ones, parts of a large one.

    No piece has more than `most` rows.
    """
    pieces: list[tuple[int, int]] = []
    first = start = 0
    for rows in row_groups:
        if first > start and first + rows - start > most:
            pieces.append((start, first - start))
            start = first
        first += rows
        while first - start > most:
            pieces.append((start, most))
            start += most
    return [*pieces, (start, first - start)] if first > start else pieces


def table_state(
    frame: pl.LazyFrame,
    row_groups: Sequence[int] | None = None,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> TableState:
    """Read a table once and return its state; it is the same for the same rows, seed and row groups.

    row_groups: how many rows each has where that is known before: a piece is then read while the one before is
    counted, which needs less memory and time than Polars' own batches. on_progress gets the share of the rows done.
    """
    schema = frame.collect_schema()
    if row_groups is None:
        return _in_batches(frame, schema, seed)
    pieces = slices(row_groups)
    if sum(row_groups) < COMPILED_ROWS or len(pieces) < 2:
        return _small(frame.collect(), schema, seed)
    return _ahead(frame, schema, pieces, seed, on_progress)


def _ahead(
    frame: pl.LazyFrame, schema: pl.Schema, pieces: list[tuple[int, int]], seed: int, on_progress: Progress | None
) -> TableState:
    """Read the next piece in a second thread while this one counts."""
    filled = Accumulator(schema, seed=seed)
    whole = pieces[-1][0] + pieces[-1][1]

    def read(at: int) -> pl.DataFrame:
        return frame.slice(*pieces[at]).collect()

    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(read, 0)
        for at in range(len(pieces)):
            piece = following.result()
            if at + 1 < len(pieces):
                following = reader.submit(read, at + 1)
            filled.add(piece)
            if on_progress is not None:
                on_progress((pieces[at][0] + pieces[at][1]) / whole)
    return filled.state()


def _in_batches(frame: pl.LazyFrame, schema: pl.Schema, seed: int) -> TableState:
    batches: Iterator[pl.DataFrame] = frame.collect_batches(chunk_size=SLICE_ROWS // 8, maintain_order=True)
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
