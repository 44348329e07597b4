"""Walks over the in-memory graph: the same answers as walk.py gives from SQL, only the page is fetched from there."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import Standing
from assetgraph.lineage.index import RANK, Adjacency, Distances, GraphIndex, Ids, Snapshot, kinds_at
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
    ways: list[Reached] = []
    try:
        for upstream, direction in ((True, Direction.UPSTREAM), (False, Direction.DOWNSTREAM)):
            if request.direction in (direction, Direction.BOTH):
                distance = snapshot.borrow()
                ways.append(reached(level, root, request.depth, looks, upstream=upstream, distance=distance))
        if leads_on is not None and any(leads_on(way.nodes, snapshot.kinds[way.nodes], way.upstream) for way in ways):
            return None
        return _answer(session, request, snapshot, level, ways, looks)
    finally:
        for way in ways:
            snapshot.give_back(way.distance, way.nodes)


def reached(
    level: Adjacency, root: int, depth: int, looks: Looks | None = None, *, upstream: bool, parents: bool = False,
    distance: Distances | None = None,
) -> Reached:  # fmt: skip
    """Return what lies up- or downstream of a node, to a depth; `looks` says what is hidden or closed.

    distance: (n,), all -1, is written to; a new one when left out.
    """
    from assetgraph.lineage.kernels import reach, reach_through  # numba: only processes that walk in memory pay for it

    base, more = level.side(upstream=upstream)
    sides = base.offsets, base.neighbours, more.offsets, more.neighbours
    if distance is None:
        distance = np.full(len(base.offsets) - 1, -1, dtype=np.int16)
    if looks is None and not parents:
        nodes, exhausted = reach(*sides, root, depth, MAX_VISITED, distance)
        return Reached(upstream, nodes, distance, exhausted)
    seen = ALL_SHOWN if looks is None else looks
    nodes, parent, exhausted = reach_through(sides[:2], sides[2:], seen, root, depth, MAX_VISITED, distance)
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
    edges = _edges(session, request, snapshot, level, ways, page, at)
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
    nodes = np.concatenate([up.nodes, down.nodes[up.distance[down.nodes] < 0]])
    # Where a way did not come, its -1 is the largest there is.
    nearest = np.minimum(*(way.distance[nodes].view(np.uint16) for way in ways))
    return nodes, nearest.view(np.int16)


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
) -> list[WalkEdge]:  # fmt: skip
    """Return the edges that were walked, between the page's nodes and those of this and earlier pages."""
    from assetgraph.lineage.page_kernels import walked_edges  # numba, as above

    found: set[int] = set()
    for way in ways:
        onward, back = (_arrays(level, upstream=upstream) for upstream in (way.upstream, not way.upstream))
        found.update(walked_edges(onward, back, page.nodes, page.upto, way.distance, request.depth).tolist())
    return said_once(read_edges(session, snapshot, found, at).values())


def _arrays(level: Adjacency, *, upstream: bool) -> tuple[Any, Any]:
    base, more = level.side(upstream=upstream)
    return (base.offsets, base.neighbours, base.edges), (more.offsets, more.neighbours, more.edges)


def _hidden(snapshot: Snapshot, level: Adjacency, page: Ids, edges: list[WalkEdge]) -> NDArray[np.int64]:
    """Count for each node of a page the neighbours that the answer does not show."""
    from assetgraph.lineage.page_kernels import count_unseen  # numba, as above

    ends = [(int(edge.source.key), int(edge.target.key)) for edge in edges]
    seen = np.array([a << 32 | b for a, b in ends] + [b << 32 | a for a, b in ends], dtype=np.int64)
    seen.sort()
    sides = _arrays(level, upstream=False), _arrays(level, upstream=True)
    found: NDArray[np.int64] = count_unseen(*sides, page, snapshot.standings, int(Standing.DELETED), seen)
    return found
