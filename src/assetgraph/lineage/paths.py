"""The shortest ways from one asset to another over what is shown, the way data flows: bounded, simple, ordered."""

import heapq
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, Limit
from assetgraph.ids import AssetKind
from assetgraph.lineage import contraction
from assetgraph.lineage.filters import EVERYTHING, Filter
from assetgraph.lineage.index import GraphIndex, Snapshot, kinds_at
from assetgraph.lineage.indexed import LeadsOn, reached
from assetgraph.lineage.looks import TooManyError, looks_for
from assetgraph.lineage.sight import COMPUTED, Look, Sight
from assetgraph.lineage.tables import Level
from assetgraph.lineage.walk import DEFINITIONS, NodeRef, Steps, WalkRequest, one_way, stored_steps

MAX_PATHS = 100
MAX_LENGTH = 100
#: Partial paths looked at before giving up on more: a dense graph has more ways than anyone can read.
MAX_EXPANDED = 100_000


@dataclass(frozen=True)
class FoundWay:
    """A way: the nodes that the filter shows, both ends included, and how few hidden ones it leads through."""

    refs: tuple[NodeRef, ...]
    hidden: int


@dataclass(frozen=True)
class _Between:
    """The graph between two ends: what follows each node, how far each is from the target, and which are hidden."""

    following: Mapping[NodeRef, Sequence[NodeRef]]
    #: In edges between shown nodes: a hidden node is as far as the shown one that it was met from.
    distance: Mapping[NodeRef, int]
    hidden: AbstractSet[NodeRef]


@dataclass(frozen=True)
class FindPaths:
    """Ask for ways from `source` down to `target`; `max_length` counts edges between nodes that the filter shows."""

    source: NodeRef
    target: NodeRef
    max_paths: int = 10
    max_length: int = 20
    as_of: datetime | None = None
    filter: Filter = EVERYTHING


def level_between(source: AssetKind, target: AssetKind) -> Level:
    """Return the level that both ends stand at: columns, definitions, or what happened."""
    if AssetKind.FIELD in (source, target):
        if source is not target:
            raise Invalid("a way between a column and something else is none; give two columns", path=("to",))
        return Level.FIELD
    return Level.DATASET if source in DEFINITIONS and target in DEFINITIONS else Level.VERSION


def find_paths(
    session: Session,
    command: FindPaths,
    index: GraphIndex | None = None,
    *,
    steps: Steps = stored_steps,
    leads_on: LeadsOn | None = None,
) -> list[FoundWay]:
    """Return up to `max_paths` ways, shortest first, equal ones in the order of their nodes; [] when there is none.

    Hidden nodes are contracted, and closed ones end a way, as walks do it. Raises Limit when too many are hidden.
    """
    _check(command)
    level = level_between(command.source.kind, command.target.kind)
    request = WalkRequest(
        command.target, depth=command.max_length, level=level, as_of=command.as_of, filter=command.filter
    )  # fmt: skip
    between = None if index is None else _in_memory(session, command, request, index, leads_on)
    return _shortest(command, between or _in_sql(session, command, request, steps))


def _check(command: FindPaths) -> None:
    for name, value, most in (
        ("maxPaths", command.max_paths, MAX_PATHS), ("maxLength", command.max_length, MAX_LENGTH)
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise Invalid(f"{name} must be from 1 to {most}, not {value}", path=(name,))
    command.filter.check()


def _in_sql(session: Session, command: FindPaths, request: WalkRequest, steps: Steps) -> _Between:
    sight = Sight(session, request, command.source)
    way = one_way(session, request, command.as_of or now(), steps, sight, upstream=True)
    following: dict[NodeRef, list[NodeRef]] = {}
    for edge in way.edges.values():
        following.setdefault(edge.source, []).append(edge.target)
    return _Between(following, way.distance, {ref for ref in way.distance if sight.of(ref) is Look.HIDDEN})


def _in_memory(
    session: Session, command: FindPaths, request: WalkRequest, index: GraphIndex, leads_on: LeadsOn | None
) -> _Between | None:
    """Return what lies on ways short enough; None when SQL must answer."""
    if command.as_of is not None or command.source.kind in COMPUTED or command.target.kind in COMPUTED:
        return None
    snapshot = index.at(session)
    ends = int(command.source.key), int(command.target.key)
    if snapshot is None or max(ends) >= len(snapshot.kinds) or not all(snapshot.kinds[list(ends)]):
        return None
    try:
        looks = looks_for(session, snapshot, request, ends[0])
    except TooManyError:
        return None
    adjacency = snapshot.levels[request.level]
    down = reached(adjacency, ends[0], command.max_length, looks, upstream=False)
    up = reached(adjacency, ends[1], command.max_length, looks, upstream=True)
    if leads_on is not None and any(leads_on(way.nodes, snapshot.kinds[way.nodes], way.upstream) for way in (down, up)):
        return None
    between = down.nodes[up.distance[down.nodes] >= 0]
    short = up.distance[between].astype(np.int32) + down.distance[between] <= command.max_length
    nodes = np.sort(between[short])
    near, far, _ = adjacency.around(nodes, upstream=False)
    inside = np.isin(far, nodes)
    refs = _refs(snapshot, nodes.tolist())
    following: dict[NodeRef, list[NodeRef]] = {}
    for source, target in zip(near[inside].tolist(), far[inside].tolist(), strict=True):
        following.setdefault(refs[source], []).append(refs[target])
    hidden = [] if looks is None else nodes[looks[nodes] == Look.HIDDEN].tolist()
    return _Between(
        following, {refs[node]: int(up.distance[node]) for node in nodes.tolist()}, {refs[node] for node in hidden}
    )  # fmt: skip


def _refs(snapshot: Snapshot, nodes: Sequence[int]) -> dict[int, NodeRef]:
    return {node: NodeRef(kind, str(node)) for node, kind in zip(nodes, kinds_at(snapshot, nodes), strict=True)}


def _shortest(command: FindPaths, between: _Between) -> list[FoundWay]:
    """Search best-first: the distance to the target is exact, so that ways come out shortest first."""
    distance, onward = between.distance, _Onward(between)
    if command.source not in distance:
        return []
    found: list[FoundWay] = []
    queue: list[tuple[int, list[tuple[str, int]], list[NodeRef], int]] = []
    heapq.heappush(queue, (distance[command.source], [_order(command.source)], [command.source], 0))
    expanded = 0
    while queue and len(found) < command.max_paths and expanded < MAX_EXPANDED:
        _, keys, path, hidden = heapq.heappop(queue)
        if path[-1] == command.target:
            found.append(FoundWay(tuple(path), hidden))
            continue
        expanded += 1
        for step, over in onward.of(path[-1]):
            length = len(path) + distance.get(step, MAX_LENGTH + 1)
            if step not in path and length <= command.max_length:
                heapq.heappush(queue, (length, [*keys, _order(step)], [*path, step], hidden + over))
    return found


class _Onward:
    """Tells which shown nodes follow a shown one, directly or over hidden ones: each is looked at once."""

    def __init__(self, between: _Between) -> None:
        self._between = between
        self._known: dict[NodeRef, list[tuple[NodeRef, int]]] = {}
        #: What lies behind hidden nodes: a hub is searched once, however many lead to it.
        self._behind: dict[tuple[NodeRef, ...], dict[NodeRef, int]] = {}
        self._left = contraction.MAX_STEPS

    def of(self, node: NodeRef) -> list[tuple[NodeRef, int]]:
        """Return the nodes that follow, in order, each with the fewest hidden ones between."""
        if node not in self._known:
            hidden = self._between.hidden
            steps = sorted(set(self._between.following.get(node, ())), key=_order)
            entries = tuple(step for step in steps if step in hidden)
            if entries not in self._behind:
                self._behind[entries] = self._search(entries)
            over = self._behind[entries] | {step: 0 for step in steps if step not in hidden}
            self._known[node] = sorted(over.items(), key=lambda item: _order(item[0]))
        return self._known[node]

    def _search(self, entries: Sequence[NodeRef]) -> dict[NodeRef, int]:
        """Go through hidden nodes, nearest first; returns the shown ones behind and how many lie before each."""
        met = set(entries)
        behind: dict[NodeRef, int] = {}
        frontier, over = list(entries), 1
        while frontier:
            further: list[NodeRef] = []
            for near in frontier:
                steps = self._between.following.get(near, ())
                self._left -= len(steps)
                if self._left < 0:
                    # A list of ways has no place to say that some are missing.
                    message = f"budget: {contraction.MAX_STEPS} steps through hidden nodes; let the filter show more"
                    raise Limit(message, path=("filter",))
                for far in steps:
                    if far not in self._between.hidden:
                        behind.setdefault(far, over)
                    elif far not in met:
                        met.add(far)
                        further.append(far)
            frontier, over = further, over + 1
        return behind


def _order(ref: NodeRef) -> tuple[str, int]:
    return ref.kind.value, int(ref.key) if ref.key.isdigit() else 0
