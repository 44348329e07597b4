"""Which columns refer to which, join with which, and which datasets are nearly the same; from sketches alone.

A candidate's confidence is the lower bound of how much of one column lies in the other, weighted by what the names say:
whole numbers from a range lie in each other by nature, so that there the names decide; texts that agree need no name.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import sparse

from assetgraph.inventory.relate.sketch import ColumnSketch

#: Columns that are compared with each other; their pairs grow with the square.
MOST_COLUMNS = 1000
#: Candidates below this confidence are not told, nor more than so many of one column.
LEAST_CONFIDENCE = 0.6
MOST_PER_COLUMN = 5
#: Distinct values of the contained column that must have been compared, unless it has fewer in all.
LEAST_COMPARED = 20
LEAST_DISTINCT = 3

_WORDS = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")


class RelationKind(StrEnum):
    """What a relation says: values of one column refer to a key, join with another column, or datasets repeat."""

    FOREIGN_KEY = "FOREIGN_KEY"
    JOINABLE = "JOINABLE"
    DUPLICATE = "DUPLICATE"


@dataclass(frozen=True)
class Column:
    """A column to compare: where it is, its name, its sketch, whether it is a key of its dataset."""

    dataset: int
    field: int
    dataset_name: str
    name: str
    sketch: ColumnSketch
    is_key: bool
    rows: int


@dataclass(frozen=True)
class Candidate:
    """A relation from one column to another; for DUPLICATE these are the first ones that agree.

    `containment` is the estimated share of the distinct values of `source` that `target` has.
    """

    kind: RelationKind
    source: Column
    target: Column
    confidence: float
    containment: float


def relations(columns: Sequence[Column], derived: Collection[tuple[int, int]]) -> list[Candidate]:
    """Return the candidates, the surest first.

    `derived` names pairs of datasets (smaller id first) of which one was made from the other, or both from a third:
    that they repeat and join is no news, so only foreign keys between them are told.
    """
    usable = [one for one in columns if one.sketch.distinct >= LEAST_DISTINCT][:MOST_COLUMNS]
    if len(usable) < 2:
        return []
    found, hits = [], _shared(usable)
    for at, other, shared in zip(hits.row, hits.col, hits.data, strict=True):
        source, target = usable[at], usable[other]
        if at == other:
            continue
        compared = _compared(source.sketch, target.sketch)
        if compared < min(LEAST_COMPARED, source.sketch.distinct):
            continue
        candidate = _column_candidate(source, target, int(shared), compared, derived)
        if candidate is not None:
            found.append(candidate)
    by_pair = {(int(a), int(b)): int(n) for a, b, n in zip(hits.row, hits.col, hits.data, strict=True)}
    found += _near_duplicates(usable, by_pair, derived)
    return _surest(found)


def _shared(columns: Sequence[Column]) -> sparse.coo_matrix:
    """Return how many hashes each two sketches share."""
    every = np.concatenate([one.sketch.hashes for one in columns])
    _, codes = np.unique(every, return_inverse=True)
    starts = np.cumsum([0, *(len(one.sketch.hashes) for one in columns)])
    ones = np.ones(len(codes), dtype=np.int64)
    holds = sparse.csr_matrix((ones, codes, starts), shape=(len(columns), int(codes.max()) + 1))
    return (holds @ holds.T).tocoo()


def _compared(one: ColumnSketch, other: ColumnSketch) -> int:
    """Return how many of the values of `one` the sketches compare: those below where the other's hashes end."""
    if other.is_exact:
        return len(one.hashes)
    return int(np.searchsorted(one.hashes, other.hashes[-1], side="right"))


def lower_bound(hits: int, tries: int) -> float:
    """Return the lower end of Wilson's 95 % interval of a share; of values known exactly nothing is taken off."""
    z = 1.96
    share = hits / tries
    middle = share + z * z / (2 * tries)
    reach = z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    return (middle - reach) / (1 + z * z / tries)


def _column_candidate(
    source: Column, target: Column, hits: int, compared: int, derived: Collection[tuple[int, int]]
) -> Candidate | None:
    whole = source.sketch.is_exact and target.sketch.is_exact
    contained = hits / compared
    sure = contained if whole else lower_bound(hits, compared)
    alike = likeness(source, target)
    within = source.dataset == target.dataset
    if target.is_key and contained >= 0.9 and not (source.is_key and source.sketch.distinct > target.sketch.distinct):
        # Of two keys the one with fewer values refers to the other; of equal ones, the later to the earlier.
        if source.is_key and source.sketch.distinct == target.sketch.distinct and source.field < target.field:
            return None
        kind = RelationKind.FOREIGN_KEY
    elif contained >= 0.7 and not (source.is_key or target.is_key or within):
        if _pair(source, target) in derived or (target.sketch.distinct, target.field) < (
            source.sketch.distinct,
            source.field,
        ):
            return None
        kind = RelationKind.JOINABLE
    else:
        return None
    if within and alike < 0.5:
        return None
    base = 0.0 if source.sketch.dense or target.sketch.dense else 0.3 if source.sketch.whole else 0.65
    return Candidate(kind, source, target, sure * (base + (1 - base) * alike), contained)


def likeness(source: Column, target: Column) -> float:
    """Return how far the names agree, 0 to 1: by their words, or by those of the target's dataset and name together."""
    mine, theirs = words(source.name), words(target.name)
    home = words(target.dataset_name.rpartition("/")[2])
    return max(_jaccard(mine, theirs), _jaccard(mine, theirs | home), _jaccard(mine, home) * 0.9)


def words(name: str) -> frozenset[str]:
    """Return the words of a name in lower case and without a plural's s: customerIDs is customer, id."""
    found = (one.lower() for one in _WORDS.findall(name))
    return frozenset(
        one[:-1] if len(one) > 2 and one.endswith("s") and not one.endswith("ss") else one for one in found
    )


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _pair(one: Column, other: Column) -> tuple[int, int]:
    return min(one.dataset, other.dataset), max(one.dataset, other.dataset)


def _near_duplicates(
    columns: Sequence[Column], hits: dict[tuple[int, int], int], derived: Collection[tuple[int, int]]
) -> list[Candidate]:
    """Return pairs of datasets whose columns of one name nearly all hold the same values, in as many rows."""
    by_dataset: dict[int, dict[str, int]] = defaultdict(dict)
    for at, column in enumerate(columns):
        by_dataset[column.dataset][column.name] = at
    touching = {_pair(columns[a], columns[b]) for a, b in hits if columns[a].name == columns[b].name}
    found = []
    for pair in sorted(touching - set(derived)):
        one, other = (by_dataset[dataset] for dataset in pair)
        names = [name for name in one if name in other]
        if pair[0] == pair[1] or len(names) < 2 or len(names) < 0.8 * max(len(one), len(other)):
            continue
        likes = [
            _overlap(columns[one[name]], columns[other[name]], hits.get((one[name], other[name]), 0)) for name in names
        ]
        rows = sorted(columns[side[names[0]]].rows for side in (one, other))
        ratio = rows[0] / rows[1]
        mean = sum(likes) / max(len(one), len(other))
        if mean >= 0.8 and ratio >= 0.8:
            # The later one repeats the earlier.
            late, early = (columns[side[names[0]]] for side in (other, one))
            found.append(Candidate(RelationKind.DUPLICATE, late, early, mean * ratio, mean))
    return found


def _overlap(one: Column, other: Column, shared: int) -> float:
    """Return the estimated share of the values of both columns that both have."""
    union = _compared(one.sketch, other.sketch) + _compared(other.sketch, one.sketch) - shared
    return shared / union if union else 0.0


def _surest(found: Sequence[Candidate]) -> list[Candidate]:
    kept: list[Candidate] = []
    seen: dict[int, int] = defaultdict(int)
    for one in sorted(found, key=lambda one: (-one.confidence, one.source.field, one.target.field)):
        if one.confidence >= LEAST_CONFIDENCE and seen[one.source.field] < MOST_PER_COLUMN:
            seen[one.source.field] += 1
            kept.append(one)
    return kept
