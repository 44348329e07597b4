"""Arrow IPC: the file format (Feather version 2), and the stream format, which is read batch by batch."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.partitions import partition_columns
from assetgraph.inventory.formats.schemas import unified

_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"


def open_arrow(candidate: Candidate, files: list[Path]) -> pl.LazyFrame:
    """Return the rows of all files."""
    return unified([_one(file, partition_columns(candidate)) for file in files])


def _one(file: Path, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
    with file.open("rb") as opened:
        start = opened.read(6)
    if start.startswith(_FEATHER_1):
        message = f"'{file.name}' is Feather version 1; write it again as Arrow IPC"
        raise BrokenFile(file, "UNSUPPORTED", message)
    if start == _FILE:
        frame = pl.scan_ipc(
            file, glob=False, hive_partitioning=bool(columns), hive_schema=columns or None
        )  # fmt: skip
        frame.collect_schema()
        return frame
    return _stream(file)


def _stream(file: Path) -> pl.LazyFrame:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
        schema = pl.DataFrame(pa.Table.from_batches([], reader.schema)).schema

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                # Nobody has checked its offsets yet, and Polars trusts them: a damaged one ends the process.
                batch.validate(full=True)
                frame = pl.DataFrame(pa.Table.from_batches([batch]))
                frame = frame if left is None else frame.head(left)
                left = None if left is None else left - frame.height
                frame = frame if columns is None else frame.select(columns)
                yield frame if predicate is None else frame.filter(predicate)
                if left == 0:
                    return

    return register_io_source(read, schema=schema)
