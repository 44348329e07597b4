"""Ids of users and items become dense numbers, in the order of their texts."""

from pathlib import Path

import polars as pl

#: Ids that wait until they are put together with those that are known.
MOST_WAITING = 1 << 20


class Ids:
    """The distinct ids of a column: 16 bytes each, and the text of those longer than 12 bytes."""

    def __init__(self) -> None:
        self._known = pl.Series(dtype=pl.String)
        self._waiting: list[pl.Series] = []
        self._held = 0

    def add(self, ids: pl.Series) -> None:
        """Add the ids of some rows."""
        self._waiting.append(_alone(ids.unique()))
        self._held += len(self._waiting[-1])
        if self._held > max(MOST_WAITING, len(self._known)):
            self._together()

    def ordered(self) -> pl.Series:
        """Return each id once, sorted."""
        self._together()
        return self._known.sort()

    def _together(self) -> None:
        self._known = _alone(pl.concat([self._known, *self._waiting]).unique())
        self._waiting, self._held = [], 0


def _alone(texts: pl.Series) -> pl.Series:
    """Return texts in memory of their own: Polars' are views that keep the whole piece that they came in."""
    # Without a name: Arrow's have no NUL, with which ours begin.
    return pl.Series(texts.rename("").to_arrow(compat_level=pl.CompatLevel.oldest()), dtype=pl.String)


def write_ids(path: Path, name: str, known: pl.Series) -> None:
    """Write which `<name>_id` each `<name>_index` is."""
    index = pl.int_range(len(known), dtype=pl.Int64, eager=True).alias(f"{name}_index")
    pl.DataFrame([index, known.alias(f"{name}_id")]).write_parquet(path)


def index_of(column: str, known: pl.Series) -> pl.Expr:
    """Return the places of a column's ids among the known ones, which are sorted."""

    def places(ids: pl.Series) -> pl.Series:
        once = ids.unique()
        return ids.replace_strict(once, known.search_sorted(once).cast(pl.Int64), return_dtype=pl.Int64)

    return pl.col(column).map_batches(places, return_dtype=pl.Int64, is_elementwise=True)
