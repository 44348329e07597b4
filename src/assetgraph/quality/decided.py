"""Checks that the statistics of a version decide by themselves, so that no data is read for them."""

from collections.abc import Callable
from typing import Any

import polars as pl

from assetgraph.quality.checks import (
    Check,
    DriftBelow,
    ForeignKey,
    Fresh,
    InRange,
    InSet,
    InTimeRange,
    MatchesPattern,
    NotNull,
    RowCount,
    Unique,
)
from assetgraph.quality.drift import profile_drift
from assetgraph.quality.outcomes import Described, Outcome, aged, counted, gone, rows_held
from assetgraph.quality.values import Family, family_of, is_complete, moment, parsed

#: A distinct count that is estimated is at most this share off: far below all values, some come twice for sure.
WORST_DISTINCT_ERROR = 0.05


def decide(check: Check, known: Described) -> Outcome | None:
    """Return what a check comes to by statistics alone; None where only the data says it."""
    missing = gone(check, known.types)
    if missing is not None:
        return missing
    return _DECIDERS[type(check.rule)](check, check.rule, known)


def _not_null(check: Check, rule: NotNull, known: Described) -> Outcome | None:
    profile = known.profiles.get(rule.field)
    return None if profile is None else counted(check, profile["count"], profile["null_count"])


def _unique(check: Check, rule: Unique, known: Described) -> Outcome | None:
    if len(rule.fields) > 1 or (profile := known.profiles.get(rule.fields[0])) is None:
        return None
    present = profile["count"] - profile["null_count"]
    if profile["distinct_is_exact"]:
        return counted(check, present, present - profile["distinct_count"])
    repeated = present - profile["distinct_count"] * (1 + WORST_DISTINCT_ERROR)
    if repeated <= rule.max_failing_share * present:
        return None
    return counted(check, present, present - profile["distinct_count"], exact=False)


def _complete(known: Described, field: str) -> list[tuple[str, int]] | None:
    """Return all values of a column with their counts, where its profile names them all."""
    profile = known.profiles.get(field)
    if profile is None or not is_complete(profile):
        return None
    return [(one["value"], one["count"]) for one in profile["top_values"]]


def _in_set(check: Check, rule: InSet, known: Described) -> Outcome | None:
    values = _complete(known, rule.field)
    if values is None:
        return None
    family = family_of(known.types[rule.field])
    allowed = {parsed(value, family) for value in rule.values} - {None}
    # What cannot be read (NaN) is none of them.
    failing = sum(count for value, count in values if parsed(value, family) not in allowed)
    return counted(check, sum(count for _, count in values), failing)


def _matches(check: Check, rule: MatchesPattern, known: Described) -> Outcome | None:
    values = _complete(known, rule.field)
    if values is None or family_of(known.types[rule.field]) is not Family.TEXT:
        return None
    holds = pl.Series([value for value, _ in values], dtype=pl.String).str.contains(rule.whole)
    failing = sum(count for (_, count), held in zip(values, holds, strict=True) if not held)
    return counted(check, sum(count for _, count in values), failing)


def _in_range(check: Check, rule: InRange, known: Described) -> Outcome | None:
    if family_of(known.types[rule.field]) is not Family.NUMBER:
        return None
    return _within(check, known, rule.field, rule.min, rule.max, lambda text: parsed(text, Family.NUMBER))


def _in_time_range(check: Check, rule: InTimeRange, known: Described) -> Outcome | None:
    if family_of(known.types[rule.field]) is not Family.TIME:
        return None
    return _within(check, known, rule.field, rule.not_before, rule.not_after, moment)


def _within(
    check: Check, known: Described, field: str, low: Any, high: Any, read: Callable[[str], Any]
) -> Outcome | None:
    """Decide by smallest and largest: that all hold, or, where none may fail, that some do not."""
    profile = known.profiles.get(field)
    if profile is None:
        return None
    present = profile["count"] - profile["null_count"]
    if profile["min"] is None or profile["max"] is None:
        return counted(check, 0, 0) if present == 0 else None
    ends = read(profile["min"]), read(profile["max"])
    if None in ends:
        return None
    outside = [(low is not None and ends[0] < low, "smallest", "min"),
               (high is not None and ends[1] > high, "largest", "max")]  # fmt: skip
    observed = {"min": profile["min"], "max": profile["max"]}
    wrong = [f"the {word} is {profile[name]}" for is_wrong, word, name in outside if is_wrong]
    if not wrong:
        message = f"all values lie from {profile['min']} to {profile['max']}"
        return Outcome(check, True, message, {**observed, "failing": 0}, present, 0)
    if getattr(check.rule, "max_failing_share", 0.0) > 0:
        return None
    return Outcome(check, False, " and ".join(wrong), observed)


def _row_count(check: Check, _rule: RowCount, known: Described) -> Outcome | None:
    return rows_held(check, known.row_count)


def _fresh(check: Check, rule: Fresh, known: Described) -> Outcome | None:
    if rule.field is None:
        return aged(check, known.changed_at, known.at, "the data")
    profile = known.profiles.get(rule.field)
    if profile is None or family_of(known.types[rule.field]) is not Family.TIME:
        return None
    newest = None if profile["max"] is None else moment(profile["max"])
    return aged(check, newest, known.at, f"the newest {rule.field}")


def _foreign_key(check: Check, rule: ForeignKey, known: Described) -> Outcome | None:
    if rule.references in known.keys:
        return None
    said = rule.references
    where = f"'{said.field}' of '{said.namespace}/{said.name}'"
    return Outcome(check, None, f"the values of {where} are not known; scan that dataset first")


def _drift_below(check: Check, rule: DriftBelow, known: Described) -> Outcome | None:
    if known.baseline is None:
        return Outcome(check, True, "there is no version to compare with yet", {"value": None})
    field, before = rule.field, known.baseline_fields.get(rule.field)
    if before is None:
        return Outcome(check, None, f"'{field}' is not in {known.baseline}, so that no drift can be told")
    found = profile_drift(before, {"type": known.types[field], "profile": known.profiles.get(field)})
    value = None if found is None else found.of(rule.measure)
    if found is None or value is None:
        return Outcome(check, None, f"the distributions of '{field}' cannot be compared by {rule.measure.value}")
    observed = {
        "value": value, "limit": rule.limit, "baseline": known.baseline, "psi": found.psi,
        "jensenShannon": found.jensen_shannon, "kolmogorovSmirnov": found.kolmogorov_smirnov, "exact": found.exact,
    }  # fmt: skip
    message = f"{rule.measure.value} against {known.baseline} is {value:.4f}; below {rule.limit:g} is wanted"
    return Outcome(check, value < rule.limit, message, observed, is_exact=found.exact)


_DECIDERS: dict[type[Any], Callable[[Check, Any, Described], Outcome | None]] = {
    NotNull: _not_null, Unique: _unique, InSet: _in_set, InRange: _in_range, InTimeRange: _in_time_range,
    MatchesPattern: _matches, RowCount: _row_count, Fresh: _fresh, ForeignKey: _foreign_key, DriftBelow: _drift_below,
}  # fmt: skip
