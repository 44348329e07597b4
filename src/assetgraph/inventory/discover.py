"""Finding the datasets below a folder: which files make one dataset, and what it is called.

A Parquet, CSV or TSV file is one dataset, named by its path from the source's root without the suffix. A folder is one
dataset when it holds nothing but Parquet files and either its subfolders are all named `key=value` (hive partitions)
or its files are all numbered or named `part-*`. Where two datasets would get one name, Parquet files come before
folders before CSV before TSV, and the later ones keep their suffix (a folder: a trailing `/`).
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from assetgraph.errors import AssetgraphError, Invalid

#: Format of a data file by its suffix in lower case.
FORMATS = {".parquet": "parquet", ".csv": "csv", ".tsv": "tsv"}
#: Names starting so are hidden, bookkeeping (`_SUCCESS`, `_delta_log`) or temporary.
SKIPPED_PREFIXES = (".", "_", "~")
PART_NAME = re.compile(r"part[-_.].*|\d+([-_]\d+)*(-of-\d+)?", re.IGNORECASE)
PARTITION_NAME = re.compile(r"[^=]+=.*")
_RANKS = {"parquet": 0, "folder": 1, "csv": 2, "tsv": 3}


@dataclass(frozen=True)
class Candidate:
    """A dataset that the walk found and nobody has opened yet."""

    name: str
    format: str
    files: tuple[Path, ...]
    size_bytes: int
    #: One line `path<TAB>size<TAB>mtime_ns` per file: equal text, very probably unchanged content.
    modified: str = ""
    #: The folder whose `key=value` subfolders give columns.
    partitioned_below: Path | None = None
    #: Why it cannot even be listed; empty for a readable one.
    problem: str = ""

    @property
    def location(self) -> Path:
        """The file, or the folder whose files it is made of."""
        if self.partitioned_below is not None:
            return self.partitioned_below
        return self.files[0] if len(self.files) == 1 else self.files[0].parent


class BrokenFile(AssetgraphError):
    """A data file that cannot be read; `reason` is a stable code, `file` the file or folder."""

    code = "BROKEN_FILE"

    def __init__(self, file: Path, reason: str, message: str) -> None:
        super().__init__(message)
        self.file = file
        self.reason = reason


def discover(folder: Path, root: Path) -> list[Candidate]:
    """Return the datasets of a folder (or of one file), in the order of their names, which start at `root`."""
    root = Path(os.path.realpath(root))
    folder = Path(os.path.realpath(folder))
    if not folder.is_relative_to(root):
        raise Invalid(f"'{folder}' does not lie below the source's root '{root}'")
    if folder.is_file():
        return [_single(folder, root)] if _format(folder) else []
    return _with_distinct_names(list(_walk(folder, root)))


def _walk(folder: Path, root: Path) -> Iterator[Candidate]:
    try:
        folders, files = _entries(folder, root)
        whole = _as_one_dataset(folder, folders, files, root)
    except OSError as error:
        problem = f"the folder cannot be listed: {error.strerror}"
        yield Candidate(_name(folder, root), "folder", (folder,), 0, problem=problem)
        return
    if whole is not None:
        yield whole
        return
    for file in files:
        yield _single(file, root)
    for below in folders:
        yield from _walk(below, root)


def _entries(folder: Path, root: Path) -> tuple[list[Path], list[Path]]:
    """Return the subfolders and the data files of a folder, sorted by name.

    A symlink to a folder is not followed: what it points at is scanned where it lies, and a loop cannot occur.
    """
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.name.startswith(SKIPPED_PREFIXES):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif _format(path) and entry.is_file() and _stays_below(entry, root):
                files.append(path)
    return folders, files


def _stays_below(entry: os.DirEntry[str], root: Path) -> bool:
    return not entry.is_symlink() or Path(os.path.realpath(entry.path)).is_relative_to(root)


def _as_one_dataset(folder: Path, folders: list[Path], files: list[Path], root: Path) -> Candidate | None:
    if files and not folders:
        parts = len(files) > 1 and all(_format(file) == "parquet" and PART_NAME.fullmatch(file.stem) for file in files)
        return _collected(folder, files, root, partitioned=False) if parts else None
    if folders and not files and all(PARTITION_NAME.fullmatch(below.name) for below in folders):
        leaves = list(_files_below(folders, root))
        if leaves and all(_format(leaf) == "parquet" for leaf in leaves):
            return _collected(folder, leaves, root, partitioned=True)
    return None


def _files_below(folders: list[Path], root: Path) -> Iterator[Path]:
    for folder in folders:
        below, files = _entries(folder, root)
        yield from files
        yield from _files_below(below, root)


def _format(path: Path) -> str | None:
    return FORMATS.get(path.suffix.lower())


def _name(path: Path, root: Path) -> str:
    relative = path.relative_to(root)
    return relative.as_posix() if relative.parts else path.name


def _single(file: Path, root: Path) -> Candidate:
    relative = file.relative_to(root)
    name = relative.with_suffix("").as_posix() if relative.parts else file.stem
    return _measured(Candidate(name, _format(file) or "parquet", (file,), 0), root)


def _collected(folder: Path, files: list[Path], root: Path, *, partitioned: bool) -> Candidate:
    below = folder if partitioned else None
    return _measured(Candidate(_name(folder, root), "parquet", tuple(files), 0, partitioned_below=below), root)


def _measured(candidate: Candidate, root: Path) -> Candidate:
    """Return the candidate with its size and its signature, or with the problem that kept them from being read."""
    size, lines = 0, []
    for file in candidate.files:
        try:
            status = file.stat()
        except OSError as error:
            return replace(candidate, problem=f"'{file.name}' cannot be examined: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return replace(candidate, problem=f"'{file.name}' is not a regular file")
        size += status.st_size
        lines.append(f"{_name(file, root)}\t{status.st_size}\t{status.st_mtime_ns}")
    return replace(candidate, size_bytes=size, modified="\n".join(lines))


def _with_distinct_names(found: list[Candidate]) -> list[Candidate]:
    taken: set[str] = set()
    named = []
    for candidate in sorted(found, key=lambda one: (one.name, _RANKS[_kind(one)], str(one.files[0]))):
        name = candidate.name
        if name in taken:
            name += "/" if _kind(candidate) == "folder" else candidate.files[0].suffix
        taken.add(name)
        named.append(replace(candidate, name=name))
    return sorted(named, key=lambda one: one.name)


def _kind(candidate: Candidate) -> str:
    several = len(candidate.files) > 1 or candidate.partitioned_below is not None
    return "folder" if several else candidate.format
