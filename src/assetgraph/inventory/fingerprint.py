"""A fingerprint of a table's content that does not see how it is stored.

Equal for every order of rows and columns and every file layout; different when a value, a null, a column's name or its
type is. Each value is mixed into two 64-bit lanes, the lanes of a row are combined keyed by column, and the rows are
summed modulo 2^64. Nothing of it comes from Polars' own hashes, which change between its versions.
"""

from decimal import Decimal

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

#: Rows hashed at once; bounds the memory, has no influence on the result.
BATCH_ROWS = 1 << 18
#: Names the algorithm; a change of what is hashed needs a new one.
PREFIX = "agc1:"

Lanes = NDArray[np.uint64]

_LANES = np.array([[0x9E3779B97F4A7C15], [0xC2B2AE3D27D4EB4F]], dtype=np.uint64)
_NULL = np.array([[0x165667B19E3779F9], [0x27D4EB2F165667C5]], dtype=np.uint64)
_MULTIPLY = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_NAN = np.uint64(0x7FF8000000000000)


class ContentHash:
    """Sums up batches of one table; `rows` is the number of rows seen."""

    def __init__(self, schema: pl.Schema) -> None:
        self.rows = 0
        self._columns = sorted((name, type_name(dtype)) for name, dtype in schema.items())
        self._total = np.zeros((2, 1), dtype=np.uint64)

    def add(self, batch: pl.DataFrame) -> None:
        """Add the rows of a batch."""
        row = np.zeros((2, batch.height), dtype=np.uint64)
        for name, kind in self._columns:
            row += _mix(hash_values(batch.get_column(name)) + _seed(f"{name}\0{kind}"))
        self._total += _mix(row).sum(axis=1, keepdims=True, dtype=np.uint64)
        self.rows += batch.height

    def text(self) -> str:
        """Return the fingerprint of what was added: `agc1:` and 32 hexadecimal digits."""
        parts = [f"{len(name)}:{name}\0{kind}" for name, kind in self._columns]
        parts += [str(self.rows), *(f"{int(lane):016x}" for lane in self._total[:, 0])]
        return PREFIX + xxhash.xxh3_128_hexdigest("\n".join(parts).encode())


def content_hash(frame: pl.LazyFrame) -> ContentHash:
    """Read a table once, in batches, and return its hash."""
    total = ContentHash(frame.collect_schema())
    for batch in frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False):
        for piece in batch.iter_slices(BATCH_ROWS):
            total.add(piece)
    return total


def content_fingerprint(frame: pl.LazyFrame) -> str:
    """Return the fingerprint of a table's content."""
    return content_hash(frame).text()


def type_name(dtype: pl.DataType) -> str:
    """Return our own name of a type, which no Polars version can change; text is text, however it is encoded."""
    if isinstance(dtype, pl.List):
        return f"list<{type_name(_known(dtype.inner))}>"
    if isinstance(dtype, pl.Array):
        return f"list<{type_name(_known(dtype.inner))}>[{dtype.size}]"
    if isinstance(dtype, pl.Struct):
        return "struct<" + ",".join(f"{field.name}:{type_name(_known(field.dtype))}" for field in dtype.fields) + ">"
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit},{dtype.time_zone or ''}]"
    if isinstance(dtype, pl.Duration):
        return f"duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.scale}]"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "string"
    return type(dtype).__name__.lower()


def hash_values(values: pl.Series) -> Lanes:
    """Return the two 64-bit hashes of each value, uint64 of shape (2, n); 0.0 is -0.0 and all NaN are one."""
    dtype = values.dtype
    if isinstance(dtype, pl.Null):
        return np.repeat(_NULL, len(values), axis=1)
    if isinstance(dtype, pl.Struct):
        hashed = np.zeros((2, len(values)), dtype=np.uint64)
        for field in dtype.fields:
            hashed += _mix(hash_values(values.struct.field(field.name)) + _seed(field.name))
        hashed = _mix(hashed)
    elif isinstance(dtype, pl.Array):
        return hash_values(values.arr.to_list())
    elif isinstance(dtype, pl.List):
        hashed = _hash_lists(values)
    elif dtype.is_float():
        hashed = _hash_fixed(_float_bits(values))
    elif isinstance(dtype, pl.Boolean) or _has_word(dtype):
        hashed = _hash_fixed(_word_bits(values))
    else:
        hashed = _hash_distinct(values)
    if values.null_count():
        hashed[:, values.is_null().to_numpy()] = _NULL
    return hashed


def _known(dtype: object) -> pl.DataType:
    """Return a nested type as an instance (a schema read from data holds nothing else)."""
    if isinstance(dtype, pl.DataType):
        return dtype
    raise TypeError(f"{dtype!r} is no complete type")


def _has_word(dtype: pl.DataType) -> bool:
    wide = isinstance(dtype, pl.Int128 | pl.UInt128 | pl.Decimal)
    return (dtype.is_integer() or dtype.is_temporal()) and not wide


def _word_bits(values: pl.Series) -> Lanes:
    physical = values.to_physical()
    wanted = pl.UInt64 if physical.dtype == pl.UInt64 or physical.dtype == pl.Boolean else pl.Int64
    return physical.cast(wanted).fill_null(0).to_numpy().view(np.uint64)


def _float_bits(values: pl.Series) -> Lanes:
    # Adding 0.0 turns -0.0 into 0.0.
    floats = values.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0
    bits = floats.view(np.uint64)
    bits[np.isnan(floats)] = _NAN
    return bits


def _hash_fixed(bits: Lanes) -> Lanes:
    return _mix(bits[None, :] ^ _LANES)


def _hash_distinct(values: pl.Series) -> Lanes:
    """Hash each distinct value once: the cost grows with the distinct ones, not with the rows."""
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    distinct = values.drop_nulls().unique()
    if not len(distinct):
        return np.zeros((2, len(values)), dtype=np.uint64)
    digests = b"".join(xxhash.xxh3_128_digest(_encoded(value)) for value in distinct)
    hashes = np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2).T
    numbers = pl.Series(np.arange(len(distinct), dtype=np.uint32))
    codes = values.replace_strict(distinct, numbers, default=0, return_dtype=pl.UInt32)
    return np.ascontiguousarray(hashes[:, codes.fill_null(0).to_numpy()])


def _encoded(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, Decimal):
        # Compared and hashed as a number: -0 and the zeros after the point do not count.
        text = format(value, "f").rstrip("0").rstrip(".") if value.as_tuple().exponent else format(value, "f")
        return b"0" if not value else text.encode()
    return str(value).encode("utf-8", "surrogatepass")


def _hash_lists(values: pl.Series) -> Lanes:
    """Hash lists by their elements and the elements' places."""
    lengths = values.list.len().fill_null(0).to_numpy().astype(np.int64)
    hashed = np.zeros((2, len(values)), dtype=np.uint64)
    filled = lengths > 0
    if filled.any():
        counts = lengths[filled]
        starts = np.cumsum(counts) - counts
        elements = hash_values(values.filter(pl.Series(filled)).explode())
        places = (np.arange(elements.shape[1]) - np.repeat(starts, counts)).astype(np.uint64)
        hashed[:, filled] = np.add.reduceat(_mix(elements + _hash_fixed(places)), starts, axis=1)
    return _mix(hashed + _hash_fixed(lengths.astype(np.uint64)))


def _seed(text: str) -> Lanes:
    digest = xxhash.xxh3_128_digest(text.encode())
    return np.frombuffer(digest, dtype=">u8").astype(np.uint64).reshape(2, 1)


def _mix(words: Lanes) -> Lanes:
    """Return each word through the finalizer of splitmix64, a bijection in which every bit depends on every bit."""
    mixed = words ^ (words >> _SHIFTS[0])
    mixed *= _MULTIPLY[0]
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _MULTIPLY[1]
    mixed ^= mixed >> _SHIFTS[2]
    return mixed
