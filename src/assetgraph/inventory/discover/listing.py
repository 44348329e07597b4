"""Listing a folder's data files, fast: one `scandir` per folder, one `stat` per data file, and nothing is opened."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from assetgraph.inventory.discover.candidates import Entry
from assetgraph.inventory.discover.names import split_name

#: Names starting so are hidden, bookkeeping (`_SUCCESS`) or temporary.
SKIPPED_PREFIXES = (".", "_", "~")
DELTA_LOG, ICEBERG_METADATA = "_delta_log", "metadata"
#: The files that a state of a table is known by.
DELTA_COMMIT = re.compile(r"\d{20}\.(json|checkpoint.*\.parquet)")
ICEBERG_STATE = re.compile(r"[^.].*\.metadata\.json")


@dataclass
class Folder:
    """The data files of one folder: stem, suffix, format and entry of each, by name; or a table in a table format."""

    #: From the folder that is scanned; empty for itself.
    relative: str
    path: str
    files: list[tuple[str, str, str, Entry]] = field(default_factory=list)
    #: `delta` or `iceberg`: its log is in `entries`, and what lies below is not listed.
    table: str = ""
    entries: list[Entry] = field(default_factory=list)
    problem: str = ""


def list_folder(top: str, root: str) -> Iterator[Folder]:
    """Yield the folders from `top` down that hold data files; both are real paths.

    A link to a folder is not followed: what it points at is scanned where it lies, and a loop cannot occur. A link to
    a file counts when the file lies below `root`.
    """
    waiting = [("", top)]
    while waiting:
        relative, path = waiting.pop()
        found = Folder(relative, path)
        try:
            below = _look(found, root)
        except OSError as error:
            yield Folder(relative, path, problem=f"the folder cannot be listed: {error.strerror}")
            continue
        if found.files or found.table:
            yield found
        prefix = f"{relative}/" if relative else ""
        waiting += [(prefix + name, f"{path}/{name}") for name in below]


def _look(found: Folder, root: str) -> list[str]:
    """Fill in what a folder holds, and return the names of the folders below it."""
    below, files, has_log = [], found.files, False
    with os.scandir(found.path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(SKIPPED_PREFIXES):
                has_log = has_log or (name == DELTA_LOG and entry.is_dir(follow_symlinks=False))
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(name)
                continue
            known = split_name(name)
            if known is None or (entry.is_symlink() and not _stays_below(entry.path, root)):
                continue
            try:
                status = entry.stat()
            except FileNotFoundError:  # a link to nowhere, or it was just taken away
                continue
            if stat.S_ISREG(status.st_mode):
                files.append((*known, Entry(entry.path, status.st_size, status.st_mtime_ns)))
    if has_log:
        found.entries = _log(f"{found.path}/{DELTA_LOG}", DELTA_COMMIT)
        found.table = "delta" if found.entries else ""
    if not found.table and ICEBERG_METADATA in below:
        found.entries = _log(f"{found.path}/{ICEBERG_METADATA}", ICEBERG_STATE)
        found.table = "iceberg" if found.entries else ""
    files.sort(key=_path)
    return [] if found.table else below


def _path(file: tuple[str, str, str, Entry]) -> str:
    return file[3].path


def _stays_below(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip("/") + "/")


def _log(folder: str, names: re.Pattern[str]) -> list[Entry]:
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]
        stats = [(entry.path, entry.stat()) for entry in found]
    return sorted(Entry(path, status.st_size, status.st_mtime_ns) for path, status in stats)
