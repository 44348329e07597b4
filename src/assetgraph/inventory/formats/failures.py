"""One typed finding for everything that can be wrong with a file."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa

from assetgraph.inventory.discover.candidates import Access, BrokenFile, Candidate

#: What reading a damaged file raises. PanicException is a BaseException: `except Exception` would miss it.
FAILURES = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    # What the readers of workbooks and table formats raise on bytes that they did not expect.
    RuntimeError,
    EOFError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
_SHOWN = {
    "parquet": "Parquet", "arrow": "Arrow", "ndjson": "NDJSON", "json": "JSON", "excel": "a workbook",
    "delta": "a Delta table", "iceberg": "an Iceberg table", "database": "a table",
}  # fmt: skip
TEXTS = frozenset(("csv", "tsv", "ndjson", "json"))


def called(candidate: Candidate) -> str:
    """Return what a finding calls a dataset: its file's name, or its own where it has several."""
    if len(candidate.entries) != 1:
        return candidate.name
    name = candidate.entries[0].path.rpartition("/")[2]
    return name if candidate.part is None else f"{name}#{candidate.part}"


def secrets_of(access: Access) -> list[str]:
    """Return the texts that no message may hold."""
    found = [value for key, value in (access.storage or {}).items() if "endpoint" not in key and "region" not in key]
    if access.database:
        found += [urlsplit(access.database).password or "", access.database]
    return [one for one in found if len(one) > 3]


def told(candidate: Candidate, error: BaseException) -> str:
    """Return the first line of an error without folders of the server and without secrets."""
    line = next(iter(str(error).splitlines()), "")[:1000]
    for secret in secrets_of(candidate.access):
        line = line.replace(secret, "***")
    for start in dict.fromkeys(path.rpartition("/")[0] for path, _, _ in candidate.entries[:1000]):
        line = line.replace(f"{start}/", "")
    if candidate.root:
        line = line.replace(candidate.root.rstrip("/") + "/", "")
    return line[:300]


def broken(candidate: Candidate, error: BaseException) -> BrokenFile:
    """Return the finding for what was raised while a dataset was read."""
    file = candidate.entries[0].path if candidate.entries else candidate.location
    name, detail = called(candidate), told(candidate, error)
    if isinstance(error, pl.exceptions.NoDataError):
        return BrokenFile(file, "EMPTY_FILE", f"'{name}' holds no data")
    # Damaged pages also raise OSError, but one that no system call made: it has no number.
    refused = isinstance(error, FileNotFoundError | PermissionError) or getattr(error, "errno", None) is not None
    if refused or isinstance(error, MemoryError):
        reason, said = "UNREADABLE", "cannot be read"
    elif isinstance(error, pl.exceptions.DuplicateError):
        reason, said = "DUPLICATE_COLUMNS", "has two columns of one name; rename one"
    elif isinstance(error, pl.exceptions.SchemaError) and len(candidate.entries) > 1:
        reason, said = "SCHEMA_MISMATCH", "has files with columns that do not fit together"
    elif candidate.format in TEXTS and "utf-8" in detail.lower():
        reason, said = "ENCODING", "is not UTF-8 text; convert it to UTF-8"
    else:
        kind = _SHOWN.get(candidate.format, candidate.format.upper())
        reason, said = "MALFORMED", f"is not readable as {kind}; write it again"
    return BrokenFile(file, reason, f"'{name}' {said} ({type(error).__name__}: {detail})")


@contextmanager
def told_as_findings(candidate: Candidate) -> Iterator[None]:
    """Raise BrokenFile for whatever reading a damaged file raises; each compiled package has a panic of its own."""
    try:
        yield
    except FAILURES as error:
        raise broken(candidate, error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise broken(candidate, error) from error


def needs(candidate: Candidate, extra: str) -> BrokenFile:
    """Return the finding for a format whose package is not installed."""
    message = f"'{called(candidate)}' is {_SHOWN[candidate.format]}: install assetgraph[{extra}] to read it"
    return BrokenFile(candidate.location, "MISSING_EXTRA", message)
