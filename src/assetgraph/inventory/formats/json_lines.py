"""NDJSON, and JSON arrays of objects, which are read as NDJSON: columns and types by all records."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import polars as pl

from assetgraph.inventory.discover.candidates import BrokenFile
from assetgraph.inventory.formats.casts import typed
from assetgraph.inventory.formats.opened import Rows
from assetgraph.inventory.formats.schemas import Unfit, merged
from assetgraph.inventory.formats.scratch import CHUNK_BYTES, Scratch
from assetgraph.inventory.formats.text import plain_text

#: Bytes whose records are looked at together.
_BLOCK_BYTES = 8 << 20
#: A string, whose group is empty when the text ends within it, or a sign of structure.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*("|\\?\Z)|[\[\]{},]', re.DOTALL)
_SPACE = b" \t\r\n"


def open_records(form: str, files: list[Path], scratch: Scratch) -> Rows:
    """Return the records of all files; reads them once to find their columns, types and ISO 8601 times."""
    paths = []
    for file in files:
        plain = plain_text(file, scratch, mark=False)
        paths.append(_as_lines(plain, file, scratch) if form == "json" else _named_plainly(plain, scratch))
    whole: dict[str, pl.DataType] = dict.fromkeys(_first_keys(paths[0]), pl.Null())
    for path in paths:
        for schema in _schemas(path):
            for name in sorted(schema):
                whole[name] = _wider(whole.get(name, pl.Null()), schema[name])
    if not whole:
        raise BrokenFile(files[0], "EMPTY_FILE", f"'{files[0].name}' holds no records")
    complete = {name: _complete(dtype) for name, dtype in whole.items()}
    forms: dict[str, str] = {}
    return Rows(typed(pl.scan_ndjson(paths, schema=complete), iso_only=True, forms=forms), forms=forms)


def _first_keys(path: Path) -> list[str]:
    """Return the keys of the first record in their order; the rest come in the order of their names."""
    with path.open("rb") as stream:
        line = next((line for line in stream if line.strip(_SPACE)), b"{}")
    found = json.loads(line)
    return list(found) if isinstance(found, dict) else []


def _named_plainly(path: Path, scratch: Scratch) -> Path:
    """Return a path to a file without the characters that Polars takes for a pattern."""
    if not set("*?[]") & set(str(path)):
        return path
    link = scratch.path(".ndjson")
    link.symlink_to(path)
    return link


def _schemas(path: Path) -> Iterator[pl.Schema]:
    with path.open("rb") as stream:
        rest = b""
        while block := stream.read(_BLOCK_BYTES):
            lines, newline, rest_of = (rest + block).rpartition(b"\n")
            rest = rest_of
            if lines.strip(_SPACE):
                yield pl.read_ndjson(io.BytesIO(lines + newline), infer_schema_length=None).schema
        if rest.strip(_SPACE):
            yield pl.read_ndjson(io.BytesIO(rest), infer_schema_length=None).schema


def _wider(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    try:
        return merged(one, other)
    except Unfit:
        # As Polars does where both stand close to each other.
        return pl.String()


def _complete(dtype: pl.DataType) -> pl.DataType:
    """Return a type in which what is null everywhere is text, and whose order no order of records can change."""
    if isinstance(dtype, pl.Null):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_complete(cast("pl.DataType", dtype.inner)))
    if isinstance(dtype, pl.Struct):
        fields = {field.name: _complete(cast("pl.DataType", field.dtype)) for field in dtype.fields}
        return pl.Struct(dict(sorted(fields.items())))
    return dtype


def _as_lines(path: Path, file: Path, scratch: Scratch) -> Path:
    """Write the objects of a JSON array one to a line, holding one token in memory; one object alone is one line."""
    copy = scratch.path(".ndjson")
    lines = _Lines(file)
    with closing(path.open("rb")) as stream, copy.open("wb") as written:
        while chunk := stream.read(CHUNK_BYTES):
            piece = lines.take(chunk)
            scratch.spend(len(piece))
            written.write(piece)
        written.write(lines.end())
    return copy


class _Lines:
    """Turns the text of a JSON array into lines, chunk by chunk."""

    def __init__(self, file: Path) -> None:
        self._file, self._depth, self._rest = file, 0, b""
        self._top = b""
        self._done = False
        self._count, self._filled = 0, False

    def take(self, chunk: bytes) -> bytes:
        """Return what a chunk adds, with every line feed outside the array's elements as space."""
        data = self._rest + chunk
        out, start, end = [], 0, len(data)
        for token in _TOKENS.finditer(data):
            sign = token.group()
            if sign[:1] == b'"':
                if token.group(1) != b'"':
                    end = token.start()
                continue
            if self._done or (not self._top and sign not in (b"[", b"{")):
                raise self._malformed("goes on after its end" if self._done else "does not begin with [ or {")
            opens, closes = sign in (b"[", b"{"), sign in (b"]", b"}")
            if not self._top:
                self._top = sign
                if sign == b"[":
                    self._between(data[: token.start()])
                    start = token.end()
                    self._depth = 1
                    continue
            self._depth += opens - closes
            if sign == b"," and self._depth == 1 and self._top == b"[":
                out += [self._piece(data[start : token.start()]), b"\n"]
                self._end_element()
                start = token.end()
            elif self._depth == 0:
                self._done = True
                stop = token.start() if self._top == b"[" else token.end()
                out += [self._piece(data[start:stop]), b"\n"]
                if self._count:
                    self._end_element()
                start = token.end()
        if self._done:
            self._between(data[start:])
            self._rest = b""
            return b"".join(out)
        # What is before the last token goes out now, so that a long element is not held.
        out.append(self._piece(data[start:end]) if self._top else b"")
        self._rest = data[end:] if self._top else data[start:]
        return b"".join(out)

    def end(self) -> bytes:
        """Return what is left; raises BrokenFile when the array has no end."""
        if not self._done:
            raise self._malformed("ends before its last bracket")
        return b""

    def _piece(self, text: bytes) -> bytes:
        self._filled = self._filled or bool(text.strip(_SPACE))
        return text.replace(b"\n", b" ").replace(b"\r", b" ")

    def _end_element(self) -> None:
        if not self._filled:
            raise self._malformed("has a comma with nothing before or after it")
        self._count, self._filled = self._count + 1, False

    def _between(self, text: bytes) -> None:
        if text.strip(_SPACE):
            raise self._malformed("has text outside its brackets")

    def _malformed(self, said: str) -> BrokenFile:
        return BrokenFile(self._file, "MALFORMED", f"'{self._file.name}' {said}; write it again as an array of objects")
