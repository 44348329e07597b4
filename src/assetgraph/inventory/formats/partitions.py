"""Columns that folders named `key=value` give."""

import re
from urllib.parse import unquote

import polars as pl

from assetgraph.inventory.discover.candidates import Candidate

#: What writers put for a missing value.
MISSING = "__HIVE_DEFAULT_PARTITION__"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INTEGER = re.compile(r"-?\d{1,18}")


def partition_columns(candidate: Candidate) -> dict[str, pl.DataType]:
    """Return names and types of a dataset's partition columns: whole numbers, dates, or text, by all their values."""
    if candidate.partitioned_below is None:
        return {}
    start = len(candidate.partitioned_below.rstrip("/")) + 1
    folders = {entry.path[start:].rpartition("/")[0] for entry in candidate.siblings or candidate.entries}
    values: dict[str, set[str]] = {}
    for folder in sorted(folders):
        for part in folder.split("/"):
            key, equals, value = part.partition("=")
            if equals and value != MISSING:
                values.setdefault(unquote(key), set()).add(unquote(value))
            elif equals:
                values.setdefault(unquote(key), set())
    return {key: _type(found) for key, found in values.items()}


def _type(values: set[str]) -> pl.DataType:
    if values and all(_INTEGER.fullmatch(value) for value in values):
        return pl.Int64()
    if values and all(_DATE.fullmatch(value) for value in values):
        return pl.Date()
    return pl.String()


def with_partitions(frame: pl.LazyFrame, path: str, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
    """Return a frame with its partition columns instead of the column `path` that holds the files' paths."""
    found = []
    for key, dtype in columns.items():
        value = pl.col(path).str.extract(rf"/{re.escape(key)}=([^/]*)/", 1)
        value = pl.when(value != MISSING).then(value)
        if dtype == pl.String:
            value = _unquoted(value)
        found.append((value.str.to_date("%Y-%m-%d") if dtype == pl.Date else value.cast(dtype)).alias(key))
    return frame.with_columns(found).drop(path)


def _unquoted(value: pl.Expr) -> pl.Expr:
    for code in ("%20", "%3A", "%2F", "%3D", "%2B", "%2C", "%25"):
        value = value.str.replace_all(code, unquote(code), literal=True)
    return value
