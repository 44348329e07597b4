"""Where an edge lies, and what the log says of edges that opened and closed; the index follows it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import edge_queries
from assetgraph.lineage.queries import asset_kind
from assetgraph.lineage.tables import EdgeKind, Level

#: The levels that walk over an edge, as the log and the index write them; CONTAINS is walked at two.
MASKS = {Level.DATASET: 1, Level.VERSION: 2, Level.FIELD: 4}
LEVEL_OF_CONTAINS = 3


class Place(NamedTuple):
    """What an edge connects, and how."""

    source: int
    target: int
    kind: EdgeKind
    level: Level


def log_opened(session: Session, opened: Sequence[tuple[int, Place]]) -> None:
    """Tell the log which edges opened; one entry for all of a batch."""
    if not opened:
        return
    edges: list[Any] = [
        [edge, place.source, place.target, LEVEL_OF_CONTAINS if place.kind is EdgeKind.CONTAINS else MASKS[place.level]]
        for edge, place in opened
    ]
    _log(session, opened[0][1].target, "linked", edges)


def log_closed(session: Session, closed: Sequence[tuple[int, Place]]) -> None:
    """Tell the log which edges closed; one entry for all of a batch."""
    if closed:
        _log(session, closed[0][1].target, "unlinked", sorted(edge for edge, _ in closed))


def _log(session: Session, subject: int, action: str, edges: Sequence[Any]) -> None:
    kind = asset_kind(session, subject) or AssetKind.DATASET
    changes.record_asset(session, kind, subject, action, None, {"edges": edges})


def retract(session: Session, edges: Sequence[int], subject: int, kind: AssetKind) -> None:
    """Take edges back that turned out to be wrong, as if they had never been said."""
    if edges:
        edge_queries.void_edges(session, edges)
        changes.record_asset(session, kind, subject, "unlinked", None, {"edges": sorted(edges)})
