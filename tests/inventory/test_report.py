"""The inventory report says what is stored: of the latest versions, by role, with what is missing and what it costs."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from stocked import BEHIND, stock
from trained import train_nothing

from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import FieldSpec, RegisterDataset, RegisterVersion, register_dataset
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid
from assetgraph.inventory.report import inventory_report
from assetgraph.inventory.report_shapes import InventoryReport
from assetgraph.inventory.report_usage import members, reaching, union
from assetgraph.lineage import service as lineage
from assetgraph.quality.tables import Severity


def reported(database: Database, namespace: str | None = None) -> InventoryReport:
    """Return the report."""
    with database.reading() as session:
        return inventory_report(session, namespace)


def row(report: InventoryReport, name: str) -> dict[str, Any]:
    """Return a dataset's row."""
    [found] = report.datasets.filter(name=name).iter_rows(named=True)
    return found


def test_each_dataset_has_a_row_with_what_is_stored_of_it(database: Database) -> None:
    """Of the latest version; times that cannot be events and shares above one do not count; retired ones are out."""
    stock(database)
    report = reported(database)
    assert report.datasets.get_column("name").to_list() == ["people", "d", "events", "items | <b>", "orders"]
    assert (report.retired_datasets, report.transient_datasets) == (1, 1)
    events = row(report, "events")
    assert (events["version"], events["row_count"], events["size_bytes"], events["field_count"]) == (2, 1000, 5000, 3)
    age = report.generated_at - events["newest_event_at"]
    assert timedelta(days=BEHIND) < age < timedelta(days=BEHIND, hours=2)
    assert (events["newest_event_field"], events["owners"]) == ("at", ["ada", "team:data"])
    assert (events["check_count"], events["checks_failing_warning"], events["quality"]) == (1, 1, 0.0)
    items = row(report, "items | <b>")
    assert (items["newest_event_at"], items["completeness"], items["quality"]) == (None, 0.75, 0.75)
    orders = row(report, "orders")
    assert (orders["completeness"], orders["check_count"], orders["checks_passed"]) == (None, 2, 1)
    assert (orders["quality"], orders["checks_failing_error"]) == (0.5, 1)
    assert (orders["personal_data_fields"], orders["personal_data_tags"]) == (1, ["personal-data"])
    people = row(report, "people")
    assert (people["version"], people["row_count"], people["owners"], people["quality"]) == (None, None, [], None)


def test_personal_data_flows_as_tags_do_and_models_learn_through_jobs(database: Database) -> None:
    """The copy of a tagged column counts, the masked and the filtered one do not; `events` reached `m` through `d`."""
    stock(database)
    report = reported(database)
    made = row(report, "d")
    assert (made["personal_data_fields"], made["personal_data_tags"]) == (1, ["pii:user"])
    assert [row(report, name)["models"] for name in ("d", "events", "orders")] == [["shop/m"], ["shop/m"], []]
    assert [(one.tag, one.field_count, one.dataset_count) for one in report.personal_data] == [
        ("pii:user", 2, 2), ("personal-data", 1, 1)
    ]  # fmt: skip
    models = report.models
    assert (models.model_count, models.version_count, models.owned_models, models.models_with_lineage) == (1, 1, 0, 1)
    assert models.newest_version_at is not None


def test_roles_add_up(database: Database) -> None:
    """Every role is there, also those without data; what has no role stands apart, and all of it is the total."""
    stock(database)
    report = reported(database)
    roles = {one.role: one for one in report.roles}
    assert set(roles) == set(DatasetRole)
    behaviour, orders = roles[DatasetRole.USER_BEHAVIOUR], roles[DatasetRole.TRANSACTION]
    assert (behaviour.dataset_count, behaviour.row_count, behaviour.used_by_models) == (1, 1000, 1)
    assert (behaviour.owned_datasets, behaviour.personal_data_fields, behaviour.used_datasets) == (1, 1, 1)
    assert (orders.checks_evaluated, orders.checks_passed, orders.mean_quality) == (2, 1, 0.5)
    assert roles[DatasetRole.EXPOSURE].dataset_count == 0
    assert roles[DatasetRole.EXPOSURE].mean_quality is None
    assert report.unassigned.dataset_count == 1
    parts = [*report.roles, report.unassigned]
    for name in ("dataset_count", "row_count", "size_bytes", "check_count", "personal_data_fields", "owned_datasets"):
        assert sum(getattr(one, name) for one in parts) == getattr(report.total, name)
    assert (report.total.row_count, report.total.size_bytes) == (1070, 5007)
    assert report.total.newest_event_at == behaviour.newest_event_at


def test_gaps_say_what_is_missing_and_what_it_costs(database: Database) -> None:
    """The worst first, each code once with its role; those about datasets count them and name the first."""
    stock(database)
    gaps = {gap.code: gap for gap in reported(database).gaps}
    assert set(gaps) == {
        "CHECKS_FAILING", "PERSONAL_DATA_WITHOUT_OWNER", "NO_SEARCH_QUERIES", "NO_EXPOSURES", "NO_FEEDBACK",
        "STALE_BEHAVIOUR", "CHECKS_WARNING", "WITHOUT_CHECKS", "WITHOUT_OWNER", "PERSONAL_DATA_WITHOUT_TAG",
        "MODEL_WITHOUT_OWNER", "NO_FEATURES", "WITHOUT_ROLE", "WITHOUT_VERSION", "PERSONAL_DATA_IN_MODELS",
        "UNUSED_TRANSACTION",
    }  # fmt: skip
    assert gaps["NO_EXPOSURES"].message == "no exposure log: feedback cannot be debiased"
    assert gaps["NO_EXPOSURES"].role is DatasetRole.EXPOSURE
    said = f"behaviour data: the newest is {BEHIND} days old: models do not see what people want now"
    assert (gaps["STALE_BEHAVIOUR"].message, gaps["STALE_BEHAVIOUR"].severity) == (said, Severity.WARNING)
    nobody = gaps["WITHOUT_OWNER"]
    assert nobody.message == "4 datasets without owner: nobody is told when one breaks"
    assert (nobody.count, nobody.examples) == (4, ("hr/people", "shop/d", "shop/items | <b>", "shop/orders"))
    assert gaps["PERSONAL_DATA_WITHOUT_OWNER"].examples == ("shop/d", "shop/orders")
    assert gaps["CHECKS_FAILING"].examples == ("shop/orders",)
    assert gaps["WITHOUT_CHECKS"].examples == ("shop/d",)
    severities = [gap.severity for gap in reported(database).gaps]
    assert severities == sorted(severities, key=[Severity.ERROR, Severity.WARNING, Severity.INFO].index)


def test_a_namespace_is_reported_by_itself(database: Database) -> None:
    """With the use that models of others make of it; of one that has nothing only that is said."""
    stock(database)
    report = reported(database, " hr ")
    assert (report.namespace, report.datasets.get_column("name").to_list()) == ("hr", ["people"])
    assert (report.total.dataset_count, report.models.model_count, report.retired_datasets) == (1, 0, 0)
    assert {"NO_BEHAVIOUR", "NO_MODEL"} <= {gap.code for gap in report.gaps}
    [only] = reported(database, "nowhere").gaps
    assert (only.code, only.message) == (
        "NOTHING_REGISTERED", "nothing is registered in namespace 'nowhere': there is nothing to report on"
    )  # fmt: skip
    with pytest.raises(Invalid):
        reported(database, " ")


def test_an_owner_role_and_tag_close_their_gaps(database: Database) -> None:
    """Behaviour that is missing weighs less where there are transactions."""
    with database.transaction("test") as session:
        described = RegisterDataset("shop", "people", role=DatasetRole.USER_PROFILE, owners=("ada",))
        register_dataset(session, described)
    codes = {gap.code: gap.severity for gap in reported(database).gaps}
    assert codes["NO_BEHAVIOUR"] is Severity.ERROR
    assert "WITHOUT_OWNER" not in codes
    assert "PERSONAL_DATA_WITHOUT_TAG" in codes
    with database.transaction("test") as session:
        fields = (FieldSpec("mail", "String", tags=("PII",)),)
        lineage.register_version(session, RegisterVersion("shop", "people", fields))
        register_dataset(session, RegisterDataset("shop", "sold", role=DatasetRole.TRANSACTION, tags=("pii:card",)))
    report = reported(database)
    codes = {gap.code: gap.severity for gap in report.gaps}
    assert codes["NO_BEHAVIOUR"] is Severity.WARNING
    assert not codes.keys() & {"PERSONAL_DATA_WITHOUT_TAG", "NO_TRANSACTIONS", "NO_USER_PROFILES", "WITHOUT_ROLE"}
    assert report.total.personal_data_datasets == 2
    assert report.total.personal_data_fields == 1


def test_sums_stop_at_the_greatest_whole_number(database: Database) -> None:
    """Two datasets that say that they have 2^63 - 1 rows."""
    with database.transaction("test") as session:
        for name in ("a", "b"):
            lineage.register_version(session, RegisterVersion("ns", name, row_count=2**63 - 1, size_bytes=1))
    total = reported(database).total
    assert (total.row_count, total.size_bytes) == (2**63 - 1, 2)


def test_a_report_takes_as_many_statements_for_many_datasets_as_for_few(database: Database) -> None:
    """And no more than ten."""

    def statements() -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            if not arguments[2].startswith("BEGIN"):
                seen.append(arguments[2])

        event.listen(database.engine, "before_cursor_execute", note)
        reported(database)
        event.remove(database.engine, "before_cursor_execute", note)
        return len(seen)

    stock(database)
    few = statements()
    with database.transaction("test") as session:
        for number in range(30):
            fields = (FieldSpec("a", "Datetime[us]", tags=("pii",), profile={"max": "2026-01-01T00:00:00"}),)
            lineage.register_version(session, RegisterVersion("more", f"d{number}", fields))
        for number in range(5):
            train_nothing(session, f"m{number}")
    assert statements() == few <= 10


def test_sets_of_models_pass_up_through_cycles() -> None:
    """1 and 2 feed each other, 1 feeds model 8, 2 and 3 feed model 9 through 4; 5 feeds none."""
    edges = [(1, 2), (2, 1), (1, 8), (2, 4), (3, 4), (4, 9), (5, 6)]
    assert reaching(edges, [8, 9]) == {1: 0b11, 2: 0b11, 3: 0b10, 4: 0b10}
    assert members(union([0b10100, 0b1]), 2) == [0, 2]
