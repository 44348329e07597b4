"""The graph in memory: adjacency per level in CSR form, with an overlay that follows the change log.

Never needed for correctness: a query first catches up with the log, and one whose snapshot is older than the index
walks in SQL. About 20 bytes per edge.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import filter_queries, queries
from assetgraph.lineage.kept import Readings
from assetgraph.lineage.request import NodeRef
from assetgraph.lineage.tables import Level

Ids = NDArray[np.int32]
Distances = NDArray[np.int16]

KINDS = sorted(AssetKind, key=lambda kind: kind.value)
#: Place of each kind in the order of their names; 0 is a node whose kind is not known.
RANK = {kind: rank for rank, kind in enumerate(KINDS, start=1)}
LEVELS = (Level.DATASET, Level.VERSION, Level.FIELD)
#: An overlay of more edges than this, and than a tenth of the base, is merged into the base.
MERGE_EDGES = 100_000
_EMPTY = np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Side:
    """Adjacency in one direction: row i is places offsets[i] to offsets[i + 1]; a closed edge has neighbour -1."""

    offsets: Ids
    neighbours: Ids
    edges: NDArray[np.int64]

    @staticmethod
    def build(near: NDArray[np.int64], far: NDArray[np.int64], edges: NDArray[np.int64], nodes: int) -> "Side":
        """Sort edges by their near end; nodes is the number of rows."""
        from assetgraph.lineage.kernels import order_by  # numba: only processes that walk in memory pay for it

        offsets = np.zeros(nodes + 1, dtype=np.int32)
        np.cumsum(np.bincount(near, minlength=nodes), out=offsets[1:])
        order = order_by(near, offsets[:-1])
        return Side(offsets, far[order].astype(np.int32), edges[order])

    def widened(self, nodes: int) -> "Side":
        """Return the side with empty rows up to `nodes`."""
        missing = nodes + 1 - len(self.offsets)
        return self if missing <= 0 else replace(self, offsets=np.pad(self.offsets, (0, missing), mode="edge"))

    def without(self, closed: NDArray[np.int64]) -> "Side":
        """Return the side with some edges closed; others may be reading this one."""
        places = np.flatnonzero(np.isin(self.edges, closed))
        if not len(places):
            return self
        neighbours = self.neighbours.copy()
        neighbours[places] = -1
        return replace(self, neighbours=neighbours)

    def row(self, nodes: Ids) -> tuple[Ids, Ids, NDArray[np.int64]]:
        """Return (node, neighbour, edge) of all open edges at some nodes."""
        starts, lengths = self.offsets[nodes], self.offsets[nodes + 1] - self.offsets[nodes]
        total = int(lengths.sum())
        if not total:
            return _EMPTY, _EMPTY, np.empty(0, dtype=np.int64)
        shifts = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        places = np.arange(total) + shifts
        open_ones = self.neighbours[places] >= 0
        places = places[open_ones]
        return np.repeat(nodes, lengths)[open_ones], self.neighbours[places], self.edges[places]


#: No edges, and no rows either: the overlay of a level that nothing was added to.
NONE = Side(_EMPTY, _EMPTY, np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Adjacency:
    """One level: outgoing and incoming edges, each as base and overlay."""

    out: Side
    into: Side
    more_out: Side
    more_into: Side

    def side(self, *, upstream: bool) -> tuple[Side, Side]:
        """Return base and overlay of a direction."""
        return (self.into, self.more_into) if upstream else (self.out, self.more_out)

    def around(self, nodes: Ids, *, upstream: bool) -> tuple[Ids, Ids, NDArray[np.int64]]:
        """Return (node, neighbour, edge) of all open edges at some nodes in one direction."""
        parts = [side.row(nodes) for side in self.side(upstream=upstream) if len(side.edges)]
        if not parts:
            return _EMPTY, _EMPTY, np.empty(0, dtype=np.int64)
        return (
            np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]),
            np.concatenate([part[2] for part in parts]),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Number of bytes."""
        sides = (self.out, self.into, self.more_out, self.more_into)
        return sum(part.nbytes for side in sides for part in (side.offsets, side.neighbours, side.edges))


@dataclass(frozen=True)
class Snapshot:
    """The graph after a change of the log; immutable, so that walks need no lock."""

    sequence: int
    #: Rank of each node's kind (see RANK), by asset id.
    kinds: NDArray[np.int8]
    #: How each node stands (see filters.Standing).
    standings: NDArray[np.int8]
    levels: dict[Level, Adjacency]
    #: Edges of the overlay: id, source, target and level mask, (4, m).
    added: NDArray[np.int64] = field(default_factory=lambda: np.empty((4, 0), dtype=np.int64))
    base_edges: int = 0
    #: Highest edge id of the base.
    newest: int = 0
    #: How nodes look to walks that ask for no lists, worked out when first asked for (see looks.py).
    looks: dict[Any, Any] = field(default_factory=dict, compare=False)
    #: What was read at the sequence (see `readings_for`).
    _readings: Readings = field(default_factory=Readings, compare=False, init=False)
    #: Arrays of distances that no walk uses now.
    _spare: list[Distances] = field(default_factory=list, compare=False, init=False)

    def readings_for(self, session: Session) -> Readings:
        """Return what was read at the sequence, to use and to add to; nothing to a session that may see another."""
        mine = session.snapshot and changes.newest(session) == self.sequence
        return self._readings if mine else Readings()

    def borrow(self) -> Distances:
        """Return (n,) distances, all -1; filling new ones costs more than a walk of a few nodes."""
        try:
            return self._spare.pop()
        except IndexError:
            return np.full(len(self.kinds), -1, dtype=np.int16)

    def give_back(self, distance: Distances, met: Ids) -> None:
        """Take distances back, with the nodes that they were written for."""
        distance[met] = -1
        self._spare.append(distance)

    @property
    def size(self) -> int:
        """Number of bytes."""
        arrays = self.kinds, self.standings, self.added
        return sum(one.nbytes for one in arrays) + sum(level.size for level in self.levels.values())


def _adjacency(edges: NDArray[np.int64], nodes: int) -> dict[Level, Adjacency]:
    found = {}
    for bit, level in enumerate(LEVELS):
        ids, source, target = edges[:3, (edges[3] >> bit) & 1 == 1]
        sides = Side.build(source, target, ids, nodes), Side.build(target, source, ids, nodes)
        found[level] = Adjacency(*sides, NONE, NONE)
    return found


class Store(Protocol):
    """Where the base of the graph is kept for other processes."""

    def open(self, session: Session) -> Snapshot | None:
        """Return the newest base that is of this database."""

    def keep(self, session: Session, snapshot: Snapshot) -> Snapshot:
        """Keep a snapshot without overlay; returns it as others will have it."""


class GraphIndex:
    """Keeps a snapshot up to date; one per process, used by many threads."""

    def __init__(self, store: Store | None = None) -> None:
        """Load nothing yet; with a store, processes share the base."""
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._store = store
        #: Up to where the log is in the base.
        self._base = 0

    @property
    def loaded(self) -> bool:
        """Whether a walk would find the graph in memory."""
        return self._snapshot is not None

    def readings(self, session: Session) -> Readings:
        """Return what was read of the graph as the session sees it, to use and to add to; the index stays as it is."""
        snapshot = self._snapshot
        return Readings() if snapshot is None else snapshot.readings_for(session)

    def at(self, session: Session, *, follow: bool = True) -> Snapshot | None:
        """Return the graph as the session sees it, loaded or brought up to date first.

        None when the session's snapshot is older than the index, or when there is work to do and not `follow`.
        """
        newest = changes.newest(session)
        snapshot = self._snapshot
        if snapshot is not None and snapshot.sequence == newest:
            return snapshot
        if not follow:
            return None
        with self._lock:
            snapshot = self._snapshot
            if snapshot is None:
                snapshot = self._begin(session)
            if snapshot.sequence < newest:
                snapshot = self._follow(session, snapshot)
            self._snapshot = snapshot
        return snapshot if snapshot.sequence == newest else None

    def _begin(self, session: Session) -> Snapshot:
        found = self._store.open(session) if self._store is not None else None
        if found is None:
            found = load(session)
            if self._store is not None:
                found = self._store.keep(session, found)
        self._base = found.sequence
        return found

    def _follow(self, session: Session, snapshot: Snapshot) -> Snapshot:
        caught = catch_up(session, snapshot)
        if self._store is None or caught.newest == snapshot.newest:
            return caught
        # The base is another now: another process may have been there before.
        newer = self._store.open(session)
        if newer is not None and newer.sequence > self._base:
            self._base = newer.sequence
            return catch_up(session, newer)
        self._base = caught.sequence
        return self._store.keep(session, caught)


def load(session: Session) -> Snapshot:
    """Read the whole graph."""
    sequence = changes.newest(session)
    kinds = queries.all_kinds(session, [kind.value for kind in KINDS])
    edges = queries.all_edges(session)
    nodes = int(kinds[0].max(initial=0)) + 1
    ranks = np.zeros(nodes, dtype=np.int8)
    ranks[kinds[0]] = kinds[1]
    standings = np.zeros(nodes, dtype=np.int8)
    special = filter_queries.all_standings(session)
    special = special[:, special[0] < nodes]
    np.bitwise_or.at(standings, special[0], special[1].astype(np.int8))
    return Snapshot(
        sequence, ranks, standings, _adjacency(edges, nodes), base_edges=edges.shape[1], newest=_newest(edges)
    )


def _newest(edges: NDArray[np.int64]) -> int:
    return int(edges[0].max(initial=0))


def catch_up(session: Session, snapshot: Snapshot) -> Snapshot:
    """Return the graph after what the log says since a snapshot."""
    opened: dict[int, list[int]] = {}
    closed: set[int] = set()
    # An edge may close and open again (a column that was dropped): what was said of it last counts.
    for row in queries.edge_changes(session, snapshot.sequence):
        for edge in row.after["edges"]:
            if row.action == "linked":
                opened[edge[0]] = edge
                closed.discard(edge[0])
            else:
                opened.pop(edge, None)
                closed.add(edge)
    newest = changes.newest(session)
    restood = filter_queries.standings_changed(session, snapshot.sequence)
    if not opened and not closed and not restood:
        return replace(snapshot, sequence=newest)
    fresh = np.array(list(opened.values()), dtype=np.int64).reshape(-1, 4).T
    kinds, met = _kinds_with(session, snapshot.kinds, fresh)
    standings = _standings_with(session, snapshot.standings, len(kinds), restood, met)
    if not opened and not closed:
        return replace(snapshot, sequence=newest, standings=standings, looks={})
    added = np.concatenate([snapshot.added, _unknown(snapshot, fresh)], axis=1)
    gone = np.array(sorted(closed), dtype=np.int64)
    added = added[:, ~np.isin(added[0], gone)]
    levels = {
        level: Adjacency(one.out.without(gone), one.into.without(gone), one.more_out, one.more_into)
        if len(gone) else one
        for level, one in snapshot.levels.items()
    }  # fmt: skip
    changed = Snapshot(newest, kinds, standings, levels, added, snapshot.base_edges, snapshot.newest)
    if added.shape[1] > max(MERGE_EDGES, snapshot.base_edges // 10):
        return merged(changed)
    return replace(changed, levels=_overlaid(changed))


def _unknown(snapshot: Snapshot, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out edges that the index has: SQLite's loader sees commits that the log then tells again."""
    known = np.isin(edges[0], snapshot.added[0])
    old = edges[0] <= snapshot.newest
    if old.any():
        for level in snapshot.levels.values():
            known[old] |= np.isin(edges[0, old], level.out.edges[level.out.neighbours >= 0])
    return edges[:, ~known]


def _kinds_with(
    session: Session, kinds: NDArray[np.int8], edges: NDArray[np.int64]
) -> tuple[NDArray[np.int8], list[int]]:  # fmt: skip
    """Return the kinds with those of new ends of edges, and these ends."""
    ends = np.unique(edges[1:3])
    nodes = int(ends.max(initial=-1)) + 1
    if nodes > len(kinds):
        kinds = np.pad(kinds, (0, nodes - len(kinds)))
    missing = ends[kinds[ends] == 0]
    if not len(missing):
        return kinds, []
    kinds = kinds.copy()
    for start in range(0, len(missing), 10_000):
        for asset, kind in queries.kinds_of(session, missing[start : start + 10_000].tolist()).items():
            kinds[asset] = RANK[kind]
    return kinds, missing.tolist()


def _standings_with(
    session: Session, standings: NDArray[np.int8], nodes: int, restood: set[int], met: list[int]
) -> NDArray[np.int8]:
    """Ask again for what the log says stands otherwise, with its versions, columns and runs, and for new nodes."""
    again = [*(filter_queries.with_parts(session, sorted(restood)) if restood else ()), *met]
    again = [asset for asset in again if asset < nodes]
    standings = np.pad(standings, (0, nodes - len(standings)))
    if again:
        found = filter_queries.standings(session, again)
        standings[again] = [found.get(asset, 0) for asset in again]
    return standings


def _overlaid(snapshot: Snapshot) -> dict[Level, Adjacency]:
    nodes = len(snapshot.kinds)
    found = {}
    for bit, (level, base) in enumerate(snapshot.levels.items()):
        ids, source, target = snapshot.added[:3, (snapshot.added[3] >> bit) & 1 == 1]
        more = (NONE, NONE)
        if len(ids):
            more = Side.build(source, target, ids, nodes), Side.build(target, source, ids, nodes)
        found[level] = Adjacency(base.out.widened(nodes), base.into.widened(nodes), *more)
    return found


def merged(snapshot: Snapshot) -> Snapshot:
    """Make one base of base and overlay."""
    parts = [snapshot.added]
    for bit, level in enumerate(LEVELS):
        side = snapshot.levels[level].out
        lengths = np.diff(side.offsets)
        open_ones = side.neighbours >= 0
        sources = np.repeat(np.arange(len(lengths)), lengths)[open_ones]
        masks = np.full(len(sources), 1 << bit)
        parts.append(np.stack([side.edges[open_ones], sources, side.neighbours[open_ones], masks]))
    edges = np.concatenate(parts, axis=1)
    levels = _adjacency(edges, len(snapshot.kinds))
    return Snapshot(
        snapshot.sequence, snapshot.kinds, snapshot.standings, levels, base_edges=edges.shape[1], newest=_newest(edges)
    )  # fmt: skip


def kinds_at(snapshot: Snapshot, nodes: Sequence[int] | Ids) -> list[AssetKind]:
    """Return the kinds of nodes."""
    return [KINDS[int(rank) - 1] for rank in snapshot.kinds[np.asarray(nodes, dtype=np.int64)]]


def refs_of(snapshot: Snapshot, nodes: Iterable[int]) -> dict[int, NodeRef]:
    """Return references by node."""
    ids = sorted(nodes)
    return {node: NodeRef(kind, str(node)) for node, kind in zip(ids, kinds_at(snapshot, ids), strict=True)}
