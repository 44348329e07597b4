"""CSV, TSV and text with other separators: dialect and encoding told by the bytes, types by all values."""

from collections import defaultdict
from pathlib import Path

import polars as pl

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.casts import typed
from assetgraph.inventory.formats.dialect import Dialect, dialect_of
from assetgraph.inventory.formats.failures import called
from assetgraph.inventory.formats.opened import Rows
from assetgraph.inventory.formats.partitions import partition_columns, with_partitions
from assetgraph.inventory.formats.scratch import Scratch
from assetgraph.inventory.formats.text import SNIFFED_BYTES, decoded_later, plain_text

#: A name that no column has: it begins with a character that no header line can hold.
_PATH = "\0path"
_DUPLICATE = "_duplicated_"


def open_delimited(candidate: Candidate, files: list[Path], scratch: Scratch) -> Rows:
    """Return the rows of all files, with what is odd about their headers; reads the text once, to find its types."""
    plain = [plain_text(file, scratch) for file in files]
    try:
        return _opened(candidate, files, plain)
    except pl.exceptions.ComputeError as error:
        if "utf-8" not in str(error).lower():
            raise
    # The first bytes were UTF-8, and later ones are not.
    return _opened(candidate, files, [decoded_later(file, scratch) for file in plain])


def _opened(candidate: Candidate, files: list[Path], plain: list[Path]) -> Rows:
    usual = "\t" if candidate.format == "tsv" else ","
    alike: dict[tuple[Dialect, str], list[tuple[Path, Path]]] = defaultdict(list)
    for file, path in zip(files, plain, strict=True):
        with path.open("rb") as opened:
            start = opened.read(SNIFFED_BYTES)
        text = start.decode("utf-8-sig", "ignore")
        dialect = dialect_of(text, usual=usual, whole=len(start) < SNIFFED_BYTES)
        first = next((line for line in text.splitlines() if line.strip()), "")
        if not first:
            raise BrokenFile(file, "EMPTY_FILE", f"'{file.name}' holds no data")
        shape = first if dialect.has_header else str(first.count(dialect.separator))
        alike[dialect, shape].append((file, path))
    columns = partition_columns(candidate)
    frames, notices, forms = [], [], dict[str, str]()
    for (dialect, _), pairs in alike.items():
        frame, duplicates = _texts([path for _, path in pairs], dialect)
        if duplicates:
            file = pairs[0][0]
            message = f"'{called(candidate)}' has columns of one name, read as {', '.join(duplicates)}"
            notices.append(BrokenFile(file, "DUPLICATE_COLUMNS", message))
        frames.append(frame)
    whole = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
    if columns:
        moved = {str(path): str(file) for pairs in alike.values() for file, path in pairs if file != path}
        whole = whole.with_columns(pl.col(_PATH).replace(moved)) if moved else whole
        texts = [name for name in whole.collect_schema().names() if name != _PATH and name not in columns]
        return Rows(typed(with_partitions(whole, _PATH, columns), texts, forms=forms), notices, forms)
    return Rows(typed(whole.drop(_PATH), forms=forms), notices, forms)


def _texts(paths: list[Path], dialect: Dialect) -> tuple[pl.LazyFrame, list[str]]:
    """Return files of one dialect and header as text, with names for the columns that have none."""
    frame = pl.scan_csv(
        paths, separator=dialect.separator, quote_char=dialect.quote, has_header=dialect.has_header,
        infer_schema=False, glob=False, include_file_paths=_PATH,
    )  # fmt: skip
    names = [name for name in frame.collect_schema().names() if name != _PATH]
    new: dict[str, str] = {}
    duplicates = []
    for place, name in enumerate(names, 1):
        original, mark, number = name.rpartition(_DUPLICATE)
        better = (name.strip() if dialect.has_header else "") or f"column_{place}"
        if mark and number.isdigit() and original in names:
            better = f"{original.strip()}_{int(number) + 2}" if original.strip() else f"column_{place}"
            duplicates += [better] if original.strip() else []
        while better in new.values():
            better += "_"
        new[name] = better
    changed = {old: better for old, better in new.items() if old != better}
    return (frame.rename(changed) if changed else frame), duplicates
