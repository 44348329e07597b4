"""Parquet: one file, folders, partitions, and schemas that evolved from file to file."""

from collections import defaultdict

import polars as pl

from assetgraph.inventory.discover.candidates import Candidate
from assetgraph.inventory.formats.partitions import partition_columns
from assetgraph.inventory.formats.schemas import fitted, union

Schema = tuple[tuple[str, pl.DataType], ...]


def open_parquet(candidate: Candidate) -> pl.LazyFrame:
    """Return the rows of all files; their footers are read now."""
    storage = dict(candidate.access.storage or {}) or None
    columns = partition_columns(candidate)

    def scan(paths: list[str]) -> pl.LazyFrame:
        return pl.scan_parquet(
            paths, glob=False, hive_partitioning=bool(columns), hive_schema=columns or None, storage_options=storage,
            credential_provider=None if storage else "auto",
        )  # fmt: skip

    paths = [entry.path for entry in candidate.entries]
    if len(paths) == 1:
        frame = scan(paths)
        frame.collect_schema()
        return frame
    alike: dict[Schema, list[str]] = defaultdict(list)
    for path in paths:
        schema = scan([path]).collect_schema() if storage else pl.read_parquet_schema(path)
        alike[tuple(schema.items())].append(path)
    frames = [scan(group) for group in alike.values()]
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    whole = union(schemas)
    return pl.concat([fitted(frame, schema, whole) for frame, schema in zip(frames, schemas, strict=True)])
