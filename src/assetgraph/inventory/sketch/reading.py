"""Reading a table once, in pieces that bound the memory, into its state."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from assetgraph.inventory.sketch.oracle import plain_state
from assetgraph.inventory.sketch.scan import Accumulator
from assetgraph.inventory.sketch.states import TableState

#: Rows that are read at once at most.
SLICE_ROWS = 1 << 18
#: The first so many tables of a process go the plain way where they have fewer rows: to load the kernel takes as long.
COMPILED_ROWS, PLAIN_TABLES = 4_096, 24
_small_tables = itertools.count()

Progress = Callable[[float], None]
OnRows = Callable[[pl.DataFrame], None]


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
    first_row: int = 0,
    seed: int = 0,
    on_progress: Progress | None = None,
    on_rows: OnRows | None = None,
) -> TableState:
    """Read a table once and return its state; it is the same for the same rows, first row, seed and row groups.

    first_row: the place of the first row, below 2^62: parts of one table draw their samples by other rows each.

    row_groups: how many rows each has where that is known before: a piece is then read while the one before is
    counted, which needs less memory and time than Polars' own batches. on_progress gets the share of the rows done,
    on_rows the rows.
    """
    watch = on_rows or _nothing
    schema = frame.collect_schema()
    if row_groups is None:
        return _in_batches(frame, schema, first_row, seed, watch)
    pieces = slices(row_groups)
    if sum(row_groups) < COMPILED_ROWS or len(pieces) < 2:
        return _small(frame.collect(), schema, first_row, seed, watch)
    return _ahead(frame, pieces, Accumulator(schema, first_row=first_row, seed=seed), on_progress, watch)


def _nothing(_rows: pl.DataFrame) -> None:
    """Nobody looks at the rows."""


def _ahead(
    frame: pl.LazyFrame, pieces: list[tuple[int, int]], filled: Accumulator, on_progress: Progress | None,
    watch: OnRows,
) -> TableState:  # fmt: skip
    """Read the next piece in a second thread while this one counts."""
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
            watch(piece)
            if on_progress is not None:
                on_progress((pieces[at][0] + pieces[at][1]) / whole)
    return filled.state()


def _in_batches(frame: pl.LazyFrame, schema: pl.Schema, first_row: int, seed: int, watch: OnRows) -> TableState:
    batches: Iterator[pl.DataFrame] = frame.collect_batches(chunk_size=SLICE_ROWS // 8, maintain_order=True)
    first = next(batches, None)
    if first is None:
        return plain_state(pl.DataFrame(schema=schema), first_row=first_row, seed=seed)
    filled = None
    for batch in batches:
        if batch.height:
            filled = filled or Accumulator(schema, first_row=first_row, seed=seed)
            if first is not None:
                filled.add(first)
                watch(first)
                first = None
            filled.add(batch)
            watch(batch)
    if filled is None and first is not None:
        return _small(first, schema, first_row, seed, watch)
    assert filled is not None  # noqa: S101
    return filled.state()


def _small(frame: pl.DataFrame, schema: pl.Schema, first_row: int, seed: int, watch: OnRows) -> TableState:
    watch(frame)
    if frame.height < COMPILED_ROWS and next(_small_tables) < PLAIN_TABLES:
        return plain_state(frame, first_row=first_row, seed=seed)
    filled = Accumulator(schema, first_row=first_row, seed=seed)
    for piece in frame.iter_slices(SLICE_ROWS):
        filled.add(piece)
    return filled.state()
