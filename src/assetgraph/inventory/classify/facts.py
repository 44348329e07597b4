"""What is seen of each column of a sample: kind, counts, range, and which share of its values has which form.

Shares are of distinct values, so that one frequent value does not speak for a column. All texts of a table are matched
in one go: a call of Polars costs more than what it does here.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assetgraph.inventory.classify.checks import checksum_shares
from assetgraph.inventory.classify.kinds import Counts, Table
from assetgraph.inventory.classify.texts import folded

if TYPE_CHECKING:
    from assetgraph.inventory.classify.people import People

#: Rows of a sample that are looked at, and distinct values of a column that are matched and looked up.
MOST_ROWS, MOST_VALUES, MOST_LOOKED_UP = 10_000, 150, 100
#: Longest part of a text that is matched, in characters.
MATCHED_CHARS = 160


class Kind(StrEnum):
    """What values are by their type."""

    TRUTH = "truth"
    WHOLE = "whole"
    NUMBER = "number"
    DATE = "date"
    MOMENT = "moment"
    TEXT = "text"
    NOTHING = "nothing"
    NESTED = "nested"


@cache
def forms() -> dict[str, str]:
    """Return the regular expressions that texts are matched against, by name."""
    found: dict[str, str] = tomllib.loads((Path(__file__).parent / "data" / "forms.toml").read_text(encoding="utf-8"))
    return found


@dataclass
class Facts:
    """What is seen of a column; ratios are of the sample's values that are not null."""

    name: str
    kind: Kind
    present: int
    distinct: int
    nulls: int
    values: list[str] = field(default_factory=list)
    forms: dict[str, float] = field(default_factory=dict)
    #: Mean length in characters, mean number of words.
    length: float = 0.0
    words: float = 0.0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    #: Whether all numbers are whole, and the share with at most two decimals.
    whole: bool = False
    cents: float = 0.0
    counts: Counts | None = None

    @property
    def ratio(self) -> float:
        """Distinct values per value: 1 for a key."""
        return self.distinct / self.present if self.present else 0.0

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return self.kind is Kind.TEXT

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in (Kind.WHOLE, Kind.NUMBER)

    def share(self, form: str) -> float:
        """Return which share of the values has a form."""
        return self.forms.get(form, 0.0)

    @cached_property
    def folded(self) -> list[str]:
        """Some values as look-ups want them."""
        step = max(1, len(self.values) // MOST_LOOKED_UP)
        return [folded(value) for value in self.values[::step][:MOST_LOOKED_UP]]

    @cached_property
    def people(self) -> "People":
        """How much its values are like names of people."""
        from assetgraph.inventory.classify.people import people_in

        return people_in(self)

    def among(self, entries: frozenset[str]) -> float:
        """Return the share of values that are entries of a list."""
        return sum(value in entries for value in self.folded) / len(self.folded) if self.folded else 0.0


def facts_of(table: Table) -> list[Facts]:
    """Return what is seen of each column, in order."""
    frame = table.sample.head(MOST_ROWS)
    found = [_seen(column, table.counts.get(column.name)) for column in frame]
    _match([one for one in found if one.values])
    return found


def _kind(dtype: pl.DataType) -> Kind:
    if dtype == pl.Boolean:
        return Kind.TRUTH
    if dtype.is_integer():
        return Kind.WHOLE
    if dtype.is_float() or dtype.is_decimal():
        return Kind.NUMBER
    if dtype == pl.Date:
        return Kind.DATE
    if isinstance(dtype, pl.Datetime):
        return Kind.MOMENT
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return Kind.TEXT
    return Kind.NOTHING if dtype == pl.Null else Kind.NESTED


def _seen(column: pl.Series, counts: Counts | None) -> Facts:
    kind = _kind(column.dtype)
    if kind is Kind.TEXT:
        column = column.cast(pl.String) if column.dtype != pl.String else column
        column = column.str.strip_chars()
        column = column.set(column == "", None)
    present = column.drop_nulls()
    if kind in (Kind.NESTED, Kind.NOTHING) or not len(present):
        return Facts(column.name, Kind.NOTHING if kind is not Kind.NESTED else kind, 0, 0, len(column), counts=counts)
    unique = present.unique(maintain_order=kind is Kind.TEXT)
    seen = Facts(column.name, kind, len(present), len(unique), len(column) - len(present), counts=counts)
    if seen.is_numeric:
        _measure(seen, unique.cast(pl.Float64))
    elif kind in (Kind.DATE, Kind.MOMENT):
        years = unique.dt.year()
        seen.low, seen.high = float(years.min() or 0), float(years.max() or 0)  # type: ignore[arg-type]
    if kind is Kind.TEXT or (kind is Kind.WHOLE and (seen.high or 0) >= 1000):
        step = max(1, len(unique) // MOST_VALUES)
        texts = unique.gather_every(step).head(MOST_VALUES).cast(pl.String)
        seen.values = [text[:MATCHED_CHARS] for text in texts.to_list()]
        if kind is Kind.TEXT:
            _date(seen, texts)
    return seen


def _date(seen: Facts, texts: pl.Series) -> None:
    """Keep the range of the years that dates written as text have."""
    if len(seen.values[0]) not in range(8, 11) or not seen.values[0][-1].isdigit():
        return
    years = texts.str.extract(r"^(?:(\d{4})[-/.]|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}$)", 1).drop_nulls().cast(pl.Float64)
    ends = texts.str.extract(r"^\d{1,2}[-/.]\d{1,2}[-/.](\d{4})$", 1).drop_nulls().cast(pl.Float64)
    if len(years) + len(ends) == len(texts):
        both = pl.concat([years, ends])
        seen.low, seen.high = float(both.min() or 0), float(both.max() or 0)  # type: ignore[arg-type]


def _measure(seen: Facts, numbers: pl.Series) -> None:
    finite = numbers.filter(numbers.is_finite())
    if not len(finite):
        return
    values = finite.to_numpy()
    seen.low, seen.high, seen.mean = float(values.min()), float(values.max()), float(values.mean())
    seen.whole = bool((finite == finite.round(0)).all())
    if seen.kind is Kind.NUMBER:
        some = finite.head(MOST_VALUES)
        seen.cents = float(((some * 100 - (some * 100).round(0)).abs() < 1e-6).mean())  # type: ignore[arg-type]


def _match(found: Sequence[Facts]) -> None:
    """Fill in the shares of forms, and lengths, of all columns with texts."""
    texts = pl.Series("text", [value for one in found for value in one.values], dtype=pl.String)
    if not len(texts):
        return
    text = pl.col("text")
    exprs = [text.str.contains(pattern).cast(pl.Float32).alias(name) for name, pattern in forms().items()]
    exprs += [text.str.len_chars().cast(pl.Float32).alias("#length"), text.str.count_matches(r"\S+").alias("#words")]
    matched = texts.to_frame().select(exprs).to_numpy()
    names = [*forms(), "#length", "#words"]
    at = 0
    for one in found:
        means = matched[at : at + len(one.values)].mean(axis=0)
        at += len(one.values)
        shares = dict(zip(names, means.tolist(), strict=True))
        one.length, one.words = shares.pop("#length"), shares.pop("#words")
        one.forms = {name: share for name, share in shares.items() if share}
        one.forms |= checksum_shares(one.values, one.forms)
