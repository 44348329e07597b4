"""Declared checks, incidents and baselines in exports, and when two names turn out to be one dataset."""

from copying import assert_same, empty, exported, imported, valid  # noqa: F401 - a fixture
from story import NS

from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.lineage.service import register_version
from assetgraph.openlineage import merging_queries, version_queries
from assetgraph.quality import check_queries, declare, incident_queries
from assetgraph.quality.checks import Check, ForeignKey, NotNull, Reference
from assetgraph.quality.incidents import Acknowledge, Verdict, acknowledge, observe


def judged(database: Database) -> dict[str, int]:
    """Register two datasets with checks, incidents and a baseline; returns ids of versions by the dataset's name."""
    fields = (FieldSpec("id", "Int64"), FieldSpec("user", "Int64"))
    with database.transaction("lena") as session:
        versions = {name: register_version(session, RegisterVersion(NS, name, fields))[0] for name in ("one", "two")}
        refers = Check("known", ForeignKey("user", Reference(NS, "two", "id")))
        for name in versions:
            ref = AssetRef(namespace=NS, name=name)
            checks = (Check("there", NotNull("id")), *((refers,) if name == "one" else ()))
            declare.declare(session, declare.DeclareChecks(ref, checks))
            dataset = declare.pin_baseline(session, declare.PinBaseline(ref))
            [there, *_] = check_queries.in_force(session, dataset)
            for metric in ("row_count", "validity"):
                observe(session, dataset, versions[name], [
                    Verdict(is_fine=False, message="few", metric=metric),
                    Verdict(is_fine=False, message="gone", check_key=str(there.key)),
                ], now())  # fmt: skip
            last = Verdict(is_fine=True, message="fine", metric="validity")
            observe(session, dataset, versions[name], [last], now())
        [known, *_] = incident_queries.incidents_page(session, {"open": True}, PageRequest()).rows
        acknowledge(session, Acknowledge(int(known.id), "seen"))
    return versions


def test_quality_comes_back_as_it_was(database: Database, empty: Database) -> None:
    """What people declared, what is wrong, who knows; again changes nothing."""
    judged(database)
    some = exported(database)
    valid(some)
    assert imported(empty, some).errors == []
    assert_same(empty, database)
    assert imported(empty, some).added == 0
    with empty.reading() as session:
        found = incident_queries.incidents_page(session, {"open": False}, PageRequest()).rows
        assert [(row.metric, row.resolution) for row in found] == [("validity", "fine")] * 2
        one = declare.dataset_of(session, AssetRef(namespace=NS, name="one"))
        [check] = [row for row in check_queries.in_force(session, one) if row.name == "known"]
        two = declare.dataset_of(session, AssetRef(namespace=NS, name="two"))
        assert check_queries.referred(session, two) == {"id": check.refers_to}


def test_versions_and_datasets_that_go_leave_no_dangling_rows(database: Database) -> None:
    """Incidents stay without their version, a baseline goes with it; of two datasets' open ones those there stay."""
    versions = judged(database)
    with database.transaction("test") as session:
        ids = {name: declare.dataset_of(session, AssetRef(namespace=NS, name=name)) for name in versions}
        merging_queries.move_checks(session, ids["one"], ids["two"])
        merging_queries.move_incidents(session, ids["one"], ids["two"])
        opened = incident_queries.incidents_page(session, {"dataset": ids["one"], "open": True}, PageRequest())
        closed = incident_queries.incidents_page(session, {"dataset": ids["one"], "open": False}, PageRequest())
        assert (opened.total, closed.total) == (2, 2)
        assert incident_queries.incidents_page(session, {"dataset": ids["two"]}, PageRequest()).total == 0
        assert set(check_queries.baselines(session, list(ids.values()))) == {ids["one"]}
    with database.transaction("test") as session:
        version_queries.delete_version(session, versions["one"])
        assert check_queries.baselines(session, list(ids.values())) == {}
        left = incident_queries.incidents_page(session, {"dataset": ids["one"]}, PageRequest()).rows
        assert {row.version_id for row in left} <= {None, versions["two"]}
