"""The shortest ways from one asset to another, the way data flows: bounded, simple, shortest first."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import Filter
from assetgraph.lineage.index import GraphIndex, Snapshot, kinds_at
from assetgraph.lineage.indexed import LeadsOn, reached
from assetgraph.lineage.looks import looks_for
from assetgraph.lineage.sight import Sight
from assetgraph.lineage.tables import Level
from assetgraph.lineage.walk import DEFINITIONS, NodeRef, Steps, WalkRequest, one_way, stored_steps

MAX_PATHS = 100
MAX_LENGTH = 100
#: Partial paths looked at before giving up on more: a dense graph has more ways than anyone can read.
MAX_EXPANDED = 100_000

#: A way names all that it leads through, what only passes through too; it does not lead through what was dropped.
ALL_OPEN = Filter(include_transient=True, include_child_runs=True)

Following = Mapping[NodeRef, Sequence[NodeRef]]


@dataclass(frozen=True)
class FindPaths:
    """Ask for ways from `source` down to `target`."""

    source: NodeRef
    target: NodeRef
    max_paths: int = 10
    max_length: int = 20
    as_of: datetime | None = None


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
) -> list[list[NodeRef]]:
    """Return up to `max_paths` ways, shortest first, equal ones in the order of their nodes; [] when there is none."""
    _check(command)
    level = level_between(command.source.kind, command.target.kind)
    if index is not None and command.as_of is None:
        found = _in_memory(session, command, level, index, leads_on)
        if found is not None:
            return _shortest(command, *found)
    request = WalkRequest(
        command.target, depth=command.max_length, level=level, as_of=command.as_of, filter=ALL_OPEN
    )  # fmt: skip
    sight = Sight(session, request, command.source)
    way = one_way(session, request, command.as_of or now(), steps, sight, upstream=True)
    following: dict[NodeRef, list[NodeRef]] = {}
    for edge in way.edges.values():
        following.setdefault(edge.source, []).append(edge.target)
    return _shortest(command, following, way.distance)


def _check(command: FindPaths) -> None:
    for name, value, most in (
        ("maxPaths", command.max_paths, MAX_PATHS), ("maxLength", command.max_length, MAX_LENGTH)
    ):  # fmt: skip
        if not 1 <= value <= most:
            raise Invalid(f"{name} must be from 1 to {most}, not {value}", path=(name,))


def _in_memory(
    session: Session, command: FindPaths, level: Level, index: GraphIndex, leads_on: LeadsOn | None
) -> tuple[Following, Mapping[NodeRef, int]] | None:
    """Return the edges between nodes that lie on a way short enough, and each node's distance from the target."""
    stored = all(ref.kind not in (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)
                 for ref in (command.source, command.target))  # fmt: skip
    snapshot = index.at(session) if stored else None
    ends = int(command.source.key), int(command.target.key)
    if snapshot is None or max(ends) >= len(snapshot.kinds) or not all(snapshot.kinds[list(ends)]):
        return None
    adjacency = snapshot.levels[level]
    looks = looks_for(session, snapshot, WalkRequest(command.target, level=level, filter=ALL_OPEN), ends[0])
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
    return following, {refs[node]: int(up.distance[node]) for node in nodes.tolist()}


def _refs(snapshot: Snapshot, nodes: Sequence[int]) -> dict[int, NodeRef]:
    return {node: NodeRef(kind, str(node)) for node, kind in zip(nodes, kinds_at(snapshot, nodes), strict=True)}


def _shortest(command: FindPaths, following: Following, distance: Mapping[NodeRef, int]) -> list[list[NodeRef]]:
    """Search best-first: the distance to the target is exact, so that ways come out shortest first."""
    if command.source not in distance:
        return []
    found: list[list[NodeRef]] = []
    queue: list[tuple[int, list[tuple[str, int]], list[NodeRef]]] = []
    heapq.heappush(queue, (distance[command.source], [_order(command.source)], [command.source]))
    expanded = 0
    while queue and len(found) < command.max_paths and expanded < MAX_EXPANDED:
        _, keys, path = heapq.heappop(queue)
        if path[-1] == command.target:
            found.append(path)
            continue
        expanded += 1
        for step in _unique(following.get(path[-1], ())):
            length = len(path) + distance.get(step, MAX_LENGTH + 1)
            if step not in path and length <= command.max_length:
                heapq.heappush(queue, (length, [*keys, _order(step)], [*path, step]))
    return found


def _unique(steps: Iterable[NodeRef]) -> list[NodeRef]:
    return sorted(set(steps), key=_order)


def _order(ref: NodeRef) -> tuple[str, int]:
    return ref.kind.value, int(ref.key) if ref.key.isdigit() else 0
