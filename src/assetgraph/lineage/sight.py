"""How nodes look to a walk in SQL: asked for set-wise, as they are met."""

from collections.abc import Iterable
from enum import IntEnum

from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import filter_queries
from assetgraph.lineage.request import NodeRef, WalkRequest

#: Nodes of one statement.
BATCH = 10_000
COMPUTED = (AssetKind.RECOMMENDATION, AssetKind.FEEDBACK)


class Look(IntEnum):
    """What a walk does with a node."""

    SHOWN = 0
    HIDDEN = 1
    CLOSED = 2


class Sight:
    """Tells how nodes look; the root and other ends are always shown."""

    def __init__(self, session: Session, request: WalkRequest, *ends: NodeRef) -> None:
        """Know nothing but the ends."""
        self._session = session
        self._request = request
        self._looks = dict.fromkeys((request.root, *ends), Look.SHOWN)

    def of(self, ref: NodeRef) -> Look:
        """Return the look of a node that was asked for."""
        return self._looks[ref]

    def ask(self, refs: Iterable[NodeRef]) -> None:
        """Find out how nodes look: one statement for each BATCH of them, two with lists in the filter."""
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._looks]
        for start in range(0, len(new), BATCH):
            self._ask(new[start : start + BATCH])

    def _ask(self, refs: list[NodeRef]) -> None:
        request, wanted = self._request, self._request.filter
        ids = [int(ref.key) for ref in refs if ref.kind not in COMPUTED]
        standings = filter_queries.standings(self._session, ids) if ids else {}
        matching: set[int] = set()
        if wanted.asks_rows and ids:
            matching = filter_queries.matching(self._session, wanted, request.level, ids)
        closed, contracted = wanted.closed(request.level, past=request.as_of is not None), wanted.contracted
        kinds = request.kinds_shown
        for ref in refs:
            key = None if ref.kind in COMPUTED else int(ref.key)
            standing = 0 if key is None else standings.get(key, 0)
            hidden = (
                standing & contracted
                or (kinds is not None and ref.kind not in kinds)
                or (wanted.asks_rows and key not in matching)
            )
            self._looks[ref] = Look.CLOSED if standing & closed else Look.HIDDEN if hidden else Look.SHOWN
