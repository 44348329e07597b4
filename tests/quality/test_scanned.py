"""Checks in scans: results per version, incidents, keys, baselines, anomalies, on both databases."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scanning import NS, dataset_id, declared, findings, incidents, results, scan

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.errors import AssetgraphError, Conflict, Invalid, NotFound
from assetgraph.lineage.service import register_version
from assetgraph.quality import check_queries, declare, queries
from assetgraph.quality.incidents import Acknowledge, acknowledge
from assetgraph.quality.tables import Severity
from assetgraph.settings import Settings


def write(folder: Path, name: str, **columns: Any) -> None:
    """Write a Parquet file."""
    pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")


def log(database: Database, entity: str) -> list[tuple[str, Any]]:
    """Return (action, after) of all changes of a type, oldest first."""
    with database.reading() as session:
        found = changes.follow(session, 0, 10_000)
    return [(row.action, row.after) for row in found if row.entity_type == entity]


def test_checks_get_results_with_each_version_and_open_and_close_incidents(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """By statistics and by the pass; the same content is not judged again, but what is new about it is."""
    write(incoming, "orders", id=[1, 2, 3], user=["a", "b", "c"], price=[1.0, 2.0, 3.0])
    scan(database, settings, incoming)
    checks = declared(
        database, "orders", there={"notNull": {"field": "price"}}, once={"unique": {"fields": ["id", "user"]}},
        cheap={"inRange": {"field": "price", "max": 5, "maxFailingShare": 0.5}, "severity": "WARNING"},
        many={"rowCount": {"min": 3}}, told={"inRange": {"field": "price", "max": 2}, "severity": "INFO"},
    )  # fmt: skip
    scan(database, settings, incoming)
    first = results(database, checks)
    assert {name: [row.passed for row in rows] for name, rows in first.items()} == {
        "there": [True], "once": [True], "cheap": [True], "many": [True], "told": [False]
    }  # fmt: skip
    assert incidents(database) == []
    scan(database, settings, incoming)
    assert {name: len(rows) for name, rows in results(database, checks).items()} == dict.fromkeys(checks, 1)

    write(incoming, "orders", id=[1, 1], user=["a", "a"], price=[None, 9.0])
    scan(database, settings, incoming)
    second = {name: rows[0] for name, rows in results(database, checks).items()}
    assert {name: row.passed for name, row in second.items()} == dict.fromkeys(checks, False)
    assert second["there"].observed == {"judged": 2, "failing": 1, "failingShare": 0.5, "exact": True}
    assert second["once"].observed["failing"] == 1
    assert second["there"].message == "1 of 2 values fail (50.00%)"
    assert second["many"].message == "2 rows; wanted are at least 3"
    with database.reading() as session:
        latest = catalog.latest_versions(session, [dataset_id(database, "orders")])
        assert {row.version_id for row in second.values()} == {row.id for row in latest.values()}
    opened = incidents(database, open=True)
    assert sorted((row.message.partition(":")[0], row.severity.value) for row in opened) == [
        ("cheap", "WARNING"), ("many", "ERROR"), ("once", "ERROR"), ("there", "ERROR"),
    ]  # fmt: skip
    assert incidents(database, severity=Severity.WARNING, namespace=NS)[0].message.startswith("cheap: ")

    write(incoming, "orders", id=[1, 1, 1], user=["a", "a", "b"], price=[None, 9.0, 1.0])
    scan(database, settings, incoming)
    again = {row.message.partition(":")[0]: row for row in incidents(database, open=True)}
    assert {name: row.failures for name, row in again.items()} == {"there": 2, "once": 2}
    [many] = [row for row in incidents(database, open=False) if row.message.startswith("many")]
    assert many.resolution == "many: 3 rows; as wanted"
    assert many.closing_version_id is not None
    actions = [action for action, _ in log(database, "Incident")]
    assert (actions.count("opened"), actions.count("closed")) == (4, 2)
    with database.transaction("lena") as session:
        acknowledge(session, Acknowledge(int(again["once"].id), " seen "))
        with pytest.raises(NotFound):
            acknowledge(session, Acknowledge(999_999))
    [known] = incidents(database, acknowledged=True)
    assert (known.acknowledged_by, known.note, known.id) == ("lena", "seen", again["once"].id)
    assert len(incidents(database, acknowledged=False)) == 3


def test_content_that_comes_back_closes_what_was_opened_since(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """A bad delivery that is taken back is mended, though no new version tells."""
    write(incoming, "a", n=[1, 2])
    scan(database, settings, incoming)
    checks = declared(database, "a", some={"rowCount": {"min": 2}})
    scan(database, settings, incoming)
    write(incoming, "a", n=[1])
    scan(database, settings, incoming)
    assert len(incidents(database, open=True)) == 1
    write(incoming, "a", n=[1, 2])
    scan(database, settings, incoming)
    assert incidents(database, open=True) == []
    assert [row.passed for row in results(database, checks)["some"]] == [True, False, True]
    scan(database, settings, incoming)
    assert len(results(database, checks)["some"]) == 3


def test_a_check_that_changes_or_goes_leaves_its_results_and_closes_its_incident(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """Another rule under the name is another check; the list shows what holds, then as now."""
    write(incoming, "a", n=[1, 2])
    scan(database, settings, incoming)
    dataset = dataset_id(database, "a")
    [first] = declared(database, "a", few={"rowCount": {"max": 1}}).values()
    scan(database, settings, incoming)
    [opened] = incidents(database, open=True)
    assert [declared(database, "a", few={"rowCount": {"max": 1}})] == [{"few": first}]
    [second] = declared(database, "a", few={"rowCount": {"max": 2}}).values()
    assert second != first
    [closed] = incidents(database)
    assert (closed.id, closed.resolution) == (opened.id, "the check was changed")
    scan(database, settings, incoming)
    assert [row.passed for row in results(database, {"few": second})["few"]] == [True]
    assert [row.passed for row in results(database, {"few": first})["few"]] == [False]
    with database.reading() as session:
        shown = queries.checks_page(session, dataset, PageRequest())
        then = queries.checks_page(session, dataset, PageRequest(), opened.opened_at)
    assert ([row.id for row in shown.rows], [row.id for row in then.rows]) == ([second], [first])
    with database.transaction("steward") as session:
        assert declare.remove(session, declare.RemoveCheck(second)) == second
        assert declare.remove(session, declare.RemoveCheck(second)) == second
    with database.reading() as session:
        assert queries.checks_page(session, dataset, PageRequest()).rows == []
    assert [action for action, _ in log(database, "QualityCheck")] == ["declared", "declared", "removed"]
    scan(database, settings, incoming)
    assert len(results(database, {"few": second})["few"]) == 1
    assert declared(database, "a", few={"rowCount": {"max": 2}}) == {"few": second}
    with database.reading() as session:
        assert [row.id for row in queries.checks_page(session, dataset, PageRequest()).rows] == [second]


@pytest.mark.parametrize(
    ("rules", "error", "path", "message"),
    [
        ({"x": {"notNull": {"field": "b"}}}, NotFound, ("checks", "0", "rule", "notNull"),
         "no column 'b'; known: a, t"),
        ({"x": {"inRange": {"field": "t", "min": 0}}}, Invalid, ("checks", "0", "rule", "inRange"), "holds text"),
        ({"x": {"matchesPattern": {"field": "a", "pattern": "x"}}}, Invalid,
         ("checks", "0", "rule", "matchesPattern"), "holds numbers; this rule needs text"),
        ({"x": {"inSet": {"field": "a", "values": ["1", "b"]}}}, Invalid,
         ("checks", "0", "rule", "inSet", "values"), "'b' is no numbers value"),
        ({"x": {"foreignKey": {"field": "a", "references": {"namespace": NS, "name": "b", "field": "id"}}}}, NotFound,
         ("checks", "0", "rule", "foreignKey", "references"), "no dataset 'b'"),
        ({"x": {"foreignKey": {"field": "a", "references": {"namespace": NS, "name": "o", "field": "t"}}}}, Invalid,
         ("checks", "0", "rule", "foreignKey", "references"), "holds text"),
        ({"x": {"foreignKey": {"field": "a", "references": {"namespace": NS, "name": "a", "field": "a"}}}}, Invalid,
         ("checks", "0", "rule", "foreignKey", "references"), "not to its own"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_be_is_refused_when_it_is_declared(
    database: Database, rules: dict[str, Any], error: type[AssetgraphError], path: tuple[str, ...], message: str
) -> None:
    """With what there is; nothing is stored, of the good ones beside it neither."""
    fields = (FieldSpec("a", "Int64"), FieldSpec("t", "String"))
    with database.transaction("test") as session:
        for name in ("a", "o"):
            register_version(session, RegisterVersion(NS, name, fields))
    with pytest.raises(error, match=message.replace("(", r"\(")) as refused:
        declared(database, "a", **rules, fine={"notNull": {"field": "a"}})
    assert refused.value.path == path
    with database.reading() as session:
        assert check_queries.in_force(session, dataset_id(database, "a")) == []


def test_what_events_tell_is_not_removed_and_what_has_no_version_has_no_checks(database: Database) -> None:
    """Clear errors."""
    with database.transaction("test") as session:
        with pytest.raises(NotFound, match="no dataset 'x' in namespace"):
            declare.declare(session, declare.DeclareChecks(AssetRef(namespace=NS, name="x"), ()))
        with pytest.raises(NotFound, match="no check has this id"):
            declare.remove(session, declare.RemoveCheck(5))
        register_version(session, RegisterVersion(NS, "x"))
    with pytest.raises(NotFound, match="no column 'a'"):
        declared(database, "x", one={"notNull": {"field": "a"}})


def test_foreign_keys_meet_the_newest_keys_of_the_other_dataset(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """Which is scanned first, whatever its name; unchanged data is judged again when the other one changed."""
    write(incoming, "users", id=[1, 2, 3])
    write(incoming, "orders", user=[1.0, 2.0, None])
    scan(database, settings, incoming)
    said = {"namespace": NS, "name": "users", "field": "id"}
    checks = declared(database, "orders", known={"foreignKey": {"field": "user", "references": said}})
    write(incoming, "users", id=[1, 2, 3, 4])
    write(incoming, "orders", user=[4.0, 4.0])
    scan(database, settings, incoming)
    [first] = results(database, checks)["known"]
    assert (first.passed, first.observed["references"]) == (True, "users@2")
    scan(database, settings, incoming)
    assert len(results(database, checks)["known"]) == 1
    write(incoming, "users", id=[1, 2])
    scan(database, settings, incoming)
    lost, _ = results(database, checks)["known"]
    assert (lost.passed, lost.observed["failing"], lost.observed["references"]) == (False, 2, "users@3")
    with database.reading() as session:
        latest = catalog.latest_versions(session, [dataset_id(database, "orders")])[dataset_id(database, "orders")]
        page = queries.series_page(session, int(latest.dataset_id), {"name": "referential_integrity"}, PageRequest())
    assert [(row.value, row.field) for row in page.rows] == [(1.0, "user")]


def test_keys_that_nobody_collected_are_read_where_the_version_lies(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """A foreign key that is declared after the last scan; when the file is another one, there is no verdict."""
    users, orders = incoming / "users", incoming / "orders"
    users.mkdir()
    orders.mkdir()
    write(users, "u", id=["x", "y"])
    write(orders, "o", user=["x", "z"])
    scan(database, settings, incoming)
    said = {"namespace": NS, "name": "users/u", "field": "id"}
    checks = declared(database, "orders/o", known={"foreignKey": {"field": "user", "references": said}})
    scan(database, settings, orders)
    assert results(database, checks)["known"] == []  # the names start elsewhere: another dataset, without checks
    with database.transaction("test") as session:
        register_version(session, RegisterVersion(NS, "o", (FieldSpec("user", "String"),)))
    named = declared(database, "o", known={"foreignKey": {"field": "user", "references": said}})
    write(orders, "o", user=["x", "z", "q"])
    scan(database, settings, orders)
    [found] = results(database, named)["known"]
    assert (found.passed, found.observed["failing"]) == (False, 2)
    with database.reading() as session:
        fields = catalog.field_ids(session, dataset_id(database, "users/u"))
        assert set(check_queries.keys_of(session, list(fields.values()))) == {fields["id"]}


def test_drift_is_measured_against_the_version_before_or_a_pinned_one(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """Small steps pass one by one; against the pinned version they add up."""

    def step(shift: int) -> None:
        write(incoming, "a", n=[float(one + shift) for one in range(1000)])
        scan(database, settings, incoming)

    step(0)
    limit = {"driftBelow": {"field": "n", "limit": 0.2, "measure": "KOLMOGOROV_SMIRNOV"}}
    checks = declared(database, "a", steady=limit)
    step(100)
    step(200)
    assert [row.passed for row in results(database, checks)["steady"]] == [True, True]
    assert results(database, checks)["steady"][0].observed["baseline"] == "a@2"
    ref = AssetRef(namespace=NS, name="a", version=1)
    with database.transaction("lena") as session:
        dataset = declare.pin_baseline(session, declare.PinBaseline(ref))
        assert check_queries.baselines(session, [dataset])[dataset].pinned_by == "lena"
        with pytest.raises(NotFound, match="no version 9"):
            declare.pin_baseline(session, declare.PinBaseline(AssetRef(namespace=NS, name="a", version=9)))
    step(300)
    newest = results(database, checks)["steady"][0]
    assert (newest.passed, newest.observed["baseline"]) == (False, "a@1")
    assert newest.observed["value"] == pytest.approx(0.3, abs=0.02)
    with database.transaction("lena") as session:
        declare.pin_baseline(session, declare.PinBaseline(ref, pinned=False))
    step(400)
    assert results(database, checks)["steady"][0].passed
    assert incidents(database, open=True) == []


def test_an_odd_number_opens_an_incident_until_the_next_usual_one(
    database: Database, settings: Settings, incoming: Path
) -> None:
    """Row counts and completeness of columns, explained; content that was there before counts too."""
    for rows in (100, 103, 98, 101, 99, 102, 96, 97, 104):
        write(incoming, "a", n=list(range(rows)), m=["x"] * rows)
        scan(database, settings, incoming)
    assert incidents(database) == []
    write(incoming, "a", n=[1, 2], m=["x", None])
    scan(database, settings, incoming)
    found = {(row.metric, row.field): row for row in incidents(database, open=True)}
    assert set(found) == {("row_count", None), ("completeness", None), ("completeness", "m")}
    count = found[("row_count", None)]
    assert count.message.startswith("row count 2 is ")
    assert count.message.endswith(" deviations below the median 100 of the last 9 versions")
    assert found[("completeness", "m")].message.startswith("'m': completeness 0.5000 is ")
    assert count.severity is Severity.WARNING
    write(incoming, "a", n=list(range(101)), m=["x"] * 101)
    scan(database, settings, incoming)
    assert incidents(database, open=True) == []
    assert {row.resolution for row in incidents(database)} == {"as usual again"}


def test_metrics_of_a_scan_are_a_series_over_versions(database: Database, settings: Settings, incoming: Path) -> None:
    """Freshness, validity, types, checks; by name, column and time, in pages."""
    write(incoming, "a", n=[1, 2], t=["1", "x"])
    scan(database, settings, incoming)
    declared(
        database, "a", small={"inRange": {"field": "n", "max": 2}}, word={"inSet": {"field": "t", "values": ["x"]}}
    )
    write(incoming, "a", n=[1, 2, 4], t=["x", "2", "3"])
    scan(database, settings, incoming)
    write(incoming, "a", n=["1"], t=["x"])
    run = scan(database, settings, incoming)
    assert [row.code for row in findings(database, run)] == ["NO_VERDICT"]
    dataset = dataset_id(database, "a")
    with database.reading() as session:

        def series(**wanted: Any) -> list[tuple[str | None, float]]:
            page = queries.series_page(session, dataset, wanted, PageRequest.of(50, None))
            return [(row.field, round(row.value, 4)) for row in page.rows]

        assert series(name="row_count") == [(None, 1), (None, 3), (None, 2)]
        assert series(name="type_consistency", field="t") == [("t", 1), ("t", 0.6667), ("t", 0.5)]
        assert [value for field, value in series(name="type_consistency") if field is None] == [0.5, 1]
        assert series(name="validity") == [(None, 1), ("t", 1), (None, 0.3333), ("t", 0.3333)]
        assert series(name="checks_passed") == [(None, 1), (None, 0)]
        assert len(series(name="freshness")) == 3
        middle = queries.series_page(session, dataset, {"name": "row_count"}, PageRequest()).rows[1].measured_at
        assert series(name="row_count", since=middle, until=middle) == [(None, 3)]
        assert series(name="row_count", until=middle) == [(None, 3), (None, 2)]


def test_a_scan_that_lost_its_lease_writes_no_results(database: Database, settings: Settings, incoming: Path) -> None:
    """They come in the version's own transaction."""
    from assetgraph.inventory.service import StartScan, run_scan, start_scan
    from assetgraph.jobs import service as jobs
    from assetgraph.jobs.context import JobContext

    write(incoming, "a", n=[1])
    scan(database, settings, incoming)
    checks = declared(database, "a", one={"rowCount": {"min": 5}})
    with database.reading() as session:
        source = catalog.source_locations(session)
        assert len(source) == 1
    with database.transaction("test") as session:
        from assetgraph.catalog import service

        key = service.register_source(session, service.RegisterSource(NS, incoming.name, str(incoming)))
        start_scan(session, settings, StartScan(key))
    [claim] = jobs.claim(database, "frozen", lease_seconds=-1, max_attempts=3)
    jobs.claim(database, "other", lease_seconds=600, max_attempts=3)
    with pytest.raises(Conflict):
        run_scan(JobContext(database, settings, claim))
    assert results(database, checks)["one"] == []
