"""The graph in memory gives the same answers as SQL, and never an old one."""

import uuid
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion, ensure_dataset
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.lineage import index as graph_index
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, WalkResult, walk


def same(database: Database, request: WalkRequest, index: GraphIndex) -> WalkResult:
    """Assert that both ways give one answer, and return it; a new node without edges is left to SQL."""
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


EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30, unique=True)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=EDGES, then=EDGES, root=st.integers(0, 9), direction=st.sampled_from(Direction), depth=st.integers(0, 9),
    size=st.integers(1, 12), fresh=st.booleans(),
)  # fmt: skip
def test_any_graph_is_walked_alike(
    scratch: Database, shared: GraphIndex, first: list[tuple[int, int]], then: list[tuple[int, int]], root: int,
    direction: Direction, depth: int, size: int, fresh: bool,
) -> None:  # fmt: skip
    """In every direction and depth, page by page, from a fresh index and from one that followed the log."""
    namespace = str(uuid.uuid4())
    with scratch.transaction("test") as session:
        ids = [ensure_dataset(session, namespace, str(i))[0] for i in range(10)]
        connect(session, [Link(ids[a], ids[b], EdgeKind.DERIVED, Level.DATASET) for a, b in first])
    index = GraphIndex() if fresh else shared
    request = WalkRequest(NodeRef(AssetKind.DATASET, str(ids[root])), direction, depth, first=size)
    same(scratch, request, index)
    with scratch.transaction("test") as session:
        connect(session, [Link(ids[a], ids[b], EdgeKind.DERIVED, Level.DATASET) for a, b in then])
    after: str | None = None
    while True:
        page = same(scratch, WalkRequest(request.root, direction, depth, first=size, after=after), index)
        after = page.end_cursor
        if after is None:
            break


def version(database: Database, name: str, *fields: str) -> int:
    """Register a version."""
    specs = tuple(FieldSpec(field, "String") for field in fields)
    with database.transaction("test") as session:
        return lineage.register_version(session, RegisterVersion("ns", name, specs))[0]


def run(database: Database, run_id: str, source: str, target: str, *columns: str) -> int:
    """Record a run from one dataset to another, with columns of equal names."""
    ends = AssetRef(namespace="ns", name=source), AssetRef(namespace="ns", name=target)
    edges = tuple(ColumnEdge(ends[0], column, ends[1], column) for column in columns)
    command = RecordRun("ns", "j", RunState.SUCCEEDED, run_id, (ends[0],), (ends[1],), edges)
    with database.transaction("test") as session:
        return lineage.record_run(session, command)


def test_all_levels_follow_every_write(database: Database) -> None:
    """Versions, runs and columns as they come, columns that a version drops, and new nodes beyond the arrays."""
    index = GraphIndex()
    last = version(database, "a", "x", "y")
    for step in range(4):
        names = f"{'abcdef'[step]}", f"{'abcdef'[step + 1]}"
        last = version(database, names[1], "x", "y")
        run(database, f"r{step}", *names, "x", "y")
        same(database, WalkRequest(NodeRef(AssetKind.DATASET_VERSION, str(last)), depth=30, level=Level.VERSION), index)
        with database.reading() as session:
            dataset = int(catalog.versions_by_ids(session, [last])[last].dataset_id)
            field = catalog.field_ids(session, dataset)["x"]
        same(database, WalkRequest(NodeRef(AssetKind.DATASET, str(dataset)), depth=30), index)
        columns = WalkRequest(NodeRef(AssetKind.FIELD, str(field)), depth=30, level=Level.FIELD)
        assert len(same(database, columns, index).nodes) == step + 2
    version(database, "e", "y")
    assert len(same(database, columns, index).nodes) == 1
    assert len(same(database, columns, GraphIndex()).nodes) == 1


def test_an_overlay_that_grew_is_merged(database: Database) -> None:
    """Nothing is lost or doubled when it becomes part of the base."""
    index = GraphIndex()
    root = NodeRef(AssetKind.DATASET_VERSION, str(version(database, "v0")))
    request = WalkRequest(root, Direction.DOWNSTREAM, 30, Level.VERSION)
    same(database, request, index)
    with database.reading() as session:
        before = index.at(session)
    assert before is not None
    with database.transaction("test") as session:
        datasets = [ensure_dataset(session, "many", str(i))[0] for i in range(300)]
        connect(session, [Link(int(root.key), dataset, EdgeKind.DERIVED, Level.VERSION) for dataset in datasets])
    with database.reading() as session:
        snapshot = graph_index.catch_up(session, before)
        merged = graph_index.merged(snapshot)
    assert (snapshot.base_edges, snapshot.added.shape[1]) == (before.base_edges, 300)
    assert (merged.base_edges, merged.added.shape[1]) == (before.base_edges + 300, 0)
    out = merged.levels[Level.VERSION].out
    assert len(out.edges) == len(set(out.edges.tolist()))
    assert len(same(database, request, index).nodes) == 301


def test_what_the_index_cannot_answer_goes_to_sql(database: Database) -> None:
    """The past, and a session whose snapshot is older than the index."""
    index = GraphIndex()
    root = NodeRef(AssetKind.DATASET_VERSION, str(version(database, "a")))
    request = WalkRequest(root, depth=5, level=Level.VERSION)
    with database.reading() as session:
        assert walk_in_memory(session, replace(request, as_of=now()), index) is None
        assert walk_in_memory(session, request, index) is not None
        version(database, "b")
        same(database, request, index)
        assert walk_in_memory(session, request, index) is None
    assert not GraphIndex().loaded
