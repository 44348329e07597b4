"""Registering sources, datasets and versions."""

import pytest

from assetgraph.catalog import queries, service
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.schema_diff import Compatibility, SchemaChangeKind, compare
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterSource, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.errors import AssetgraphError, Conflict, Invalid, NotFound

FIELDS = (FieldSpec("user", "String", nullable=False), FieldSpec("price", "Float64", nullable=True))


def test_equal_content_makes_no_new_version(database: Database) -> None:
    """The same fingerprint gives the version that exists, another one the next number."""
    with database.transaction("test") as session:
        first, created = service.register_version(session, RegisterVersion("ns", "a", FIELDS, fingerprint="f1"))
        again, created_again = service.register_version(session, RegisterVersion("ns", "a", FIELDS, fingerprint="f1"))
        second, _ = service.register_version(session, RegisterVersion("ns", "a", FIELDS, fingerprint="f2"))
        rows = queries.versions_by_ids(session, [first, second])
    assert (created, created_again, again) == (True, False, first)
    assert [rows[first].number, rows[second].number] == [1, 2]


def test_fields_keep_their_identity_over_versions(database: Database) -> None:
    """A column that stays is one field, with what it is in each version."""
    retyped = (FieldSpec("user", "Int64", nullable=False), FieldSpec("country", "String"))
    with database.transaction("test") as session:
        first, _ = service.register_version(session, RegisterVersion("ns", "a", FIELDS))
        second, _ = service.register_version(session, RegisterVersion("ns", "a", retyped))
        fields = queries.fields_of_versions(session, [first, second])
    assert [(row.path, row.type) for row in fields[first]] == [("user", "String"), ("price", "Float64")]
    assert [(row.path, row.type) for row in fields[second]] == [("user", "Int64"), ("country", "String")]
    assert fields[first][0].id == fields[second][0].id


def test_an_idempotency_key_gives_the_same_version_and_refuses_another_request(database: Database) -> None:
    """A repeated request is answered, a different one under the same key is a conflict."""
    with database.transaction("test") as session:
        command = RegisterVersion("ns", "a", FIELDS, idempotency_key="k")
        first, _ = service.register_version(session, command)
        assert service.register_version(session, command) == (first, False)
        with pytest.raises(Conflict, match="another request"):
            service.register_version(session, RegisterVersion("ns", "b", FIELDS, idempotency_key="k"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (RegisterVersion("ns", " ", FIELDS), "name must not be empty"),
        (RegisterVersion("n\0s", "a", FIELDS), "control character"),
        (RegisterVersion("ns", "a" * 901, FIELDS), "901 bytes"),
        (RegisterVersion("ns", "a", (*FIELDS, FieldSpec("user", "X"))), "named twice"),
        (RegisterVersion("ns", "a", FIELDS, row_count=-1), "rowCount must be from 0"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    database: Database, command: RegisterVersion, message: str
) -> None:
    """Each bad command names what is wrong; the log stays empty."""
    with pytest.raises(Invalid, match=message), database.transaction("test") as session:
        service.register_version(session, command)
    with database.reading() as session:
        assert changes.newest(session) == 0


def test_a_dataset_is_made_once_and_changed_by_what_is_given(database: Database) -> None:
    """What is left out stays as it was."""
    with database.transaction("test") as session:
        made = RegisterDataset("ns", "a", description="old", tags=("pii",), owners=("ann",))
        dataset, created = service.register_dataset(session, made)
        same, again = service.register_dataset(session, RegisterDataset("ns", "a", role=DatasetRole.TRANSACTION))
        row = queries.datasets_by_ids(session, [dataset])[dataset]
        assert (created, again, same) == (True, False, dataset)
        assert (row.description, row.role) == ("old", DatasetRole.TRANSACTION)
        assert queries.tags_of(session, [dataset]) == {dataset: ["pii"]}
        assert queries.owners_of(session, [dataset]) == {dataset: [("ann", "OWNER")]}


def test_a_source_keeps_its_location(database: Database) -> None:
    """The same source again is the same; another location under its name is a conflict."""
    with database.transaction("test") as session:
        source = service.register_source(session, RegisterSource("ns", "s", "/data"))
        assert service.register_source(session, RegisterSource("ns", "s", "/data")) == source
        with pytest.raises(Conflict, match="exists with location"):
            service.register_source(session, RegisterSource("ns", "s", "/other"))


def test_an_unknown_dataset_is_an_error_that_names_what_exists(database: Database) -> None:
    """The message lists the namespace's datasets."""
    with database.transaction("test") as session:
        service.register_version(session, RegisterVersion("ns", "orders", FIELDS))
        with pytest.raises(NotFound, match="known: orders"):
            service.resolve_version(session, AssetRef(namespace="ns", name="order"), path=("dataset",))
        with pytest.raises(NotFound, match="versions are 1 to 1"):
            service.resolve_version(session, AssetRef(namespace="ns", name="orders", version=2), path=("dataset",))


def test_pages_are_stable_while_datasets_are_added(database: Database) -> None:
    """A cursor goes on where it stopped, also when rows came in before it."""
    with database.transaction("test") as session:
        for name in "bdfh":
            service.ensure_dataset(session, "ns", name)
    with database.transaction("test") as session:
        first = queries.datasets_page(session, {}, PageRequest(2))
        service.ensure_dataset(session, "ns", "a")
        rest = queries.datasets_page(session, {}, PageRequest(9, first.cursors[-1]))
    assert [row.name for row in first.rows] == ["b", "d"]
    assert [row.name for row in rest.rows] == ["f", "h"]
    assert (first.has_next, first.total, rest.has_next, rest.total) == (True, 4, False, 5)


@pytest.mark.parametrize("cursor", ["", "x", "bnVsbA==", "WzFd"])
def test_a_foreign_cursor_is_refused(database: Database, cursor: str) -> None:
    """What is not this list's cursor is bad input, not a crash."""
    with database.reading() as session, pytest.raises(AssetgraphError, match="cursor"):
        queries.datasets_page(session, {}, PageRequest(2, cursor))


def test_schema_diff_says_what_changed_and_who_keeps_working() -> None:
    """Added, removed, retyped and moved fields, with the verdict."""
    old = [FieldSpec("a", "Int64", True), FieldSpec("b", "String", True), FieldSpec("c", "String", True)]
    new = [FieldSpec("c", "String", True), FieldSpec("a", "Float64", True), FieldSpec("d", "String", True)]
    diff = compare(old, new)
    kinds = [(change.kind, change.field) for change in diff.changes]
    assert (SchemaChangeKind.REMOVED, "b") in kinds
    assert (SchemaChangeKind.ADDED, "d") in kinds
    assert (SchemaChangeKind.TYPE_CHANGED, "a") in kinds
    assert (SchemaChangeKind.MOVED, "c") in kinds
    assert diff.compatibility is Compatibility.NONE
    assert compare(old, old).compatibility is Compatibility.IDENTICAL
    assert compare(old, [*old, FieldSpec("d", "String", True)]).compatibility is Compatibility.FULL
    assert compare(old, [*old, FieldSpec("d", "String", False)]).compatibility is Compatibility.FORWARD
