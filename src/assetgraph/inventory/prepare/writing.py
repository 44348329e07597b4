"""Rows in blocks of one size and in their order, and Parquet files that are written block by block."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assetgraph.errors import Invalid

#: Rows held at once, per file; also the size of a row group.
BLOCK_ROWS = 1 << 17


def blocks(frame: pl.LazyFrame, rows: int = BLOCK_ROWS) -> Iterator[pl.DataFrame]:
    """Yield a table in order, in blocks of exactly `rows` (the last one may be shorter).

    Polars' own batches come as its threads had time: sums over them would differ from run to run.
    """
    waiting: list[pl.DataFrame] = []
    held = 0
    for batch in frame.collect_batches(chunk_size=rows, maintain_order=True):
        waiting.append(batch)
        held += batch.height
        while held >= rows:
            whole = pl.concat(waiting)
            yield whole.head(rows)
            waiting, held = [whole.slice(rows)], held - rows
    if held:
        yield pl.concat(waiting)


class PartFile:
    """A Parquet file that grows; small pieces are put together into whole row groups."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.rows = 0
        try:
            self._arrow: pa.Schema = pl.DataFrame(schema=schema).to_arrow().schema
        except pa.ArrowException as error:
            raise Invalid(f"Parquet cannot hold every column of this data: {error}", path=("dataset",)) from error
        self._writer = pq.ParquetWriter(path, self._arrow, compression="zstd")
        self._waiting: list[pl.DataFrame] = []
        self._held = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Write rows, or hold them until there are enough."""
        self._waiting.append(rows)
        self._held += rows.height
        self.rows += rows.height
        if self._held >= BLOCK_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is held, and the end of the file."""
        if self._held:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pl.concat(self._waiting).to_arrow().cast(self._arrow))
        self._waiting, self._held = [], 0
