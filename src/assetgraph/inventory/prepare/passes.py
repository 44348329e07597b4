"""A table read piece by piece, in its order, as often as it takes; and numbers that wait in a file.

Polars' own batches (`collect_batches`) are not bounded: where rows are numbered or filtered its readers run ahead of
whoever takes the batches, by more the longer the table is. A piece here is a slice of whole row groups, collected by
itself while the one before is worked on, so that two pieces are in memory whatever the number of rows.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assetgraph.inventory.prepare.plan import ROW
from assetgraph.inventory.prepare.writing import BLOCK_ROWS
from assetgraph.inventory.sketch.reading import slices

#: Rows of a piece at most. Twice as many take about 7 % less CPU time, and 100 MB more of twelve columns.
PIECE_ROWS = 1 << 17
#: Row groups of more rows are not read in pieces, as each piece would cost the whole group; such a file is copied.
MOST_GROUP_ROWS = 8 * PIECE_ROWS
#: Numbers that are read at once of those that wait in a file.
CHUNK = 1 << 18

Step = Callable[[pl.LazyFrame], pl.LazyFrame]
Kind = TypeVar("Kind", np.float64, np.int64)


@dataclass(frozen=True)
class Pieces:
    """A table, the spans (first row, rows) that it is read in, and what is done to each piece.

    What is done must do to a piece what it does to the whole: look at one row at a time.
    """

    frame: pl.LazyFrame
    spans: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...] = ()

    @staticmethod
    def of(
        frame: pl.LazyFrame, row_groups: Sequence[int] | None, folder: Path, most: int = PIECE_ROWS
    ) -> "Pieces":  # fmt: skip
        """Return a table in pieces of at most `most` rows; one that cannot be sliced is copied into `folder` first.

        `row_groups` are those of a Parquet file on this machine; None of everything else, which is then read once.
        """
        if row_groups is None or max(row_groups, default=0) > MOST_GROUP_ROWS:
            frame = _copied(frame, folder / "source.parquet")
            rows = int(frame.select(pl.len()).collect().item())
            row_groups = [BLOCK_ROWS] * (rows // BLOCK_ROWS) + [rows % BLOCK_ROWS]
        return Pieces(frame, tuple(slices(row_groups, most)))

    @property
    def rows(self) -> int:
        """How many rows the table has, before any step."""
        return sum(rows for _, rows in self.spans)

    @property
    def schema(self) -> pl.Schema:
        """Names and types after all steps; the number of the row is among them."""
        return self._done(self.frame.with_row_index(ROW)).collect_schema()

    def then(self, step: Step) -> "Pieces":
        """Return the table with one step more."""
        return replace(self, steps=(*self.steps, step))

    def read(self, *columns: str | pl.Expr) -> Iterator[pl.DataFrame]:
        """Yield the columns of all rows in order; the next piece is read meanwhile."""

        def collect(at: int) -> pl.DataFrame:
            first, rows = self.spans[at]
            piece = self.frame.slice(first, rows).with_row_index(ROW, offset=first)
            return self._done(piece).select(columns).collect()

        with ThreadPoolExecutor(1) as reader:
            following = reader.submit(collect, 0) if self.spans else None
            for at in range(len(self.spans)):
                assert following is not None  # noqa: S101 - there is one for each span
                piece = following.result()
                following = reader.submit(collect, at + 1) if at + 1 < len(self.spans) else None
                yield piece

    def _done(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        for step in self.steps:
            frame = step(frame)
        return frame


def _copied(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """Write a table as a Parquet file that can be sliced: text is parsed, and a bucket asked, only once."""
    schema = frame.collect_schema()
    frame.sink_parquet(path, compression="zstd", compression_level=1, row_group_size=BLOCK_ROWS, maintain_order=True)
    copy = pl.scan_parquet(path)
    return copy if copy.collect_schema() == schema else copy.cast(schema)


class Waiting(Generic[Kind]):
    """Numbers of one type in a file (8 bytes each), in the order they came in."""

    def __init__(self, path: Path, kind: type[Kind]) -> None:
        self._path = path
        self._kind: type[Kind] = kind
        self._stream = path.open("wb")

    def add(self, numbers: NDArray[Any]) -> None:
        """Put numbers at the end."""
        numbers.astype(self._kind, copy=False).tofile(self._stream)

    def read(self) -> Iterator[NDArray[Kind]]:
        """Yield all numbers, CHUNK at a time."""
        self._stream.flush()
        with self._path.open("rb") as stream:
            while len(chunk := np.fromfile(stream, dtype=self._kind, count=CHUNK)):
                yield chunk

    def remove(self) -> None:
        """Forget them."""
        self._stream.close()
        self._path.unlink(missing_ok=True)
