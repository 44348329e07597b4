"""Candidate keys: columns, and pairs of columns, whose values tell every row from the others; verified exactly."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from assetgraph.inventory.prepare.duplicates import duplicates
from assetgraph.inventory.prepare.rules import Keep

#: Keys that are told of one dataset.
MOST_KEYS = 20
#: Pairs that are looked at on the first rows, and of those pairs that are looked at on all.
MOST_PAIRS, MOST_VERIFIED = 60, 10
FIRST_ROWS = 100_000
#: How far an estimated number of distinct values may lie below the truth.
SLACK = 0.9
BATCH_ROWS = 1 << 17


def candidate_keys(
    frame: pl.LazyFrame, rows: int, distinct: Mapping[str, int], nulls: Mapping[str, int], folder: Path
) -> list[tuple[str, ...]]:
    """Return single columns in the order of the table, then pairs of those that are no keys by themselves.

    `distinct` may be estimated (see SLACK) and chooses what is looked at; columns with nulls are no keys. Hashes are
    spilled into `folder`, which is there.
    """
    if rows < 2:
        return []
    full = [name for name in distinct if not nulls.get(name)]
    first = frame.head(FIRST_ROWS).select(full).collect() if full else pl.DataFrame()
    singles = [
        name for name in full if distinct[name] >= SLACK * rows and not first.get_column(name).is_duplicated().any()
    ]  # fmt: skip
    keys: list[tuple[str, ...]] = []
    keys += [(name,) for name in singles if _is_key(frame, (name,), rows, folder)][:MOST_KEYS]
    rest = [name for name in full if (name,) not in keys and distinct[name] > 1]
    enough = (pair for pair in itertools.combinations(rest, 2) if distinct[pair[0]] * distinct[pair[1]] >= SLACK * rows)
    pairs = sorted(enough, key=lambda pair: -distinct[pair[0]] * distinct[pair[1]])
    likely = [pair for pair in pairs[:MOST_PAIRS] if not first.select(pair).is_duplicated().any()]
    keys += [pair for pair in likely[:MOST_VERIFIED] if _is_key(frame, pair, rows, folder)]
    return keys[:MOST_KEYS]


def _is_key(frame: pl.LazyFrame, names: Sequence[str], rows: int, folder: Path) -> bool:
    numbered = frame.with_row_index("\0row").select("\0row", *names)
    batches = numbered.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)
    return duplicates(batches, "\0row", rows, Keep.FIRST, folder).count == 0
