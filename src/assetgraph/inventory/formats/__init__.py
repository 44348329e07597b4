"""Opening data files of every format behind one interface; one module per family of formats."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.failures import FAILURES, broken, told_as_findings
from assetgraph.inventory.formats.opened import Opened, Rows
from assetgraph.inventory.formats.schemas import Unfit
from assetgraph.inventory.formats.scratch import Scratch

__all__ = ["FAILURES", "Opened", "broken", "open_dataset", "parts_of", "told_as_findings"]


def parts_of(candidate: Candidate) -> list[Candidate]:
    """Return the datasets in a found file: the sheets of a workbook, else itself; raises BrokenFile."""
    if candidate.format != "excel" or candidate.part is not None or candidate.problem:
        return [candidate]
    from assetgraph.inventory.formats.excel import sheets_of

    with ExitStack() as resources:
        scratch = Scratch(candidate, resources)
        with told_as_findings(candidate):
            return sheets_of(candidate, _local(candidate, scratch)[0], scratch)


def open_dataset(candidate: Candidate) -> Opened:
    """Open a dataset; of text formats all is read once, to find each column's type. Raises BrokenFile alone."""
    if candidate.problem:
        raise BrokenFile(candidate.location, "UNREADABLE", candidate.problem)
    with ExitStack() as resources:
        with told_as_findings(candidate):
            try:
                rows = _open(candidate, resources)
                rows.frame.collect_schema()
            except Unfit as error:
                message = f"'{candidate.name}' has files with columns that do not fit together ({error})"
                raise BrokenFile(candidate.location, "SCHEMA_MISMATCH", message) from error
        known = candidate if rows.size is None else replace(candidate, data_bytes=rows.size)
        return Opened(known, rows.frame, tuple(rows.notices), rows.forms, resources.pop_all())


def _open(candidate: Candidate, resources: ExitStack) -> Rows:
    if candidate.format == "database":
        from assetgraph.inventory.formats.database_queries import open_table

        return Rows(open_table(candidate, resources))
    if candidate.format in ("delta", "iceberg"):
        from assetgraph.inventory.formats import tables

        frame, size = (tables.open_delta if candidate.format == "delta" else tables.open_iceberg)(candidate)
        return Rows(frame, size=size)
    for entry in candidate.entries:
        if entry.size == 0:
            name = entry.path.rpartition("/")[2]
            raise BrokenFile(entry.path, "EMPTY_FILE", f"'{name}' is empty (0 bytes)")
    if candidate.format == "parquet":
        from assetgraph.inventory.formats.parquet import open_parquet

        return Rows(open_parquet(candidate))
    scratch = Scratch(candidate, resources)
    return _open_files(candidate, _local(candidate, scratch), scratch)


def _open_files(candidate: Candidate, files: list[Path], scratch: Scratch) -> Rows:
    if candidate.format in ("csv", "tsv"):
        from assetgraph.inventory.formats.delimited import open_delimited

        return open_delimited(candidate, files, scratch)
    if candidate.format in ("ndjson", "json"):
        from assetgraph.inventory.formats.json_lines import open_records

        return open_records(candidate.format, files, scratch)
    if candidate.format == "arrow":
        from assetgraph.inventory.formats.arrow import open_arrow

        return Rows(open_arrow(candidate, files))
    if candidate.format == "excel":
        from assetgraph.inventory.formats.excel import open_sheet

        return Rows(open_sheet(candidate, files[0], scratch))
    raise BrokenFile(candidate.location, "UNSUPPORTED", f"'{candidate.name}' is of an unknown format")


def _local(candidate: Candidate, scratch: Scratch) -> list[Path]:
    """Return the files on this machine; objects are copied, within the budget."""
    if candidate.is_local:
        return list(candidate.files)
    from assetgraph.inventory.discover.cloud import fetch

    found = []
    for entry in candidate.entries:
        scratch.spend(entry.size)
        # Below a folder with its own partitions, so that these still show in its path.
        copy = scratch.path() / entry.path.partition("://")[2]
        copy.parent.mkdir(parents=True)
        fetch(entry.path, copy, candidate.access)
        found.append(copy)
    return found
