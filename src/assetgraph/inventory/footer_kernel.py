"""Compiled: the footer of a Parquet file, read without building objects for what nobody asks for.

A footer is `FileMetaData` of parquet.thrift in Thrift's compact protocol (apache/parquet-format, thrift
doc/specs/thrift-compact-protocol.md). pyarrow takes 200 microseconds for the one of a small file with 8 columns.
Every read is bounded by the buffer and every length is checked against it: damaged bytes give a negative place, never
an endless loop or a read beyond the end. `pos` is a place in `data`; functions return the next one, negative when the
bytes are none of a footer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.compiled import compiled, part
from assetgraph.inventory.sketch.intrinsics import words

#: Columns of `elements`, one row per schema element, in the file's order (depth first, the root first).
NAME, NAME_BYTES, TYPE, TYPE_LENGTH, REPETITION, CHILDREN, CONVERTED, SCALE, PRECISION, LOGICAL, UNIT, UTC = range(12)
ELEMENT_COLUMNS = 12
#: Columns of `chunks`, one row per column chunk, row group by row group; -1 where the file does not say.
GROUP, VALUES, NULLS, MIN, MIN_BYTES, MAX, MAX_BYTES, COMPRESSED, UNCOMPRESSED, MIN_EXACT, MAX_EXACT = range(11)
CHUNK_COLUMNS = 11

_BAD = -1
_STOP, _TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(14)
#: Deeper nesting of what is skipped is no footer.
_MAX_DEPTH = 64


@part
def _varint(data: NDArray[np.uint8], pos: int) -> Any:
    """Return (unsigned value as int64, next place)."""
    value = np.uint64(0)
    shift = 0
    while pos < len(data) and shift < 64:
        byte = data[pos]
        pos += 1
        value |= np.uint64(byte & 0x7F) << np.uint64(shift)
        if byte < 0x80:
            return np.int64(value), pos
        shift += 7
    return np.int64(0), _BAD


@part
def _whole(data: NDArray[np.uint8], pos: int) -> Any:
    """Return (signed value, next place) of a zigzag varint."""
    value, pos = _varint(data, pos)
    return np.int64(np.uint64(value) >> np.uint64(1)) ^ -(value & 1), pos


@part
def _span(data: NDArray[np.uint8], pos: int) -> Any:
    """Return (place, length, next place) of a binary."""
    length, pos = _varint(data, pos)
    if pos < 0 or length < 0 or length > len(data) - pos:
        return 0, 0, _BAD
    return pos, length, pos + length


@part
def _field(data: NDArray[np.uint8], pos: int, last: int) -> Any:
    """Return (type, id, next place) of a field's header; type 0 ends the struct."""
    if pos < 0 or pos >= len(data):
        return _STOP, 0, _BAD
    byte = data[pos]
    pos += 1
    kind = np.int64(byte & 0x0F)
    if kind == _STOP:
        return _STOP, 0, pos
    delta = np.int64(byte >> 4)
    if delta:
        return kind, last + delta, pos
    number, pos = _whole(data, pos)
    return kind, number, pos


@part
def _list(data: NDArray[np.uint8], pos: int) -> Any:
    """Return (type of the elements, number of them, next place)."""
    if pos < 0 or pos >= len(data):
        return 0, 0, _BAD
    byte = data[pos]
    pos += 1
    size = np.int64(byte >> 4)
    if size == 15:
        size, pos = _varint(data, pos)
    # An element takes a byte at least, so that no count makes a loop longer than the file.
    if pos < 0 or size < 0 or size > len(data) - pos:
        return 0, 0, _BAD
    return np.int64(byte & 0x0F), size, pos


@part
def _skip(data: NDArray[np.uint8], pos: int, kind: int) -> Any:
    """Return the place after a value of a field."""
    if kind in (_TRUE, _FALSE):
        return pos
    if kind in (_I16, _I32, _I64):
        _, pos = _varint(data, pos)
        return pos
    if kind == _BINARY:
        _, _, pos = _span(data, pos)
        return pos
    if kind == _LIST:
        of, size, after = _list(data, pos)
        if after >= 0 and of in (_I32, _I64):
            for _ in range(size):
                _, after = _varint(data, after)
                if after < 0:
                    break
            return after
        if after >= 0 and of == _BINARY:
            for _ in range(size):
                _, _, after = _span(data, after)
                if after < 0:
                    break
            return after
    return _skip_nested(data, pos, kind)


@part
def _scalar(data: NDArray[np.uint8], pos: int, kind: int, in_list: bool) -> Any:
    """Return the place after a value that holds no others; a field's truth is in its header."""
    if kind in (_TRUE, _FALSE):
        pos += 1 if in_list else 0
    elif kind in (_BYTE, _DOUBLE, _UUID):
        pos += 1 if kind == _BYTE else 8 if kind == _DOUBLE else 16
    elif kind == _BINARY:
        _, _, pos = _span(data, pos)
    elif kind == _STOP:
        pos = _BAD
    else:
        _, pos = _varint(data, pos)
    return pos


@part
def _skip_nested(data: NDArray[np.uint8], pos: int, kind: int) -> Any:
    """Return the place after any value."""
    # What is left to skip at each level: elements of two types in turn, or a struct's fields (-1).
    left, last = words(_MAX_DEPTH), words(_MAX_DEPTH)
    first, second = words(_MAX_DEPTH), words(_MAX_DEPTH)
    depth = 0
    in_list = False
    while True:
        if pos < 0 or pos > len(data):
            return _BAD
        if kind <= _BINARY or kind == _UUID:
            pos = _scalar(data, pos, kind, in_list)
        elif kind in (_LIST, _SET):
            of, size, pos = _list(data, pos)
            depth += 1
            if pos < 0 or depth >= _MAX_DEPTH:
                return _BAD
            left[depth], first[depth], second[depth] = size, of, of
        elif kind == _MAP:
            size, pos = _varint(data, pos)
            depth += 1
            if pos < 0 or size < 0 or size > len(data) - pos or depth >= _MAX_DEPTH:
                return _BAD
            left[depth] = 0
            if size:
                if pos >= len(data):
                    return _BAD
                first[depth], second[depth] = np.int64(data[pos] & 0x0F), np.int64(data[pos] >> 4)
                left[depth] = 2 * size
                pos += 1
        elif kind == _STRUCT:
            depth += 1
            if depth >= _MAX_DEPTH:
                return _BAD
            left[depth], last[depth] = -1, 0
        else:
            return _BAD
        # The next value: of the innermost list, map or struct that is not at its end.
        while depth:
            if left[depth] < 0:
                kind, last[depth], pos = _field(data, pos, last[depth])
                if pos < 0:
                    return _BAD
                in_list = False
                if kind != _STOP:
                    break
            elif left[depth] > 0:
                kind = second[depth] if left[depth] % 2 else first[depth]
                left[depth] -= 1
                in_list = True
                break
            depth -= 1
        if depth == 0:
            return pos if 0 <= pos <= len(data) else _BAD


@part
def _logical(data: NDArray[np.uint8], pos: int, element: NDArray[np.int64]) -> Any:
    """Read the union LogicalType: which one, and of decimals, times and integers their parameters."""
    outer = 0
    while True:
        kind, outer, pos = _field(data, pos, outer)
        if pos < 0 or kind == _STOP:
            return pos
        if kind != _STRUCT:
            return _BAD
        element[LOGICAL] = outer
        last = 0
        while True:
            kind, last, pos = _field(data, pos, last)
            if pos < 0:
                return _BAD
            if kind == _STOP:
                break
            if outer in (7, 8) and last == 1 and kind in (_TRUE, _FALSE):
                element[UTC] = 1 if kind == _TRUE else 0
            elif outer in (7, 8) and last == 2 and kind == _STRUCT:
                unit = 0
                while True:
                    kind, unit, pos = _field(data, pos, unit)
                    if pos < 0 or kind == _STOP:
                        break
                    element[UNIT] = unit
                    pos = _skip(data, pos, kind)
                if pos < 0:
                    return _BAD
            elif outer == 10 and last == 1 and kind == _BYTE and pos < len(data):
                element[UNIT] = np.int64(data[pos])  # the number of bits
                pos += 1
            elif outer == 10 and last == 2 and kind in (_TRUE, _FALSE):
                element[UTC] = 1 if kind == _TRUE else 0  # signed
            else:
                pos = _skip(data, pos, kind)
                if pos < 0:
                    return _BAD


@part
def _element(data: NDArray[np.uint8], pos: int, element: NDArray[np.int64]) -> Any:
    element[:] = -1
    element[CHILDREN] = 0
    last = 0
    while True:
        kind, last, pos = _field(data, pos, last)
        if pos < 0 or kind == _STOP:
            return pos
        if last == 4 and kind == _BINARY:
            element[NAME], element[NAME_BYTES], pos = _span(data, pos)
        elif last == 10 and kind == _STRUCT:
            pos = _logical(data, pos, element)
        elif kind == _I32 and (1 <= last <= 3 or 5 <= last <= 8):
            value, pos = _whole(data, pos)
            place = TYPE + last - 1 if last <= 3 else CHILDREN + last - 5
            element[place] = value
        else:
            pos = _skip(data, pos, kind)
        if pos < 0:
            return _BAD


@part
def _statistics(data: NDArray[np.uint8], pos: int, chunk: NDArray[np.int64]) -> Any:
    """Read the bounds in the order of the column's type (min_value, max_value); the deprecated ones are not sound."""
    last = 0
    while True:
        kind, last, pos = _field(data, pos, last)
        if pos < 0 or kind == _STOP:
            return pos
        if last == 3 and kind == _I64:
            chunk[NULLS], pos = _whole(data, pos)
        elif last == 5 and kind == _BINARY:
            chunk[MAX], chunk[MAX_BYTES], pos = _span(data, pos)
        elif last == 6 and kind == _BINARY:
            chunk[MIN], chunk[MIN_BYTES], pos = _span(data, pos)
        elif last == 7 and kind in (_TRUE, _FALSE):
            chunk[MAX_EXACT] = 1 if kind == _TRUE else 0
        elif last == 8 and kind in (_TRUE, _FALSE):
            chunk[MIN_EXACT] = 1 if kind == _TRUE else 0
        else:
            pos = _skip(data, pos, kind)
        if pos < 0:
            return _BAD


@part
def _column(data: NDArray[np.uint8], pos: int, chunk: NDArray[np.int64]) -> Any:
    """Read a ColumnChunk with its ColumnMetaData."""
    outer = 0
    while True:
        kind, outer, pos = _field(data, pos, outer)
        if pos < 0 or kind == _STOP:
            return pos
        if outer != 3 or kind != _STRUCT:
            pos = _skip(data, pos, kind)
            if pos < 0:
                return _BAD
            continue
        last = 0
        while True:
            kind, last, pos = _field(data, pos, last)
            if pos < 0:
                return _BAD
            if kind == _STOP:
                break
            if last == 5 and kind == _I64:
                chunk[VALUES], pos = _whole(data, pos)
            elif last == 6 and kind == _I64:
                chunk[UNCOMPRESSED], pos = _whole(data, pos)
            elif last == 7 and kind == _I64:
                chunk[COMPRESSED], pos = _whole(data, pos)
            elif last == 12 and kind == _STRUCT:
                pos = _statistics(data, pos, chunk)
            else:
                pos = _skip(data, pos, kind)
            if pos < 0:
                return _BAD


@part
def _group(
    data: NDArray[np.uint8], pos: int, group: int, chunks: NDArray[np.int64], count: int, groups: NDArray[np.int64]
) -> Any:
    """Read a RowGroup; returns (next place, number of chunks so far)."""
    last = 0
    while True:
        kind, last, pos = _field(data, pos, last)
        if pos < 0 or kind == _STOP:
            return pos, count
        if last == 1 and kind == _LIST:
            of, size, pos = _list(data, pos)
            if pos < 0 or of != _STRUCT or count + size > len(chunks):
                return _BAD, count
            for _ in range(size):
                chunks[count, :] = -1
                chunks[count, GROUP] = group
                pos = _column(data, pos, chunks[count])
                if pos < 0:
                    return _BAD, count
                count += 1
        elif last == 3 and kind == _I64:
            groups[group], pos = _whole(data, pos)
        else:
            pos = _skip(data, pos, kind)
        if pos < 0:
            return _BAD, count


@compiled("(uint8[:], int64[:,:], int64[:,:], int64[:], int64[:]) -> int64")
def parse(
    data: NDArray[np.uint8], elements: NDArray[np.int64], chunks: NDArray[np.int64], groups: NDArray[np.int64],
    told: NDArray[np.int64],
) -> int:  # fmt: skip
    """Read a footer; returns 0, 1 where one of the arrays is too small, 2 where the bytes are none of a footer.

    data: (n,) uint8; elements: (e, ELEMENT_COLUMNS), chunks: (c, CHUNK_COLUMNS), groups: (g,) rows of each row group,
    all int64 and written to; told: (6,) int64: rows, elements, chunks, row groups, where the schema begins and ends.
    """
    told[:] = 0
    told[0] = -1
    pos = 0
    last = 0
    while True:
        kind, last, pos = _field(data, pos, last)
        if pos < 0:
            return 2
        if kind == _STOP:
            return 0 if told[0] >= 0 and told[1] > 0 else 2
        if last == 2 and kind == _LIST:
            told[4] = pos
            of, size, pos = _list(data, pos)
            if pos < 0 or of != _STRUCT:
                return 2
            if size > len(elements):
                told[1] = size
                return 1
            for number in range(size):
                pos = _element(data, pos, elements[number])
                if pos < 0:
                    return 2
            told[1], told[5] = size, pos
        elif last == 3 and kind == _I64:
            told[0], pos = _whole(data, pos)
        elif last == 4 and kind == _LIST:
            of, size, pos = _list(data, pos)
            if pos < 0 or (of != _STRUCT and size):
                return 2
            # The schema comes first in all files that are written, so how many chunks there will be is known.
            if size > len(groups) or size * told[1] > len(chunks):
                told[2], told[3] = size * max(told[1], 1), size
                return 1
            count = 0
            for group in range(size):
                groups[group] = -1
                pos, count = _group(data, pos, group, chunks, count, groups)
                if pos < 0:
                    return 2
            told[2], told[3] = count, size
        else:
            pos = _skip(data, pos, kind)
        if pos < 0:
            return 2
