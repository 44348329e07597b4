"""Checks evaluated: by statistics where these decide, else in the batches of one pass over the data."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from assetgraph.clock import now
from assetgraph.quality.checks import (
    Check,
    ForeignKey,
    Fresh,
    InRange,
    InSet,
    InTimeRange,
    MatchesPattern,
    NotNull,
    Reference,
    RowCount,
    Unique,
    ValueRule,
)
from assetgraph.quality.decided import decide
from assetgraph.quality.keys import DistinctRows, KeySet, stable_keys
from assetgraph.quality.outcomes import Described, Outcome, aged, counted, gone, rows_held
from assetgraph.quality.values import Family, moment, parsed

NONE_PASSED: Mapping[int, Outcome] = MappingProxyType({})
#: Rows of a batch that are looked at together.
BATCH_ROWS = 1 << 17


def evaluate(
    checks: Sequence[Check],
    known: Described,
    read: Callable[[list[str]], Any] | None,
    passed: Mapping[int, Outcome] = NONE_PASSED,
) -> list[Outcome]:
    """Return what each check comes to, in order; `read` gives the batches of some columns, and is called once at most.

    `passed`: what a pass over all the data saw of checks, by their ids. Without it and without `read`, checks that
    statistics do not decide have no verdict.
    """
    found = {place: decide(check, known) or passed.get(check.id) for place, check in enumerate(checks)}
    open_places = [place for place, outcome in found.items() if outcome is None]
    if open_places and read is not None:
        some = [checks[place] for place in open_places]
        columns = sorted({column for check in some for column in check.rule.columns})
        found |= zip(open_places, _passed(some, known, read(columns)), strict=True)
    return [outcome or _unread(checks[place]) for place, outcome in found.items()]


def _passed(checks: Sequence[Check], known: Described, batches: Any) -> list[Outcome]:
    one: CheckPass | None = None
    try:
        for batch in batches:
            if one is None:
                one = CheckPass(checks, batch.schema, keys=known.keys, at=known.at)
            for piece in batch.iter_slices(BATCH_ROWS):
                one.add(piece)
        return [_unread(check) for check in checks] if one is None else one.results()
    finally:
        if one is not None:
            one.close()


def _unread(check: Check) -> Outcome:
    return Outcome(check, None, "nothing that was stored decides it, and the data was not read")


class CheckPass:
    """Evaluates checks over the batches of one version, in bounded memory: `add` each batch, then take `results`.

    Uniqueness is counted exactly, in files where memory is not enough; a foreign key is held to what is stored of the
    column that it refers to: all of its keys, or a sample of them, and then the result says so. Drift is told by
    profiles, never here.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        schema: pl.Schema,
        *,
        keys: Mapping[Reference, KeySet] | None = None,
        at: datetime | None = None,
        spill: Callable[[], Path] | None = None,
    ) -> None:
        """Take checks and the batches' schema; `spill` gives a folder for temporary files."""
        self._at = at or now()
        self._rows = 0
        self._settled: dict[int, Outcome] = {}
        self._tests: dict[int, _Test] = {}
        self._checks = list(checks)
        for place, check in enumerate(self._checks):
            missing = gone(check, schema)
            if missing is not None:
                self._settled[place] = missing
                continue
            try:
                test = _test_of(check, schema, keys or {}, spill)
            except pl.exceptions.PolarsError as error:
                test = f"it cannot be evaluated: {' '.join(str(error).split())[:200]}"
            if isinstance(test, str):
                self._settled[place] = Outcome(check, None, test)
            elif test is not None:
                self._tests[place] = test
        self.columns = sorted({one for check in self._checks for one in check.rule.columns if one in schema})

    def add(self, batch: pl.DataFrame) -> None:
        """Take the rows of a batch."""
        self._rows += batch.height
        wanted = [one.alias(f"{place}:{name}") for place, test in self._tests.items()
                  for name, one in test.aggregates.items()]  # fmt: skip
        seen = batch.select(wanted).row(0, named=True) if wanted else {}
        for place, test in self._tests.items():
            test.take({name: seen[f"{place}:{name}"] for name in test.aggregates}, batch)

    def results(self) -> list[Outcome]:
        """Return what each check comes to, in order."""
        found = []
        for place, check in enumerate(self._checks):
            if place in self._settled:
                found.append(self._settled[place])
            elif isinstance(check.rule, RowCount):
                found.append(rows_held(check, self._rows))
            elif (isinstance(check.rule, Fresh) and check.rule.field is None) or place not in self._tests:
                found.append(Outcome(check, None, "the data does not say it"))
            else:
                found.append(self._tests[place].outcome(check, self._at))
        return found

    def close(self) -> None:
        """Remove temporary files."""
        for test in self._tests.values():
            test.close()


class _Test:
    """Counts values and those that fail, by two expressions."""

    def __init__(self, aggregates: dict[str, pl.Expr]) -> None:
        self.aggregates = aggregates
        self.judged = 0
        self.failing = 0

    def take(self, seen: Mapping[str, Any], _batch: pl.DataFrame) -> None:
        self.judged += int(seen["judged"] or 0)
        self.failing += int(seen["failing"] or 0)

    def outcome(self, check: Check, _at: datetime) -> Outcome:
        return counted(check, self.judged, self.failing)

    def close(self) -> None:
        """Nothing is held."""


class _Newest(_Test):
    """The newest moment."""

    def __init__(self, field: str) -> None:
        super().__init__({"newest": pl.col(field).max()})
        self._newest: datetime | None = None

    def take(self, seen: Mapping[str, Any], _batch: pl.DataFrame) -> None:
        found = None if seen["newest"] is None else moment(str(seen["newest"]))
        if found is not None and (self._newest is None or found > self._newest):
            self._newest = found

    def outcome(self, check: Check, at: datetime) -> Outcome:
        return aged(check, self._newest, at, f"the newest {check.rule.columns[0]}")


class _Unique(_Test):
    """Distinct rows of some columns."""

    def __init__(self, fields: Sequence[str], spill: Callable[[], Path] | None) -> None:
        super().__init__({})
        self._fields = list(fields)
        self._rows = DistinctRows(spill)

    def take(self, _seen: Mapping[str, Any], batch: pl.DataFrame) -> None:
        self._rows.add(batch.select(self._fields).drop_nulls())

    def outcome(self, check: Check, _at: datetime) -> Outcome:
        return counted(check, self._rows.rows, self._rows.rows - self._rows.distinct())

    def close(self) -> None:
        self._rows.close()


class _ForeignKey(_Test):
    """Keys that another column has not."""

    def __init__(self, field: str, keys: KeySet) -> None:
        super().__init__({})
        self._field, self._keys = field, keys
        self._all = 0

    def take(self, _seen: Mapping[str, Any], batch: pl.DataFrame) -> None:
        keys = stable_keys(batch.get_column(self._field))
        judged, missing = self._keys.judge(keys)
        self._all += len(keys)
        self.judged += judged
        self.failing += missing

    def outcome(self, check: Check, _at: datetime) -> Outcome:
        if self._keys.is_exact:
            return counted(check, self.judged, self.failing)
        # A sample by hash: of k strange keys none is in it with a probability of (1 - share)^k.
        estimated = round(self.failing / self._keys.share)
        return counted(check, self._all, min(estimated, self._all), exact=False, sampledShare=self._keys.share,
                       sampled=self.judged)  # fmt: skip


def _test_of(
    check: Check, schema: pl.Schema, keys: Mapping[Reference, KeySet], spill: Callable[[], Path] | None
) -> _Test | str | None:
    """Return what evaluates a check, or why nothing can; None where no column is asked."""
    rule = check.rule
    if isinstance(rule, Unique):
        return _Unique(rule.fields, spill)
    if isinstance(rule, ForeignKey):
        known = keys.get(rule.references)
        said = f"the values of '{rule.references.field}' of '{rule.references.name}' are not known; scan it first"
        return said if known is None else _ForeignKey(rule.field, known)
    if isinstance(rule, Fresh) and rule.field is not None:
        return _Newest(rule.field) if schema[rule.field].is_temporal() else f"'{rule.field}' holds no moments"
    if isinstance(rule, NotNull):
        return _Test({"judged": pl.len(), "failing": pl.col(rule.field).is_null().sum()})
    if isinstance(rule, ValueRule):
        dtype = schema[rule.columns[0]]
        value = pl.col(rule.columns[0])
        holds = _holds(rule, value.cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else value, dtype)
        if isinstance(holds, str):
            return holds
        there = value.is_not_null()
        if dtype.is_float() and not isinstance(rule, InSet):
            there &= value.is_not_nan()
        test = _Test({"judged": there.sum(), "failing": (there & ~holds).sum()})
        pl.DataFrame(schema=schema).select(**test.aggregates)  # fails here rather than in the pass
        return test
    return None


def _holds(rule: ValueRule, value: pl.Expr, dtype: pl.DataType) -> pl.Expr | str:
    """Return whether a value that is there holds, or why that cannot be told of this type."""
    if isinstance(rule, InRange):
        return _between(value, rule.min, rule.max) if dtype.is_numeric() else f"it holds {dtype}, not numbers"
    if isinstance(rule, InTimeRange):
        if not isinstance(dtype, pl.Date | pl.Datetime):
            return f"it holds {dtype}, not moments"
        return _between(_moments(value, dtype), rule.not_before, rule.not_after)
    if isinstance(rule, MatchesPattern):
        text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
        return value.str.contains(rule.whole) if text else f"it holds {dtype}, not text"
    assert isinstance(rule, InSet)  # noqa: S101 - the other rules have tests of their own
    return _among(rule, value, dtype)


def _between(value: pl.Expr, low: Any, high: Any) -> pl.Expr:
    holds = pl.lit(value=True)
    if low is not None:
        holds &= value >= low
    if high is not None:
        holds &= value <= high
    return holds


def _moments(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return moments in UTC, to the microsecond."""
    at = value.cast(pl.Datetime("us", getattr(dtype, "time_zone", None)))
    aware = isinstance(dtype, pl.Datetime) and dtype.time_zone
    return at.dt.convert_time_zone("UTC") if aware else at.dt.replace_time_zone("UTC")


def _among(rule: InSet, value: pl.Expr, dtype: pl.DataType) -> pl.Expr | str:
    texts = pl.Series(rule.values, dtype=pl.String)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return value.is_in(texts.implode())
    if dtype == pl.Boolean:
        allowed = {text.strip().lower() for text in rule.values}
        return value.cast(pl.String).is_in(sorted(allowed))
    if dtype.is_numeric():
        numbers = (parsed(text, Family.NUMBER) for text in rule.values)
        # An integer is read from no text with a point, whatever stands behind it.
        written = [str(int(one) if one == int(one) else one) for one in numbers if one is not None]
        return value.is_in(pl.Series(written, dtype=pl.String).cast(dtype, strict=False).drop_nulls().implode())
    if isinstance(dtype, pl.Date | pl.Datetime):
        moments = [at for at in map(moment, rule.values) if at is not None]
        allowed_at = pl.Series(moments, dtype=pl.Datetime("us", "UTC"))
        return _moments(value, dtype).is_in(allowed_at.implode())
    return f"values of type {dtype} cannot be compared with a set"
