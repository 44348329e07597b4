"""How a delimited text is written: separator, quote, and whether its first line names the columns."""

import csv
import re
from dataclasses import dataclass

SEPARATORS = (",", "\t", ";", "|")
#: Records of the start that are looked at.
_RECORDS = 200

_TYPED = re.compile(
    r"[-+]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][-+]?\d+)?%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?|true|false",
    re.IGNORECASE,
)
#: A quote that no text has.
_UNUSED = "\x00"
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Dialect:
    """What a reader must know of a delimited text."""

    separator: str
    quote: str | None
    has_header: bool


def dialect_of(start: str, *, usual: str, whole: bool) -> Dialect:
    """Return the dialect of a text by its start, which is all of it when `whole`; `usual` wins where all else is equal.

    The separator is the one that gives the same number of fields in the most records, the first of which must have it
    too. The first record is data when its fields are of the type of those below, or appear again below.
    """
    lines = start.splitlines(keepends=True)
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    quote = _quote(lines)
    best, records, most = usual, _records(lines, usual, quote), 0.0
    for separator in sorted(SEPARATORS, key=lambda one: one != usual):
        read = _records(lines, separator, quote)
        score = _evenness(read)
        if score > most + 1e-9:
            best, records, most = separator, read, score
    return Dialect(best, quote, _has_header(records))


def _records(lines: list[str], separator: str, quote: str | None) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for record in csv.reader(lines, delimiter=separator, quotechar=quote or _UNUSED):
            if record:
                found.append(record)
            if len(found) == _RECORDS:
                break
    except csv.Error:  # a field longer than it takes
        return found
    return found


def _evenness(records: list[list[str]]) -> float:
    counts = [len(record) for record in records]
    usual = max(set(counts), key=lambda count: (counts.count(count), count), default=1)
    if usual == 1:
        return 0.0
    share = counts.count(usual) / len(counts)
    return share if counts[0] == usual else share / 2


def _quote(lines: list[str]) -> str | None:
    text = "".join(lines)
    before, after = r"(?:^|(?<=[,;|\t])|(?<=[,;|\t] ))", r"(?= ?(?:[,;|\t\r]|$))"
    around = {one: len(re.findall(f"{before}{one}|{one}{after}", text, re.MULTILINE)) for one in "\"'"}
    if around["'"] > 2 and not around['"'] and around["'"] >= 0.9 * text.count("'"):
        return "'"
    # Inch marks inside values only: no quotes at all.
    return None if '"' in text and not around['"'] else '"'


def _has_header(records: list[list[str]]) -> bool:
    if not records:
        return True
    first, below = records[0], records[1:]
    if not below:
        return not any(_TYPED.fullmatch(cell.strip()) for cell in first)
    columns = [[record[place].strip() for record in below if place < len(record)] for place in range(len(first))]
    typed = [place for place, cells in enumerate(columns) if _all_typed(cells)]
    names = [cell.strip() for cell in first]
    if typed:
        fitting = [place for place in typed if _TYPED.fullmatch(names[place])]
        if len(fitting) < len(typed):
            return True
        years = [place for place in fitting if _YEAR.fullmatch(names[place])]
        same = any(_YEAR.fullmatch(cell) for place in years for cell in columns[place])
        # Columns that are years: a table that was turned on its side.
        return len(years) == len(fitting) > 1 and len(set(names)) == len(names) and not same
    if any([cell.strip() for cell in record] == names for record in below):
        return True  # files that were put one after the other, each with its header
    return not any(name and name in cells for name, cells in zip(names, columns, strict=True))


def _all_typed(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_TYPED.fullmatch(cell) for cell in filled)
