"""Table formats: Delta Lake and Iceberg, at their newest state. A table's log may not lead out of its folder."""

import os
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.failures import broken, needs


def open_delta(candidate: Candidate) -> tuple[pl.LazyFrame, int]:
    """Return the rows of the newest version, and the bytes of its files."""
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise needs(candidate, "deltalake") from error
    storage = dict(candidate.access.storage or {}) or None
    try:
        table = DeltaTable(candidate.location, storage_options=storage)
        _stays_inside(candidate, table.file_uris())
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
        frame = pl.scan_delta(table)
        frame.collect_schema()
    except DeltaError as error:
        raise broken(candidate, error) from error
    return frame, int(actions.get_column("size_bytes").sum())


def open_iceberg(candidate: Candidate) -> tuple[pl.LazyFrame, int]:
    """Return the rows of the current snapshot, and the bytes of its files; the table lies where it was written."""
    try:
        from pyiceberg import exceptions
        from pyiceberg.table import StaticTable
    except ImportError as error:
        raise needs(candidate, "pyiceberg") from error
    if not candidate.is_local:
        message = f"'{candidate.name}' is an Iceberg table in an object store; only those in folders are read"
        raise BrokenFile(candidate.location, "UNSUPPORTED", message)
    # Its own planner is another package; without this it warns of that.
    os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")
    # They have no base of their own.
    failures = tuple(one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, Exception))
    try:
        table = StaticTable.from_metadata(f"file://{_newest_state(candidate)}")
        size = _snapshot_bytes(candidate, table)
        frame = pl.scan_iceberg(table)
        frame.collect_schema()
    except failures as error:
        raise broken(candidate, error) from error
    return frame, size


def _snapshot_bytes(candidate: Candidate, table: Any) -> int:
    """Return the bytes of the files that a table's snapshot refers to; raises BrokenFile for those outside."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return 0
    # Each path is looked at before the file is opened: a manifest may name any file or address.
    _stays_inside(candidate, [snapshot.manifest_list])
    _stays_inside(candidate, [manifest.manifest_path for manifest in snapshot.manifests(table.io)])
    tasks: list[Any] = list(table.scan().plan_files())
    _stays_inside(candidate, [one.file_path for task in tasks for one in (task.file, *task.delete_files)])
    return sum(int(task.file.file_size_in_bytes) for task in tasks)


def _newest_state(candidate: Candidate) -> str:
    """Return the metadata file with the greatest number: `00002-uuid.metadata.json` or `v2.metadata.json`."""

    def number(path: str) -> tuple[int, str]:
        digits = path.rpartition("/")[2].lstrip("v").split("-")[0].split(".")[0]
        return (int(digits) if digits.isdigit() else -1), path

    return max((entry.path for entry in candidate.entries), key=number)


def _stays_inside(candidate: Candidate, uris: Iterable[str]) -> None:
    folder = candidate.location.rstrip("/")
    real = os.path.realpath(folder)
    for uri in uris:
        path = unquote(urlsplit(uri).path if uri.startswith("file:") else uri)
        inside = path.startswith(f"{folder}/") and ".." not in path.split("/") and "file:" not in path
        if inside and candidate.is_local:
            inside = os.path.realpath(path).startswith(f"{real}/")
        if not inside:
            message = f"'{candidate.name}' refers to files outside its folder; a table is read where it was written"
            raise BrokenFile(candidate.location, "OUTSIDE", message)
