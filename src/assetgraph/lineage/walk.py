"""Walks of the graph: breadth-first with a visited set of nodes, one statement per frontier and level, bounded."""

import base64
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage.tables import EdgeKind, Level

MAX_DEPTH = 100
MAX_FIRST = 10_000
#: A walk stops here and says so; the nodes found so far are returned, with a cursor to go on.
MAX_VISITED = 50_000
MAX_FRONTIER_EDGES = 200_000
#: A statement binds at most 32,766 values on SQLite, 65,535 on PostgreSQL.
FRONTIER_IDS = 10_000

DEFINITIONS = (AssetKind.SOURCE, AssetKind.DATASET, AssetKind.JOB, AssetKind.MODEL)


class Direction(StrEnum):
    """Which way a walk goes; BOTH is the way up and the way down, not sideways to siblings."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"
    BOTH = "BOTH"


class NodeRef(NamedTuple):
    """A node of the graph: row id as text for stored assets, the encoded key for computed ones."""

    kind: AssetKind
    key: str


@dataclass(frozen=True)
class WalkEdge:
    """A relation met by a walk; it points the way data flows."""

    source: NodeRef
    target: NodeRef
    kind: EdgeKind
    first_seen: datetime
    last_seen: datetime
    run_count: int
    via: NodeRef | None = None
    #: What is done to the values, at level FIELD: type, subtype, description, masking.
    transformations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class WalkNode:
    """A node met by a walk, with its distance from the root in shown edges."""

    ref: NodeRef
    distance: int
    hidden_neighbours: int = 0


@dataclass(frozen=True)
class WalkResult:
    """What a walk found; `truncated` with a reason and a cursor whenever anything was left out."""

    root: NodeRef
    nodes: list[WalkNode]
    edges: list[WalkEdge]
    truncated: bool
    reason: str | None
    end_cursor: str | None
    visited: int
    as_of: datetime


@dataclass(frozen=True)
class WalkRequest:
    """What a walk is asked for."""

    root: NodeRef
    direction: Direction = Direction.BOTH
    depth: int = 1
    level: Level = Level.DATASET
    kinds: frozenset[AssetKind] | None = None
    as_of: datetime | None = None
    first: int = 1000
    after: str | None = None


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
        near = NodeRef(kinds[int(row.near)], str(row.near))
        far = NodeRef(row.far_kind, str(row.far))
        source, target = (far, near) if upstream else (near, far)
        found.append(edge_of(row, source, target))
    return said_once(found)


def edge_of(row: Any, source: NodeRef, target: NodeRef) -> WalkEdge:
    """View a row of `edge` between its ends."""
    seen = (row.valid_from, row.last_seen, int(row.run_count))
    return WalkEdge(source, target, row.kind, *seen, transformations=tuple(row.transformations or ()))


def said_once(edges: Iterable[WalkEdge]) -> list[WalkEdge]:
    """Join what several rows say of one relation: producers that declare the same, or times that overlap."""
    joined: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = {}
    for edge in edges:
        place = (edge.source, edge.target, edge.kind)
        known = joined.setdefault(place, edge)
        if known is not edge:
            done = {tuple(sorted(one.items())): one for one in (*known.transformations, *edge.transformations)}
            joined[place] = replace(
                known, first_seen=min(known.first_seen, edge.first_seen),
                last_seen=max(known.last_seen, edge.last_seen), run_count=known.run_count + edge.run_count,
                transformations=tuple(done[key] for key in sorted(done)),
            )  # fmt: skip
    return list(joined.values())


@dataclass
class Way:
    """State of one direction: what was met, and by which edges."""

    distance: dict[NodeRef, int]
    edges: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = field(default_factory=dict)
    exhausted: bool = True


def one_way(session: Session, request: WalkRequest, at: datetime, steps: Steps, *, upstream: bool) -> Way:
    """Walk breadth-first; hidden kinds cost no depth, so that contraction keeps connectivity."""
    state = Way({request.root: 0})
    frontier = [request.root]
    waiting: list[NodeRef] = []
    distance = 0
    while frontier and len(state.distance) <= MAX_VISITED:
        hidden: list[NodeRef] = []
        for edge in steps(session, frontier, request.level, upstream=upstream, at=at):
            far = edge.source if upstream else edge.target
            cost = 1 if _shown(request, far) else 0
            if distance + cost > request.depth:
                continue
            state.edges[(edge.source, edge.target, edge.kind)] = edge
            if far not in state.distance:
                state.distance[far] = distance + cost
                (waiting if cost else hidden).append(far)
        # Hidden nodes are gone through at the distance they were met; only then comes the next one.
        frontier = hidden
        if not frontier:
            frontier, waiting = waiting, []
            distance += 1
    state.exhausted = not frontier
    return state


def _shown(request: WalkRequest, ref: NodeRef) -> bool:
    return request.kinds is None or ref.kind in request.kinds or ref == request.root


def _contract(edges: Iterable[WalkEdge], request: WalkRequest) -> list[WalkEdge]:
    """Join shown nodes over paths of hidden ones: a DERIVED edge via the first hidden node."""
    shown = [edge for edge in edges if _shown(request, edge.source) and _shown(request, edge.target)]
    onward: dict[NodeRef, list[WalkEdge]] = {}
    for edge in edges:
        if not _shown(request, edge.source):
            onward.setdefault(edge.source, []).append(edge)
    joined: dict[tuple[NodeRef, NodeRef], WalkEdge] = {}
    for edge in edges:
        if not _shown(request, edge.source) or _shown(request, edge.target):
            continue
        seen = {edge.target}
        stack = [edge]
        while stack:
            part = stack.pop()
            for step in onward.get(part.target, ()):
                longer = WalkEdge(
                    edge.source, step.target, EdgeKind.DERIVED, max(part.first_seen, step.first_seen),
                    min(part.last_seen, step.last_seen), min(part.run_count, step.run_count), via=edge.target,
                )  # fmt: skip
                if _shown(request, step.target):
                    joined.setdefault((edge.source, step.target), longer)
                elif step.target not in seen:
                    seen.add(step.target)
                    stack.append(longer)
    return shown + [edge for (source, target), edge in joined.items() if source != target]


def cursor_at(distance: int, ref: NodeRef) -> str:
    """Return the place of a node in a walk's order, opaque to callers."""
    packed = json.dumps([distance, ref.kind.value, ref.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode("ascii")


def position_of(cursor: str | None) -> tuple[int, str, str] | None:
    """Return (distance, kind, key) of a cursor; raises Invalid for what is none."""
    if cursor is None:
        return None
    try:
        distance, kind, key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, TypeError) as error:
        raise Invalid(
            "the cursor is not one that lineage gave out; start again without `after`", path=("after",)
        ) from error
    if not isinstance(distance, int) or not isinstance(kind, str) or not isinstance(key, str):
        raise Invalid("the cursor is not one that lineage gave out; start again without `after`", path=("after",))
    return distance, kind, key


def _order(node: tuple[NodeRef, int]) -> tuple[int, str, str]:
    ref, distance = node
    return distance, ref.kind.value, ref.key.rjust(20, "0")


def check(request: WalkRequest) -> None:
    """Refuse what is out of range, and a root that is not of the level."""
    if not 0 <= request.depth <= MAX_DEPTH:
        raise Invalid(f"depth must be from 0 to {MAX_DEPTH}, not {request.depth}", path=("depth",))
    if not 1 <= request.first <= MAX_FIRST:
        raise Invalid(f"first must be from 1 to {MAX_FIRST}, not {request.first}", path=("first",))
    _check_root(request)


def _check_root(request: WalkRequest) -> None:
    kind = request.root.kind
    message = None
    if request.level is Level.FIELD and kind is not AssetKind.FIELD:
        message = f"level FIELD walks columns and begins at one; this root is a {kind.value}"
    elif request.level is not Level.FIELD and kind is AssetKind.FIELD:
        message = "a column is walked at level FIELD"
    elif request.level is Level.DATASET and kind not in DEFINITIONS:
        message = f"level DATASET walks definitions; this root is a {kind.value}: ask for level VERSION"
    if message is not None:
        raise Invalid(message, path=("level",))


def walk(session: Session, request: WalkRequest, steps: Steps = stored_steps) -> WalkResult:
    """Walk from the root; nodes come nearest first, edges are those between the nodes of this and earlier pages."""
    check(request)
    at = request.as_of or now()
    ways = [up for up, name in ((True, Direction.UPSTREAM), (False, Direction.DOWNSTREAM))
            if request.direction in (name, Direction.BOTH)]  # fmt: skip
    walks = [one_way(session, request, at, steps, upstream=upstream) for upstream in ways]
    distance: dict[NodeRef, int] = {}
    edges: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = {}
    for one in walks:
        for ref, far in one.distance.items():
            distance[ref] = min(far, distance.get(ref, far))
        edges.update(one.edges)
    shown = sorted(((ref, far) for ref, far in distance.items() if _shown(request, ref)), key=_order)
    position = position_of(request.after)
    rest = (
        shown
        if position is None
        else [node for node in shown if _order(node) > (*position[:2], position[2].rjust(20, "0"))]
    )
    page = rest[: request.first]
    exhausted = all(one.exhausted for one in walks)
    truncated = len(rest) > len(page) or not exhausted
    paged = {ref for ref, _ in page}
    upto = {ref for ref, _ in shown[: len(shown) - len(rest) + len(page)]}
    kept = [
        edge for edge in _contract(edges.values(), request)
        if edge.source in upto and edge.target in upto and (edge.source in paged or edge.target in paged)
    ]  # fmt: skip
    reason = None
    if truncated:
        reason = f"first: {request.first} nodes" if exhausted else f"budget: {MAX_VISITED} nodes visited"
    cursor = cursor_at(page[-1][1], page[-1][0]) if truncated and page else None
    nodes = [WalkNode(ref, far) for ref, far in page]
    result = WalkResult(request.root, nodes, kept, truncated, reason, cursor, len(distance), at)
    return replace(result, nodes=_count_hidden(session, request, result, at, steps))


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
