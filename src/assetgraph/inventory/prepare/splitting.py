"""Which part each row belongs to: 0 train, 1 validation, 2 test."""

import polars as pl
import xxhash

from assetgraph.inventory.prepare.ranks import Read, values_at
from assetgraph.inventory.prepare.rules import SplitRule

PARTS = ("train", "validation", "test")


def by_time(read: Read, split: SplitRule, rows: int) -> tuple[pl.Expr, int | None]:
    """Return the part by time, and the time at which the training part ends (None: it has all rows).

    The newest `test` of the rows are the test, those before them the validation. Rows of one moment are not parted, so
    that a part may get more than its share. `read` gives the times of the `rows` that stay as whole numbers.
    """
    test = round(rows * split.test)
    validation = round(rows * split.validation)
    places = [max(rows - test - validation, 0), max(rows - test, 0)]
    starts = values_at(read, lambda _total: [min(place, rows - 1) for place in places])
    time = as_number(split.field)
    part = pl.lit(0, dtype=pl.UInt8)
    if validation:
        part = pl.when(time >= int(starts[0])).then(pl.lit(1, dtype=pl.UInt8)).otherwise(part)
    if test:
        part = pl.when(time >= int(starts[1])).then(pl.lit(2, dtype=pl.UInt8)).otherwise(part)
    return part, int(starts[0]) if validation or test else None


def as_number(field: str) -> pl.Expr:
    """Return a time as the whole number that it is held as."""
    return pl.col(field).to_physical().cast(pl.Int64)


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
