"""What a check may ask: typed rules, their JSON form (which is the contract's `expression`), and what they say.

There is no language of expressions. A rule is JSON with one key, its kind: `{"inRange": {"field": "price", "min": 0}}`;
GraphQL's input, the command line's file and what is stored have this one form. Rules judge values that are there: null
(and NaN, where order is asked for) is what `notNull` is for.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, get_type_hints

import polars as pl

from assetgraph.clock import as_utc
from assetgraph.errors import Invalid
from assetgraph.ids import normalised
from assetgraph.quality.tables import Severity
from assetgraph.quality.values import Family, parsed

MAX_PATTERN_CHARS = 1000
MAX_SET_VALUES = 10_000
MAX_KEY_FIELDS = 8
MAX_VALUE_CHARS = 250
Path = tuple[str, ...]


class DriftMeasure(StrEnum):
    """How the distance of two distributions is measured."""

    PSI = "PSI"
    KOLMOGOROV_SMIRNOV = "KOLMOGOROV_SMIRNOV"
    JENSEN_SHANNON = "JENSEN_SHANNON"


@dataclass(frozen=True)
class Reference:
    """A column of another dataset, by the dataset's name."""

    namespace: str
    name: str
    field: str


@dataclass(frozen=True)
class Rule:
    """Base of the rules."""

    #: The kinds of column that it can judge; empty: every kind.
    families: ClassVar[frozenset[Family]] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        return (self.field,) if hasattr(self, "field") else ()

    def check(self, path: Path) -> None:
        """Raise Invalid where its numbers contradict each other."""

    def fits(self, family: Family, path: Path) -> None:
        """Raise Invalid where a column of this family cannot be judged by it."""
        if self.families and family is not Family.UNKNOWN and family not in self.families:
            wanted = " or ".join(sorted(one.value for one in self.families))
            raise Invalid(f"the column holds {family.value}; this rule needs {wanted}", path=path)


@dataclass(frozen=True)
class ValueRule(Rule):
    """A rule about each value; a share of them may fail."""

    max_failing_share: float = dataclasses.field(default=0.0, kw_only=True)

    def check(self, path: Path) -> None:
        """Raise Invalid for a share that is none."""
        if not 0 <= self.max_failing_share <= 1:
            raise Invalid("maxFailingShare must be from 0 to 1", path=(*path, "maxFailingShare"))


_ATOMS = frozenset({Family.NUMBER, Family.TEXT, Family.TIME, Family.BOOLEAN, Family.OTHER})


@dataclass(frozen=True)
class NotNull(ValueRule):
    """No value is null."""

    field: str


@dataclass(frozen=True)
class Unique(ValueRule):
    """No value, or no combination of several columns' values, comes twice."""

    families = _ATOMS
    fields: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        return self.fields

    def check(self, path: Path) -> None:
        """Raise Invalid for no column, too many, or one named twice."""
        super().check(path)
        if not 1 <= len(self.fields) <= MAX_KEY_FIELDS or len(set(self.fields)) < len(self.fields):
            raise Invalid(f"fields must be 1 to {MAX_KEY_FIELDS} different columns", path=(*path, "fields"))


@dataclass(frozen=True)
class InSet(ValueRule):
    """Each value is one of these, written as profiles write values."""

    families = frozenset({Family.NUMBER, Family.TEXT, Family.TIME, Family.BOOLEAN})
    field: str
    values: tuple[str, ...]

    def check(self, path: Path) -> None:
        """Raise Invalid for no value, too many, or one that is too long."""
        super().check(path)
        if not 1 <= len(self.values) <= MAX_SET_VALUES:
            raise Invalid(f"values must be 1 to {MAX_SET_VALUES:,}, not {len(self.values):,}", path=(*path, "values"))
        if any(len(value) > MAX_VALUE_CHARS for value in self.values):
            raise Invalid(f"a value may have at most {MAX_VALUE_CHARS} characters", path=(*path, "values"))

    def fits(self, family: Family, path: Path) -> None:
        """Raise Invalid for a value that no column of this family can hold."""
        super().fits(family, path)
        for value in self.values:
            if parsed(value, family) is None:
                raise Invalid(f"'{value[:80]}' is no {family.value} value", path=(*path, "values"))


@dataclass(frozen=True)
class InRange(ValueRule):
    """Each number is from `min` to `max`, both included."""

    families = frozenset({Family.NUMBER})
    field: str
    min: float | None = None
    max: float | None = None

    def check(self, path: Path) -> None:
        """Raise Invalid for no bound, or bounds that cross."""
        super().check(path)
        _bounded(self.min, self.max, ("min", "max"), path)


@dataclass(frozen=True)
class InTimeRange(ValueRule):
    """Each moment is from `not_before` to `not_after`, both included; those without an offset count as UTC."""

    families = frozenset({Family.TIME})
    field: str
    not_before: datetime | None = None
    not_after: datetime | None = None

    def check(self, path: Path) -> None:
        """Raise Invalid for no bound, or bounds that cross."""
        super().check(path)
        _bounded(self.not_before, self.not_after, ("notBefore", "notAfter"), path)


@dataclass(frozen=True)
class MatchesPattern(ValueRule):
    """Each text matches a regular expression as a whole: Rust's syntax, as in Polars, in linear time."""

    families = frozenset({Family.TEXT})
    field: str
    pattern: str

    @property
    def whole(self) -> str:
        """The pattern, held to the whole value."""
        return rf"\A(?:{self.pattern})\z"

    def check(self, path: Path) -> None:
        """Raise Invalid for a pattern that is too long, or none."""
        super().check(path)
        at = (*path, "pattern")
        if not 1 <= len(self.pattern) <= MAX_PATTERN_CHARS:
            raise Invalid(f"a pattern has 1 to {MAX_PATTERN_CHARS:,} characters", path=at)
        for pattern in (self.pattern, self.whole):
            try:
                pl.Series(["", "a"]).str.contains(pattern, strict=True)
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
                said = " ".join(str(error).partition("This error occurred")[0].split())[:200]
                raise Invalid(f"the pattern cannot be used: {said}", path=at) from None


@dataclass(frozen=True)
class RowCount(Rule):
    """There are from `min` to `max` rows."""

    min: int | None = None
    max: int | None = None

    def check(self, path: Path) -> None:
        """Raise Invalid for no bound, negative ones, or bounds that cross."""
        _bounded(self.min, self.max, ("min", "max"), path)
        if min(one for one in (self.min, self.max) if one is not None) < 0:
            raise Invalid("a number of rows is not negative", path=path)


@dataclass(frozen=True)
class Fresh(Rule):
    """The newest moment of a column, or without one the last change of the data, is at most some seconds old."""

    families = frozenset({Family.TIME})
    within_seconds: int
    field: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that it is about, where it is about one."""
        return () if self.field is None else (self.field,)

    def check(self, path: Path) -> None:
        """Raise Invalid for a time that is none."""
        if self.within_seconds <= 0:
            raise Invalid("withinSeconds must be positive", path=(*path, "withinSeconds"))


@dataclass(frozen=True)
class ForeignKey(ValueRule):
    """Each value is one of another column's."""

    families = _ATOMS
    field: str
    references: Reference


@dataclass(frozen=True)
class DriftBelow(Rule):
    """A column's distribution is less than `limit` away from that of the baseline, or of the version before."""

    families = frozenset({Family.NUMBER, Family.TEXT, Family.BOOLEAN, Family.TIME})
    field: str
    limit: float
    measure: DriftMeasure = DriftMeasure.PSI

    def check(self, path: Path) -> None:
        """Raise Invalid for a limit that every version fails."""
        if not self.limit > 0:
            raise Invalid("limit must be positive", path=(*path, "limit"))


RULES: dict[str, type[Rule]] = {
    "notNull": NotNull, "unique": Unique, "inSet": InSet, "inRange": InRange, "inTimeRange": InTimeRange,
    "matchesPattern": MatchesPattern, "rowCount": RowCount, "fresh": Fresh, "foreignKey": ForeignKey,
    "driftBelow": DriftBelow,
}  # fmt: skip
_KINDS = {rule: kind for kind, rule in RULES.items()}


@dataclass(frozen=True)
class Check:
    """A rule with a name, and what its failure means; `id` is the row's, 0 before there is one."""

    name: str
    rule: Rule
    severity: Severity = Severity.ERROR
    id: int = 0
    key: str = ""


def key_of(name: str, expression: Mapping[str, Any]) -> str:
    """Return the identity of a declared check in its dataset: another rule under the name is another check."""
    said = json.dumps(["declared", name, expression], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def kind_of(rule: Rule) -> str:
    """Return the key of a rule's JSON form."""
    return _KINDS[type(rule)]


def expression_of(rule: Rule) -> dict[str, Any]:
    """Return a rule's JSON form; what has its default is left out."""
    said = {}
    for one in dataclasses.fields(rule):
        value = getattr(rule, one.name)
        if one.default is not dataclasses.MISSING and value == one.default:
            continue
        said[_camel(one.name)] = _plain(value)
    return {kind_of(rule): said}


def rule_of(said: Any, path: Path = ("rule",)) -> Rule:
    """Return the rule of a JSON form; raises Invalid, with the path of what is wrong."""
    if not isinstance(said, Mapping) or len(said) != 1:
        raise Invalid(f"a rule has exactly one kind: one of {', '.join(RULES)}", path=path)
    [(kind, given)] = said.items()
    if kind not in RULES:
        raise Invalid(f"'{kind}' is no kind of rule; known: {', '.join(RULES)}", path=path)
    rule: Rule = _built(RULES[kind], given, (*path, kind))
    rule.check((*path, kind))
    return rule


def check_of(said: Any, path: Path) -> Check:
    """Return the check of its JSON form: name, rule, severity (ERROR when left out); raises Invalid."""
    if not isinstance(said, Mapping) or not {"name", "rule"} <= set(said) <= {"name", "rule", "severity"}:
        raise Invalid("a check has `name`, `rule` and maybe `severity`, and nothing else", path=path)
    name = normalised(_text(said["name"], (*path, "name")), what="check name", path=(*path, "name"), most=200)
    severity = _member(Severity)(said.get("severity", Severity.ERROR), (*path, "severity"))
    return Check(name, rule_of(said["rule"], (*path, "rule")), severity)


def _built(shape: type[Any], given: Any, path: Path) -> Any:
    if not isinstance(given, Mapping):
        raise Invalid("must be an object", path=path)
    hints, known = get_type_hints(shape), {_camel(one.name): one for one in dataclasses.fields(shape)}
    if strange := sorted(set(given) - set(known)):
        raise Invalid(f"'{strange[0]}' is not known here; known: {', '.join(known)}", path=path)
    values = {}
    for camel, one in known.items():
        if given.get(camel) is not None:
            values[one.name] = _READ[hints[one.name]](given[camel], (*path, camel))
        elif one.default is dataclasses.MISSING:
            raise Invalid(f"{camel} is missing", path=(*path, camel))
    return shape(**values)


def _text(value: Any, path: Path) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid("must be a text that is not empty", path=path)
    return value


def _texts(value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise Invalid("must be a list of texts", path=path)
    return tuple(value)


def _number(value: Any, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid("must be a finite number", path=path)
    return float(value)


def _whole(value: Any, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise Invalid("must be a whole number of 64 bits", path=path)
    return value


def _moment(value: Any, path: Path) -> datetime:
    try:
        return as_utc(value if isinstance(value, datetime) else datetime.fromisoformat(value))
    except (TypeError, ValueError):
        raise Invalid("must be a moment as ISO 8601 writes it", path=path) from None


def _member(enum: type[StrEnum]) -> Callable[[Any, Path], Any]:
    def read(value: Any, path: Path) -> Any:
        try:
            return enum(value)
        except ValueError:
            raise Invalid(f"must be one of {', '.join(enum)}", path=path) from None

    return read


_READ: dict[Any, Callable[[Any, Path], Any]] = {
    str: _text, str | None: _text, tuple[str, ...]: _texts, float: _number, float | None: _number, int: _whole,
    int | None: _whole, datetime | None: _moment, DriftMeasure: _member(DriftMeasure),
    Reference: lambda value, path: _built(Reference, value, path),
}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Reference):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _bounded(low: Any, high: Any, names: tuple[str, str], path: Path) -> None:
    if low is None and high is None:
        raise Invalid(f"give {names[0]}, {names[1]}, or both", path=path)
    if low is not None and high is not None and low > high:
        raise Invalid(f"{names[0]} is greater than {names[1]}", path=path)
