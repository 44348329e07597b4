"""Hidden nodes contracted: two shown ones that hidden ones connect get an edge.

One search through the hidden nodes serves all shown nodes that lead to the same of them, so that a hidden hub is
searched once however many lead to it. Of the ways between two nodes the shortest counts, and of those the one with the
smallest ids, so that every walk of the same graph says the same.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from assetgraph.lineage.request import NodeRef, WalkEdge
from assetgraph.lineage.sight import Look, Sight
from assetgraph.lineage.tables import EdgeKind

#: Steps through hidden nodes after which an answer says that edges are missing.
MAX_STEPS = 1_000_000


@dataclass
class Way:
    """State of one direction: what was met how far away, from where first, and by which edges."""

    upstream: bool
    distance: dict[NodeRef, int]
    edges: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = field(default_factory=dict)
    #: The node that each was met from first.
    parent: dict[NodeRef, NodeRef] = field(default_factory=dict)
    #: From each node that was gone on from: the nodes next to it, and the edge to each that was opened first.
    onward: dict[NodeRef, dict[NodeRef, WalkEdge]] = field(default_factory=dict)
    exhausted: bool = True


class _Reach(NamedTuple):
    """How a search met a node: from which of its beginnings, over which hidden node last, and what the way says."""

    entry: NodeRef
    last: NodeRef
    seen: WalkEdge | None


def number_of(ref: NodeRef) -> tuple[int, str]:
    """Return the order of nodes: by id, computed ones last."""
    return (int(ref.key), "") if ref.key.isdigit() else (1 << 63, ref.key)


def contracted(
    way: Way, sight: Sight, upto: Collection[NodeRef], paged: Collection[NodeRef]
) -> tuple[list[WalkEdge], bool]:
    """Return an edge for each two nodes up to a page's end, one of them on it; and whether none is missing."""
    groups: dict[tuple[NodeRef, ...], list[NodeRef]] = {}
    for near, onward in way.onward.items():
        if near in upto:
            entries = tuple(sorted((far for far in onward if sight.of(far) is Look.HIDDEN), key=number_of))
            if entries:
                groups.setdefault(entries, []).append(near)
    found: list[WalkEdge] = []
    left = MAX_STEPS
    for entries, nears in groups.items():
        fars, left = _through(way, sight, entries, left)
        for near in nears:
            for far, reach in fars.items():
                left -= 1
                if far != near and far in upto and (near in paged or far in paged):
                    found.append(_joined(way, near, far, reach))
        if left < 0:
            return found, False
    return found, True


def _through(
    way: Way, sight: Sight, entries: tuple[NodeRef, ...], left: int
) -> tuple[dict[NodeRef, _Reach], int]:  # fmt: skip
    """Search on from hidden nodes; returns the shown ones met first behind them, and the steps left."""
    met = {entry: _Reach(entry, entry, None) for entry in entries}
    fars: dict[NodeRef, _Reach] = {}
    frontier = list(entries)
    while frontier and left >= 0:
        following = []
        for near in frontier:
            entry, _, seen = met[near]
            for far, edge in way.onward.get(near, {}).items():
                left -= 1
                hidden = sight.of(far) is Look.HIDDEN
                if far in (met if hidden else fars):
                    continue
                reach = _Reach(entry, near, edge if seen is None else seen.onward(edge))
                if hidden:
                    met[far] = reach
                    following.append(far)
                else:
                    fars[far] = reach
        frontier = sorted(following, key=number_of)
    return fars, left


def _joined(way: Way, near: NodeRef, far: NodeRef, reach: _Reach) -> WalkEdge:
    assert reach.seen is not None  # noqa: S101 - a shown node is met over an edge
    whole = way.onward[near][reach.entry].onward(reach.seen)
    # `via` is the hidden node next to the upstream end.
    if way.upstream:
        return replace(whole, source=far, target=near, via=reach.last)
    return replace(whole, source=near, target=far, via=reach.entry)
