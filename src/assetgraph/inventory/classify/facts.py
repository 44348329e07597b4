"""What is seen of each column of a sample: kind, counts, range, and which share of its values has which form.

Shares are of distinct values, so that one frequent value does not speak for a column. All texts of a table are matched
in one go: a call of Polars costs more than what it does here.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Narrow:
    """A form that only values of some lengths can have, from `shortest` to `longest` characters."""

    name: str
    shortest: int
    longest: int
    letters: bool
    match: Callable[[str], object]


@cache
def _forms() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = tomllib.loads(
        (Path(__file__).parent / "data" / "forms.toml").read_text(encoding="utf-8")
    )
    return found


@cache
def wide_forms() -> dict[str, pl.Expr]:
    """Return how all texts are matched, by name of the form, and measured: #length, #words."""
    text = pl.col("text")
    found = {name: text.str.contains(pattern) for name, pattern in _forms()["wide"].items()}
    found |= {"#length": text.str.len_chars(), "#words": text.str.count_matches(r"\S+")}
    return {name: expr.cast(pl.Float32).alias(name) for name, expr in found.items()}


@cache
def narrow_forms() -> tuple[Narrow, ...]:
    """Return the forms of values of certain lengths."""
    return tuple(
        Narrow(name, entry["lengths"][0], entry["lengths"][1], "letters" in entry, re.compile(entry["form"]).match)
        for name, entry in _forms()["narrow"].items()
    )


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
        return sum(map(entries.__contains__, self.folded)) / len(self.folded) if self.folded else 0.0


def facts_of(table: Table) -> list[Facts]:
    """Return what is seen of each column, in order."""
    frame = table.sample.head(MOST_ROWS)
    names, kinds = frame.columns, [_kind(dtype) for dtype in frame.dtypes]
    # Other names, as one that begins with ^ is a pattern to Polars; one call for all, as each costs more than its work.
    plain = frame.clone()
    plain.columns = [str(place) for place in range(len(names))]
    wanted = [expr for place, kind in enumerate(kinds) for expr in _wanted(str(place), kind)]
    texts = [_stripped(str(place)) for place, kind in enumerate(kinds) if kind is Kind.TEXT]
    row = plain.lazy().with_columns(texts).select(wanted).collect(engine="in-memory").to_dict() if wanted else {}
    seen = {name: column[0] for name, column in row.items()}
    found = []
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        facts = Facts(name, kind, seen.get(f"{place}", 0), 0, 0, counts=table.counts.get(name))
        found.append(_seen(facts, f"{place}", len(frame), seen))
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


def _stripped(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def _wanted(name: str, kind: Kind) -> list[pl.Expr]:
    """Return what is asked of a column: values that are there, and the distinct ones or their years and number."""
    if kind in (Kind.NESTED, Kind.NOTHING):
        return []
    there = pl.col(name).drop_nulls()
    found = [pl.col(name).count().alias(name)]
    if kind in (Kind.DATE, Kind.MOMENT):
        years = there.dt.year().cast(pl.Float64)
        return [*found, there.n_unique().alias(f"{name}.distinct"), years.min().alias(f"{name}.low"),
                years.max().alias(f"{name}.high")]  # fmt: skip
    return [*found, there.unique(maintain_order=kind is Kind.TEXT).implode().alias(f"{name}.unique")]


def _seen(facts: Facts, at: str, rows: int, seen: dict[str, Any]) -> Facts:
    """Fill in what was seen of a column."""
    facts.nulls = rows - facts.present
    if not facts.present:
        facts.kind = Kind.NESTED if facts.kind is Kind.NESTED else Kind.NOTHING
        facts.nulls = rows
        return facts
    if facts.kind in (Kind.DATE, Kind.MOMENT):
        facts.distinct, facts.low, facts.high = (seen[f"{at}.{what}"] for what in ("distinct", "low", "high"))
        return facts
    unique: pl.Series = seen[f"{at}.unique"]
    facts.distinct = len(unique)
    if facts.is_numeric:
        _measure(facts, unique)
    if facts.kind is Kind.TEXT or (facts.kind is Kind.WHOLE and (facts.high or 0) >= 1000):
        some = unique.gather_every(max(1, len(unique) // MOST_VALUES)).head(MOST_VALUES).to_list()
        facts.values = [str(value)[:MATCHED_CHARS] for value in some]
        if facts.kind is Kind.TEXT:
            _date(facts)
    return facts


_YEAR = re.compile(r"(?:(\d{4})[-/.].*|\d{1,2}[-/.]\d{1,2}[-/.](\d{4})$)")


def _date(seen: Facts) -> None:
    """Keep the range of the years that dates written as text have."""
    if len(seen.values[0]) not in range(8, 11) or not seen.values[0][-1].isdigit():
        return
    found = [_YEAR.match(value) for value in seen.values]
    if all(found):
        years = [float(match.group(1) or match.group(2)) for match in found if match]
        seen.low, seen.high = min(years), max(years)


def _measure(seen: Facts, numbers: pl.Series) -> None:
    values: NDArray[np.float64] = numbers.cast(pl.Float64).to_numpy()
    finite = values[np.isfinite(values)]
    if not len(finite):
        return
    with np.errstate(over="ignore", invalid="ignore"):  # of the largest numbers
        seen.low, seen.high, seen.mean = float(finite.min()), float(finite.max()), float(finite.mean())
        seen.whole = bool((finite == np.round(finite)).all())
        cents = finite[:MOST_VALUES] * 100
        if seen.kind is Kind.NUMBER:
            seen.cents = float((np.abs(cents - np.round(cents)) < 1e-6).mean())


def _match(found: Sequence[Facts]) -> None:
    """Fill in the shares of forms, and lengths, of all columns with texts."""
    texts = pl.Series("text", [value for one in found for value in one.values], dtype=pl.String)
    if not len(texts):
        return
    matched = texts.to_frame().select(wide_forms().values()).to_numpy()
    names = list(wide_forms())
    at = 0
    for one in found:
        means = matched[at : at + len(one.values)].mean(axis=0)
        at += len(one.values)
        shares = dict(zip(names, means.tolist(), strict=True))
        one.length, one.words = shares.pop("#length"), shares.pop("#words")
        one.forms = {name: share for name, share in shares.items() if share}
        one.forms |= _narrow(one.values, one.share("digit") > 0)
        one.forms |= checksum_shares(one.values, one.forms)


def _narrow(values: Sequence[str], digits: bool) -> dict[str, float]:
    """Return the shares of values that have forms of certain lengths."""
    lengths = [len(value) for value in values]
    least, most = min(lengths), max(lengths)
    found = {}
    for form in narrow_forms():
        if form.shortest > most or form.longest < least or not (digits or form.letters):
            continue
        low, high = form.shortest, form.longest
        some = values if low <= least and most <= high else [
            value for value, length in zip(values, lengths, strict=True) if low <= length <= high
        ]  # fmt: skip
        count = len(list(filter(None, map(form.match, some))))
        if count:
            found[form.name] = count / len(values)
    return found
