"""Filters: what does not match is contracted, by definition, in SQL and in memory alike; what was dropped is a wall."""

import uuid
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import RegisterDataset, ensure_dataset
from assetgraph.catalog.tables import Lifecycle
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import contraction, joining, queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.filters import Filter
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, WalkResult, walk

UP, DOWN, BOTH = Direction.UPSTREAM, Direction.DOWNSTREAM, Direction.BOTH
#: What the nodes of a random graph are, by letter.
SORTS = "dtxrj"  # dataset, tagged dataset, transient dataset, retired dataset, job
FILTERS = (
    Filter(), Filter(tags=("pii",)), Filter(kinds=frozenset({AssetKind.DATASET})), Filter(include_transient=True),
    Filter(kinds=frozenset({AssetKind.JOB}), include_retired=True), Filter(kinds=frozenset()),
)  # fmt: skip


def retire(database: Database, dataset: int, lifecycle: Lifecycle = Lifecycle.RETIRED) -> None:
    """Drop a dataset as a producer's event does."""
    with database.transaction("test") as session:
        catalog_queries.update_dataset(session, dataset, {"lifecycle": lifecycle})
        action = "retired" if lifecycle is Lifecycle.RETIRED else "restored"
        changes.record_asset(session, AssetKind.DATASET, dataset, action, {}, {"lifecycle": lifecycle})


def make(database: Database, sorts: str, edges: list[tuple[int, int]]) -> list[NodeRef]:
    """Build a graph in a namespace of its own."""
    namespace = str(uuid.uuid4())
    refs = []
    with database.transaction("test") as session:
        for place, sort in enumerate(sorts):
            if sort == "j":
                refs.append(NodeRef(AssetKind.JOB, str(lineage.ensure_job(session, namespace, str(place)))))
                continue
            tags = ("pii",) if sort == "t" else None
            made = RegisterDataset(namespace, str(place), tags=tags, transient=True if sort == "x" else None)
            refs.append(NodeRef(AssetKind.DATASET, str(catalog.register_dataset(session, made)[0])))
        ids = [int(ref.key) for ref in refs]
        connect(session, [Link(ids[a], ids[b], EdgeKind.DERIVED, Level.DATASET) for a, b in edges])
    for ref, sort in zip(refs, sorts, strict=True):
        if sort == "r":
            retire(database, int(ref.key))
    return refs


@dataclass
class Plain:
    """The definition, written down without any thought of speed."""

    sorts: str
    edges: list[tuple[int, int]]
    filter: Filter
    root: int

    def look(self, node: int) -> str:
        """Return how a node looks."""
        sort = self.sorts[node]
        if node == self.root:
            return "shown"
        if sort == "r" and not self.filter.include_retired:
            return "closed"
        kind = AssetKind.JOB if sort == "j" else AssetKind.DATASET
        wrong_kind = self.filter.kinds is not None and kind not in self.filter.kinds
        untagged = self.filter.tags is not None and sort != "t"
        passing = sort == "x" and not self.filter.include_transient
        return "hidden" if wrong_kind or untagged or passing else "shown"

    def beside(self, node: int, *, upstream: bool) -> set[int]:
        """Return the open nodes one step on."""
        ends = [(b, a) if upstream else (a, b) for a, b in self.edges]
        return {far for near, far in ends if near == node and self.look(far) != "closed"}

    def next(self, node: int, *, upstream: bool) -> tuple[set[int], set[int]]:
        """Return the shown nodes that an edge, and that hidden nodes, lead to."""
        direct = {far for far in self.beside(node, upstream=upstream) if self.look(far) == "shown"}
        met: set[int] = set()
        front = {far for far in self.beside(node, upstream=upstream) if self.look(far) == "hidden"}
        behind: set[int] = set()
        while front:
            met |= front
            around = {far for near in front for far in self.beside(near, upstream=upstream)}
            behind |= {far for far in around if self.look(far) == "shown"}
            front = {far for far in around if self.look(far) == "hidden"} - met
        return direct, behind - {node}

    def walk(self, depth: int, *, upstream: bool) -> tuple[dict[int, int], set[tuple[int, int]], set[tuple[int, int]]]:
        """Return distances, direct edges and joined ones."""
        distance, level = {self.root: 0}, [self.root]
        direct: set[tuple[int, int]] = set()
        joined: set[tuple[int, int]] = set()
        for step in range(depth):
            following = []
            for node in level:
                one, more = self.next(node, upstream=upstream)
                direct |= {(far, node) if upstream else (node, far) for far in one}
                joined |= {(far, node) if upstream else (node, far) for far in more}
                for far in sorted(one | more):
                    if far not in distance:
                        distance[far] = step + 1
                        following.append(far)
            level = following
        return distance, direct, joined


def same(database: Database, request: WalkRequest, index: GraphIndex) -> WalkResult:
    """Assert that both ways give one answer, and return it."""
    with database.reading() as session:
        expected = walk(session, request)
        found = walk_in_memory(session, request, index)
    if found is None:
        assert (expected.visited, expected.edges) == (1, [])
        return expected
    assert found.nodes == expected.nodes
    assert sorted(found.edges, key=repr) == sorted(expected.edges, key=repr)
    for name in ("root", "truncated", "reason", "end_cursor", "visited"):
        assert getattr(found, name) == getattr(expected, name), name
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sorts=st.text(SORTS, min_size=9, max_size=9), root=st.integers(0, 8), direction=st.sampled_from(Direction),
    edges=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30, unique=True),
    wanted=st.sampled_from(FILTERS), depth=st.integers(0, 9), size=st.integers(1, 12),
)  # fmt: skip
def test_any_graph_is_contracted_as_the_definition_says(
    scratch: Database, shared: GraphIndex, sorts: str, root: int, direction: Direction, edges: list[tuple[int, int]],
    wanted: Filter, depth: int, size: int,
) -> None:  # fmt: skip
    """Nodes, distances, edges, via and counts, page by page, from SQL and from an index that follows the log."""
    refs = make(scratch, sorts, edges)
    plain = Plain(sorts, edges, wanted, root)
    ways = [plain.walk(depth, upstream=up) for up, one in ((True, UP), (False, DOWN)) if direction in (one, BOTH)]
    distance = {node: min(way[0][node] for way in ways if node in way[0]) for way in ways for node in way[0]}
    request = WalkRequest(refs[root], direction, depth, first=size, filter=wanted)
    places = {ref: place for place, ref in enumerate(refs)}
    nodes: dict[int, int] = {}
    direct: set[tuple[int, int]] = set()
    joined: set[tuple[int, int]] = set()
    hidden = 0
    while True:
        page = same(scratch, request, shared)
        nodes |= {places[node.ref]: node.distance for node in page.nodes}
        hidden += sum(node.hidden_neighbours for node in page.nodes)
        for edge in page.edges:
            pair = places[edge.source], places[edge.target]
            (direct if edge.via is None else joined).add(pair)
            if edge.via is not None:
                assert (pair[0], places[edge.via]) in edges
                assert plain.look(places[edge.via]) == "hidden"
        if page.end_cursor is None:
            break
        request = replace(request, after=page.end_cursor)
    assert nodes == distance
    assert direct == {edge for way in ways for edge in way[1]}
    assert joined == {edge for way in ways for edge in way[2]}
    if len(page.nodes) == len(nodes):  # one page: then what lies beside a node and has no edge is hidden
        shown = {frozenset(edge) for edge in direct | joined}
        around = {(a, b) for edge in edges for a, b in (edge, edge[::-1]) if a in nodes}
        assert hidden == len({pair for pair in around if frozenset(pair) not in shown})


def names(refs: list[NodeRef], found: WalkResult) -> tuple[list[int], set[str]]:
    """Return places of nodes, and edges as words."""
    places = {ref: place for place, ref in enumerate(refs)}
    words = {f"{places[edge.source]}{places[edge.target]}" for edge in found.edges}
    return [places[node.ref] for node in found.nodes], words


def test_a_retired_dataset_joins_nobody_and_comes_back_when_asked(database: Database) -> None:
    """In both directions; it is counted; restored, it connects again, in an index that follows."""
    index = GraphIndex()
    refs = make(database, "drdj", [(0, 1), (1, 2), (2, 3)])
    down = WalkRequest(refs[0], DOWN, 9)
    assert names(refs, same(database, down, index)) == ([0], set())
    assert same(database, down, index).nodes[0].hidden_neighbours == 1
    assert names(refs, same(database, replace(down, kinds=frozenset({AssetKind.JOB})), index)) == ([0], set())
    assert names(refs, same(database, WalkRequest(refs[2], UP, 9), index)) == ([2], set())
    shown = replace(down, filter=Filter(include_retired=True))
    assert names(refs, same(database, shown, index)) == ([0, 1, 2, 3], {"01", "12", "23"})
    # The root is shown whatever it is.
    assert names(refs, same(database, WalkRequest(refs[1], BOTH, 9), index))[0] == [1, 0, 2, 3]
    retire(database, int(refs[1].key), Lifecycle.ACTIVE)
    assert names(refs, same(database, down, index)) == ([0, 1, 2, 3], {"01", "12", "23"})


def test_a_merged_dataset_joins_nobody_now_or_in_the_past(database: Database) -> None:
    """Even where an edge of an earlier time still ends at it."""
    from sqlalchemy import update

    from assetgraph.clock import now
    from assetgraph.lineage.tables import EDGE
    from assetgraph.openlineage.version_queries import bury

    refs = make(database, "ddd", [(0, 1), (1, 2)])
    with database.transaction("test") as session:
        bury(session, int(refs[1].key))
        changes.record_asset(session, AssetKind.DATASET, int(refs[1].key), "deleted", {}, None)
    for request in (WalkRequest(refs[0], DOWN, 9), WalkRequest(refs[2], UP, 9)):
        found = same(database, request, GraphIndex())
        assert [node.ref for node in found.nodes] == [request.root]
    middle = now()
    with database.transaction("test") as session:
        session.execute(update(EDGE).values(valid_to=now()))
    with database.reading() as session:
        past = walk(session, WalkRequest(refs[0], DOWN, 9, as_of=middle))
    assert ([node.ref for node in past.nodes], past.edges) == ([refs[0]], [])


def test_what_happened_knows_no_retirement(database: Database) -> None:
    """Level VERSION walks through versions of what was dropped later, but contracts those of transient datasets."""
    index = GraphIndex()
    with database.transaction("test") as session:
        versions = [lineage.register_version(session, catalog.RegisterVersion("ns", name))[0] for name in "abc"]
        for job, source, target in (("one", 0, 1), ("two", 1, 2)):
            ends = (catalog.AssetRef(id=versions[source]),), (catalog.AssetRef(id=versions[target]),)
            lineage.record_run(session, lineage.RecordRun("ns", job, RunState.SUCCEEDED, job, *ends))
        middle = ensure_dataset(session, "ns", "b")[0]
    root = NodeRef(AssetKind.DATASET_VERSION, str(versions[2]))
    request = WalkRequest(root, UP, 9, Level.VERSION, kinds=frozenset({AssetKind.DATASET_VERSION}))
    assert [int(node.ref.key) for node in same(database, request, index).nodes] == versions[::-1]
    retire(database, middle)
    assert [int(node.ref.key) for node in same(database, request, index).nodes] == versions[::-1]
    with database.transaction("test") as session:
        catalog.register_dataset(session, RegisterDataset("ns", "b", transient=True))
    found = same(database, request, index)
    assert [int(node.ref.key) for node in found.nodes] == [versions[2], versions[0]]
    assert len(found.edges) == 1


def test_lists_match_definitions_and_their_parts(database: Database) -> None:
    """Tags of columns count for their dataset, owners and roles for versions and columns; jobs bear their own."""
    index = GraphIndex()
    with database.transaction("test") as session:
        fields = (catalog.FieldSpec("mail", "text", tags=("pii",)), catalog.FieldSpec("id", "int"))
        for name in ("raw", "clean", "mart"):
            lineage.register_version(session, catalog.RegisterVersion("ns", name, fields if name == "clean" else ()))
        role = DatasetRole.FEATURE
        catalog.register_dataset(session, RegisterDataset("ns", "mart", role=role, owners=("ann",)))
        refs = [catalog.AssetRef(namespace="ns", name=name) for name in ("raw", "clean", "mart")]
        for job, source, target in (("wash", 0, 1), ("load", 1, 2)):
            run = lineage.RecordRun("etl", job, RunState.SUCCEEDED, job, (refs[source],), (refs[target],))
            lineage.record_run(session, run)
        raw = NodeRef(AssetKind.DATASET, str(ensure_dataset(session, "ns", "raw")[0]))

    def shown(**lists: object) -> list[str]:
        found = same(database, WalkRequest(raw, DOWN, 9, filter=Filter(**lists)), index)  # type: ignore[arg-type]
        with database.reading() as session:
            rows = queries.assets_by_ids(session, [int(node.ref.key) for node in found.nodes])
        return [str(rows[int(node.ref.key)].key) for node in found.nodes]

    assert shown() == ["raw", "wash", "clean", "load", "mart"]
    assert shown(tags=("pii",)) == ["raw", "clean"]
    assert shown(owners=("ann", "bob")) == ["raw", "mart"]
    assert shown(roles=(DatasetRole.FEATURE,)) == ["raw", "mart"]
    assert shown(namespaces=("etl",)) == ["raw", "wash", "load"]
    assert shown(namespaces=("ns",), tags=("pii",)) == ["raw", "clean"]
    assert shown(tags=()) == ["raw"]
    with pytest.raises(Invalid) as refused:
        shown(owners=("x",) * 101)
    assert refused.value.path == ("filter", "owners")


def test_long_chains_and_hubs_of_hidden_nodes_cost_no_recursion(database: Database) -> None:
    """Two thousand hidden nodes in a row with a way back, and a hidden hub of two thousand on each side."""
    chain = 2000
    index = GraphIndex()
    refs = make(database, "d" + "j" * chain + "d", [(i, i + 1) for i in range(chain + 1)] + [(chain, 5)])
    found = same(database, WalkRequest(refs[0], DOWN, 1, kinds=frozenset({AssetKind.DATASET})), index)
    assert names(refs, found) == ([0, chain + 1], {f"0{chain + 1}"})
    side = 2000
    edges = [(0, i) for i in range(2, 2 + side)] + [(i, 1) for i in range(2, 2 + side)] + [(1, 2 + side)]
    refs = make(database, "dj" + "d" * side + "d", edges)
    found = same(database, WalkRequest(refs[0], DOWN, 9, kinds=frozenset({AssetKind.DATASET})), index)
    assert (len(found.nodes), len(found.edges), found.truncated) == (1000, 999, True)
    last = replace(WalkRequest(refs[0], DOWN, 9, kinds=frozenset({AssetKind.DATASET})), first=side + 2)
    assert len(same(database, last, index).edges) == 2 * side


def test_too_much_to_join_is_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes are all there; edges are missing, and the answer says so."""
    refs = make(database, "djjjjd", [(i, i + 1) for i in range(5)])
    request = WalkRequest(refs[0], DOWN, 9, kinds=frozenset({AssetKind.DATASET}))
    monkeypatch.setattr(contraction, "MAX_STEPS", 2)
    monkeypatch.setattr(joining, "MAX_STEPS", 2)
    with database.reading() as session:
        for found in (walk(session, request), walk_in_memory(session, request, GraphIndex())):
            assert found is not None
            assert ([node.ref for node in found.nodes], found.edges) == ([refs[0], refs[5]], [])
            assert found.truncated
            assert "edges are missing" in str(found.reason)
