"""How nodes look to a walk in memory: one array for all of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.db.engine import Session
from assetgraph.lineage import filter_queries
from assetgraph.lineage.index import RANK, Snapshot
from assetgraph.lineage.request import WalkRequest
from assetgraph.lineage.sight import Look

Looks = NDArray[np.int8]

#: Nodes that match a filter's lists; when more do, SQL answers, which asks only of those that it meets.
MAX_MATCHING = 500_000
#: Arrays kept with a snapshot.
MAX_KEPT = 8


class TooManyError(Exception):
    """More nodes match than are worth to hold."""


def looks_for(session: Session, snapshot: Snapshot, request: WalkRequest, *ends: int) -> Looks | None:
    """Return how each node looks, the root and other ends shown; None when all are shown. Raises TooManyError."""
    looks = _of_all(snapshot, request)
    if request.filter.asks_rows:
        level = request.level
        rows = filter_queries.all_matching(session, request.filter, level, MAX_MATCHING + 1)
        if len(rows) > MAX_MATCHING:
            raise TooManyError
        found = np.array([row.id for row in rows], dtype=np.int64)
        looks = np.zeros(len(snapshot.kinds), dtype=np.int8) if looks is None else looks.copy()
        others = np.ones(len(looks), dtype=bool)
        others[found[found < len(looks)]] = False
        np.maximum(looks, Look.HIDDEN, out=looks, where=others)
    if looks is None:
        return None
    own = [int(request.root.key), *ends]
    if looks[own].any():
        looks = looks.copy()
        looks[own] = Look.SHOWN
    return looks


def _of_all(snapshot: Snapshot, request: WalkRequest) -> Looks | None:
    """Return what standings and kinds decide, kept: a walk of two nodes must not pay for a million."""
    wanted, kinds = request.filter, request.kinds_shown
    closed, contracted = wanted.closed(request.level, past=request.as_of is not None), wanted.contracted
    key = (closed, contracted, kinds)
    kept: dict[Any, Looks | None] = snapshot.looks
    if key not in kept:
        table = np.array([
            Look.CLOSED if standing & closed else Look.HIDDEN if standing & contracted else Look.SHOWN
            for standing in range(16)
        ], dtype=np.int8)  # fmt: skip
        looks = table[snapshot.standings]
        if kinds is not None:
            shown = np.zeros(len(RANK) + 1, dtype=bool)
            shown[[RANK[kind] for kind in kinds]] = True
            np.maximum(looks, Look.HIDDEN, out=looks, where=~shown[snapshot.kinds])
        if len(kept) >= MAX_KEPT:
            kept.clear()
        kept[key] = looks if looks.any() else None
    return kept[key]
