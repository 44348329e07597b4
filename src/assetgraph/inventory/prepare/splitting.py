"""Which part each row belongs to: 0 train, 1 validation, 2 test."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

from assetgraph.inventory.prepare.ranks import values_at
from assetgraph.inventory.prepare.rules import SplitRule
from assetgraph.inventory.prepare.writing import BLOCK_ROWS

PARTS = ("train", "validation", "test")

Floats = NDArray[np.float64]


def by_time(kept: pl.LazyFrame, split: SplitRule, rows: int) -> pl.Expr:
    """Return the part by time: the newest `test` of the rows are the test, those before them the validation.

    Rows of one moment are not parted, so that a part may get more than its share; `rows` have a time, all of them.
    """
    test = round(rows * split.test)
    validation = round(rows * split.validation)
    places = [max(rows - test - validation, 0), max(rows - test, 0)]
    times = kept.select(pl.col(split.field).to_physical().cast(pl.Int64))

    def read() -> Iterator[NDArray[np.int64]]:
        for batch in times.collect_batches(chunk_size=BLOCK_ROWS, maintain_order=False):
            yield batch.to_series().to_numpy()

    starts = values_at(read, lambda _total: [min(place, rows - 1) for place in places])
    time = pl.col(split.field).to_physical().cast(pl.Int64)
    part = pl.lit(0, dtype=pl.UInt8)
    if validation:
        part = pl.when(time >= int(starts[0])).then(pl.lit(1, dtype=pl.UInt8)).otherwise(part)
    if test:
        part = pl.when(time >= int(starts[1])).then(pl.lit(2, dtype=pl.UInt8)).otherwise(part)
    return part


def by_user(split: SplitRule, column: str) -> pl.Expr:
    """Return the part of each row's user, by a hash of the id and the seed: in every version a user's part is the same.

    The shares are those of all users that there may be; those of a few users vary as chance has it.
    """

    def part(users: pl.Series) -> pl.Series:
        distinct = users.unique()
        hashes = [xxhash.xxh3_64_intdigest(user.encode(), seed=split.seed) for user in distinct]
        places = pl.Series([one / 2**64 for one in hashes], dtype=pl.Float64)
        parts = (places < split.test + split.validation).cast(pl.UInt8) + (places < split.test).cast(pl.UInt8)
        return users.replace_strict(distinct, parts, return_dtype=pl.UInt8)

    return pl.col(column).map_batches(part, return_dtype=pl.UInt8, is_elementwise=True)
