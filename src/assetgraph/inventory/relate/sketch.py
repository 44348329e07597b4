"""Bottom-k sketches of column values: the smallest hashes of a column stand for a random sample of its distinct values.

Two columns sample the same values, because the hash decides and not chance: how much of one lies in the other can be
read off two sketches. Values are compared as ids: 17850, 17850.0 and "17850" are one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

#: Hashes kept per column (32 KiB); columns with fewer distinct values are known exactly.
KEPT = 4096
BATCH_ROWS = 1 << 17
#: Of a text column so many characters of a value count.
TEXT_LENGTH = 1024

AsId = Callable[[str, pl.DataType], pl.Expr]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class ColumnSketch:
    """The `KEPT` smallest hashes of a column's values, ascending, and the number of values that are not null.

    `whole` says whether all values are whole numbers; `low` and `high` are their range then.
    """

    hashes: Hashes
    values: int
    whole: bool
    low: int = 0
    high: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether every distinct value is in it."""
        return len(self.hashes) < KEPT

    @property
    def distinct(self) -> int:
        """How many values differ: exact below KEPT, else estimated with a standard error of 1.6 %."""
        if self.is_exact:
            return len(self.hashes)
        return round((KEPT - 1) / ((int(self.hashes[-1]) + 1) / 2**64))

    @property
    def dense(self) -> bool:
        """Whether the values are nearly all whole numbers of a range: such columns lie in each other by nature."""
        return self.whole and self.distinct >= 0.5 * (self.high - self.low + 1)

    def to_bytes(self) -> bytes:
        """Return the hashes as little-endian words."""
        return self.hashes.astype("<u8").tobytes()


def hashes_of(packed: bytes) -> Hashes:
    """Return the hashes that `to_bytes` gave."""
    return np.frombuffer(packed, dtype="<u8").astype(np.uint64)


class _Growing:
    """A sketch while batches come."""

    def __init__(self) -> None:
        self.hashes: Hashes = np.empty(0, dtype=np.uint64)
        self.values = 0
        self.whole = True
        self.low, self.high = 0, -1

    def add(self, ids: pl.Series) -> None:
        present = ids.drop_nulls()
        self.values += len(present)
        distinct = present.unique()
        found = np.fromiter(
            (xxhash.xxh3_64_intdigest(value[:TEXT_LENGTH].encode("utf-8", "surrogatepass")) for value in distinct),
            dtype=np.uint64, count=len(distinct),
        )  # fmt: skip
        if len(self.hashes) == KEPT:
            found = found[found < self.hashes[-1]]
        self.hashes = np.unique(np.concatenate([self.hashes, found]))[:KEPT]
        if self.whole and len(distinct):
            numbers = distinct.cast(pl.Int64, strict=False)
            self.whole = not numbers.null_count()
            if self.whole:
                low, high = (pl.Series([getattr(numbers, end)()], dtype=pl.Int64)[0] for end in ("min", "max"))
                self.low, self.high = (
                    (min(self.low, low), max(self.high, high)) if self.high >= self.low else (low, high)
                )


def sketch_columns(frame: pl.LazyFrame, as_id: AsId) -> dict[str, ColumnSketch]:
    """Return sketches of the columns that can hold ids: text, whole numbers, floats that are whole; in one pass."""
    schema = frame.collect_schema()
    names = [
        name for name, dtype in schema.items()
        if dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    ]  # fmt: skip
    growing = {name: _Growing() for name in names}
    ids = frame.select(as_id(name, schema[name]).alias(name) for name in names)
    for batch in ids.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False) if names else ():
        for name in list(growing):
            growing[name].add(batch.get_column(name))
            # Measured numbers are no ids.
            if schema[name].is_float() and not growing[name].whole:
                del growing[name]
    return {
        name: ColumnSketch(one.hashes, one.values, one.whole and one.values > 0, one.low, one.high)
        for name, one in growing.items()
    }
