"""Whether files changed since a scan, by the cheapest sign that tells: the ladder of identity, rung by rung.

1. Path, size and stamp (a time of change, an object's etag or version) are as they were: unchanged, nothing is opened.
2. The digest of a Parquet file's footer differs: changed.
3. The digest of all bytes is the same: unchanged, only touched or copied.
4. Else the content is read, and its fingerprint tells whether it makes a new version.

A file whose stamp is too young for its file system's clock to tell a further change is known by nothing yet.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import xxhash

from assetgraph.inventory.discover import BrokenFile, Candidate, Entry
from assetgraph.inventory.discover.names import TOGETHER
from assetgraph.inventory.footers import read_footer
from assetgraph.inventory.formats.partitions import partition_columns

#: Part of every signature: raise it where the same files would be read as something else than before.
READING = 1
#: Files of these bytes are parts by themselves; smaller ones of a folder are taken together.
LARGE_BYTES = 4 << 20
#: Of small files, one in so many is the last of its part.
TOGETHER_ABOUT = 16
#: How long a file's stamp may stand still while the file changes: coarse where file systems keep whole seconds.
_TICK_NS, _COARSE_TICK_NS = 50_000_000, 2_100_000_000
_SECOND_NS = 1_000_000_000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Mark:
    """What a file is known by."""

    #: xxh3-64 of its path from the source's root, in hexadecimal.
    name: str
    size: int
    #: Empty: not to be trusted.
    stamp: str = ""
    #: xxh3-128 of the footer and of all bytes; empty where they were not taken.
    footer: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Part:
    """Files of a dataset whose state is kept together: a large one by itself, or some small ones of a folder."""

    #: Of the path of its first file: it stays when other files come and go. Below 2^62.
    key: int
    entries: tuple[Entry, ...]

    @property
    def size_bytes(self) -> int:
        """The size of its files."""
        return sum(entry.size for entry in self.entries)


def signature(candidate: Candidate) -> str:
    """Return what the first rung compares of a whole dataset: xxh3-128 in hexadecimal; empty of what has no files."""
    if not candidate.entries:
        return ""
    said = (READING, candidate.format, candidate.part, candidate.partitioned_below, candidate.modified)
    return xxhash.xxh3_128_hexdigest(repr(said).encode("utf-8", "surrogatepass"))


def how_read(candidate: Candidate) -> str:
    """Return a digest of all but its files that decides what a dataset is read as; what is kept holds for it alone."""
    folders = [(name, repr(dtype)) for name, dtype in partition_columns(candidate).items()]
    said = (READING, candidate.format, candidate.part, candidate.partitioned_below, folders)
    return xxhash.xxh3_128_hexdigest(repr(said).encode("utf-8", "surrogatepass"))


def parts_of(candidate: Candidate) -> list[Part]:
    """Return a dataset's parts in the order of their paths.

    Small files are cut by a hash of their names, so that one that comes or goes changes no other part's files.
    """
    entries = candidate.entries
    if candidate.format not in TOGETHER or len(entries) < 2:
        return [Part(0, entries)]
    parts: list[Part] = []
    held: list[Entry] = []
    for at, entry in enumerate(entries):
        held.append(entry)
        folder, _, name = entry.path.rpartition("/")
        following = entries[at + 1] if at + 1 < len(entries) else None
        if (
            following is None
            or entry.size >= LARGE_BYTES
            or following.size >= LARGE_BYTES
            or following.path.rpartition("/")[0] != folder
            or xxhash.xxh3_64_intdigest(os.fsencode(name)) % TOGETHER_ABOUT == 0
        ):
            parts.append(Part(int(_name(candidate, held[0]), 16) >> 2, tuple(held)))
            held = []
    return parts


def marks_of(candidate: Candidate, part: Part, now_ns: int) -> list[Mark]:
    """Return what the files of a part, which were read since, are to be known by; `now_ns`: when they were listed."""
    return [_mark(candidate, entry, now_ns) for entry in part.entries]


def _mark(candidate: Candidate, entry: Entry, now_ns: int) -> Mark:
    name = _name(candidate, entry)
    if not _is_old(entry, now_ns):
        return Mark(name, entry.size)
    if not candidate.is_local:
        return Mark(name, entry.size, str(entry.stamp))
    try:
        footer = read_footer(entry.path).digest if candidate.format == "parquet" else ""
    except BrokenFile:
        footer = ""
    digest = digest_of(entry.path)
    status = Path(entry.path).stat()
    if (status.st_size, status.st_mtime_ns) != (entry.size, entry.stamp):
        # It changed since it was listed: nobody knows which of its contents was read.
        return Mark(name, entry.size)
    return Mark(name, entry.size, str(entry.stamp), footer, digest)


def _name(candidate: Candidate, entry: Entry) -> str:
    return xxhash.xxh3_64_hexdigest(os.fsencode(entry.path[len(candidate.root.rstrip("/")) + 1 :]))


def _is_old(entry: Entry, now_ns: int) -> bool:
    if isinstance(entry.stamp, str):
        return True
    tick = _TICK_NS if entry.stamp % _SECOND_NS else _COARSE_TICK_NS
    return entry.stamp + tick < now_ns


def unchanged(candidate: Candidate, part: Part, before: Sequence[Mark], now_ns: int) -> list[Mark] | None:
    """Return the marks of a part whose files are what they were (rungs 1 to 3), None where they must be read."""
    if len(before) != len(part.entries):
        return None
    found = []
    for mark, entry in zip(before, part.entries, strict=True):
        if mark.size != entry.size or mark.name != _name(candidate, entry):
            return None
        if mark.stamp and mark.stamp == str(entry.stamp):
            found.append(mark)
            continue
        if not (candidate.is_local and mark.digest) or not _same_bytes(mark, entry.path):
            return None
        found.append(replace(mark, stamp=str(entry.stamp) if _is_old(entry, now_ns) else ""))
    return found


def _same_bytes(mark: Mark, path: str) -> bool:
    try:
        return (not mark.footer or read_footer(path).digest == mark.footer) and digest_of(path) == mark.digest
    except BrokenFile:
        return False  # reading it says what is wrong


def digest_of(path: str) -> str:
    """Return xxh3-128 of a file's bytes, in hexadecimal; BrokenFile (UNREADABLE) where they cannot be read."""
    found = xxhash.xxh3_128()
    try:
        # Not mapped: a file that is cut off meanwhile would end the process.
        with Path(path).open("rb", buffering=0) as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                found.update(chunk)
    except OSError as error:
        raise BrokenFile(path, "UNREADABLE", f"'{Path(path).name}' cannot be read: {error.strerror}") from error
    return found.hexdigest()
