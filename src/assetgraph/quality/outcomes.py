"""What is known of a version when its checks are evaluated, and what comes of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assetgraph.quality.checks import Check, Reference, RowCount, Rule, ValueRule
from assetgraph.quality.keys import KeySet


@dataclass(frozen=True)
class Described:
    """A version as a scan describes it."""

    row_count: int
    #: Type and stored profile (None: not profiled) of each column, by path.
    types: Mapping[str, str]
    profiles: Mapping[str, dict[str, Any] | None]
    #: When it is evaluated, and when the data changed last.
    at: datetime
    changed_at: datetime | None = None
    #: The version that drift is measured against: what it is called, and type and profile of its columns.
    baseline: str | None = None
    baseline_fields: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    #: What is known of the columns that foreign keys refer to.
    keys: Mapping[Reference, KeySet] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of a check; `passed` is None where it could not be evaluated, and the message says why."""

    check: Check
    passed: bool | None
    message: str
    observed: dict[str, Any] = field(default_factory=dict)
    #: Values that were judged, and those that failed, where that is known.
    judged: int | None = None
    failing: int | None = None
    is_exact: bool = True


def gone(check: Check, types: Mapping[str, Any]) -> Outcome | None:
    """Return the failure of a check whose column the version does not have."""
    for column in check.rule.columns:
        if column not in types:
            return Outcome(check, False, f"the column '{column}' is gone", {"missingField": column})
    return None


def counted(check: Check, judged: int, failing: int, *, exact: bool = True, **more: Any) -> Outcome:
    """Return the outcome of a rule about values, by how many of them failed."""
    assert isinstance(check.rule, ValueRule)  # noqa: S101 - callers dispatch by it
    allowed = check.rule.max_failing_share
    passed = failing <= allowed * judged
    share = failing / judged if judged else 0.0
    about = "" if exact else "about "
    message = f"{about}{failing:,} of {judged:,} values fail ({share:.2%})"
    if allowed:
        message += f"; at most {allowed:.2%} may"
    observed = {"judged": judged, "failing": failing, "failingShare": share, "exact": exact, **more}
    return Outcome(
        check, passed, message if failing else f"all {judged:,} values hold", observed, judged, failing, exact
    )


def rows_held(check: Check, rows: int) -> Outcome:
    """Return the outcome of a rule about the number of rows."""
    rule: Rule = check.rule
    assert isinstance(rule, RowCount)  # noqa: S101 - callers dispatch by it
    low = rule.min is None or rows >= rule.min
    high = rule.max is None or rows <= rule.max
    wanted = " and ".join(
        f"{word} {bound:,}" for word, bound in (("at least", rule.min), ("at most", rule.max)) if bound is not None
    )
    verdict = "as wanted" if low and high else f"wanted are {wanted}"
    return Outcome(check, low and high, f"{rows:,} rows; {verdict}", {"rowCount": rows})


def aged(check: Check, newest: datetime | None, at: datetime, what: str) -> Outcome:
    """Return the outcome of a rule about freshness, by the newest moment there is."""
    within = getattr(check.rule, "within_seconds", 0)
    if newest is None:
        return Outcome(check, False, f"{what} has no moment at all", {"newest": None})
    age = (at - newest).total_seconds()
    message = f"{what} is {_span(max(age, 0))} old; at most {_span(within)} is fresh"
    return Outcome(check, age <= within, message, {"newest": newest.isoformat(), "ageSeconds": age})


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
