"""Opening data files: own typing of CSV text, and one typed error for everything that can be wrong with a file."""

from pathlib import Path

import polars as pl
import pyarrow as pa

from assetgraph.inventory.discover import BrokenFile, Candidate

#: What reading a damaged file raises. PanicException is a BaseException: `except Exception` would miss it.
FAILURES = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    pa.ArrowException,
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)
#: How much of a text file is looked at before it is parsed, in bytes.
SNIFFED_BYTES = 1 << 16

#: Places of the numeric casts in `_attempts`.
_INTEGER, _FLOAT = 0, 1
_DATETIMES = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z")


def read_frame(candidate: Candidate) -> pl.LazyFrame:
    """Return the dataset unread; of CSV and TSV the text is read once, to find each column's type over all its rows."""
    if candidate.problem:
        raise BrokenFile(candidate.files[0], "UNREADABLE", candidate.problem)
    try:
        for file in candidate.files:
            if file.stat().st_size == 0:
                raise BrokenFile(file, "EMPTY_FILE", f"'{file.name}' is empty (0 bytes)")
        if candidate.format == "parquet":
            return _parquet(candidate)
        return _delimited(candidate.files[0], "\t" if candidate.format == "tsv" else ",")
    except FAILURES as error:
        raise broken(candidate, error) from error


def broken(candidate: Candidate, error: BaseException) -> BrokenFile:
    """Return the finding for what was raised while a dataset was read."""
    file = candidate.files[0]
    name = file.name if len(candidate.files) == 1 else candidate.name
    detail = next(iter(str(error).splitlines()), "")[:300].replace(f"{file.parent}/", "")
    if isinstance(error, pl.exceptions.NoDataError):
        return BrokenFile(file, "EMPTY_FILE", f"'{name}' holds no data")
    # Damaged pages also raise OSError, but one that no system call made: it has no number.
    refused = isinstance(error, FileNotFoundError | PermissionError) or getattr(error, "errno", None) is not None
    if refused or isinstance(error, MemoryError):
        reason, said = "UNREADABLE", "cannot be read"
    elif isinstance(error, pl.exceptions.SchemaError) and len(candidate.files) > 1:
        reason, said = "SCHEMA_MISMATCH", "has files with different columns"
    elif candidate.format != "parquet" and "utf-8" in detail.lower():
        reason, said = "ENCODING", "is not UTF-8 text; convert it to UTF-8"
    else:
        kind = "Parquet" if candidate.format == "parquet" else candidate.format.upper()
        reason, said = "MALFORMED", f"is not readable as {kind}; write it again"
    return BrokenFile(file, reason, f"'{name}' {said} ({type(error).__name__}: {detail})")


def _parquet(candidate: Candidate) -> pl.LazyFrame:
    partitioned = candidate.partitioned_below is not None
    frame = pl.scan_parquet(list(candidate.files), hive_partitioning=partitioned)
    frame.collect_schema()
    return frame


def _delimited(file: Path, separator: str) -> pl.LazyFrame:
    with file.open("rb") as opened:
        start = opened.read(SNIFFED_BYTES)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise BrokenFile(file, "ENCODING", f"'{file.name}' is UTF-16 or binary; convert it to UTF-8 text")
    if b"\r" in start and b"\n" not in start:
        raise BrokenFile(file, "MALFORMED", f"the lines of '{file.name}' end with CR alone; write them with LF")
    texts = pl.scan_csv(file, separator=separator, infer_schema=False)
    return texts.with_columns(_typings(texts))


def _typings(texts: pl.LazyFrame) -> list[pl.Expr]:
    """Return for each text column the cast to the narrowest type that all its values have; text stays as it is."""
    names = texts.collect_schema().names()
    tried = {name: _attempts(pl.col(name)) for name in names}
    checks = [pl.col(name).count().alias(f"{number}") for number, name in enumerate(names)]
    for number, name in enumerate(names):
        attempts = enumerate(tried[name])
        checks += [attempt.count().alias(f"{number}:{place}") for place, attempt in attempts]
        # A leading zero or plus: a code (a postcode, a telephone number), not a quantity.
        checks.append(pl.col(name).str.contains(r"^\+|^-?0\d").sum().alias(f"{number}:codes"))
        # More digits than a float keeps.
        checks.append(pl.col(name).str.contains(r"^-?\d{16,}$").sum().alias(f"{number}:long"))
    seen = texts.select(checks).collect().row(0, named=True)
    chosen = []
    for number, name in enumerate(names):
        total = seen[f"{number}"]
        fitting = [place for place in range(len(tried[name])) if total and seen[f"{number}:{place}"] == total]
        if seen[f"{number}:codes"]:
            fitting = [place for place in fitting if place not in (_INTEGER, _FLOAT)]
        elif seen[f"{number}:long"]:
            fitting = [place for place in fitting if place != _FLOAT]
        if fitting:
            chosen.append(tried[name][fitting[0]].alias(name))
    return chosen


def _attempts(text: pl.Expr) -> list[pl.Expr]:
    """Return the casts to try, the narrowest first; each gives null where a value does not fit."""
    truth = text.str.to_lowercase()
    return [
        text.cast(pl.Int64, strict=False),
        text.cast(pl.Float64, strict=False),
        pl.when(truth.is_in(["true", "false"])).then(truth == "true"),
        text.str.to_date("%Y-%m-%d", strict=False),
        *(text.str.to_datetime(form, strict=False, time_unit="us") for form in _DATETIMES),
    ]
