"""Walks over the in-memory graph: the same answers as walk.py gives from SQL, only the page is fetched from there."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import Standing
from assetgraph.lineage.index import RANK, Adjacency, GraphIndex, Ids, Snapshot, kinds_at
from assetgraph.lineage.joining import MAX_STEPS, Page, Reached, joined, read_edges
from assetgraph.lineage.looks import Looks, TooManyError, looks_for
from assetgraph.lineage.request import (
    Direction,
    NodeRef,
    WalkEdge,
    WalkNode,
    WalkRequest,
    WalkResult,
    check,
    cursor_at,
    position_of,
    reason_of,
    said_once,
)
from assetgraph.lineage.sight import Look
from assetgraph.lineage.tables import EdgeKind

#: A walk in memory stops here and says so.
MAX_VISITED = 2_000_000
ALL_SHOWN: Looks = np.empty(0, dtype=np.int8)

#: Tells whether a closure (node ids, their kind ranks, going upstream) leads on to nodes that the index does not hold.
LeadsOn = Callable[[Ids, NDArray[np.int8], bool], bool]


def covers(request: WalkRequest) -> bool:
    """Tell whether the index can answer: now, from a stored node."""
    stored = request.root.kind not in (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
    return stored and request.as_of is None


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
    try:
        looks = looks_for(session, snapshot, request)
    except TooManyError:
        return None
    level = snapshot.levels[request.level]
    ways = [
        reached(level, root, request.depth, looks, upstream=upstream)
        for upstream, direction in ((True, Direction.UPSTREAM), (False, Direction.DOWNSTREAM))
        if request.direction in (direction, Direction.BOTH)
    ]
    if leads_on is not None and any(leads_on(way.nodes, snapshot.kinds[way.nodes], way.upstream) for way in ways):
        return None
    return _answer(session, request, snapshot, level, ways, looks)


def reached(
    level: Adjacency, root: int, depth: int, looks: Looks | None = None, *, upstream: bool, parents: bool = False
) -> Reached:
    """Return what lies up- or downstream of a node, to a depth; `looks` says what is hidden or closed."""
    from assetgraph.lineage.kernels import reach, reach_through  # numba: only processes that walk in memory pay for it

    base, more = level.side(upstream=upstream)
    sides = base.offsets, base.neighbours, more.offsets, more.neighbours
    if looks is None and not parents:
        nodes, distance, exhausted = reach(*sides, root, depth, MAX_VISITED)
        return Reached(upstream, nodes, distance, exhausted)
    seen = ALL_SHOWN if looks is None else looks
    nodes, distance, parent, exhausted = reach_through(sides[:2], sides[2:], seen, root, depth, MAX_VISITED)
    return Reached(upstream, nodes, distance, exhausted, parent)


def _answer(
    session: Session, request: WalkRequest, snapshot: Snapshot, level: Adjacency, ways: list[Reached],
    looks: Looks | None,
) -> WalkResult:  # fmt: skip
    nodes, distance = _joined(ways)
    visited = len(nodes)
    if looks is not None:
        shown_ones = looks[nodes] == Look.SHOWN
        nodes, distance = nodes[shown_ones], distance[shown_ones]
    ranks = snapshot.kinds[nodes]
    order = np.lexsort((nodes, ranks, distance))
    nodes, distance, ranks = nodes[order], distance[order], ranks[order]
    start = _start(request, nodes, distance, ranks)
    end = min(start + request.first, len(nodes))
    at = now()
    page = Page(nodes[start:end], np.sort(nodes[:end]))
    edges = list(_edges(session, request, snapshot, level, ways, page, at).values())
    whole = True
    if looks is not None:
        between: dict[tuple[NodeRef, NodeRef], WalkEdge] = {}
        for way in ways:
            found, all_of_it = joined(session, snapshot, level, way, looks, page, request.depth, at)
            whole = whole and all_of_it
            for edge in found:
                between.setdefault((edge.source, edge.target), edge)
        edges += between.values()
    reason = reason_of(
        end < len(nodes), all(way.exhausted for way in ways), whole, request.first, MAX_VISITED, MAX_STEPS
    )  # fmt: skip
    kinds = kinds_at(snapshot, page.nodes)
    hidden = _hidden(snapshot, level, page.nodes, edges)
    shown = [
        WalkNode(NodeRef(kind, str(node)), int(far), int(count))
        for kind, node, far, count in zip(kinds, page.nodes.tolist(), distance[start:end], hidden, strict=True)
    ]
    cursor = cursor_at(shown[-1].distance, shown[-1].ref) if reason and shown else None
    return WalkResult(request.root, shown, edges, reason is not None, reason, cursor, visited, at)


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
    session: Session, request: WalkRequest, snapshot: Snapshot, level: Adjacency, ways: list[Reached], page: Page,
    at: datetime,
) -> dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge]:  # fmt: skip
    """Return the edges that were walked, between the page's nodes and those of this and earlier pages."""
    found: list[NDArray[np.int64]] = []
    for way in ways:
        # An edge was walked when its near end was met closer than the depth. Only the page's rows are looked at:
        # an array over all nodes costs more than the rest of a small walk.
        met = page.nodes[way.distance[page.nodes] >= 0]
        near, far, edges = level.around(met, upstream=way.upstream)
        walked = way.distance[near] < request.depth
        found.append(edges[walked & _inside(far, page.upto)])
        near, far, edges = level.around(met, upstream=not way.upstream)
        walked = (way.distance[far] >= 0) & (way.distance[far] < request.depth)
        found.append(edges[walked & _inside(far, page.upto)])
    ids = np.unique(np.concatenate(found)).tolist() if found else []
    read = said_once(read_edges(session, snapshot, ids, at).values())
    return {(edge.source, edge.target, edge.kind): edge for edge in read}


def _inside(nodes: Ids, among: Ids) -> NDArray[np.bool_]:
    """Tell which nodes are among some sorted ones."""
    if not len(among):
        return np.zeros(len(nodes), dtype=bool)
    places = np.minimum(np.searchsorted(among, nodes), len(among) - 1)
    found: NDArray[np.bool_] = among[places] == nodes
    return found


def _hidden(snapshot: Snapshot, level: Adjacency, page: Ids, edges: list[WalkEdge]) -> NDArray[np.int64]:
    """Count for each node of a page the neighbours that the answer does not show."""
    around = [level.around(page, upstream=upstream)[:2] for upstream in (True, False)]
    pairs = np.unique(np.concatenate([near.astype(np.int64) << 32 | far for near, far in around]))
    pairs = pairs[snapshot.standings[pairs & 0xFFFFFFFF] & Standing.DELETED == 0]
    ends = [(int(edge.source.key), int(edge.target.key)) for edge in edges]
    beside = np.array([a << 32 | b for a, b in ends] + [b << 32 | a for a, b in ends], dtype=np.int64)
    owners = np.setdiff1d(pairs, beside) >> 32
    return np.searchsorted(owners, page, side="right") - np.searchsorted(owners, page, side="left")
