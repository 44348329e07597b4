"""Hidden nodes contracted in memory: the same edges as contraction.py finds, for one page of an answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from assetgraph.db.engine import Session
from assetgraph.lineage import queries
from assetgraph.lineage.index import Adjacency, Ids, Snapshot, refs_of
from assetgraph.lineage.looks import Looks
from assetgraph.lineage.request import NodeRef, WalkEdge
from assetgraph.lineage.sight import Look

#: Steps through hidden nodes, and edges, after which an answer says that edges are missing.
MAX_STEPS, MAX_EDGES = 50_000_000, 100_000


@dataclass(frozen=True)
class Reached:
    """One direction: the nodes met, every node's distance (-1: not met), and which each was met from, where asked."""

    upstream: bool
    nodes: Ids
    distance: NDArray[np.int16]
    exhausted: bool
    parent: Ids | None = None


@dataclass(frozen=True)
class Page:
    """The nodes of a page, and all shown ones up to its end."""

    nodes: Ids
    upto: Ids


def joined(
    session: Session, snapshot: Snapshot, level: Adjacency, way: Reached, looks: Looks, page: Page,
    depth: int, at: datetime,
) -> tuple[list[WalkEdge], bool]:  # fmt: skip
    """Return an edge for each two nodes that hidden ones connect, one of them on the page; and whether all are here."""
    from assetgraph.lineage.hidden_kernels import search_hidden  # numba: only processes that walk in memory pay for it

    first, groups = _begin(level, way, looks, _nears(level, way, looks, page, depth))
    if not groups:
        return [], True
    wanted = np.zeros(len(looks), dtype=np.uint8)
    wanted[page.upto] = 1
    starts = np.concatenate([[0], np.cumsum([len(entries) for entries, _ in groups])])
    base, more = level.side(upstream=way.upstream)
    nodes, parents, ways, ends, whole = search_hidden(
        (base.offsets, base.neighbours, base.edges), (more.offsets, more.neighbours, more.edges), looks, way.distance,
        wanted, starts, np.concatenate([entries for entries, _ in groups]), MAX_STEPS,
    )  # fmt: skip
    tree = _Tree(nodes.tolist(), parents.tolist(), ways.tolist())
    shown = looks[nodes] == Look.SHOWN
    paged = set(page.nodes.tolist())
    pairs: list[tuple[int, int]] = []
    for (_, nears), start, end in zip(groups, [0, *ends.tolist()[:-1]], ends.tolist(), strict=True):
        fars = (start + np.flatnonzero(shown[start:end])).tolist()
        for near in nears:
            pairs += [
                (near, row) for row in fars
                if tree.nodes[row] != near and (near in paged or tree.nodes[row] in paged)
            ]  # fmt: skip
            if len(pairs) > MAX_EDGES:
                return _edges(session, snapshot, way, tree, first, pairs[:MAX_EDGES], at), False
    return _edges(session, snapshot, way, tree, first, pairs, at), bool(whole)


def _nears(level: Adjacency, way: Reached, looks: Looks, page: Page, depth: int) -> Ids:
    """Return the nodes to search from: those of the page, and earlier ones that hidden nodes lead from to the page."""
    met = page.nodes[way.distance[page.nodes] >= 0]
    nears = met
    if len(page.upto) > len(page.nodes):
        from assetgraph.lineage.hidden_kernels import leading_to

        base, more = level.side(upstream=not way.upstream)
        leading = leading_to(base.offsets, base.neighbours, more.offsets, more.neighbours, looks, way.distance, met)
        nears = np.union1d(met, np.intersect1d(leading, page.upto))
    near: Ids = nears[way.distance[nears] < depth]
    return near


def _begin(
    level: Adjacency, way: Reached, looks: Looks, nears: Ids
) -> tuple[dict[tuple[int, int], int], list[tuple[Ids, list[int]]]]:
    """Return the edge from each node to each hidden one next to it, and the nodes grouped by these hidden ones."""
    near, far, edges = level.around(nears, upstream=way.upstream)
    hidden = (looks[far] == Look.HIDDEN) & (way.distance[far] >= 0)
    near, far, edges = near[hidden], far[hidden], edges[hidden]
    order = np.lexsort((edges, far, near))
    near, far, edges = near[order], far[order], edges[order]
    if not len(near):
        return {}, []
    once = np.concatenate([[True], (near[1:] != near[:-1]) | (far[1:] != far[:-1])])
    near, far, edges = near[once], far[once], edges[once]
    first = dict(zip(zip(near.tolist(), far.tolist(), strict=True), edges.tolist(), strict=True))
    groups: dict[bytes, tuple[Ids, list[int]]] = {}
    for part in np.split(np.arange(len(near)), np.flatnonzero(near[1:] != near[:-1]) + 1):
        entries = far[part]
        groups.setdefault(entries.tobytes(), (entries, []))[1].append(int(near[part[0]]))
    return first, list(groups.values())


@dataclass(frozen=True)
class _Tree:
    nodes: list[int]
    parents: list[int]
    ways: list[int]

    def entries(self) -> list[int]:
        """Return for each row the row that its way begins with; parents come first."""
        found: list[int] = []
        for row, parent in enumerate(self.parents):
            found.append(row if parent < 0 else found[parent])
        return found

    def seen(self, edges: dict[int, WalkEdge]) -> list[WalkEdge | None]:
        """Return for each row what the way from its beginning says; None for beginnings, and where an edge is not."""
        found: list[WalkEdge | None] = []
        for parent, way in zip(self.parents, self.ways, strict=True):
            edge = edges.get(way)
            above = found[parent] if parent >= 0 else None
            begins = parent >= 0 and self.parents[parent] < 0
            found.append(edge if above is None and begins else above.onward(edge) if above and edge else None)
        return found


def _edges(
    session: Session, snapshot: Snapshot, way: Reached, tree: _Tree, first: dict[tuple[int, int], int],
    pairs: list[tuple[int, int]], at: datetime,
) -> list[WalkEdge]:  # fmt: skip
    entries = tree.entries()
    needed = {first[(near, tree.nodes[entries[row]])] for near, row in pairs}
    needed.update(edge for edge in tree.ways if edge >= 0)
    stored = read_edges(session, snapshot, sorted(needed), at)
    seen = tree.seen(stored)
    refs = refs_of(snapshot, {node for near, _ in pairs for node in (near,)} | set(tree.nodes))
    found = []
    for near, row in pairs:
        entry, last, behind = tree.nodes[entries[row]], tree.nodes[tree.parents[row]], seen[row]
        begin = stored.get(first[(near, entry)])
        if begin is not None and behind is not None:
            found.append(_between(way, refs, begin.onward(behind), near, tree.nodes[row], (entry, last)))
    return found


def _between(
    way: Reached, refs: dict[int, NodeRef], whole: WalkEdge, near: int, far: int, hidden: tuple[int, int]
) -> WalkEdge:
    entry, last = hidden
    if way.upstream:
        return replace(whole, source=refs[far], target=refs[near], via=refs[last])
    return replace(whole, source=refs[near], target=refs[far], via=refs[entry])


def read_edges(session: Session, snapshot: Snapshot, ids: Iterable[int], at: datetime) -> dict[int, WalkEdge]:
    """Return edges by id, in order; those that are not valid at the moment are left out."""

    def read(missing: list[int]) -> dict[int, tuple[WalkEdge, datetime | None]]:
        rows = queries.edges_by_ids(session, missing)
        refs = refs_of(snapshot, {end for row in rows for end in row[1:3]})
        return {
            edge: (WalkEdge(refs[source], refs[target], kind, since, seen, runs, None, tuple(stated or ())), until)
            for edge, source, target, kind, since, until, seen, runs, stated in rows
        }

    found = snapshot.readings_for(session).edges.all_of(sorted(ids), read)
    return {
        key: edge for key, (edge, until) in found.items() if edge.first_seen <= at and (until is None or until > at)
    }
