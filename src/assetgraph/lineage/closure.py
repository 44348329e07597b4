"""All that lies downstream of a node, as arrays: a way to a node is put together only for those that are shown."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import indexed
from assetgraph.lineage.index import KINDS, RANK, GraphIndex
from assetgraph.lineage.looks import TooManyError, looks_for
from assetgraph.lineage.request import MAX_VISITED, Direction, NodeRef, WalkRequest, reason_of
from assetgraph.lineage.sight import Look, Sight
from assetgraph.lineage.walk import one_way, stored_steps

#: Further than any walk of people: what breaks at the end of a long pipeline breaks too.
MAX_DISTANCE = 32_000


@dataclass(frozen=True)
class Closure:
    """What was met, hidden nodes too, nearest first and the smaller id before the greater, without the root."""

    root: NodeRef
    nodes: NDArray[np.int64]
    ranks: NDArray[np.int8]
    distance: NDArray[np.int64]
    shown: NDArray[np.bool_]
    #: Returns the node that another was met from.
    parent: Callable[[int], int]
    reason: str | None

    def of(self, kind: AssetKind, *, hidden: bool = False) -> list[int]:
        """Return the nodes of a kind that are shown, or all."""
        mask = self.ranks == RANK[kind]
        found: list[int] = self.nodes[mask if hidden else mask & self.shown].tolist()
        return found

    def ways(self, nodes: list[int]) -> dict[int, tuple[NodeRef, ...]]:
        """Return the shortest way to each of some nodes, both ends included; hidden ones on it are left out."""
        root = int(self.root.key)
        chains: dict[int, list[int]] = {}
        for node in nodes:
            chain = [node]
            while chain[-1] != root:
                chain.append(self.parent(chain[-1]))
            chains[node] = chain[::-1]
        needed = np.unique(np.array([node for chain in chains.values() for node in chain[1:]], dtype=np.int64))
        order = np.argsort(self.nodes, kind="stable")
        places = order[np.searchsorted(self.nodes, needed, sorter=order)] if len(needed) else order[:0]
        refs = {
            int(self.nodes[place]): NodeRef(KINDS[int(self.ranks[place]) - 1], str(int(self.nodes[place])))
            for place in places.tolist() if self.shown[place]
        }  # fmt: skip
        return {
            node: (self.root, *(refs[one] for one in chain[1:] if one in refs)) for node, chain in chains.items()
        }  # fmt: skip


def downstream(session: Session, request: WalkRequest, index: GraphIndex | None) -> Closure:
    """Return what lies downstream of a stored root: in memory where the index can answer, else in SQL."""
    request = replace(request, direction=Direction.DOWNSTREAM, depth=MAX_DISTANCE)
    request.filter.check()
    found = None if index is None else _in_memory(session, request, index)
    return _in_sql(session, request) if found is None else found


def _in_memory(session: Session, request: WalkRequest, index: GraphIndex) -> Closure | None:
    snapshot = index.at(session) if indexed.covers(request) else None
    root = int(request.root.key)
    if snapshot is None or root >= len(snapshot.kinds) or not snapshot.kinds[root]:
        return None
    try:
        looks = looks_for(session, snapshot, request)
    except TooManyError:
        return None
    level = snapshot.levels[request.level]
    found = indexed.reached(level, root, request.depth, looks, upstream=False, parents=True)
    nodes = found.nodes[1:]
    nodes = nodes[np.lexsort((nodes, found.distance[nodes]))]
    shown = np.ones(len(nodes), dtype=bool) if looks is None else looks[nodes] == Look.SHOWN
    parent = found.parent
    assert parent is not None  # noqa: S101 - it was asked for
    reason = reason_of(False, found.exhausted, True, 0, indexed.MAX_VISITED, 0)
    return Closure(
        request.root, nodes.astype(np.int64), snapshot.kinds[nodes], found.distance[nodes].astype(np.int64), shown,
        lambda node: int(parent[node]), reason,
    )  # fmt: skip


def _in_sql(session: Session, request: WalkRequest) -> Closure:
    sight = Sight(session, request)
    way = one_way(session, request, request.as_of or now(), stored_steps, sight, upstream=False)
    met = sorted((far, int(ref.key), ref) for ref, far in way.distance.items() if ref != request.root)
    parents = {int(ref.key): int(near.key) for ref, near in way.parent.items()}
    reason = reason_of(False, way.exhausted, True, 0, MAX_VISITED, 0)
    return Closure(
        request.root, np.array([node for _, node, _ in met], dtype=np.int64),
        np.array([RANK[ref.kind] for _, _, ref in met], dtype=np.int8),
        np.array([far for far, _, _ in met], dtype=np.int64),
        np.array([sight.of(ref) is Look.SHOWN for _, _, ref in met], dtype=bool), parents.__getitem__, reason,
    )  # fmt: skip
