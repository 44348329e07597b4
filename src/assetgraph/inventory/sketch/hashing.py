"""The hash of a value, of which everything else follows: distinct counts, frequent values, content fingerprints.

Written here in NumPy; `kernel.py` computes the same bits compiled. A value of 64 bits is mixed by a bijection, so equal
hashes are equal values; of text the words of eight bytes go into two lanes. A row is the sum of its values' lanes times
odd numbers that belong to the column (multilinear hashing), mixed once more; a null adds nothing to its row. Nothing of
it comes from Polars' own hashes, which change between its versions.
"""

from decimal import Decimal

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

Words = NDArray[np.uint64]

WORD_SALT = np.uint64(0x9E3779B97F4A7C15)
TEXT_SALT = np.uint64(0xC2B2AE3D27D4EB4F)
TEXT_SALT_2 = np.uint64(0x165667B19E3779F9)
FOLD = np.uint64(0xA0761D6478BD642F)
TURN = np.uint64(0xE7037ED1A0B428DB)
MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
CANONICAL_NAN = np.uint64(0x7FF8000000000000)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def type_name(dtype: pl.DataType) -> str:
    """Return our own name of a type, which no Polars version can change; text is text, however it is encoded."""
    if isinstance(dtype, pl.List):
        return f"list<{type_name(known(dtype.inner))}>"
    if isinstance(dtype, pl.Array):
        return f"list<{type_name(known(dtype.inner))}>[{dtype.size}]"
    if isinstance(dtype, pl.Struct):
        return "struct<" + ",".join(f"{field.name}:{type_name(known(field.dtype))}" for field in dtype.fields) + ">"
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit},{dtype.time_zone or ''}]"
    if isinstance(dtype, pl.Duration):
        return f"duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.scale}]"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "string"
    return type(dtype).__name__.lower()


def known(dtype: object) -> pl.DataType:
    """Return a nested type as an instance (a schema read from data holds nothing else)."""
    if isinstance(dtype, pl.DataType):
        return dtype
    raise TypeError(f"{dtype!r} is no complete type")


def column_keys(name: str, kind: str) -> Words:
    """Return what a column's lanes are multiplied by (odd) and what is added: uint64 (4,): a, b, added a, added b."""
    text = f"{len(name)}:{name}\0{kind}".encode()
    digest = xxhash.xxh3_128_digest(text, 1) + xxhash.xxh3_128_digest(text, 2)
    keys = np.frombuffer(digest, dtype=">u8").astype(np.uint64)
    keys[:2] |= np.uint64(1)
    return keys


def mix(words: Words) -> Words:
    """Return each word through the finalizer of splitmix64, a bijection in which every bit depends on every bit."""
    mixed = words ^ (words >> np.uint64(30))
    mixed = mixed * MULTIPLY_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= MULTIPLY_2
    mixed ^= mixed >> np.uint64(31)
    return mixed


def word_hashes(bits: Words) -> Words:
    """Return the hash of values of 64 bits."""
    return mix(bits ^ WORD_SALT)


def float_bits(values: NDArray[np.float64]) -> Words:
    """Return the bits of floats where 0.0 is -0.0 and all NaN are one."""
    bits = (values + 0.0).view(np.uint64).copy()
    bits[np.isnan(values)] = CANONICAL_NAN
    return bits


def canonical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return floats where -0.0 is 0.0 and all NaN are one."""
    return float_bits(values).view(np.float64)


def text_hashes(texts: list[bytes]) -> tuple[Words, Words]:
    """Return both lanes of byte strings, (n,) each.

    A string is its length and first four bytes as one word, then the rest in words of eight bytes, at least one.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    counts = np.maximum((np.maximum(lengths - 4, 0) + 7) // 8, 1)
    order = np.argsort(-counts, kind="stable")
    padded = [len(text).to_bytes(4, "little") + text.ljust(12, b"\0") for text in texts]
    padded = [padded[at] + b"\0" * (-len(padded[at]) % 8) for at in order]
    words = np.frombuffer(b"".join(padded), dtype="<u8").astype(np.uint64)
    starts = np.concatenate(([0], np.cumsum(counts[order] + 1)[:-1])) if len(texts) else np.zeros(0, np.int64)
    first = np.full(len(texts), TEXT_SALT)
    second = np.full(len(texts), TEXT_SALT_2)
    # The longest come first: those that still have a word at a place are the first ones.
    ends = np.searchsorted(-(counts[order] + 1), -np.arange(counts.max(initial=0) + 1), side="left")
    for place, end in enumerate(ends):
        word = words[starts[:end] + place]
        first[:end] = _folded(first[:end] ^ word, FOLD)
        turned = (second[:end] ^ word) * TURN
        second[:end] = (turned << np.uint64(31)) | (turned >> np.uint64(33))
    hashes, others = np.empty_like(first), np.empty_like(second)
    hashes[order] = mix(first + second)
    others[order] = second ^ (second >> _HALF)
    return hashes, others


def row_sums(first: Words, second: Words) -> Words:
    """Return the two sums, modulo 2^64, of the mixed lanes of rows: uint64 (2,)."""
    mixed = mix(first + WORD_SALT)
    crossed = mix(second ^ ((first << _HALF) | (first >> _HALF)))
    return np.array([mixed.sum(dtype=np.uint64), crossed.sum(dtype=np.uint64)], dtype=np.uint64)


def _folded(words: Words, by: np.uint64) -> Words:
    """Return the upper xor the lower 64 bits of the products of 128 bits."""
    low, high = words & _LOW, words >> _HALF
    by_low, by_high = by & _LOW, by >> _HALF
    lows, middle, other, highs = low * by_low, high * by_low, low * by_high, high * by_high
    carried = (lows >> _HALF) + (middle & _LOW) + (other & _LOW)
    upper = highs + (middle >> _HALF) + (other >> _HALF) + (carried >> _HALF)
    folded: Words = upper ^ (words * by)
    return folded


def big_texts(values: pl.Series) -> list[bytes]:
    """Return numbers beyond 64 bits and decimals as canonical text: -0 and zeros after the point do not count."""
    return [_number_text(value) for value in values]


def _number_text(value: object) -> bytes:
    if isinstance(value, Decimal):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.encode() if value else b"0"
    return str(value).encode()
