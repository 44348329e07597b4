"""Walks over the in-memory graph: the same answers as walk.py gives from SQL, only the page is fetched from there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage.index import RANK, Adjacency, GraphIndex, Ids, Snapshot, kinds_at
from assetgraph.lineage.walk import (
    Direction,
    NodeRef,
    WalkEdge,
    WalkNode,
    WalkRequest,
    WalkResult,
    check,
    cursor_at,
    edge_of,
    position_of,
    said_once,
)

#: A walk in memory stops here and says so.
MAX_VISITED = 2_000_000

#: Tells whether a closure (node ids, their kind ranks, going upstream) leads on to nodes that the index does not hold.
LeadsOn = Callable[[Ids, NDArray[np.int8], bool], bool]


@dataclass(frozen=True)
class Reached:
    """One direction: the nodes met and every node's distance (-1: not met)."""

    upstream: bool
    nodes: Ids
    distance: NDArray[np.int16]
    exhausted: bool


def covers(request: WalkRequest) -> bool:
    """Tell whether the index can answer: now, without contraction, from a stored node."""
    stored = request.root.kind not in (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
    return stored and request.kinds is None and request.as_of is None


def walk_in_memory(
    session: Session,
    request: WalkRequest,
    index: GraphIndex,
    leads_on: LeadsOn | None = None,
    *,
    follow: bool = True,
) -> WalkResult | None:
    """Walk over the index; None when SQL must answer (see `covers`, `GraphIndex.at` and `leads_on`).

    Without `follow` an index that is not loaded, or behind the log, is left as it is.
    """
    check(request)
    snapshot = index.at(session, follow=follow) if covers(request) else None
    root = int(request.root.key)
    if snapshot is None or root >= len(snapshot.kinds) or not snapshot.kinds[root]:
        return None  # a node that came after the index was loaded, and has no edge: SQL is as quick
    level = snapshot.levels[request.level]
    ways = [
        reached(level, root, request.depth, upstream=upstream)
        for upstream, direction in ((True, Direction.UPSTREAM), (False, Direction.DOWNSTREAM))
        if request.direction in (direction, Direction.BOTH)
    ]
    if leads_on is not None and any(leads_on(way.nodes, snapshot.kinds[way.nodes], way.upstream) for way in ways):
        return None
    return _answer(session, request, snapshot, level, ways)


def reached(level: Adjacency, root: int, depth: int, *, upstream: bool) -> Reached:
    """Return what lies up- or downstream of a node, to a depth."""
    from assetgraph.lineage.kernels import reach  # numba: only processes that walk in memory pay for it

    base, more = level.side(upstream=upstream)
    nodes, distance, exhausted = reach(
        base.offsets, base.neighbours, more.offsets, more.neighbours, root, depth, MAX_VISITED
    )
    return Reached(upstream, nodes, distance, exhausted)


def _answer(
    session: Session, request: WalkRequest, snapshot: Snapshot, level: Adjacency, ways: list[Reached]
) -> WalkResult:
    nodes, distance = _joined(ways)
    ranks = snapshot.kinds[nodes]
    order = np.lexsort((nodes, ranks, distance))
    nodes, distance, ranks = nodes[order], distance[order], ranks[order]
    start = _start(request, nodes, distance, ranks)
    end = min(start + request.first, len(nodes))
    exhausted = all(way.exhausted for way in ways)
    truncated = end < len(nodes) or not exhausted
    at = request.as_of or now()
    page = nodes[start:end]
    edges = _edges(session, request, snapshot, level, ways, nodes[:end], page, at)
    refs = [NodeRef(kind, str(node)) for kind, node in zip(kinds_at(snapshot, page), page.tolist(), strict=True)]
    hidden = _hidden(level, page, edges)
    shown = [
        WalkNode(ref, int(far), int(count))
        for ref, far, count in zip(refs, distance[start:end], hidden, strict=True)
    ]  # fmt: skip
    reason = None
    if truncated:
        reason = f"first: {request.first} nodes" if exhausted else f"budget: {MAX_VISITED} nodes visited"
    cursor = cursor_at(shown[-1].distance, shown[-1].ref) if truncated and shown else None
    return WalkResult(request.root, shown, edges, truncated, reason, cursor, len(nodes), at)


def _joined(ways: list[Reached]) -> tuple[Ids, NDArray[np.int16]]:
    if len(ways) == 1:
        return ways[0].nodes, ways[0].distance[ways[0].nodes]
    up, down = ways
    nodes = np.union1d(up.nodes, down.nodes)
    far = np.iinfo(np.int16).max
    distances = [np.where(way.distance[nodes] < 0, far, way.distance[nodes]) for way in ways]
    return nodes, np.minimum(*distances)


def _start(request: WalkRequest, nodes: Ids, distance: NDArray[np.int16], ranks: NDArray[np.int8]) -> int:
    """Return the place of the first node after the cursor."""
    position = position_of(request.after)
    if position is None:
        return 0
    far, kind, key = position
    rank, node = RANK.get(AssetKind(kind), 0) if kind in AssetKind.__members__ else 0, int(key) if key.isdigit() else 0
    beyond = (distance > far) | ((distance == far) & ((ranks > rank) | ((ranks == rank) & (nodes > node))))
    return int(np.argmax(beyond)) if beyond.any() else len(nodes)


def _edges(
    session: Session, request: WalkRequest, snapshot: Snapshot, level: Adjacency, ways: list[Reached],
    upto: Ids, page: Ids, at: datetime,
) -> list[WalkEdge]:  # fmt: skip
    """Return the edges that were walked, between the page's nodes and those of this and earlier pages."""
    within = np.sort(upto)
    found: list[NDArray[np.int64]] = []
    for way in ways:
        # An edge was walked when its near end was met closer than the depth. Only the page's rows are looked at:
        # an array over all nodes costs more than the rest of a small walk.
        near, far, edges = level.around(page[way.distance[page] >= 0], upstream=way.upstream)
        walked = way.distance[near] < request.depth
        found.append(edges[walked & _inside(far, within)])
        near, far, edges = level.around(page[way.distance[page] >= 0], upstream=not way.upstream)
        walked = (way.distance[far] >= 0) & (way.distance[far] < request.depth)
        found.append(edges[walked & _inside(far, within)])
    ids = np.unique(np.concatenate(found)).tolist() if found else []
    rows = queries.edges_by_ids(session, ids, at)
    ends = sorted({end for row in rows for end in (int(row.source_id), int(row.target_id))})
    refs = {
        node: NodeRef(kind, str(node)) for node, kind in zip(ends, kinds_at(snapshot, ends), strict=True)
    }  # fmt: skip
    ordered = sorted(rows, key=lambda row: int(row.id))
    return said_once(edge_of(row, refs[int(row.source_id)], refs[int(row.target_id)]) for row in ordered)


def _inside(nodes: Ids, among: Ids) -> NDArray[np.bool_]:
    """Tell which nodes are among some sorted ones."""
    places = np.minimum(np.searchsorted(among, nodes), len(among) - 1)
    found: NDArray[np.bool_] = among[places] == nodes
    return found


def _hidden(level: Adjacency, page: Ids, edges: list[WalkEdge]) -> NDArray[np.int64]:
    """Count for each node of a page the neighbours that the answer does not show."""
    around = [level.around(page, upstream=upstream)[:2] for upstream in (True, False)]
    pairs = np.unique(np.concatenate([near.astype(np.int64) << 32 | far for near, far in around]))
    ends = [(int(edge.source.key), int(edge.target.key)) for edge in edges]
    beside = np.array([a << 32 | b for a, b in ends] + [b << 32 | a for a, b in ends], dtype=np.int64)
    owners = np.setdiff1d(pairs, beside) >> 32
    return np.searchsorted(owners, page, side="right") - np.searchsorted(owners, page, side="left")
