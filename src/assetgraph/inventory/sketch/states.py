"""The mergeable state of a profiled table: a function of the rows seen, whatever order and partition they came in.

Only the moments may differ in their last digits by the order of merging, and `Order` needs the parts in order.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from assetgraph.errors import Invalid
from assetgraph.inventory.sketch import distinct as counting
from assetgraph.inventory.sketch import sampling
from assetgraph.inventory.sketch.distinct import Exact, Hashed
from assetgraph.inventory.sketch.sampling import Sample

#: How values are kept: 64-bit integers (whole numbers, truth, times), floats, texts, bytes, numbers beyond 64 bits,
#: nested values by hash, or none at all.
Kind = Literal["integer", "float", "text", "bytes", "big", "nested", "null"]
Value = int | float | str | bytes
#: Names the algorithm of the fingerprint; a change of what is hashed needs a new one.
FINGERPRINT = "agc2:"
#: Characters of a text, or bytes of bytes, that a state keeps.
KEPT_LENGTH = 257
#: Buckets that a range of times is divided into, at least half of them in use.
BUCKETS = 8_192


@dataclass(frozen=True)
class Moments:
    """Counts and moments of numbers; mean and m2 (sum of squared distances from the mean) are of the finite ones."""

    finite: int = 0
    mean: float = 0.0
    m2: float = 0.0
    zeros: int = 0
    negatives: int = 0
    nans: int = 0
    positive_infinities: int = 0
    negative_infinities: int = 0

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both together (Chan)."""
        finite = self.finite + other.finite
        distance = other.mean - self.mean
        share = other.finite / finite if finite else 0.0
        if not self.finite or not other.finite:
            kept = self if self.finite else other
            mean, m2 = kept.mean, kept.m2
        else:
            mean = self.mean * (1.0 - share) + other.mean * share
            m2 = self.m2 + other.m2 + distance * distance * share * self.finite
        return Moments(
            finite, mean, m2, self.zeros + other.zeros, self.negatives + other.negatives, self.nans + other.nans,
            self.positive_infinities + other.positive_infinities, self.negative_infinities + other.negative_infinities,
        )  # fmt: skip


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts and bytes, in bytes; of lists, in elements."""

    shortest: int
    longest: int
    total: int
    empties: int

    def merged(self, other: "Lengths") -> "Lengths":
        """Return the lengths of both together."""
        return Lengths(
            min(self.shortest, other.shortest), max(self.longest, other.longest), self.total + other.total,
            self.empties + other.empties,
        )  # fmt: skip


@dataclass(frozen=True)
class Order:
    """How values follow each other, nulls left out: never falling, never rising; if so, whether no two are equal."""

    first: Value
    last: Value
    never_falls: bool = True
    never_rises: bool = True
    strict: bool = True

    def then(self, later: "Order") -> "Order":
        """Return the order of these values followed by those."""
        rises = self.never_falls and later.never_falls and bool(self.last <= later.first)  # type: ignore[operator]
        falls = self.never_rises and later.never_rises and bool(self.last >= later.first)  # type: ignore[operator]
        if isinstance(self.last, str | bytes) and self.last == later.first and len(self.last) == KEPT_LENGTH:
            # What follows the kept part decides, and is not known any more: no order is claimed.
            rises = falls = False
        strict = self.strict and later.strict and self.last != later.first and (rises or falls)
        return Order(self.first, later.last, rises, falls, strict)


@dataclass(frozen=True, eq=False)
class Spans:
    """Which buckets of 2^shift a range of times has values in; `base` is the first bucket's number."""

    shift: int
    base: int
    taken: NDArray[np.bool_]

    def widened(self, shift: int) -> "Spans":
        """Return it with wider buckets."""
        places = (np.flatnonzero(self.taken) + self.base) >> (shift - self.shift)
        return spans_of(places, shift)

    def merged(self, other: "Spans") -> "Spans":
        """Return the spans of both together."""
        shift = max(self.shift, other.shift)
        low = min(self.base << self.shift, other.base << other.shift)
        high = max((one.base + len(one.taken) - 1) << one.shift for one in (self, other))
        while (high >> shift) - (low >> shift) >= BUCKETS:
            shift += 1
        places = [np.flatnonzero(one.taken) + one.base for one in (self, other)]
        moved = [place >> (shift - one.shift) for place, one in zip(places, (self, other), strict=True)]
        return spans_of(np.concatenate(moved), shift)

    def largest_gap(self) -> tuple[int, int]:
        """Return the bounds of the longest time without a value between two that have one."""
        steps = np.diff(np.flatnonzero(self.taken))
        widest = int(steps.max()) if len(steps) else 0
        return max(widest - 1, 0) << self.shift, (widest + 1) << self.shift


def spans_of(places: NDArray[np.int64], shift: int) -> Spans:
    """Return the spans of bucket numbers."""
    base = int(places.min())
    taken = np.zeros(int(places.max()) - base + 1, dtype=np.bool_)
    taken[places - base] = True
    return Spans(shift, base, taken)


def spans_of_values(values: NDArray[np.int64]) -> Spans:
    """Return the spans of times, int64 (n,), n > 0."""
    return spans_of(values >> (shift := span_shift(int(values.min()), int(values.max()))), shift)


def span_shift(low: int, high: int) -> int:
    """Return the narrowest width of buckets, as a power of two, that a range fits in."""
    shift = 0
    while (high >> shift) - (low >> shift) >= BUCKETS:
        shift += 1
    return shift


@dataclass(frozen=True, eq=False)
class ColumnState:
    """What is known of a column; `rows` counts all its values, nulls included.

    path: the column's name; fields of a struct by dotted path, elements of a list as `items[]`.
    dtype: our own name of its type (`hashing.type_name`).
    """

    path: str
    dtype: str
    kind: Kind
    rows: int
    nulls: int
    values: Exact | Hashed
    sample: Sample
    low: Value | None = None
    high: Value | None = None
    moments: Moments | None = None
    lengths: Lengths | None = None
    #: None where parts were merged out of order.
    order: Order | None = None
    spans: Spans | None = None

    @property
    def present(self) -> int:
        """How many values are not null."""
        return self.rows - self.nulls

    def merged(self, other: "ColumnState", *, ordered: bool = False) -> "ColumnState":
        """Return the state of both together; `ordered`: the other's rows follow."""
        if (self.path, self.dtype) != (other.path, other.dtype):
            raise Invalid(f"'{self.path}' ({self.dtype}) cannot be merged with '{other.path}' ({other.dtype})")
        return replace(
            self,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            values=counting.merged(self.values, other.values),
            sample=sampling.joined([self.sample, other.sample]),
            low=_either(min, self.low, other.low),
            high=_either(max, self.high, other.high),
            moments=_either(Moments.merged, self.moments, other.moments),
            lengths=_either(Lengths.merged, self.lengths, other.lengths),
            spans=_either(Spans.merged, self.spans, other.spans),
            order=self._order_with(other) if ordered else None,
        )

    def quantiles(self, shares: Any) -> NDArray[np.float64]:
        """Return the values at shares of the finite numbers, as `distribution.quantiles` does."""
        from assetgraph.inventory.sketch import distribution

        return distribution.quantiles(self, shares)

    def cdf(self, values: Any) -> NDArray[np.float64]:
        """Return the shares of the finite numbers that are not above the given ones."""
        from assetgraph.inventory.sketch import distribution

        return distribution.cdf(self, values)

    def frequent(self, limit: int = 10) -> Any:
        """Return the most frequent values with their counts, as `distribution.frequent` does."""
        from assetgraph.inventory.sketch import distribution

        return distribution.frequent(self, limit)

    def distinct(self) -> tuple[int, float]:
        """Return the number of distinct values and its relative standard error."""
        from assetgraph.inventory.sketch import distribution

        return distribution.distinct_count(self)

    def _order_with(self, other: "ColumnState") -> Order | None:
        if not self.present or not other.present:
            return other.order if not self.present else self.order
        return self.order.then(other.order) if self.order and other.order else None


def _either(join: Any, one: Any, two: Any) -> Any:
    if one is None or two is None:
        return two if one is None else one
    return join(one, two)


@dataclass(frozen=True, eq=False)
class TableState:
    """What is known of a table: rows, the two sums of its rows' hashes, and its columns by path, parents first."""

    rows: int
    sums: tuple[int, int]
    #: Names and types of the columns of the table itself, which the fingerprint covers.
    schema: tuple[tuple[str, str], ...]
    columns: dict[str, ColumnState]

    def merged(self, other: "TableState", *, ordered: bool = False) -> "TableState":
        """Return the state of both together; `ordered`: the other's rows follow. Raises Invalid for other columns."""
        if sorted(self.schema) != sorted(other.schema):
            raise Invalid("only states of tables with equal columns can be merged")
        sums = tuple((one + two) % 2**64 for one, two in zip(self.sums, other.sums, strict=True))
        columns = {path: column.merged(other.columns[path], ordered=ordered) for path, column in self.columns.items()}
        return TableState(self.rows + other.rows, (sums[0], sums[1]), self.schema, columns)


def merge(one: TableState, two: TableState, *, ordered: bool = False) -> TableState:
    """Return the state of two tables, or parts of one, together."""
    return one.merged(two, ordered=ordered)


def fingerprint(state: TableState) -> str:
    """Return the fingerprint of a table's content: `agc2:` and 32 hexadecimal digits."""
    parts = [f"{len(name)}:{name}\0{kind}" for name, kind in sorted(state.schema)]
    parts += [str(state.rows), *(f"{one:016x}" for one in state.sums)]
    return FINGERPRINT + xxhash.xxh3_128_hexdigest("\n".join(parts).encode())
