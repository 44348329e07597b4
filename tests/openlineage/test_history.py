"""What was said of assets at several instants, in whatever order it became known, and when two turn out to be one."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from alembic import command
from sqlalchemy.event import listen
from story import NS, columns, dataset, event

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service
from assetgraph.catalog.history_queries import histories
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import FieldSpec, RegisterDataset, RegisterVersion, find_asset
from assetgraph.catalog.tables import Lifecycle
from assetgraph.clock import now
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.ids import AssetKind
from assetgraph.lineage import past_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.propagation import SeenTag, tags_of_datasets, tags_of_fields
from assetgraph.openlineage.events import parse_event
from assetgraph.openlineage.facts import facts_of
from assetgraph.openlineage.service import ingest


def moment(minute: float) -> datetime:
    """Return a moment of the story's clock."""
    return datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=minute)


def tell(database: Database, *events: dict[str, Any]) -> None:
    """Ingest events one by one."""
    for one in events:
        with database.transaction("test") as session:
            ingest(session, [facts_of(parse_event(orjson.dumps(one)))])


def register(database: Database, name: str, **said: Any) -> int:
    """Make or change a dataset of namespace ns."""
    with database.transaction("test") as session:
        return service.register_dataset(session, RegisterDataset("ns", name, **said))[0]


def test_a_command_changes_the_present_and_the_past_stays(database: Database) -> None:
    """Tags, owners, description and role at three instants; what never changed holds for all times."""
    made = register(database, "a", tags=("raw", "x"), description="one")
    first = now()
    register(database, "a", tags=("gold",), owners=("ann",), role=DatasetRole.FEATURE)
    second = now()
    register(database, "a", owners=("bob",), description="two")
    with database.reading() as session:

        def seen(at: datetime | None) -> tuple[Any, ...]:
            row = catalog.datasets_by_ids(session, [made], at)[made]
            tags, owners = catalog.tags_of(session, [made], at)[made], catalog.owners_of(session, [made], at)[made]
            return tags, [name for name, _ in owners], row.description, row.role, row.lifecycle

        assert seen(first) == (["raw", "x"], [], "one", None, Lifecycle.ACTIVE)
        assert seen(second) == (["gold"], ["ann"], "one", DatasetRole.FEATURE, Lifecycle.ACTIVE)
        for at in (None, now()):
            assert seen(at) == (["gold"], ["bob"], "two", DatasetRole.FEATURE, Lifecycle.ACTIVE)

        def listed(at: datetime | None, **filters: Any) -> list[str]:
            return [row.name for row in past_queries.datasets_page(session, filters, PageRequest(), at).rows]

        assert listed(first, tag="raw") == ["a"]
        assert listed(first, tag="RAW") == listed(second, tag="raw") == listed(None, tag="raw") == []
        assert listed(second, owner="ann") == ["a"]
        assert listed(first, owner="ann") == listed(now(), owner="ann") == []
        assert listed(second, role=DatasetRole.FEATURE) == ["a"]
        assert listed(first, role=DatasetRole.FEATURE) == []
        assert listed(first - timedelta(hours=1)) == []


def test_a_column_that_is_tagged_later_was_not_tagged_before(database: Database) -> None:
    """Tags of columns add up with versions; a new column has its own since it is there."""
    with database.transaction("test") as session:
        lineage.register_version(session, RegisterVersion("ns", "a", (FieldSpec("x", "int", tags=("t",)),)))
    before = now()
    with database.transaction("test") as session:
        specs = (FieldSpec("x", "int", tags=("pii",)), FieldSpec("y", "int", tags=("new",)))
        lineage.register_version(session, RegisterVersion("ns", "a", specs))
    with database.reading() as session:
        found = find_asset(session, AssetKind.DATASET, "ns", "a")
        assert found is not None
        x, y = catalog.current_fields(session, [found])[found]
        assert catalog.tags_of(session, [x, y]) == {x: ["pii", "t"], y: ["new"]}
        assert catalog.tags_of(session, [x], before) == {x: ["t"]}
        assert past_queries.current_fields(session, [found], before) == {found: [x]}
        assert tags_of_datasets(session, [found], before) == {found: [SeenTag("t", x, (x,))]}


def facts(name: str, **more: Any) -> dict[str, Any]:
    """Return a dataset whose columns and facets an event shows."""
    return dataset(name, schema=columns("id", "mail"), **more)  # type: ignore[no-any-return]


def tagged(*names: str) -> dict[str, Any]:
    """Return a tags facet; `column:tag` is a column's."""
    pairs = [name.rpartition(":")[::2] for name in names]
    return {"tags": [{"key": tag, "value": "true", **({"field": path} if path else {})} for path, tag in pairs]}


EVENTS = [
    event("COMPLETE", "r1", "load", 1, [], [facts("raw", tags=tagged("bronze", "mail:pii"),
                                                  documentation={"description": "as it came"})]),
    event("COMPLETE", "r2", "load", 2, [], [facts("raw", tags=tagged("silver"),
                                                  ownership={"owners": [{"name": "ann", "type": "STEWARD"}]})]),
    event("COMPLETE", "r3", "load", 3, [], [facts("raw", tags=tagged("silver"), documentation={"description": "ok"},
                                                  ownership={"owners": [{"name": "bob"}]})]),
    event("COMPLETE", "r4", "load", 4, [], [dataset("raw", schema=columns("id"), lifecycleStateChange={
        "lifecycleStateChange": "DROP"})]),
]  # fmt: skip


def test_events_in_any_order_give_the_same_past(database: Database) -> None:
    """Versions, tags of the dataset and its column, owners, description and lifecycle, by the events' own times."""
    expected = {
        0: (False, None, [], [], [], None, "ACTIVE"),
        1.5: (True, ["id", "mail"], ["bronze"], ["pii"], [], "as it came", "ACTIVE"),
        2.5: (True, ["id", "mail"], ["silver"], [], [("ann", "STEWARD")], "as it came", "ACTIVE"),
        3.5: (True, ["id", "mail"], ["silver"], [], [("bob", "OWNER")], "ok", "ACTIVE"),
        4.5: (True, ["id"], ["silver"], [], [("bob", "OWNER")], "ok", "RETIRED"),
    }
    for number, order in enumerate(itertools.permutations(EVENTS)):
        if number % 5:
            continue
        space = f"{NS}/{number}"
        tell(database, *(orjson.loads(orjson.dumps(one).replace(NS.encode(), space.encode())) for one in order))
        with database.reading() as session:
            found = find_asset(session, AssetKind.DATASET, space, "raw")
            mail = catalog.asset_id(session, AssetKind.FIELD, space, "raw#mail")
            assert found is not None
            assert mail is not None
            for minute, wanted in expected.items():
                at = moment(minute)
                version = catalog.latest_versions(session, [found], at).get(found)
                fields = None if version is None else [
                    row.path for row in catalog.fields_of_versions(session, [version.id])[version.id]
                ]  # fmt: skip
                row = catalog.datasets_by_ids(session, [found], at)[found]
                assert wanted == (
                    found in past_queries.present(session, [found], at), fields,
                    catalog.tags_of(session, [found], at)[found], catalog.tags_of(session, [mail], at)[mail],
                    catalog.owners_of(session, [found], at)[found], row.documented, row.lifecycle.value,
                ), (number, minute)  # fmt: skip
            latest = catalog.latest_versions(session, [found])[found]
            assert latest.effective_at.replace(microsecond=0) == moment(4)


def test_two_names_of_one_dataset_have_one_past(database: Database) -> None:
    """People's tags are joined at every moment, producers' are one story; both names lead to it."""
    tell(database, event("COMPLETE", "r1", "load", 1, [], [dataset("new", tags=tagged("bronze"))]),
         event("COMPLETE", "r2", "load", 2, [], [dataset("old", tags=tagged("silver"))]))  # fmt: skip
    for name, tag in (("new", "n1"), ("old", "o1")):
        with database.transaction("test") as session:
            service.register_dataset(session, RegisterDataset(NS, name, tags=(tag,)))
    first = now()
    with database.transaction("test") as session:
        service.register_dataset(session, RegisterDataset(NS, "old", tags=("o2",)))
    second = now()
    tell(database, {"eventTime": "2026-03-01T08:05:00Z", "dataset": dataset("new", lifecycleStateChange={
        "lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": NS, "name": "old"}})})  # fmt: skip
    with database.reading() as session:
        found = find_asset(session, AssetKind.DATASET, NS, "new")
        assert found is not None
        assert find_asset(session, AssetKind.DATASET, NS, "old") == found

        def tags(at: datetime | None) -> list[str]:
            return catalog.tags_of(session, [found], at)[found]

        assert tags(moment(0.5)) == []
        assert tags(moment(1.5)) == ["bronze"]
        assert tags(first) == ["n1", "o1", "silver"]
        assert tags(second) == ["n1", "o2", "silver"]
        assert tags(None) == tags(now()) == ["n1", "o2", "silver"]


def test_inherited_tags_follow_the_edges_of_then(database: Database) -> None:
    """A column edge that came later carried nothing before."""
    copied = {"fields": {"id": {"inputFields": [{"namespace": NS, "name": "raw", "field": "id"}]}}}
    tell(database,
         event("COMPLETE", "r2", "copy", 9, [dataset("raw")],
               [dataset("mart", schema=columns("id"), columnLineage=copied)]),
         event("COMPLETE", "r1", "load", 1, [], [facts("raw", tags=tagged("id:key"))]),
         event("COMPLETE", "r0", "copy", 2, [], [dataset("mart", schema=columns("id"))]))  # fmt: skip
    with database.reading() as session:
        own, inherited = (catalog.asset_id(session, AssetKind.FIELD, NS, key) for key in ("raw#id", "mart#id"))
        assert own is not None
        assert inherited is not None
        assert tags_of_fields(session, [inherited], moment(5)) == {inherited: []}
        assert tags_of_fields(session, [inherited], moment(10)) == {
            inherited: [SeenTag("key", own, (own, inherited))]
        }  # fmt: skip


def test_a_batch_is_one_statement(database: Database) -> None:
    """However many words it has; a repeated batch writes none."""
    batch = [facts_of(parse_event(orjson.dumps(one))) for one in EVENTS]
    seen: list[str] = []
    listen(database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    for _ in range(2):
        with database.transaction("test") as session:
            ingest(session, batch)
    assert len([one for one in seen if "INSERT INTO asset_history" in one]) == 1


def test_the_migration_takes_over_what_events_said_last(database: Database) -> None:
    """Down and up again: the newest words are there, those before them are not known."""
    tell(database, *EVENTS)
    with database.reading() as session:
        found = find_asset(session, AssetKind.DATASET, NS, "raw")
        assert found is not None
        before = histories(session, [found])
    newest = {(row.aspect, row.origin): (row.at, row.digest, row.value) for row in before}
    with database.transaction("migration") as session:
        config = migrate._config(session.connection)
        command.downgrade(config, "0003")
        command.upgrade(config, "head")
    with database.reading() as session:
        after = {(row.aspect, row.origin): (row.at, row.digest, row.value) for row in histories(session, [found])}
    assert len(before) > len(newest) == 4
    assert after == newest
