"""The rules of a preparation, and what is wrong with them before any data is read."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import polars as pl

from assetgraph.errors import Invalid, Limit, NotFound

#: Rules of one preparation, all kinds together.
MOST_RULES = 200
MOST_FORMATS = 20
PATTERN_LENGTH = 500

#: Formats for whole numbers since 1970, and the unit of each.
EPOCHS = {"epoch": "s", "epoch_ms": "ms", "epoch_us": "us"}

_NUMBERS = ("int", "uint", "float", "decimal", "double", "bigint", "real", "numeric")
_TEXTS = ("str", "utf8", "varchar", "char", "text", "categorical", "enum")
_TIMES = ("date", "timestamp")


class Case(StrEnum):
    """What becomes of letters: KEEP, LOWER or UPPER."""

    KEEP = "KEEP"
    LOWER = "LOWER"
    UPPER = "UPPER"


class OutlierMethod(StrEnum):
    """By which bounds a number is an outlier: QUANTILE, or MAD (median absolute deviation)."""

    QUANTILE = "QUANTILE"
    MAD = "MAD"


class Keep(StrEnum):
    """Which of several rows with one key stays: the FIRST or the LAST in the data's order."""

    FIRST = "FIRST"
    LAST = "LAST"


class ScaleMethod(StrEnum):
    """How numbers are normalised: MIN_MAX to 0..1, or Z_SCORE to mean 0 and deviation 1."""

    MIN_MAX = "MIN_MAX"
    Z_SCORE = "Z_SCORE"


class SplitBy(StrEnum):
    """What decides a row's part: TIME (the newest rows are the test), or USER (whole users, by a seeded hash)."""

    TIME = "TIME"
    USER = "USER"


@dataclass(frozen=True)
class TextRule:
    """Text becomes NFC, trimmed, with runs of white space as one space; what is empty then is null."""

    field: str
    case: Case = Case.KEEP


@dataclass(frozen=True)
class TimeRule:
    """Text becomes a time by the first format that fits: strftime's (`%m/%d/%y %H:%M`), or one of EPOCHS."""

    field: str
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class PatternRule:
    """Rows whose text matches a regular expression (Rust's syntax) are dropped."""

    field: str
    pattern: str


@dataclass(frozen=True)
class OutlierRule:
    """Rows beyond bounds are dropped; QUANTILE: below `low` or above `high`; MAD: further than `bound` from the median.

    `bound` counts deviations: 1.4826 times the median absolute deviation is one, as it is of normal data.
    """

    field: str
    method: OutlierMethod = OutlierMethod.QUANTILE
    low: float = 0.0
    high: float = 1.0
    bound: float = 10.0


@dataclass(frozen=True)
class DuplicateRule:
    """Of rows that agree in these columns (all when none is named) one stays."""

    fields: tuple[str, ...] = ()
    keep: Keep = Keep.FIRST


@dataclass(frozen=True)
class ScaleRule:
    """A number is normalised in place; what it takes is learnt of the training part alone."""

    field: str
    method: ScaleMethod = ScaleMethod.MIN_MAX


@dataclass(frozen=True)
class SplitRule:
    """Every row goes to train, validation or test; `field` holds the times, or the users."""

    by: SplitBy
    field: str
    validation: float = 0.1
    test: float = 0.1
    seed: int = 42

    def share(self, part: str) -> float:
        """Return the share of a part by its name."""
        return {"validation": self.validation, "test": self.test}.get(part, 1 - self.validation - self.test)


@dataclass(frozen=True)
class Rules:
    """All rules, in the order in which they are applied; a row is counted by the first rule that drops it."""

    text: tuple[TextRule, ...] = ()
    times: tuple[TimeRule, ...] = ()
    required: tuple[str, ...] = ()
    excluded: tuple[PatternRule, ...] = ()
    positive: tuple[str, ...] = ()
    outliers: tuple[OutlierRule, ...] = ()
    duplicates: DuplicateRule | None = None
    scaled: tuple[ScaleRule, ...] = ()
    user_field: str | None = None
    item_field: str | None = None
    split: SplitRule | None = None

    def plain(self) -> dict[str, Any]:
        """Return the rules as values that JSON holds."""
        return asdict(self)

    @staticmethod
    def of(plain: Mapping[str, Any]) -> "Rules":
        """Return the rules of what `plain` gave."""
        made: dict[str, Any] = dict(plain)
        for name, kind in _LISTS.items():
            made[name] = tuple(_made(kind, one) for one in plain[name])
        for name in ("required", "positive"):
            made[name] = tuple(plain[name])
        for name, kind in (("duplicates", DuplicateRule), ("split", SplitRule)):
            made[name] = None if plain[name] is None else _made(kind, plain[name])
        return Rules(**made)

    def named(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield every column that a rule names, with its place in the input."""
        for name in ("required", "positive"):
            for place, field in enumerate(getattr(self, name)):
                yield field, (name, str(place))
        for name in _LISTS:
            for place, rule in enumerate(getattr(self, name)):
                yield rule.field, (name, str(place), "field")
        for place, field in enumerate(self.duplicates.fields if self.duplicates else ()):
            yield field, ("duplicates", "fields", str(place))
        for name, field in (("userField", self.user_field), ("itemField", self.item_field)):
            if field is not None:
                yield field, (name,)
        if self.split is not None:
            yield self.split.field, ("split", "field")


_LISTS: dict[str, Any] = {
    "text": TextRule, "times": TimeRule, "excluded": PatternRule, "outliers": OutlierRule, "scaled": ScaleRule,
}  # fmt: skip
_ENUMS: dict[str, Any] = {"case": Case, "keep": Keep, "by": SplitBy}


def _made(kind: Any, plain: Mapping[str, Any]) -> Any:
    methods = {OutlierRule: OutlierMethod, ScaleRule: ScaleMethod}
    said = dict(plain)
    for one in fields(kind):
        if one.name == "method":
            said["method"] = methods[kind](said["method"])
        elif one.name in _ENUMS:
            said[one.name] = _ENUMS[one.name](said[one.name])
        elif isinstance(said[one.name], list):
            said[one.name] = tuple(said[one.name])
    return kind(**said)


def check_rules(rules: Rules) -> None:
    """Refuse values out of range, bad patterns and bad formats; raises Invalid or Limit with the place in the input."""
    count = sum(1 for _ in rules.named())
    if count > MOST_RULES:
        raise Limit(f"the rules name {count} columns; at most {MOST_RULES} are allowed", path=("rules",))
    for name in _LISTS:
        seen: set[str] = set()
        for place, rule in enumerate(getattr(rules, name)):
            if rule.field in seen and name != "excluded":
                raise Invalid(f"column '{rule.field}' has two rules", path=("rules", name, str(place), "field"))
            seen.add(rule.field)
    for place, rule in enumerate(rules.times):
        if len(rule.formats) > MOST_FORMATS or not all(0 < len(one) <= 100 for one in rule.formats):
            path = ("rules", "times", str(place), "formats")
            raise Invalid(f"give up to {MOST_FORMATS} formats of 1 to 100 characters", path=path)
    for place, rule in enumerate(rules.excluded):
        _check_pattern(rule.pattern, ("rules", "excluded", str(place), "pattern"))
    for place, rule in enumerate(rules.outliers):
        _check_outliers(rule, ("rules", "outliers", str(place)))
    if rules.split is not None:
        _check_split(rules.split)


def _check_pattern(pattern: str, path: tuple[str, ...]) -> None:
    if not 0 < len(pattern) <= PATTERN_LENGTH:
        raise Invalid(f"a pattern has 1 to {PATTERN_LENGTH} characters", path=path)
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        reason = next((line for line in str(error).splitlines() if line.startswith("error:")), "error: not understood")
        raise Invalid(f"'{pattern}' is no regular expression ({reason.removeprefix('error: ')})", path=path) from error


def _check_outliers(rule: OutlierRule, path: tuple[str, ...]) -> None:
    if rule.method is OutlierMethod.QUANTILE:
        if not 0 <= rule.low < rule.high <= 1:
            raise Invalid(
                f"low and high are quantiles, 0 <= low < high <= 1, not {rule.low} and {rule.high}", path=path
            )
        if (rule.low, rule.high) == (0, 1):
            raise Invalid("low 0 and high 1 drop nothing; give one of them", path=path)
    elif not (math.isfinite(rule.bound) and rule.bound > 0):
        raise Invalid(f"bound must be a number above 0, not {rule.bound}", path=(*path, "bound"))


def _check_split(split: SplitRule) -> None:
    for name in ("validation", "test"):
        share = getattr(split, name)
        if not 0 <= share < 1:
            raise Invalid(f"{name} must be from 0 to less than 1, not {share}", path=("rules", "split", name))
    if not 0 < split.validation + split.test < 1:
        message = f"validation and test together must leave rows to train, and be more than 0, not {split.validation}"
        raise Invalid(f"{message} and {split.test}", path=("rules", "split"))
    if not 0 <= split.seed < 2**31:
        raise Invalid(f"seed must be from 0 to {2**31 - 1}, not {split.seed}", path=("rules", "split", "seed"))


def check_fields(rules: Rules, types: Mapping[str, str]) -> None:
    """Refuse columns that the data does not have, or whose type a rule cannot work on; `types` by name."""
    for field, path in rules.named():
        if field not in types:
            raise NotFound(f"the dataset has no column '{field}'", path=("rules", *path), known=types)
    timed = {rule.field for rule in rules.times}
    for place, rule in enumerate(rules.times):
        kind, at = types[rule.field].lower(), ("rules", "times", str(place))
        if kind.startswith(_TEXTS) and not set(rule.formats) - set(EPOCHS):
            raise Invalid(f"column '{rule.field}' is text; say how its times are written", path=(*at, "formats"))
        if kind.startswith(_NUMBERS) and not set(rule.formats) & set(EPOCHS):
            known = list(EPOCHS)
            message = f"column '{rule.field}' is {types[rule.field]}; say which times its numbers are"
            raise Invalid(message, path=(*at, "formats"), known=known)
        _check_type(rule.field, types, (*_TEXTS, *_TIMES, *_NUMBERS), "a time", at)
    for name, kinds, what in (
        ("text", _TEXTS, "text"), ("excluded", _TEXTS, "text"), ("outliers", _NUMBERS, "a number"),
        ("scaled", _NUMBERS, "a number"),
    ):  # fmt: skip
        for place, rule in enumerate(getattr(rules, name)):
            _check_type(rule.field, types, kinds, what, (name, str(place), "field"))
    for place, field in enumerate(rules.positive):
        _check_type(field, types, _NUMBERS, "a number", ("positive", str(place)))
    split = rules.split
    if split is not None and split.by is SplitBy.TIME and split.field not in timed:
        _check_type(split.field, types, _TIMES, "a time (add a rule to `times`)", ("split", "field"))
    made = [name for name, field in MADE.items() if getattr(rules, field) is not None and name in types]
    if made:
        raise Invalid(f"the dataset has a column '{made[0]}' already, which the mapping makes", path=("rules",))


#: Columns that mappings add, and the rule that asks for them.
MADE = {"user_index": "user_field", "item_index": "item_field"}


def _check_type(field: str, types: Mapping[str, str], kinds: tuple[str, ...], what: str, path: tuple[str, ...]) -> None:
    if not types[field].lower().startswith(kinds):
        known = [name for name, kind in types.items() if kind.lower().startswith(kinds)]
        message = f"column '{field}' is {types[field]}, not {what}"
        raise Invalid(message, path=("rules", *path), known=known or ["(no such column)"])
