"""Column lineage: edges between fields, closed with their columns; tags flow along them until they are masked."""

from datetime import UTC, datetime

import pytest

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Transformation
from assetgraph.lineage.propagation import SeenTag, tags_of_datasets, tags_of_fields
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, WalkResult, walk

COPY, MASK = Transformation("DIRECT", "IDENTITY"), Transformation("DIRECT", "TRANSFORMATION", "", masking=True)
FILTER = Transformation("INDIRECT", "FILTER")


class Shop:
    """Datasets with columns, and runs that make columns of others."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def version(self, name: str, *fields: str, tags: dict[str, str] | None = None) -> int:
        """Register a version with columns, some of them tagged."""
        specs = tuple(FieldSpec(field, "String", tags=((tags or {})[field],) if field in (tags or {}) else ())
                      for field in fields)  # fmt: skip
        with self.database.transaction("test") as session:
            return lineage.register_version(session, RegisterVersion("ns", name, specs))[0]

    def run(self, run_id: str, *words: str, how: Transformation | None = None, at: datetime | None = None) -> int:
        """Record a run with column edges, written `a.x>b.y`."""
        columns = []
        for word in words:
            (left, right), (up, down) = [part.split(".") for part in word.split(">")]
            columns.append(ColumnEdge(AssetRef(namespace="ns", name=left), right,
                                      AssetRef(namespace="ns", name=up), down, how))  # fmt: skip
        command = RecordRun("ns", "job", RunState.SUCCEEDED, run_id, columns=tuple(columns), started_at=at)
        with self.database.transaction("test") as session:
            return lineage.record_run(session, command)

    def field(self, word: str) -> int:
        """Return the id of a field."""
        name, path = word.split(".")
        with self.database.reading() as session:
            found = catalog.asset_id(session, AssetKind.FIELD, "ns", f"{name}#{path}")
        assert found is not None
        return found

    def walk(self, word: str, direction: Direction = Direction.UPSTREAM) -> WalkResult:
        """Walk columns."""
        root = NodeRef(AssetKind.FIELD, str(self.field(word)))
        with self.database.reading() as session:
            return walk(session, WalkRequest(root, direction, 10, Level.FIELD))

    def names(self, found: WalkResult) -> list[str]:
        """Return the columns of a walk, nearest first."""
        with self.database.reading() as session:
            rows = queries.assets_by_ids(session, [int(node.ref.key) for node in found.nodes])
        return [rows[int(node.ref.key)].key.replace("#", ".") for node in found.nodes]


@pytest.fixture
def shop(database: Database) -> Shop:
    """A raw and a clean dataset."""
    made = Shop(database)
    made.version("raw", "mail", "city", tags={"mail": "pii"})
    made.version("clean", "contact", "town")
    return made


def test_columns_are_walked_and_their_datasets_become_ends_of_the_run(shop: Shop, database: Database) -> None:
    """A run that names only columns read and wrote their datasets."""
    run = shop.run("r", "raw.mail>clean.contact", "raw.city>clean.town", how=COPY)
    found = shop.walk("clean.contact")
    assert shop.names(found) == ["clean.contact", "raw.mail"]
    [edge] = found.edges
    assert (edge.kind, edge.run_count) == (EdgeKind.DERIVED, 1)
    assert edge.transformations == (
        {"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": False},
    )  # fmt: skip
    assert shop.names(shop.walk("raw.city", Direction.DOWNSTREAM)) == ["raw.city", "clean.town"]
    with database.reading() as session:
        read = queries.neighbours_by_kind(session, [run], [EdgeKind.CONSUMED], upstream=True, level=Level.VERSION)
        names = [row.name for row in catalog.versions_by_ids(session, read[run]).values()]
    assert names == ["raw@1"]


def test_each_run_counts_once_and_times_span_all_runs(shop: Shop, database: Database) -> None:
    """However often and in whatever order runs are told; told again, nothing changes."""
    at = [datetime(2026, 1, day, tzinfo=UTC) for day in (3, 1, 2)]
    for number in (0, 1, 2, 1, 0):
        shop.run(f"r{number}", "raw.mail>clean.contact", at=at[number])
    with database.reading() as session:
        length = changes.newest(session)
    shop.run("r1", "raw.mail>clean.contact", at=at[1])
    [edge] = shop.walk("clean.contact").edges
    assert (edge.run_count, edge.first_seen, edge.last_seen) == (3, at[1], at[0])
    with database.reading() as session:
        assert changes.newest(session) == length


def test_transformations_add_up(shop: Shop) -> None:
    """Whatever any run said stays, each once, in one order."""
    for run, how in (("1", MASK), ("2", COPY), ("1", COPY), ("3", MASK)):
        shop.run(run, "raw.mail>clean.contact", how=how)
    [edge] = shop.walk("clean.contact").edges
    assert [(one["subtype"], one["masking"]) for one in edge.transformations] == [
        ("IDENTITY", False), ("TRANSFORMATION", True)
    ]  # fmt: skip


def test_a_dropped_column_closes_its_edges_and_the_past_keeps_them(shop: Shop, database: Database) -> None:
    """Both ways; a late repetition of the old run does not open them again, a new run does."""
    shop.run("r", "raw.mail>clean.contact", "raw.city>clean.town")
    before = now()
    shop.version("clean", "town")
    assert shop.names(shop.walk("raw.mail", Direction.DOWNSTREAM)) == ["raw.mail"]
    assert shop.names(shop.walk("raw.city", Direction.DOWNSTREAM)) == ["raw.city", "clean.town"]
    shop.run("r", "raw.mail>clean.contact")
    assert shop.names(shop.walk("raw.mail", Direction.DOWNSTREAM)) == ["raw.mail"]
    root = NodeRef(AssetKind.FIELD, str(shop.field("raw.mail")))
    with database.reading() as session:
        past = walk(session, WalkRequest(root, Direction.DOWNSTREAM, 5, Level.FIELD, as_of=before))
    assert shop.names(past) == ["raw.mail", "clean.contact"]
    shop.run("new", "raw.mail>clean.contact")
    assert shop.names(shop.walk("raw.mail", Direction.DOWNSTREAM)) == ["raw.mail", "clean.contact"]


def test_a_column_that_only_lineage_names_is_a_field_without_a_shape(shop: Shop, database: Database) -> None:
    """It is found with its dataset, and stays when a version does not list it."""
    shop.run("r", "raw.mail>clean.hidden")
    field = shop.field("clean.hidden")
    with database.reading() as session:
        row = catalog.fields_by_ids(session, [field])[field]
        dataset = int(row.dataset_id)
        assert (row.path, row.type, row.nullable) == ("hidden", "unknown", None)
        assert [one.path for one in catalog.unversioned_fields(session, [dataset])[dataset]] == ["hidden"]
    shop.version("clean", "contact", "town", "more")
    assert shop.names(shop.walk("clean.hidden")) == ["clean.hidden", "raw.mail"]
    shop.version("clean", "hidden")
    with database.reading() as session:
        assert catalog.unversioned_fields(session, [dataset])[dataset] == []


def test_tags_flow_along_values_and_stop_at_masks(shop: Shop, database: Database) -> None:
    """Through several datasets, with the way; not over filters or masked values; datasets show their columns' tags."""
    shop.version("wide", "a", "b", "c", tags={"c": "own"})
    shop.run("1", "raw.mail>clean.contact", how=COPY)
    shop.run("2", "clean.contact>wide.a")
    shop.run("3", "clean.contact>wide.b", how=MASK)
    shop.run("4", "clean.contact>wide.c", how=FILTER)
    mail, contact, a, b, c = (shop.field(word) for word in ("raw.mail", "clean.contact", "wide.a", "wide.b", "wide.c"))
    with database.reading() as session:
        found = tags_of_fields(session, [mail, contact, a, b, c])
        wide = int(catalog.fields_by_ids(session, [a])[a].dataset_id)
        of_dataset = tags_of_datasets(session, [wide])[wide]
    assert found == {
        mail: [SeenTag("pii")], contact: [SeenTag("pii", mail, (mail, contact))],
        a: [SeenTag("pii", mail, (mail, contact, a))], b: [], c: [SeenTag("own")],
    }  # fmt: skip
    assert of_dataset == [SeenTag("own", c, (c,)), SeenTag("pii", mail, (mail, contact, a))]


@pytest.mark.parametrize(
    ("edge", "error", "path"),
    [
        (ColumnEdge(AssetRef(namespace="ns", name="no"), "x", AssetRef(namespace="ns", name="raw"), "y"), NotFound,
         ("columns", "0", "from")),
        (ColumnEdge(AssetRef(namespace="ns", name="raw"), " ", AssetRef(namespace="ns", name="clean"), "y"), Invalid,
         ("columns", "0", "fromField")),
        (ColumnEdge(AssetRef(namespace="ns", name="raw"), "x", AssetRef(namespace="ns", name="clean"), "\0"), Invalid,
         ("columns", "0", "toField")),
    ],
)  # fmt: skip
def test_a_bad_column_edge_is_named_and_nothing_is_written(
    shop: Shop, database: Database, edge: ColumnEdge, error: type[Exception], path: tuple[str, ...]
) -> None:
    """Not even the fields that the others named."""
    good = ColumnEdge(AssetRef(namespace="ns", name="raw"), "fresh", AssetRef(namespace="ns", name="clean"), "new")
    with database.reading() as session:
        before = changes.newest(session)
    with pytest.raises(error) as refused, database.transaction("test") as session:
        lineage.record_run(session, RecordRun("ns", "j", RunState.SUCCEEDED, "r", columns=(edge, good)))
    assert refused.value.path == path  # type: ignore[attr-defined]
    with database.reading() as session:
        assert changes.newest(session) == before
        assert catalog.asset_id(session, AssetKind.FIELD, "ns", "raw#fresh") is None
