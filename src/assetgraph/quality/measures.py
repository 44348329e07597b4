"""Numbers of quality that follow from what a scan knows of a version, and which of them are out of the ordinary."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from assetgraph.db.engine import Session
from assetgraph.quality import check_queries as queries
from assetgraph.quality.anomaly import MOST_HISTORY, WATCHED, judge
from assetgraph.quality.checks import ForeignKey as ForeignKeyRule
from assetgraph.quality.checks import Fresh, InRange, InSet, InTimeRange, MatchesPattern
from assetgraph.quality.incidents import Verdict
from assetgraph.quality.outcomes import Described, Outcome
from assetgraph.quality.service import MetricSpec
from assetgraph.quality.tables import Severity
from assetgraph.quality.values import Family, family_of, is_complete, moment

#: Of one version at most this many numbers open incidents: those that are farthest away.
MOST_ANOMALIES = 20

#: What a text looks like; the first that fits counts.
_SHAPES = (
    ("whole number", re.compile(r"[+-]?\d+")),
    ("number", re.compile(r"[+-]?(\d+\.\d*|\.?\d+)([eE][+-]?\d+)?")),
    ("moment", re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")),
    ("truth value", re.compile(r"true|false", re.IGNORECASE)),
)


def measures(known: Described, outcomes: Sequence[Outcome], before: Mapping[str, str] | None) -> list[MetricSpec]:
    """Return the metrics of a version beside those of its profile; `before` are the types of the version before.

    freshness: seconds since the data changed last, and since the newest moment of each column of moments.
    validity: share of values that hold all rules about values of their column, at worst (the rules may fail on
    different values). checks_passed: share of the checks with a verdict that passed. referential_integrity: share of
    values that the other column has. type_consistency: share of the columns of both versions with the type of before;
    of a column of texts the share that looks alike (number, moment, truth value, other), by its most frequent values.
    """
    return [
        *_freshness(known), *_validity(outcomes), *_consistency(known, before),
    ]  # fmt: skip


def verdicts(session: Session, dataset: int, version: int) -> list[Verdict]:
    """Hold the watched metrics of a version to those of the versions before; one statement, whatever there is."""
    series: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
    for row in queries.history(session, dataset, version, list(WATCHED), MOST_HISTORY + 1):
        series[(str(row.name), row.field)].append(row)
    fine, odd = [], []
    for (name, field), rows in series.items():
        if rows[-1].asset_id != version:
            continue  # not measured of this version
        found = judge(name, [float(row.value) for row in rows], [row.measured_at for row in rows])
        if found is None:
            fine.append(Verdict(is_fine=True, message="as usual again", metric=name, field=field))
        else:
            where = "" if field is None else f"'{field}': "
            message = where + found.message
            odd.append((found.deviations, Verdict(
                is_fine=False, message=message, severity=Severity.WARNING, metric=name, field=field
            )))  # fmt: skip
    odd.sort(key=lambda pair: -pair[0])
    return [*fine, *(one for _, one in odd[:MOST_ANOMALIES])]


def check_verdicts(outcomes: Sequence[Outcome]) -> list[Verdict]:
    """Return what the outcomes of checks mean for incidents; those without a verdict change nothing."""
    return [
        Verdict(one.passed, f"{one.check.name}: {one.message}", one.check.severity, check_key=one.check.key)
        for one in outcomes if one.passed is not None
    ]  # fmt: skip


def _freshness(known: Described) -> list[MetricSpec]:
    found = []
    if known.changed_at is not None:
        found.append(MetricSpec("freshness", (known.at - known.changed_at).total_seconds()))
    for field, profile in known.profiles.items():
        if profile is None or profile["max"] is None or family_of(known.types[field]) is not Family.TIME:
            continue
        newest = moment(profile["max"])
        if newest is not None:
            found.append(MetricSpec("freshness", (known.at - newest).total_seconds(), field))
    return found


def _validity(outcomes: Sequence[Outcome]) -> list[MetricSpec]:
    found: list[MetricSpec] = []
    failing: Counter[str] = Counter()
    judged: dict[str, int] = {}
    integrity: dict[str, tuple[float, bool]] = {}
    exact: dict[str, bool] = {}
    for one in outcomes:
        if not one.judged or one.failing is None:
            continue
        field = one.check.rule.columns[0]
        if isinstance(one.check.rule, InSet | InRange | InTimeRange | MatchesPattern):
            failing[field] += one.failing
            judged[field] = max(judged.get(field, 0), one.judged)
            exact[field] = exact.get(field, True) and one.is_exact
        elif isinstance(one.check.rule, ForeignKeyRule):
            share = 1 - one.failing / one.judged
            if share <= integrity.get(field, (1.0, True))[0]:
                integrity[field] = (share, one.is_exact)
    for field, count in judged.items():
        found.append(MetricSpec("validity", max(1 - failing[field] / count, 0.0), field, is_exact=exact[field]))
    if judged:
        share = 1 - sum(min(failing[field], count) for field, count in judged.items()) / sum(judged.values())
        found.append(MetricSpec("validity", share, is_exact=all(exact.values())))
    found += [MetricSpec("referential_integrity", share, field, is_exact=sure)
              for field, (share, sure) in integrity.items()]  # fmt: skip
    known = [one.passed for one in outcomes if one.passed is not None and not isinstance(one.check.rule, Fresh)]
    if known:
        found.append(MetricSpec("checks_passed", sum(known) / len(known)))
    return found


def _consistency(known: Described, before: Mapping[str, str] | None) -> list[MetricSpec]:
    found = []
    both = set(known.types) & set(before or {})
    if before is not None and both:
        same = sum(known.types[field] == before[field] for field in both)
        found.append(MetricSpec("type_consistency", same / len(both)))
    for field, profile in known.profiles.items():
        if profile is None or family_of(known.types[field]) is not Family.TEXT:
            continue
        shapes: Counter[str] = Counter()
        for one in profile["top_values"]:
            if one["value"]:
                shapes[_shape(str(one["value"]))] += one["count"]
        if shapes:
            share = max(shapes.values()) / sum(shapes.values())
            found.append(MetricSpec("type_consistency", share, field, is_exact=is_complete(profile)))
    return found


def _shape(text: str) -> str:
    return next((name for name, pattern in _SHAPES if pattern.fullmatch(text.strip())), "text")
