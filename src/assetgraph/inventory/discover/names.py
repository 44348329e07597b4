"""What names say of files: their format, and which of them are numbered or dated and so belong together."""

import re

#: Format of a data file by its suffix in lower case.
FORMATS = {
    "parquet": "parquet", "pq": "parquet", "csv": "csv", "tsv": "tsv", "tab": "tsv", "psv": "csv", "ndjson": "ndjson",
    "jsonl": "ndjson", "json": "json", "arrow": "arrow", "arrows": "arrow", "feather": "arrow", "ipc": "arrow",
    "xlsx": "excel", "xlsm": "excel", "xlsb": "excel", "xls": "excel", "ods": "excel",
}  # fmt: skip
#: Suffixes of compressed files, and what may be below them.
COMPRESSIONS = frozenset(("gz", "gzip", "zst", "zstd"))
COMPRESSED = frozenset(("csv", "tsv", "ndjson", "json"))
#: Files of these are one dataset when they belong together.
TOGETHER = frozenset(("parquet", "csv", "tsv", "ndjson", "json", "arrow"))

PARTITION = re.compile(r"[^=/]+=[^/]*")
_PART = re.compile(r"part[-_.].*|\d+([-_]\d+)*(-of-\d+)?", re.IGNORECASE)
_DAY = r"(?:19|20)\d\d(?:[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?(?:0[1-9]|[12]\d|3[01]))?|[-_.]?(?:[qQ][1-4]|[wW]\d\d))?"
_TIME = r"(?:[-_T ]?(?:[01]\d|2[0-3])[-_:]?[0-5]\d(?:[-_:]?[0-5]\d)?Z?)?"
_DATE = re.compile(rf"(?<![0-9]){_DAY}{_TIME}(?![0-9A-Za-z])")
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])")
_NUMBER = re.compile(r"[-_. ](?:part[-_.]?)?\d+(?:-of-\d+)?$", re.IGNORECASE)
_SEPARATORS = re.compile(r"([-_. ])[-_. ]+")
_DATED_FOLDER = re.compile(_DAY)
_BELOW_DATED = re.compile(r"\d{1,2}")


def split_name(name: str) -> tuple[str, str, str] | None:
    """Return (stem, suffix, format) of a data file's name; None when it is of no format. The suffix has no dot."""
    stem, dot, suffix = name.rpartition(".")
    lowered = suffix.lower()
    if lowered in COMPRESSIONS:
        inner_stem, inner_dot, inner = stem.rpartition(".")
        form = FORMATS.get(inner.lower())
        return (inner_stem, f"{inner}.{suffix}", form) if inner_dot and form in COMPRESSED and inner_stem else None
    form = FORMATS.get(lowered)
    return (stem, suffix, form) if dot and form is not None and stem else None


def series_of(stem: str) -> tuple[str, str] | None:
    """Return (name, pattern) of the series that a file is one of by its stem; None when it stands for itself.

    A date, a UUID, or a number after a separator at the end makes it one: `events_2026-01-01` belongs to `events`, and
    `part-0007` or `0007` to the folder, whose name is empty here. In the pattern `*` stands for what differs.
    """
    if _PART.fullmatch(stem):
        return "", "*"
    pattern = _NUMBER.sub(lambda found: found.group()[0] + "*", _UUID.sub("*", _DATE.sub("*", stem)))
    if pattern == stem:
        return None
    return _SEPARATORS.sub(r"\1", pattern.replace("*", "")).strip("-_. "), pattern


def undated(folder: str) -> tuple[str, str]:
    """Return (name, pattern) of a folder's path without the parts that are dates: `logs/2026/01` is `logs`, `logs/*/*`.

    A year, month or day may be a part by itself or all in one; numbers count as dates below a date only.
    """
    names, patterns, below = [], [], False
    for part in folder.split("/") if folder else ():
        below = bool(_DATED_FOLDER.fullmatch(part)) or (below and bool(_BELOW_DATED.fullmatch(part)))
        patterns.append("*" if below else part)
        if not below:
            names.append(part)
    return "/".join(names), "/".join(patterns)
