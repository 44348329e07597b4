"""Declarations: each producer's own, replaced whole, and beside what runs prove."""

from collections.abc import Iterator

import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from serving import serving

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog import tokens
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.declared import Declared, DeclareLineage, declare
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.support import Transformation
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkEdge, WalkRequest, walk
from assetgraph.settings import Settings


def ref(name: str) -> AssetRef:
    """Return a dataset by name."""
    return AssetRef(namespace="ns", name=name)


class Shop:
    """Datasets without versions, an index that follows, and declarations about `x`."""

    def __init__(self, database: Database) -> None:
        self.database, self.index = database, GraphIndex()
        with database.transaction("test") as session:
            for name in ("x", "a", "b", "c"):
                catalog_service.ensure_dataset(session, "ns", name)

    def declare(self, producer: str, *upstream: str, columns: tuple[ColumnEdge, ...] = ()) -> Declared:
        """Declare what lies upstream of x."""
        command = DeclareLineage(ref("x"), producer, tuple(ref(one) for one in upstream), columns)
        with self.database.transaction("test") as session:
            return declare(session, command)

    def edges(self, level: Level = Level.DATASET, key: str = "x", depth: int = 1) -> list[WalkEdge]:
        """Return the edges into x, which SQL and the index agree on."""
        kind = AssetKind.FIELD if level is Level.FIELD else AssetKind.DATASET
        with self.database.reading() as session:
            root = NodeRef(kind, str(catalog.asset_id(session, kind, "ns", key)))
            request = WalkRequest(root, Direction.UPSTREAM, depth, level)
            found, indexed = walk(session, request), walk_in_memory(session, request, self.index)
        if indexed is not None:
            assert {*map(repr, indexed.edges)} == {*map(repr, found.edges)}
        return sorted(found.edges, key=lambda edge: (edge.kind, edge.source))

    def sources(self) -> list[str]:
        """Return the names of what lies right upstream of x, with the kind of the edge."""
        with self.database.reading() as session:
            kinds = [(edge.kind.value, int(edge.source.key)) for edge in self.edges()]
            names = {number: catalog.asset_id(session, AssetKind.DATASET, "ns", number) for number in "abc"}
        known = {number: name for name, number in names.items()}
        return [f"{kind} {known.get(number, 'job')}" for kind, number in kinds]


@pytest.fixture
def shop(database: Database) -> Shop:
    """A shop."""
    return Shop(database)


def test_a_declaration_replaces_what_its_producer_said(shop: Shop) -> None:
    """New ones open, those not said again close, the others are seen again; an empty list closes all."""
    assert shop.declare("p", "a", "b") == Declared(shop.declare("p", "a", "b").dataset, 2, 0, 0)
    first = shop.edges()
    done = shop.declare("p", "b", "c")
    assert (done.opened, done.kept, done.closed) == (1, 1, 1)
    assert shop.sources() == ["DECLARED b", "DECLARED c"]
    kept = shop.edges()[0]
    assert (kept.first_seen, kept.run_count) == (first[1].first_seen, 0)
    assert kept.last_seen > first[1].last_seen
    done = shop.declare("p")
    assert (done.opened, done.kept, done.closed, shop.sources()) == (0, 0, 2, [])
    shop.declare("p", "a")
    assert shop.sources() == ["DECLARED a"]


def test_told_again_only_the_last_time_moves(shop: Shop) -> None:
    """The log says no more than that rows are others now."""
    shop.declare("p", "a", "b")
    with shop.database.reading() as session:
        before = changes.newest(session)
    shop.declare("p", "b", "a", "a")
    with shop.database.reading() as session:
        said = changes.follow(session, before)
    assert [(row.action, row.after) for row in said] == [("touched", {"tables": ["edge"]})]


def test_producers_and_runs_keep_what_they_say(shop: Shop) -> None:
    """Of two producers one edge is shown, over both of their times; a run's edges are its own."""
    shop.declare("p", "a")
    shop.declare("q", "a", "b")
    assert shop.sources() == ["DECLARED a", "DECLARED b"]
    with shop.database.transaction("test") as session:
        for name in ("x", "c"):
            lineage.register_version(session, RegisterVersion("ns", name))
        lineage.record_run(session, RecordRun("ns", "j", RunState.SUCCEEDED, "r", (ref("c"),), (ref("x"),)))
    shop.declare("q")
    assert shop.sources() == ["DECLARED a", "PRODUCED job"]
    shop.declare("p")
    assert shop.sources() == ["PRODUCED job"]


def test_cycles_are_legal_between_datasets(shop: Shop) -> None:
    """A walk meets each node once."""
    shop.declare("p", "a")
    with shop.database.transaction("test") as session:
        declare(session, DeclareLineage(ref("a"), "p", (ref("x"),)))
    assert len(shop.edges(depth=9)) == 2


def test_columns_are_declared_with_what_is_done_to_them(shop: Shop) -> None:
    """Replaced whole, with their transformations; a version that drops the column closes them until said again."""
    copy, mask = Transformation("DIRECT", "IDENTITY"), Transformation("DIRECT", "TRANSFORMATION", masking=True)
    one = ColumnEdge(ref("a"), "m", ref("x"), "n", copy)
    assert shop.declare("p", "a", columns=(one,)).opened == 2
    other = ColumnEdge(ref("a"), "m", ref("x"), "n", mask)
    assert shop.declare("p", "a", columns=(other,)).kept == 2
    [edge] = shop.edges(Level.FIELD, "x#n")
    assert (edge.kind, [done["masking"] for done in edge.transformations]) == (EdgeKind.DECLARED, [True])
    with shop.database.transaction("test") as session:
        for fields in (("n", "z"), ("z",)):
            specs = tuple(FieldSpec(name, "int") for name in fields)
            lineage.register_version(session, RegisterVersion("ns", "x", specs))
    assert shop.edges(Level.FIELD, "x#n") == []
    shop.declare("p", "a", columns=(other,))
    assert len(shop.edges(Level.FIELD, "x#n")) == 1
    assert shop.declare("p", "a").closed == 1
    assert shop.edges(Level.FIELD, "x#n") == []


@pytest.mark.parametrize(
    ("command", "error", "path"),
    [
        (DeclareLineage(ref("no"), "p"), NotFound, ("target",)),
        (DeclareLineage(ref("x"), " "), Invalid, ("producer",)),
        (DeclareLineage(ref("x"), "p", (ref("a"), ref("no"))), NotFound, ("upstream", "1")),
        (DeclareLineage(ref("x"), "p", (ref("x"),)), Invalid, ("upstream", "0")),
        (DeclareLineage(ref("x"), "p", (ref("a"),), (ColumnEdge(ref("b"), "m", ref("x"), "n"),)), Invalid,
         ("columns", "0", "from")),
        (DeclareLineage(ref("x"), "p", (ref("a"),), (ColumnEdge(ref("a"), "m", ref("b"), "n"),)), Invalid,
         ("columns", "0", "to")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    shop: Shop, command: DeclareLineage, error: type[AssetgraphError], path: tuple[str, ...]
) -> None:
    """With its place in the input."""
    with pytest.raises(error) as refused, shop.database.transaction("test") as session:
        declare(session, command)
    assert refused.value.path == path


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[Client]:
    """A producer's client of the real application."""
    with database.transaction("test") as session:
        for name in ("raw", "clean"):
            lineage.register_version(session, RegisterVersion("ns", name))
        _, token = tokens.create(session, "t", tokens.Role.PRODUCER)
    with serving(create_app(settings, database)) as address:
        made = Client(f"http://{address}", token)
        yield made
        made.close()


def test_the_mutations_answer_for_each_and_for_all(client: Client) -> None:
    """RecordRuns with a good and a bad run, and declareLineage, over HTTP."""
    runs = """mutation($input: RecordRunsInput!) { recordRuns(input: $input) {
      results { run { name outputs { name } } userErrors { code path } } userErrors { code } } }"""
    raw, clean = ({"namespace": "ns", "name": name} for name in ("raw", "clean"))
    run = {"namespace": "etl", "job": "j", "runId": "1", "state": "SUCCEEDED", "inputs": [raw], "outputs": [clean]}
    bad = [{**run, "inputs": [{"id": "nonsense"}]}, {**run, "outputs": [{"namespace": "ns", "name": "no"}]}]
    found = client.execute(runs, input={"runs": [bad[0], run, bad[1]]})["recordRuns"]
    assert found["userErrors"] == []
    assert [one["userErrors"] for one in found["results"]] == [
        [{"code": "INVALID", "path": ["inputs"]}], [], [{"code": "NOT_FOUND", "path": ["outputs", "0"]}]
    ]  # fmt: skip
    assert found["results"][1]["run"] == {"name": "j 1", "outputs": [{"name": "clean@1"}]}
    assert client.execute(runs, input={"runs": [run] * 1001})["recordRuns"]["userErrors"] == [{"code": "LIMIT"}]
    declaration = """mutation($input: DeclareLineageInput!) { declareLineage(input: $input) {
      dataset { name } opened kept closed userErrors { code path } } }"""
    given = {"target": clean, "producer": "modeller", "upstream": [raw]}
    for counts in ((1, 0, 0), (0, 1, 0)):
        told = client.execute(declaration, input=given)["declareLineage"]
        assert told == {"dataset": {"name": "clean"}, "userErrors": [],
                        **dict(zip(("opened", "kept", "closed"), counts, strict=True))}  # fmt: skip
