"""Walks: what is up- and downstream, how far, seen when, in pages, with what is hidden contracted."""

import uuid
from collections import deque
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from assetgraph.catalog.service import AssetRef, RegisterVersion, ensure_dataset
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import service as lineage
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, WalkResult, walk

UP, DOWN, BOTH = Direction.UPSTREAM, Direction.DOWNSTREAM, Direction.BOTH


class Graph:
    """Datasets and jobs by one-letter names, joined by edges at level DATASET: jobs are written in upper case."""

    def __init__(self, database: Database, edges: str) -> None:
        """Build from words such as `aJ Jb`."""
        self.database = database
        pairs = [(word[0], word[1]) for word in edges.split()]
        with database.transaction("test") as session:
            self.ids = {name: self._make(session, name) for name in sorted({x for pair in pairs for x in pair})}
            links = [Link(self.ids[source], self.ids[target], EdgeKind.DERIVED, Level.DATASET)
                     for source, target in pairs]  # fmt: skip
            connect(session, links)
        self.names = {self.ref(name): name for name in self.ids}

    @staticmethod
    def _make(session: Session, name: str) -> int:
        return lineage.ensure_job(session, "ns", name) if name.isupper() else ensure_dataset(session, "ns", name)[0]

    def ref(self, name: str) -> NodeRef:
        """Return the node of a name."""
        return NodeRef(AssetKind.JOB if name.isupper() else AssetKind.DATASET, str(self.ids[name]))

    def walk(self, root: str, direction: Direction = UP, depth: int = 100, **more: object) -> WalkResult:
        """Walk from a name."""
        with self.database.reading() as session:
            return walk(session, WalkRequest(self.ref(root), direction, depth, **more))  # type: ignore[arg-type]

    def nodes(self, found: WalkResult) -> dict[str, int]:
        """Return names with their distance."""
        return {self.names[node.ref]: node.distance for node in found.nodes}

    def edges(self, found: WalkResult) -> set[str]:
        """Return edges as words."""
        return {self.names[edge.source] + self.names[edge.target] for edge in found.edges}


def test_up_and_down_are_different_ways(database: Database) -> None:
    """BOTH joins them, and does not go sideways to what only shares an ancestor."""
    graph = Graph(database, "ab bc bd xd ce")
    assert graph.nodes(graph.walk("b", UP)) == {"b": 0, "a": 1}
    assert graph.nodes(graph.walk("b", DOWN)) == {"b": 0, "c": 1, "d": 1, "e": 2}
    both = graph.walk("b", BOTH)
    assert graph.nodes(both) == {"b": 0, "a": 1, "c": 1, "d": 1, "e": 2}
    assert graph.edges(both) == {"ab", "bc", "bd", "ce"}
    assert not both.truncated


def test_depth_is_the_shortest_way_and_bounds_the_walk(database: Database) -> None:
    """In a diamond a node is as far as the nearest way to it; edges beyond the depth are left out."""
    graph = Graph(database, "ab bc cd ad de")
    assert graph.nodes(graph.walk("a", DOWN)) == {"a": 0, "b": 1, "d": 1, "c": 2, "e": 2}
    near = graph.walk("a", DOWN, 1)
    assert graph.nodes(near) == {"a": 0, "b": 1, "d": 1}
    assert graph.edges(near) == {"ab", "ad"}
    assert {graph.names[node.ref]: node.hidden_neighbours for node in near.nodes} == {"a": 0, "b": 1, "d": 2}
    assert graph.nodes(graph.walk("a", DOWN, 0)) == {"a": 0}


def test_cycles_of_datasets_end(database: Database) -> None:
    """Each node once, every edge of the cycle."""
    graph = Graph(database, "ab bc ca cd aa")
    found = graph.walk("a", DOWN)
    assert graph.nodes(found) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert graph.edges(found) == {"ab", "bc", "ca", "cd", "aa"}


def test_hidden_kinds_are_contracted_and_cost_no_depth(database: Database) -> None:
    """What jobs connect stays connected, by an edge via the first of them, over chains of them too."""
    graph = Graph(database, "aJ Jb bK KL Lc aM Mc")
    shown = frozenset({AssetKind.DATASET})
    found = graph.walk("a", DOWN, 2, kinds=shown)
    assert graph.nodes(found) == {"a": 0, "b": 1, "c": 1}
    assert graph.edges(found) == {"ab", "bc", "ac"}
    via = {graph.names[e.source] + graph.names[e.target]: graph.names[e.via] for e in found.edges if e.via}
    assert via == {"ab": "J", "bc": "K", "ac": "M"}
    assert {edge.kind for edge in found.edges} == {EdgeKind.DERIVED}
    up = graph.walk("c", UP, 1, kinds=shown)
    assert graph.nodes(up) == {"c": 0, "a": 1, "b": 1}


def test_pages_together_are_the_whole_answer(database: Database) -> None:
    """Nodes in order, none twice; edges once both ends were given; each page but the last says how to go on."""
    graph = Graph(database, "ab ac ad be ce de ef fg")
    whole = graph.walk("a", DOWN)
    for size in (1, 2, 3, 7):
        nodes, edges, after = [], set(), None
        while True:
            page = graph.walk("a", DOWN, first=size, after=after)
            nodes += [(graph.names[node.ref], node.distance) for node in page.nodes]
            edges |= graph.edges(page)
            after = page.end_cursor
            if after is None:
                break
            assert (page.truncated, page.reason) == (True, f"first: {size} nodes")
        assert nodes == list(graph.nodes(whole).items())
        assert edges == graph.edges(whole)


def test_an_edge_is_seen_from_when_it_was_first_seen(database: Database) -> None:
    """The answer says as of when it holds."""
    before = now() - timedelta(hours=1)
    graph = Graph(database, "ab")
    found = graph.walk("a", DOWN, as_of=before)
    assert (graph.nodes(found), found.as_of) == ({"a": 0}, before)
    assert graph.nodes(graph.walk("a", DOWN, as_of=now())) == {"a": 0, "b": 1}


def test_versions_are_walked_to_what_contains_them(database: Database) -> None:
    """Level VERSION: runs between versions, and up to the dataset; level DATASET refuses a version as root."""
    with database.transaction("test") as session:
        first, _ = lineage.register_version(session, RegisterVersion("ns", "raw"))
        second, _ = lineage.register_version(session, RegisterVersion("ns", "clean"))
        command = lineage.RecordRun("ns", "wash", RunState.SUCCEEDED, "r1",
                                    (AssetRef(id=first),), (AssetRef(id=second),))  # fmt: skip
        lineage.record_run(session, command)
    root = NodeRef(AssetKind.DATASET_VERSION, str(second))
    with database.reading() as session:
        found = walk(session, WalkRequest(root, UP, 10, Level.VERSION))
        kinds = [(node.ref.kind, node.distance) for node in found.nodes]
        with pytest.raises(Invalid, match="level DATASET walks definitions"):
            walk(session, WalkRequest(root, UP, 10, Level.DATASET))
    assert kinds == [
        (AssetKind.DATASET_VERSION, 0), (AssetKind.DATASET, 1), (AssetKind.RUN, 1),
        (AssetKind.DATASET_VERSION, 2), (AssetKind.DATASET, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "field"),
    [({"depth": -1}, "depth"), ({"depth": 101}, "depth"), ({"first": 0}, "first"), ({"first": 10_001}, "first"),
     ({"after": "nonsense"}, "after"), ({"after": "WzFd"}, "after")],
)  # fmt: skip
def test_what_is_out_of_range_is_refused_with_the_argument(
    database: Database, given: dict[str, int | str], field: str
) -> None:
    """Depth, page size, cursor."""
    graph = Graph(database, "ab")
    with pytest.raises(Invalid) as refused:
        graph.walk("a", DOWN, **given)  # type: ignore[arg-type]
    assert refused.value.path == (field,)


def test_statements_follow_depth_not_width(database: Database) -> None:
    """Two levels of one or of fifty neighbours cost the same."""
    counted = []
    for width in (1, 50):
        with database.transaction("test") as session:
            layers = [[ensure_dataset(session, f"w{width}", f"{layer}-{i}")[0] for i in range(width)]
                      for layer in range(3)]  # fmt: skip
            links = [Link(low, high, EdgeKind.DERIVED, Level.DATASET)
                     for lower, upper in pairwise(layers) for low in lower for high in upper]  # fmt: skip
            connect(session, links)
        seen: list[str] = []
        event.listen(database.engine, "before_cursor_execute", lambda *args, seen=seen: seen.append(args[2]))
        with database.reading() as session:
            found = walk(session, WalkRequest(NodeRef(AssetKind.DATASET, str(layers[2][0])), UP, 5))
        assert len(found.nodes) == 1 + 2 * width
        counted.append(len(seen))
    assert counted[0] == counted[1]


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=EDGES, root=st.integers(0, 7), upstream=st.booleans(), depth=st.integers(0, 8))
def test_any_graph_is_walked_as_the_plain_algorithm_walks_it(
    scratch: Database, edges: list[tuple[int, int]], root: int, upstream: bool, depth: int
) -> None:
    """Breadth-first over an adjacency list gives the same nodes, distances and edges."""
    example = str(uuid.uuid4())  # not Hypothesis': it would give one twice, and with it the edges of before
    with scratch.transaction("test") as session:
        ids = [ensure_dataset(session, example, str(i))[0] for i in range(8)]
        connect(session, [Link(ids[s], ids[t], EdgeKind.DERIVED, Level.DATASET) for s, t in edges])
    distance, used, queue = {root: 0}, set(), deque([root])
    while queue:
        node = queue.popleft()
        for source, target in edges:
            near, far = (target, source) if upstream else (source, target)
            if near == node and distance[node] < depth:
                used.add((ids[source], ids[target]))
                if far not in distance:
                    distance[far] = distance[node] + 1
                    queue.append(far)
    request = WalkRequest(NodeRef(AssetKind.DATASET, str(ids[root])), UP if upstream else DOWN, depth)
    with scratch.reading() as session:
        found = walk(session, request)
    assert {int(node.ref.key): node.distance for node in found.nodes} == {ids[n]: d for n, d in distance.items()}
    assert {(int(edge.source.key), int(edge.target.key)) for edge in found.edges} == used
