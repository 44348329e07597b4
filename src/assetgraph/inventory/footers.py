"""Footers of Parquet files: rows, columns, null counts and bounds, without opening the data.

Thousands of small files are described from their footers alone, at some 50 microseconds each. The digest of a footer
is the second rung of the identity ladder: it holds offsets, sizes and statistics, so data that changed changes it.
"""

import os
import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from assetgraph.inventory.discover import BrokenFile

MAGIC = b"PAR1"
#: Read of a file's end at once: most footers are smaller.
TAIL_BYTES = 1 << 16
#: A longer footer is not read: it would be of millions of columns, or damaged.
MAX_FOOTER_BYTES = 1 << 28

Numbers = NDArray[np.int64]

#: Physical types of parquet.thrift by number.
PHYSICAL = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
_UNPACKED = {"INT32": struct.Struct("<i"), "INT64": struct.Struct("<q"), "FLOAT": struct.Struct("<f"),
             "DOUBLE": struct.Struct("<d")}  # fmt: skip


@dataclass(frozen=True)
class ColumnTotals:
    """What a footer says of a leaf column over all row groups.

    `nulls` is None where a row group does not say; `low` and `high` are values of the physical type (bytes for byte
    arrays), None where unknown, and only bounds where `exact` is false.
    """

    path: str
    physical: str
    nulls: int | None
    low: Any
    high: Any
    exact: bool
    compressed_bytes: int


@dataclass(frozen=True)
class Footer:
    """A file's footer."""

    rows: int
    row_groups: int
    #: xxh3-128 of the footer's bytes, in hexadecimal.
    digest: str
    #: xxh3-128 of the schema in it: files of equal schema have equal ones.
    schema_digest: str
    #: Rows of each row group.
    group_rows: tuple[int, ...]
    _data: bytes
    _elements: Numbers
    _chunks: Numbers

    @cached_property
    def leaves(self) -> list[tuple[str, str]]:
        """The leaf columns: dotted path and physical type, in the file's order."""
        found: list[tuple[str, str]] = []
        above: list[list[Any]] = []  # path and number of children to come
        for place, (start, length, kind, _, _, children, *_) in enumerate(self._elements.tolist()):
            name = self._data[start : start + length].decode("utf-8", "replace")
            while above and above[-1][1] == 0:
                above.pop()
            if above:
                above[-1][1] -= 1
            path = "" if place == 0 else f"{above[-1][0]}.{name}" if above and above[-1][0] else name
            if children > 0:
                above.append([path, children])
            elif place:
                found.append((path, PHYSICAL[kind] if 0 <= kind < len(PHYSICAL) else "?"))
        return found

    def columns(self) -> list[ColumnTotals]:
        """Return the totals of each leaf column."""
        leaves = self.leaves
        if not leaves or len(self._chunks) != len(leaves) * self.row_groups:
            return []
        rows = self._chunks.tolist()
        return [self._totals(leaf, rows[place :: len(leaves)]) for place, leaf in enumerate(leaves)]

    def _totals(self, leaf: tuple[str, str], chunks: list[list[int]]) -> ColumnTotals:
        path, physical = leaf
        nulls, compressed = 0, 0
        lows: list[Any] = []
        highs: list[Any] = []
        known, exact = True, True
        for row in chunks:
            _, values, none, low, low_bytes, high, high_bytes, size, _, low_exact, high_exact = row
            compressed += max(size, 0)
            nulls = -1 if none < 0 or nulls < 0 else nulls + none
            if none >= 0 and none == values:
                continue  # a chunk of nulls alone has no bounds, and needs none
            lows.append(None if low < 0 else self._value(physical, low, low_bytes))
            highs.append(None if high < 0 else self._value(physical, high, high_bytes))
            known = known and lows[-1] is not None and highs[-1] is not None
            exact = exact and low_exact != 0 and high_exact != 0
        low_bound, high_bound = (min(lows), max(highs)) if known and lows else (None, None)
        return ColumnTotals(path, physical, None if nulls < 0 else nulls, low_bound, high_bound, exact, compressed)

    def _value(self, physical: str, start: int, length: int) -> Any:
        part = self._data[start : start + length]
        if physical == "BOOLEAN":
            return bool(part[0]) if length == 1 else None
        unpack = _UNPACKED.get(physical)
        if unpack is not None:
            return unpack.unpack(part)[0] if length == unpack.size else None
        return None if physical == "INT96" else part


class _Room(threading.local):
    """Arrays that a thread's footers are read into."""

    def __init__(self) -> None:
        self.elements = np.empty((256, 12), dtype=np.int64)
        self.chunks = np.empty((4096, 11), dtype=np.int64)
        self.groups = np.empty(256, dtype=np.int64)
        self.told = np.empty(6, dtype=np.int64)


_ROOM = _Room()


def read_footer(path: str) -> Footer:
    """Read the footer of a Parquet file; BrokenFile when it has none (MALFORMED, EMPTY_FILE, UNREADABLE)."""
    try:
        opened = os.open(path, os.O_RDONLY)
        try:
            return parse_footer(_footer_bytes(opened, os.fstat(opened).st_size, path), path)
        finally:
            os.close(opened)
    except OSError as error:
        name = Path(path).name
        raise BrokenFile(Path(path), "UNREADABLE", f"'{name}' cannot be read: {error.strerror}") from error


def _footer_bytes(opened: int, size: int, path: str) -> bytes:
    if size == 0:
        raise BrokenFile(Path(path), "EMPTY_FILE", f"'{Path(path).name}' is empty (0 bytes)")
    tail = os.pread(opened, min(size, TAIL_BYTES), max(size - TAIL_BYTES, 0))
    if len(tail) < 12 or tail[-4:] != MAGIC:
        raise _malformed(path, "it does not end with PAR1: cut off, or no Parquet file")
    length = int.from_bytes(tail[-8:-4], "little")
    if length > min(size - 12, MAX_FOOTER_BYTES):
        raise _malformed(path, f"its footer would have {length} bytes")
    if length + 8 <= len(tail):
        return tail[-8 - length : -8]
    return os.pread(opened, length, size - 8 - length)


def parse_footer(data: bytes, path: str = "") -> Footer:
    """Read a footer from its bytes; BrokenFile (MALFORMED) when they are none."""
    from assetgraph.inventory.footer_kernel import parse

    room = _ROOM
    values = np.frombuffer(data, dtype=np.uint8)
    state = parse(values, room.elements, room.chunks, room.groups, room.told)
    while state == 1:
        _, elements, chunks, groups = room.told[:4].tolist()
        if max(elements, groups) > len(data) or chunks > 8 * len(data):
            break  # more than the bytes can hold
        room.elements = np.empty((max(elements, len(room.elements)), 12), dtype=np.int64)
        room.chunks = np.empty((max(chunks, len(room.chunks)), 11), dtype=np.int64)
        room.groups = np.empty(max(groups, len(room.groups)), dtype=np.int64)
        state = parse(values, room.elements, room.chunks, room.groups, room.told)
    if state:
        raise _malformed(path, "its footer is damaged")
    rows, elements, chunks, groups, start, end = room.told.tolist()
    return Footer(
        rows, groups, xxhash.xxh3_128_hexdigest(data), xxhash.xxh3_128_hexdigest(data[start:end]),
        tuple(room.groups[:groups].tolist()), data,
        room.elements[:elements].copy(), room.chunks[:chunks].copy(),
    )  # fmt: skip


def _malformed(path: str, why: str) -> BrokenFile:
    return BrokenFile(Path(path), "MALFORMED", f"'{Path(path).name}' is not readable as Parquet: {why}")
