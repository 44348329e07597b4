"""Walks of the graph: breadth-first with a visited set of nodes, one statement per frontier and level, bounded."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage.contraction import MAX_STEPS, Way, contracted, number_of
from assetgraph.lineage.request import (
    DEFINITIONS,
    FRONTIER_IDS,
    MAX_DEPTH,
    MAX_FIRST,
    MAX_FRONTIER_EDGES,
    MAX_VISITED,
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
    reason_of,
    said_once,
)
from assetgraph.lineage.sight import Look, Sight
from assetgraph.lineage.tables import EdgeKind, Level

__all__ = [
    "DEFINITIONS",
    "FRONTIER_IDS",
    "MAX_DEPTH",
    "MAX_FIRST",
    "MAX_FRONTIER_EDGES",
    "MAX_VISITED",
    "Direction",
    "NodeRef",
    "Steps",
    "WalkEdge",
    "WalkNode",
    "WalkRequest",
    "WalkResult",
    "check",
    "cursor_at",
    "edge_of",
    "one_way",
    "position_of",
    "said_once",
    "stored_steps",
    "walk",
]  # fmt: skip


class Steps(Protocol):
    """One step of a walk: the edges next to a frontier."""

    def __call__(
        self, session: Session, frontier: Sequence[NodeRef], level: Level, *, upstream: bool, at: datetime
    ) -> list[WalkEdge]:
        """Return the edges whose near end lies in the frontier."""


def stored_steps(
    session: Session, frontier: Sequence[NodeRef], level: Level, *, upstream: bool, at: datetime
) -> list[WalkEdge]:
    """Return the edges stored next to a frontier: one statement per FRONTIER_IDS nodes."""
    kinds = {
        int(ref.key): ref.kind for ref in frontier if ref.kind not in (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
    }
    if not kinds:
        return []
    ids = list(kinds)
    found = []
    for row in itertools.chain.from_iterable(
        queries.frontier(session, ids[i : i + FRONTIER_IDS], level, upstream=upstream, at=at, most=MAX_FRONTIER_EDGES)
        for i in range(0, len(ids), FRONTIER_IDS)
    ):
        if row.far_kind is None:
            continue  # deleted
        near = NodeRef(kinds[int(row.near)], str(row.near))
        far = NodeRef(row.far_kind, str(row.far))
        source, target = (far, near) if upstream else (near, far)
        found.append(edge_of(row, source, target))
    return said_once(found)


def one_way(
    session: Session, request: WalkRequest, at: datetime, steps: Steps, sight: Sight, *, upstream: bool
) -> Way:  # fmt: skip
    """Walk breadth-first; hidden nodes cost no depth, so that contraction keeps connectivity, closed ones end it."""
    state = Way(upstream, {request.root: 0})
    frontier = [request.root]
    waiting: list[NodeRef] = []
    distance = 0
    while frontier and distance < request.depth:
        if len(state.distance) > MAX_VISITED:
            state.exhausted = False
            break
        edges = steps(session, sorted(frontier, key=number_of), request.level, upstream=upstream, at=at)
        # A hub's edges beyond the bound of a statement are missing.
        state.exhausted = state.exhausted and len(edges) < MAX_FRONTIER_EDGES
        sight.ask(edge.source if upstream else edge.target for edge in edges)
        hidden: list[NodeRef] = []
        for edge in edges:
            near, far = (edge.target, edge.source) if upstream else (edge.source, edge.target)
            look = sight.of(far)
            if look is Look.CLOSED:
                continue
            state.edges[(edge.source, edge.target, edge.kind)] = edge
            state.onward.setdefault(near, {}).setdefault(far, edge)
            if far not in state.distance:
                shown = look is Look.SHOWN
                state.distance[far] = distance + shown
                state.parent[far] = near
                (waiting if shown else hidden).append(far)
        # Hidden nodes are gone through at the distance they were met; only then comes the next one.
        frontier = hidden
        if not frontier:
            frontier, waiting = waiting, []
            distance += 1
    return state


def _order(node: tuple[NodeRef, int]) -> tuple[int, str, str]:
    ref, distance = node
    return distance, ref.kind.value, ref.key.rjust(20, "0")


def walk(session: Session, request: WalkRequest, steps: Steps = stored_steps) -> WalkResult:
    """Walk from the root; nodes come nearest first, edges are those between the nodes of this and earlier pages."""
    check(request)
    at = request.as_of or now()
    sight = Sight(session, request)
    ways = [up for up, name in ((True, Direction.UPSTREAM), (False, Direction.DOWNSTREAM))
            if request.direction in (name, Direction.BOTH)]  # fmt: skip
    walks = [one_way(session, request, at, steps, sight, upstream=upstream) for upstream in ways]
    distance: dict[NodeRef, int] = {}
    for one in walks:
        for ref, far in one.distance.items():
            distance[ref] = min(far, distance.get(ref, far))
    shown = sorted(((ref, far) for ref, far in distance.items() if sight.of(ref) is Look.SHOWN), key=_order)
    position = position_of(request.after)
    rest = (
        shown
        if position is None
        else [node for node in shown if _order(node) > (*position[:2], position[2].rjust(20, "0"))]
    )
    page = rest[: request.first]
    edges, whole = _edges(walks, sight, page, shown[: len(shown) - len(rest) + len(page)])
    exhausted = all(one.exhausted for one in walks)
    reason = reason_of(len(rest) > len(page), exhausted, whole, request.first, MAX_VISITED, MAX_STEPS)
    cursor = cursor_at(page[-1][1], page[-1][0]) if reason and page else None
    nodes = [WalkNode(ref, far) for ref, far in page]
    result = WalkResult(request.root, nodes, edges, reason is not None, reason, cursor, len(distance), at)
    return replace(result, nodes=_count_hidden(session, request, result, at, steps))


def _edges(
    walks: Sequence[Way], sight: Sight, page: Sequence[tuple[NodeRef, int]], until: Sequence[tuple[NodeRef, int]]
) -> tuple[list[WalkEdge], bool]:  # fmt: skip
    """Return the edges that were walked between a page's nodes and those up to its end, and whether none is missing."""
    paged, upto = {ref for ref, _ in page}, {ref for ref, _ in until}
    kept: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = {}
    joined: dict[tuple[NodeRef, NodeRef], WalkEdge] = {}
    whole = True
    for way in walks:
        kept |= {
            key: edge for key, edge in way.edges.items()
            if edge.source in upto and edge.target in upto and (edge.source in paged or edge.target in paged)
        }  # fmt: skip
        found, all_of_it = contracted(way, sight, upto, paged)
        whole = whole and all_of_it
        for edge in found:
            joined.setdefault((edge.source, edge.target), edge)
    return [*kept.values(), *joined.values()], whole


def _count_hidden(
    session: Session, request: WalkRequest, result: WalkResult, at: datetime, steps: Steps
) -> list[WalkNode]:
    """Say for each node how many neighbours the graph has that the answer does not show."""
    refs = [node.ref for node in result.nodes]
    around: dict[NodeRef, set[NodeRef]] = {ref: set() for ref in refs}
    for upstream in (True, False):
        for edge in steps(session, refs, request.level, upstream=upstream, at=at):
            near, far = (edge.target, edge.source) if upstream else (edge.source, edge.target)
            around[near].add(far)
    beside: dict[NodeRef, set[NodeRef]] = {ref: set() for ref in refs}
    for edge in result.edges:
        beside.setdefault(edge.source, set()).add(edge.target)
        beside.setdefault(edge.target, set()).add(edge.source)
    return [replace(node, hidden_neighbours=len(around[node.ref] - beside[node.ref])) for node in result.nodes]
