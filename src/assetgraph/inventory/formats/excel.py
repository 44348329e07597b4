"""Workbooks: each sheet is a dataset, with its first filled row as header."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.failures import called, told
from assetgraph.inventory.formats.scratch import Scratch


def sheets_of(candidate: Candidate, file: Path, scratch: Scratch) -> list[Candidate]:
    """Return a dataset for each sheet, named `workbook/sheet`; raises BrokenFile where there is none."""
    names = _reader(candidate, file, scratch).sheet_names
    if not names:
        message = f"'{file.name}' is damaged or empty: it has no sheet"
        raise BrokenFile(file, "MALFORMED", message)
    return [
        replace(candidate, name=f"{candidate.name}/{name}", part=name, location=f"{candidate.location}#{name}")
        for name in names
    ]


def open_sheet(candidate: Candidate, file: Path, scratch: Scratch) -> pl.LazyFrame:
    """Return the rows of a sheet; all of it is in memory, and a sheet has at most 1,048,576 rows."""
    reader = _reader(candidate, file, scratch)
    name = candidate.part if candidate.part is not None else reader.sheet_names[0]
    import fastexcel

    try:
        sheet = reader.load_sheet(name, schema_sample_rows=None)
        frame = pl.DataFrame(sheet)
    except fastexcel.FastExcelError as error:
        raise _malformed(candidate, error) from error
    if not frame.width:
        raise BrokenFile(file, "EMPTY_FILE", f"sheet '{name}' of '{file.name}' is empty")
    return frame.lazy()


def _reader(candidate: Candidate, file: Path, scratch: Scratch) -> Any:
    import fastexcel

    if file.stat().st_size == 0:
        raise BrokenFile(file, "EMPTY_FILE", f"'{file.name}' is empty (0 bytes)")
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            scratch.spend(sum(one.file_size for one in packed.infolist()))
    try:
        return fastexcel.read_excel(str(file))
    except fastexcel.FastExcelError as error:
        raise _malformed(candidate, error) from error


def _malformed(candidate: Candidate, error: Exception) -> BrokenFile:
    message = f"'{called(candidate)}' is not readable as a workbook; write it again ({told(candidate, error)})"
    return BrokenFile(candidate.location, "MALFORMED", message)
