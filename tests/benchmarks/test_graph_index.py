"""The graph in memory beside SQL and beside a bare compiled search, on a million nodes and three million edges."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from assetgraph_server.app import create_app
from assetgraph_server.client import Client
from graphs import fill, layered
from numba import njit
from reporting import report
from serving import serving

from assetgraph.catalog import tokens
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind, asset_global_id
from assetgraph.lineage import index as graph_index
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.index_files import IndexFiles
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.kernels import reach as reach_into
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, stored_steps
from assetgraph.settings import Settings

pytestmark = pytest.mark.benchmark
NODES, LAYERS, FAN_OUT = 1_000_000, 100, 3


def best(work: Callable[[], Any], times: int = 5) -> float:
    """Return the shortest wall time in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken) * 1000


def reach(offsets: Any, neighbours: Any, more: tuple[Any, Any], root: int, depth: int) -> Any:
    """Search with distances of its own, as a library call does."""
    return reach_into(offsets, neighbours, *more, root, depth, NODES, np.full(len(offsets) - 1, -1, dtype=np.int16))[0]


@njit(cache=True)
def bare(offsets, neighbours, root):  # type: ignore[no-untyped-def]
    """Search breadth-first and do nothing else."""
    seen = np.zeros(len(offsets) - 1, np.uint8)
    order = np.empty(len(offsets) - 1, np.int32)
    order[0] = root
    seen[root] = 1
    head, tail = 0, 1
    while head < tail:
        node = order[head]
        head += 1
        for place in range(offsets[node], offsets[node + 1]):
            far = neighbours[place]
            if not seen[far]:
                seen[far] = 1
                order[tail] = far
                tail += 1
    return tail


def sql_walk(database: Database, root: int, depth: int) -> int:
    """Walk downstream with one statement per level, as walk.py does, without its bound."""
    met = {NodeRef(AssetKind.DATASET, str(root))}
    frontier = list(met)
    with database.reading() as session:
        at = now()
        while frontier and depth:
            found = stored_steps(session, frontier, Level.DATASET, upstream=False, at=at)
            frontier = list(dict.fromkeys(edge.target for edge in found if edge.target not in met))
            met.update(frontier)
            depth -= 1
    return len(met)


def root_reaching(snapshot: graph_index.Snapshot, wanted: int, depth: int = 1000) -> int:
    """Return a node whose closure is about as large as wanted."""
    side = snapshot.levels[Level.DATASET].out
    more = snapshot.levels[Level.DATASET].more_out
    width = NODES // LAYERS
    found = {}
    for layer in range(LAYERS - 1):
        root = layer * width + 7
        found[root] = len(reach(side.offsets, side.neighbours, (more.offsets, more.neighbours), root, depth))
    return min(found, key=lambda root: abs(found[root] - wanted))


def test_closure_build_and_catch_up(database: Database, tmp_path: Path) -> None:
    """Layers of ten thousand, edges to the next one."""
    edges = layered(NODES, LAYERS, FAN_OUT, skipping=0.0)
    fill(database, NODES, edges)
    dialect = database.engine.dialect.name
    with database.reading() as session:
        build = best(lambda: graph_index.load(session), 3)
        index = GraphIndex()
        snapshot = index.at(session)
    assert snapshot is not None
    root = root_reaching(snapshot, 100_000)
    side = snapshot.levels[Level.DATASET].out
    request = WalkRequest(NodeRef(AssetKind.DATASET, str(root)), Direction.DOWNSTREAM, 100, Level.DATASET)
    with database.reading() as session:
        found = walk_in_memory(session, request, index)
        assert found is not None
        whole = best(lambda: walk_in_memory(session, request, index))
    more = snapshot.levels[Level.DATASET].more_out
    closure = best(lambda: reach(side.offsets, side.neighbours, (more.offsets, more.neighbours), root, 1000))
    plain = best(lambda: bare(side.offsets, side.neighbours, root))
    in_sql = best(lambda: sql_walk(database, root, 1000), 2)
    report(f"Closure of {found.visited} nodes, {dialect}", [{
        "SQL per level ms": round(in_sql), "index ms": round(closure, 2), "bare search ms": round(plain, 2),
        "SQL/index": round(in_sql / closure), "index/bare": round(closure / plain, 2),
        "answer with first 1,000 nodes ms": round(whole, 1),
    }])  # fmt: skip
    for _ in range(10):
        with database.transaction("bench") as session:
            pairs = np.random.default_rng().integers(1, NODES, (1000, 2)).tolist()
            connect(session, [Link(a, b, EdgeKind.CONSUMED, Level.DATASET) for a, b in pairs])
    with database.reading() as session:
        caught = best(lambda: graph_index.catch_up(session, snapshot))
        assert changes.newest(session) >= 10
    report(f"Index of {edges.shape[1]} edges, {dialect}", [{
        "build s": round(build / 1000, 2), "bytes per edge": round(snapshot.size / edges.shape[1], 1),
        "catch-up after 10,000 edges ms": round(caught, 1),
    }])  # fmt: skip
    files = IndexFiles(tmp_path / "index")
    with database.reading() as session:
        fresh = graph_index.load(session)
        kept = best(lambda: files.keep(session, fresh), 1)
        opened = best(lambda: files.open(session), 3)
        mapped = files.open(session)
    assert mapped is not None
    sides = [one.levels[Level.DATASET].out for one in (fresh, mapped)]
    private, shared = (
        best(partial(reach, one.offsets, one.neighbours, (more.offsets, more.neighbours), root, 1000)) for one in sides
    )
    report(f"Index on disk, {dialect}", [{
        "write ms": round(kept), "check and map ms": round(opened), "search in memory ms": round(private, 2),
        "search mapped ms": round(shared, 2),
    }])  # fmt: skip


def test_depth_thirty_with_skipping_edges(sqlite_url: str) -> None:
    """A third of the edges skip layers, so that nodes are met at many depths."""
    database = Database(sqlite_url)
    fill(database, NODES, layered(NODES, LAYERS, FAN_OUT, skipping=0.3))
    index = GraphIndex()
    with database.reading() as session:
        snapshot = index.at(session)
        assert snapshot is not None
        root = root_reaching(snapshot, 355_000, 30)
        request = WalkRequest(NodeRef(AssetKind.DATASET, str(root)), Direction.DOWNSTREAM, 30, Level.DATASET)
        found = walk_in_memory(session, request, index)
        assert found is not None
        taken = best(lambda: walk_in_memory(session, request, index))
    report("Depth 30 with skipping edges", [{"nodes": found.visited, "answer ms": round(taken, 1)}])
    database.close()


TRIVIAL = "{ viewer { name } }"
SMALL = """query($root: ID!) { lineage(root: $root, direction: BOTH, depth: 2) {
  nodes { distance node { id name } } edges { source target kind } } }"""
DEEP = """query($root: ID!) { lineage(root: $root, direction: DOWNSTREAM, depth: 100, first: 20) {
  visited nodes { distance node { id name } } edges { source target kind } } }"""


def test_graphql_walks_beside_the_trivial_query(database: Database, settings: Settings) -> None:
    """Over HTTP, one keep-alive connection, warm: milliseconds in the middle of two hundred."""
    fill(database, NODES, layered(NODES, LAYERS, FAN_OUT, skipping=0.0))
    with database.transaction("bench") as session:
        _, token = tokens.create(session, "bench", tokens.Role.READER)
    root = asset_global_id(AssetKind.DATASET, NODES // 2 + 7)
    with serving(create_app(settings, database)) as address:
        client = Client(f"http://{address}", token)
        client.execute(DEEP, root=root)
        taken = {}
        for name, query in (("trivial", TRIVIAL), ("depth 2", SMALL), ("closure, first 20", DEEP)):
            times = [best(partial(client.execute, query, **({} if name == "trivial" else {"root": root})), 1)
                     for _ in range(200)]  # fmt: skip
            taken[name] = sorted(times)[100]
        nodes = len(client.execute(SMALL, root=root)["lineage"]["nodes"])
        client.close()
    report(f"GraphQL, {database.engine.dialect.name}", [
        {"query": name, "ms": round(one, 2), "times the trivial": round(one / taken["trivial"], 1)}
        for name, one in taken.items()
    ])  # fmt: skip
    assert nodes > 10
