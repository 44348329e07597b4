"""Parquet files that grow, in row groups of one size."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assetgraph.errors import Invalid

#: Rows held at once, per file; also the size of a row group.
BLOCK_ROWS = 1 << 17


class PartFile:
    """A Parquet file that grows; its row groups are the same in whatever pieces the rows come."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.rows = 0
        try:
            self._arrow = _arrow(pl.DataFrame(schema=schema)).schema
        except pa.ArrowException as error:
            raise Invalid(f"Parquet cannot hold every column of this data: {error}", path=("dataset",)) from error
        self._writer = pq.ParquetWriter(path, self._arrow, compression="zstd")
        self._waiting: list[pa.Table] = []
        self._held = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Write rows, or hold them until there are enough."""
        if not rows.height:
            return
        self._waiting.append(_arrow(rows).cast(self._arrow))
        self._held += rows.height
        self.rows += rows.height
        if self._held >= BLOCK_ROWS:
            whole = pa.concat_tables(self._waiting)
            ready = self._held - self._held % BLOCK_ROWS
            for start in range(0, ready, BLOCK_ROWS):
                self._write(whole.slice(start, BLOCK_ROWS))
            self._waiting, self._held = [whole.slice(ready)], self._held - ready

    def close(self) -> None:
        """Write what is held, and the end of the file."""
        if self._held:
            self._write(pa.concat_tables(self._waiting))
        self._writer.close()

    def _write(self, rows: pa.Table) -> None:
        # As one chunk: pages end where chunks do, and those come as the pieces were.
        self._writer.write_table(rows.unify_dictionaries().combine_chunks(), row_group_size=BLOCK_ROWS)


def _arrow(rows: pl.DataFrame) -> pa.Table:
    """Return rows as Arrow's; texts are copied, as views of them would keep the whole piece that they came in."""
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())
