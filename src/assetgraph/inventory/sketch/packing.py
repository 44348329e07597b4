"""Table states as bytes and back: a versioned header, small things as JSON, arrays packed with Zstandard; no pickle."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from assetgraph.errors import Invalid
from assetgraph.inventory.sketch.distinct import Exact, Hashed
from assetgraph.inventory.sketch.sampling import Sample
from assetgraph.inventory.sketch.states import ColumnState, Lengths, Moments, Order, Spans, TableState, Value


class Damaged(Invalid):
    """Stored bytes that are no state; what they were made of has to be read again."""


MAGIC = b"AGTS"
VERSION = 1
_PLAIN_SIZE = 8
#: Types of arrays that a state is made of.
_DTYPES = ("uint8", "uint32", "int64", "uint64", "float64", "bool")


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def array(self, values: NDArray[Any]) -> list[Any]:
        """Keep an array; bytes of equal weight lie together, which packs better."""
        if values.dtype == object:
            kind, pieces = _pieces(values.tolist())
            self.parts.append(b"".join(pieces) if kind == "bytes" else "".join(pieces).encode("latin-1"))
            return [kind, len(self.parts[-1]), self.array(np.array(list(map(len, pieces)), np.uint32))]
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values)  # whatever bits it had
        values = np.ascontiguousarray(values)
        turned = values.view(np.uint8).reshape(len(values), values.itemsize).T
        self.parts.append(turned.tobytes())
        return [values.dtype.name, len(values)]

    def bytes(self, header: dict[str, Any]) -> bytes:
        body = orjson.dumps(header)
        whole = len(body).to_bytes(8, "little") + body + b"".join(self.parts)
        packed = pa.compress(whole, codec="zstd", asbytes=True)
        return bytes(MAGIC + VERSION.to_bytes(2, "little") + len(whole).to_bytes(8, "little") + packed)


def _pieces(values: list[Any]) -> tuple[str, list[Any]]:
    """Return what kind of objects these are, and them as texts whose characters are bytes, or as bytes."""
    if values and isinstance(values[0], int):
        return "whole", list(map(str, values))
    if values and isinstance(values[0], str):
        # One character is one byte in most columns; each text by itself takes three times as long.
        return "text", values if "".join(values).isascii() else [value.encode().decode("latin-1") for value in values]
    return "bytes", values


class _Reader:
    def __init__(self, body: bytes) -> None:
        size = int.from_bytes(body[:8], "little")
        self.header = orjson.loads(body[8 : 8 + size])
        self._body = body
        self._at = 8 + size

    def _taken(self, size: int) -> bytes:
        taken = self._body[self._at : self._at + size]
        if size < 0 or len(taken) < size:
            raise ValueError("an array is cut off")
        self._at += size
        return taken

    def array(self, told: list[Any]) -> NDArray[Any]:
        if told[0] in ("text", "bytes", "whole"):
            whole: bytes | str = self._taken(int(told[1]))
            ends = np.cumsum(self.array(told[2]).astype(np.int64)).tolist()
            if told[0] == "text" and isinstance(whole, bytes) and whole.isascii():
                whole = whole.decode("ascii")
            found: list[Any] = [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            if told[0] == "text" and isinstance(whole, bytes):
                found = [value.decode() for value in found]
            values = np.empty(len(found), dtype=object)
            values[:] = [int(value) for value in found] if told[0] == "whole" else found
            return values
        if told[0] not in _DTYPES:
            raise ValueError(f"no array is of type {told[0]}")
        dtype = np.dtype(told[0])
        turned = np.frombuffer(self._taken(int(told[1]) * dtype.itemsize), np.uint8)
        straight: NDArray[Any] = np.ascontiguousarray(turned.reshape(dtype.itemsize, int(told[1])).T)
        return np.asarray(straight.view(dtype).reshape(-1))


def to_bytes(state: TableState) -> bytes:
    """Return a state as bytes; equal states give equal bytes."""
    writer = _Writer()
    columns = [_column(state.columns[path], writer) for path in sorted(state.columns)]
    schema = sorted(state.schema)
    sums = [f"{one:016x}" for one in state.sums]
    return writer.bytes({"rows": state.rows, "sums": sums, "schema": schema, "columns": columns})


def is_readable(beginning: bytes) -> bool:
    """Tell by its first eight bytes whether a state was written as this version of the program writes it."""
    return beginning[:4] == MAGIC and int.from_bytes(beginning[4:6], "little") == VERSION


def from_bytes(packed: bytes) -> TableState:
    """Return the state that was written; raises Invalid for what is none or of another version."""
    if packed[:4] != MAGIC:
        raise Damaged("these bytes are no stored profile")
    if int.from_bytes(packed[4:6], "little") != VERSION:
        raise Damaged("the stored profile was written by another version; scan the dataset again")
    try:
        size = int.from_bytes(packed[6:14], "little")
        reader = _Reader(pa.decompress(packed[14:], decompressed_size=size, codec="zstd", asbytes=True))
        header = reader.header
        columns = [_read_column(told, reader) for told in header["columns"]]
        sums = [int(one, 16) for one in header["sums"]]
        schema = tuple((str(name), str(kind)) for name, kind in header["schema"])
    except (ValueError, KeyError, TypeError, IndexError, OSError, MemoryError, pa.ArrowException) as error:
        raise Damaged("the stored profile is damaged; scan the dataset again") from error
    return TableState(int(header["rows"]), (sums[0], sums[1]), schema, {one.path: one for one in columns})


def _column(state: ColumnState, writer: _Writer) -> dict[str, Any]:
    values: dict[str, Any]
    if isinstance(state.values, Exact):
        kept = None if state.values.values is None else writer.array(state.values.values)
        hashes, counts = writer.array(state.values.hashes), writer.array(state.values.counts)
        values = {"values": kept, "hashes": hashes, "counts": counts}
    else:
        registers, counters = writer.array(state.values.registers), writer.array(state.values.counters)
        values = {"registers": registers, "counters": counters}
    spans = state.spans
    return {
        "path": state.path, "dtype": state.dtype, "kind": state.kind, "rows": state.rows, "nulls": state.nulls,
        "distinct": values, "sample": _sample(state.sample, writer),
        "low": _value(state.low), "high": _value(state.high),
        "moments": None if state.moments is None else [_number(one) for one in vars(state.moments).values()],
        "lengths": None if state.lengths is None else [int(one) for one in vars(state.lengths).values()],
        "order": None if state.order is None else _order(state.order),
        "spans": None if spans is None else [
            spans.shift, spans.base, len(spans.taken), writer.array(np.packbits(spans.taken))
        ],
    }  # fmt: skip


def _sample(sample: Sample, writer: _Writer) -> dict[str, Any]:
    """Keep a sample; its numbers are in order within a level, so that their steps are small and pack well."""
    values, stepped = sample.values, ""
    if values.dtype != object:
        stepped = values.dtype.name
        values = np.diff(values.view(np.uint64), prepend=np.uint64(0))
    return {
        "limit": sample.limit, "floor": sample.floor, "levels": writer.array(sample.levels),
        "values": writer.array(values), "stepped": stepped, "hashes": writer.array(sample.hashes),
    }  # fmt: skip


def _read_sample(told: dict[str, Any], reader: _Reader) -> Sample:
    levels, values = reader.array(told["levels"]), reader.array(told["values"])
    if told["stepped"]:
        values = np.cumsum(values, dtype=np.uint64).view(told["stepped"])
    return Sample(told["limit"], told["floor"], levels, values, reader.array(told["hashes"]))


def _order(order: Order) -> list[Any]:
    return [_value(order.first), _value(order.last), order.never_falls, order.never_rises, order.strict]


def _read_column(told: dict[str, Any], reader: _Reader) -> ColumnState:
    distinct = told["distinct"]
    values: Exact | Hashed
    if "hashes" in distinct:
        kept = None if distinct["values"] is None else reader.array(distinct["values"])
        values = Exact(reader.array(distinct["hashes"]), reader.array(distinct["counts"]), kept)
    else:
        values = Hashed(reader.array(distinct["registers"]), reader.array(distinct["counters"]))
    sample = _read_sample(told["sample"], reader)
    moments, lengths, order, spans = told["moments"], told["lengths"], told["order"], told["spans"]
    if moments is not None:
        moments = Moments(moments[0], float.fromhex(moments[1]), float.fromhex(moments[2]), *moments[3:])
    if spans is not None:
        taken = np.unpackbits(reader.array(spans[3]), count=spans[2]).astype(np.bool_)
        spans = Spans(spans[0], spans[1], taken)
    return ColumnState(
        told["path"], told["dtype"], told["kind"], told["rows"], told["nulls"], values, sample,
        _read_value(told["low"]), _read_value(told["high"]), moments,
        None if lengths is None else Lengths(*lengths),
        None if order is None else Order(_read_value(order[0]), _read_value(order[1]), *order[2:]),
        spans,
    )  # fmt: skip


def _number(value: Any) -> Any:
    return float(value).hex() if isinstance(value, float) else int(value)


def _value(value: Value | None) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return ["b", value.hex()]
    if isinstance(value, str):
        return ["s", value]
    return ["f", float(value).hex()] if isinstance(value, float) else ["i", str(int(value))]


def _read_value(told: list[str] | None) -> Any:
    if told is None:
        return None
    kind, text = told
    if kind == "b":
        return bytes.fromhex(text)
    return text if kind == "s" else float.fromhex(text) if kind == "f" else int(text)
