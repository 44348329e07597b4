"""Checks over data: statistics and pass say what plain Python says, in bounded memory, and errors are clear."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from assetgraph.errors import Invalid
from assetgraph.inventory.discover import discover
from assetgraph.inventory.profile import profile
from assetgraph.quality.checks import Check, check_of, expression_of, rule_of
from assetgraph.quality.decided import decide
from assetgraph.quality.evaluate import CheckPass, evaluate
from assetgraph.quality.keys import DistinctRows, KeyCollector, KeySet, stable_keys
from assetgraph.quality.outcomes import Described, Outcome
from assetgraph.quality.values import Family, family_of, parsed

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRAME = pl.DataFrame({
    "id": [1, 2, 3, 4, 4, None],
    "kind": ["a", "b", "a", "c", "a", None],
    "code": ["A1", "B22", "A-1", "", None, "Z9"],
    "price": [1.0, 2.5, float("nan"), -1.0, None, 9.0],
    # Polars keeps moments without an offset, as most files do.
    "at": [*(datetime(2026, 2, day, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2, 3, 4, 5)), None],
    "day": [date(2026, 2, 20), None, date(2026, 2, 1), date(2026, 1, 1), date(2025, 1, 1), date(2026, 2, 28)],
    "flag": [True, False, True, None, True, False],
    "cost": [Decimal("1.10"), Decimal("2.20"), None, Decimal("0.00"), Decimal("5.00"), Decimal("-0.01")],
})  # fmt: skip
#: Rule, and whether a value (never null) holds; None: it is not judged.
CASES: list[tuple[dict[str, Any], Callable[[Any], bool | None]]] = [
    ({"inSet": {"field": "kind", "values": ["a", "b"]}}, lambda value: value in ("a", "b")),
    ({"inSet": {"field": "id", "values": ["1", "2.0", "3"]}}, lambda value: value in (1, 2, 3)),
    ({"inSet": {"field": "price", "values": ["1", "2.50"]}}, lambda value: value in (1.0, 2.5)),
    ({"inSet": {"field": "flag", "values": ["true"]}}, lambda value: value),
    ({"inSet": {"field": "day", "values": ["2026-02-20", "2025-01-01T00:00:00Z"]}},
     lambda value: value in (date(2026, 2, 20), date(2025, 1, 1))),
    ({"inRange": {"field": "price", "min": 0}}, lambda value: None if value != value else value >= 0),
    ({"inRange": {"field": "price", "max": 2.5}}, lambda value: None if value != value else value <= 2.5),
    ({"inRange": {"field": "cost", "min": 0, "max": 5}}, lambda value: 0 <= value <= 5),
    ({"inTimeRange": {"field": "at", "notAfter": "2026-02-03T00:00:00"}}, lambda value: value.day <= 3),
    ({"inTimeRange": {"field": "day", "notBefore": "2026-01-01T00:00:00+00:00"}}, lambda value: value.year >= 2026),
    ({"matchesPattern": {"field": "code", "pattern": "[A-Z][0-9]+"}},
     lambda value: bool(re.fullmatch("[A-Z][0-9]+", value))),
    ({"matchesPattern": {"field": "code", "pattern": "A|B.."}}, lambda value: bool(re.fullmatch("A|B..", value))),
]  # fmt: skip


def check(rule: dict[str, Any], **more: Any) -> Check:
    """Return a check of a rule."""
    return check_of({"name": "c", "rule": rule, **more}, ("check",))


def described(frame: pl.DataFrame, folder: Path, **more: Any) -> Described:
    """Write a frame and return what a scan knows of it."""
    path = folder / "t.parquet"
    frame.write_parquet(path)
    [found] = discover(path, folder)
    seen = profile(found)
    types = {one.name: one.type for one in seen.fields}
    profiles = {one["field"]: one for one in seen.as_json()["fields"]}
    return Described(seen.row_count, types, profiles, AT, **more)


def passed_over(checks: list[Check], frame: pl.DataFrame, rows: int = 2, **more: Any) -> list[Outcome]:
    """Evaluate checks in batches of some rows."""
    one = CheckPass(checks, frame.schema, at=AT, **more)
    for batch in frame.iter_slices(rows):
        one.add(batch)
    try:
        return one.results()
    finally:
        one.close()


@pytest.mark.parametrize(("rule", "holds"), CASES)
def test_values_are_judged_one_by_one(
    rule: dict[str, Any], holds: Callable[[Any], bool | None], tmp_path: Path
) -> None:
    """In batches, and by statistics wherever these decide: the verdict of plain Python, and its counts."""
    known = described(FRAME, tmp_path)
    [kind] = rule
    verdicts = [holds(value) for value in FRAME[rule[kind]["field"]] if value is not None]
    judged, failing = len([one for one in verdicts if one is not None]), verdicts.count(False)
    assert 0 < failing < judged
    [by_pass] = passed_over([check(rule)], FRAME)
    assert (by_pass.judged, by_pass.failing, by_pass.passed) == (judged, failing, False)
    by_statistics = decide(check(rule), known)
    if by_statistics is not None:
        assert by_statistics.passed is False
        assert by_statistics.failing in (None, failing)
    for share, verdict in ((failing / judged, True), (failing / judged * 0.99, False)):
        allowing = {kind: {**rule[kind], "maxFailingShare": share}}
        [outcome] = evaluate([check(allowing)], known, lambda columns: [FRAME.select(columns)])
        assert (outcome.passed, outcome.judged, outcome.failing) == (verdict, judged, failing)


def test_rows_and_moments_and_uniqueness(tmp_path: Path) -> None:
    """Row counts, freshness, one and several key columns; statistics decide all but the last."""
    known = described(FRAME, tmp_path, changed_at=AT - timedelta(hours=3))
    rules: list[tuple[dict[str, Any], bool]] = [
        ({"rowCount": {"min": 6, "max": 6}}, True), ({"rowCount": {"min": 7}}, False),
        ({"rowCount": {"max": 5}}, False),
        ({"fresh": {"withinSeconds": 3 * 3600}}, True), ({"fresh": {"withinSeconds": 3600}}, False),
        ({"fresh": {"field": "at", "withinSeconds": 25 * 86_400}}, True),
        ({"fresh": {"field": "at", "withinSeconds": 86_400}}, False),
        ({"fresh": {"field": "day", "withinSeconds": 2 * 86_400}}, True),
        ({"unique": {"fields": ["id"]}}, False), ({"unique": {"fields": ["id"], "maxFailingShare": 0.2}}, True),
        ({"unique": {"fields": ["code"]}}, True), ({"notNull": {"field": "nothing"}}, False),
    ]  # fmt: skip
    checks = [check(rule) for rule, _ in rules]
    assert [one.passed for one in evaluate(checks, known, None)] == [wanted for _, wanted in rules]
    over = dict(zip((str(rule) for rule, _ in rules), passed_over(checks, FRAME), strict=True))
    for rule, wanted in rules:
        unknown = rule.get("fresh", {"field": 1}).get("field") is None
        assert over[str(rule)].passed is (None if unknown else wanted), rule
    several = [check({"unique": {"fields": fields}}) for fields in (["id", "kind"], ["kind", "flag"])]
    assert [one.passed for one in evaluate(several, known, None)] == [None, None]
    found = evaluate(several, known, lambda columns: FRAME.select(columns).iter_slices(2))
    assert [(one.passed, one.judged, one.failing) for one in found] == [(True, 5, 0), (False, 4, 2)]
    assert (
        evaluate([check({"notNull": {"field": "nothing"}})], known, None)[0].message == "the column 'nothing' is gone"
    )


def test_types_that_changed_give_no_verdict_and_no_crash() -> None:
    """A rule that the column's type of today cannot answer says so."""
    frame = pl.DataFrame({"a": [[1], [2]], "b": ["x", "y"]})
    rules: list[dict[str, Any]] = [
        {"inRange": {"field": "b", "min": 0}}, {"matchesPattern": {"field": "a", "pattern": "x"}},
        {"inSet": {"field": "a", "values": ["1"]}}, {"inTimeRange": {"field": "b", "notAfter": "2026-01-01"}},
        {"fresh": {"field": "b", "withinSeconds": 5}},
    ]  # fmt: skip
    found = passed_over([check(rule) for rule in rules], frame)
    assert [one.passed for one in found] == [None] * 5
    assert all("hold" in one.message or "compared" in one.message for one in found)


@given(
    st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=40),
    st.lists(st.one_of(st.none(), st.sampled_from("xyz")), max_size=40),
    st.integers(1, 7),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_data_in_any_batches_is_judged_as_in_one(numbers: list[Any], texts: list[Any], rows: int) -> None:
    """The pass against plain Python."""
    size = min(len(numbers), len(texts))
    frame = pl.DataFrame({"n": numbers[:size], "t": texts[:size]}, schema={"n": pl.Int64, "t": pl.String})
    rules: list[dict[str, Any]] = [
        {"notNull": {"field": "n"}}, {"unique": {"fields": ["n"]}}, {"unique": {"fields": ["n", "t"]}},
        {"inRange": {"field": "n", "min": -1, "max": 2}}, {"inSet": {"field": "t", "values": ["x", "z"]}},
    ]  # fmt: skip
    found = [(one.judged, one.failing) for one in passed_over([check(rule) for rule in rules], frame, rows)]
    there = [one for one in numbers[:size] if one is not None]
    both = [pair for pair in zip(numbers[:size], texts[:size], strict=True) if None not in pair]
    words = [one for one in texts[:size] if one is not None]
    assert found == [
        (size, size - len(there)), (len(there), len(there) - len(set(there))), (len(both), len(both) - len(set(both))),
        (len(there), sum(not -1 <= one <= 2 for one in there)), (len(words), sum(one == "y" for one in words)),
    ]  # fmt: skip


def test_uniqueness_spills_and_stays_exact(tmp_path: Path) -> None:
    """More rows than memory may hold: files take them, the count is the same, and the files go away."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 60_000, 100_000)
    for column in (pl.Series("a", values), pl.Series("a", values).cast(pl.String)):
        counted = DistinctRows(lambda: tmp_path, most_in_memory=5_000)
        for batch in column.to_frame().iter_slices(1_000):
            counted.add(batch)
        assert sum(1 for _ in tmp_path.rglob("*")) > 60
        assert (counted.rows, counted.distinct()) == (100_000, len(np.unique(values)))
        assert list(tmp_path.iterdir()) == []


def test_a_foreign_key_is_held_to_the_keys_of_the_other_column() -> None:
    """All of them, whatever the width of the types; nothing known gives no verdict."""
    said = {"namespace": "shop", "name": "users", "field": "id"}
    rule = check({"foreignKey": {"field": "user", "references": said}})
    users = KeyCollector()
    users.add(pl.Series("id", [1, 2, 3], dtype=pl.Int32))
    frame = pl.DataFrame({"user": [1.0, 2.0, 7.0, None, 7.5, float("nan")]})
    [outcome] = passed_over([rule], frame, keys={rule.rule.references: users.found()})  # type: ignore[attr-defined]
    assert (outcome.judged, outcome.failing, outcome.passed, outcome.is_exact) == (4, 2, False, True)
    assert passed_over([rule], frame)[0].passed is None
    assert decide(rule, Described(6, {"user": "Float64"}, {}, AT)).passed is None  # type: ignore[union-attr]


def test_keys_of_every_type_are_the_same_however_they_are_kept() -> None:
    """Texts and categories, moments of other units and dates, truth values; batches make no difference."""
    pairs = [
        (pl.Series(["a", "b", "a", "ü"]), pl.Series(["a", "b", "a", "ü"], dtype=pl.Categorical)),
        (pl.Series([1, 2, None]), pl.Series([1, 2, None], dtype=pl.UInt64)),
        (pl.Series([date(2026, 1, 1)]), pl.Series([datetime(2026, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("ms", "UTC"))),
        (pl.Series([Decimal("1.50"), Decimal("2.00")]), pl.Series([1.5, 2.0])),
        (pl.Series([b"a", b"b"]), pl.Series(["a", "b"])),
    ]
    for one, other in pairs:
        assert sorted(stable_keys(one)) == sorted(stable_keys(other))
        assert len(set(stable_keys(one).tolist())) == one.drop_nulls().n_unique()
    # Kept for good: what is stored today is found again with any later version.
    assert sorted(stable_keys(pl.Series(["a", "b"]))) == [6294355645245719615, 16629034431890738719]
    assert stable_keys(pl.Series([1, 2])).tolist() == [6238072747940578789, 15839785061582574730]


def test_a_large_key_column_is_sampled_and_the_error_is_as_said() -> None:
    """The share of strange values is estimated; the sample of both sides is the same values."""
    users = KeyCollector(most=4_000)
    for start in range(0, 200_000, 10_000):
        users.add(pl.Series("id", np.arange(start, start + 10_000)))
    keys = users.found()
    assert len(keys.hashes) <= 4_000
    assert abs(len(keys.hashes) / keys.share - 200_000) < 200_000 * 0.06
    assert KeySet.of_bytes(keys.share, keys.to_bytes()).judge(keys.hashes) == (len(keys.hashes), 0)
    rule = check({"foreignKey": {"field": "user", "references": {"namespace": "n", "name": "u", "field": "id"}}})
    known = {rule.rule.references: keys}  # type: ignore[attr-defined]
    fine = pl.DataFrame({"user": np.random.default_rng(1).integers(0, 200_000, 50_000)})
    assert passed_over([rule], fine, 9_999, keys=known)[0].passed is True
    strange = pl.DataFrame({"user": np.arange(100_000, 300_000)})
    [outcome] = passed_over([rule], strange, 9_999, keys=known)
    assert (outcome.passed, outcome.is_exact) == (False, False)
    assert abs(outcome.observed["failingShare"] - 0.5) < 0.06


@given(st.lists(st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False, width=32)), min_size=1, max_size=50))
@hypothesis_settings(max_examples=60, deadline=None)
def test_keys_are_equal_exactly_where_values_are(values: list[Any]) -> None:
    """Numbers as floats, against Python's own equality."""
    keys = stable_keys(pl.Series([float(one) for one in values])).tolist()
    assert len(set(keys)) == len({float(one) for one in values})
    whole = [one for one in values if isinstance(one, int)]
    as_floats = stable_keys(pl.Series([float(one) for one in whole], dtype=pl.Float64)).tolist()
    assert stable_keys(pl.Series(whole, dtype=pl.Int64)).tolist() == as_floats


@pytest.mark.parametrize(
    ("said", "path", "message"),
    [
        ({"matchesPattern": {"field": "a", "pattern": "(a"}}, ("rule", "matchesPattern", "pattern"), "unclosed group"),
        ({"matchesPattern": {"field": "a", "pattern": "a)|(b"}}, ("rule", "matchesPattern", "pattern"), "unopened"),
        ({"matchesPattern": {"field": "a", "pattern": "(a{900}){900}"}}, ("rule", "matchesPattern", "pattern"), "size"),
        ({"matchesPattern": {"field": "a", "pattern": "a" * 1001}}, ("rule", "matchesPattern", "pattern"), "1,000"),
        ({"inRange": {"field": "a"}}, ("rule", "inRange"), "give min, max, or both"),
        ({"inRange": {"field": "a", "min": 2, "max": 1}}, ("rule", "inRange"), "greater"),
        ({"inRange": {"field": "a", "min": "1"}}, ("rule", "inRange", "min"), "finite number"),
        ({"inRange": {"field": "a", "mix": 1}}, ("rule", "inRange"), "'mix' is not known here"),
        ({"inRange": {"min": 1}}, ("rule", "inRange", "field"), "field is missing"),
        ({"inSet": {"field": "a", "values": []}}, ("rule", "inSet", "values"), "1 to 10,000"),
        ({"rowCount": {"min": -1}}, ("rule", "rowCount"), "not negative"),
        ({"unique": {"fields": ["a", "a"]}}, ("rule", "unique", "fields"), "different columns"),
        ({"fresh": {"withinSeconds": 0}}, ("rule", "fresh", "withinSeconds"), "positive"),
        ({"driftBelow": {"field": "a", "limit": 0}}, ("rule", "driftBelow", "limit"), "positive"),
        ({"driftBelow": {"field": "a", "limit": 1, "measure": "X"}}, ("rule", "driftBelow", "measure"), "one of PSI"),
        ({"notNull": {"field": "a", "maxFailingShare": 2}}, ("rule", "notNull", "maxFailingShare"), "0 to 1"),
        ({"sql": "1=1"}, ("rule",), "no kind of rule"),
        ({"notNull": {"field": "a"}, "unique": {"fields": ["a"]}}, ("rule",), "exactly one kind"),
    ],
)
def test_a_bad_rule_says_what_is_wrong(said: dict[str, Any], path: tuple[str, ...], message: str) -> None:
    """Before anything is stored."""
    with pytest.raises(Invalid, match=message.replace("(", r"\(")) as refused:
        rule_of(said)
    assert refused.value.path == path


def test_a_rule_s_json_is_read_back_as_it_was() -> None:
    """The expression that is stored is the input that declares it."""
    for rule, _ in CASES:
        assert rule_of(expression_of(rule_of(rule))) == rule_of(rule)
    drift = {"driftBelow": {"field": "a", "limit": 0.2, "measure": "JENSEN_SHANNON"}}
    assert expression_of(rule_of(drift)) == drift


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Int64", Family.NUMBER), ("UInt8", Family.NUMBER), ("Decimal[38, 2]", Family.NUMBER),
        ("double", Family.NUMBER),
        ("BIGINT", Family.NUMBER), ("String", Family.TEXT), ("VARCHAR(20)", Family.TEXT), ("Datetime[us]", Family.TIME),
        ("timestamp with time zone", Family.TIME), ("Date", Family.TIME), ("Time", Family.OTHER),
        ("interval", Family.OTHER), ("List[Int64]", Family.NESTED), ("Boolean", Family.BOOLEAN),
        ("geography", Family.UNKNOWN), ("longtext", Family.TEXT), ("Duration[us]", Family.OTHER),
    ],
)  # fmt: skip
def test_types_have_families(name: str, family: Family) -> None:
    """Whoever named them."""
    assert family_of(name) is family


def test_texts_mean_what_the_column_s_family_says() -> None:
    """Numbers are exact, moments are in UTC, NaN is no number."""
    assert parsed("9007199254740993", Family.NUMBER) == 9007199254740993
    assert parsed("nan", Family.NUMBER) is None
    assert parsed("2026-01-01T01:00:00.123456789+01:00", Family.TIME) == datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)
    assert parsed("maybe", Family.BOOLEAN) is None
