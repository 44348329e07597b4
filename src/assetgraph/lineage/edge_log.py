"""Where an edge lies, and what the log says of edges that opened and closed; the index follows it."""

from collections.abc import Mapping, Sequence
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
#: What an edge between definitions, or of what happened, leads to where that is of one kind; others are looked up.
_LEADS_TO = {
    (EdgeKind.CONSUMED, Level.DATASET): AssetKind.JOB, (EdgeKind.CONSUMED, Level.VERSION): AssetKind.RUN,
    (EdgeKind.CONTAINS, Level.DATASET): AssetKind.DATASET, (EdgeKind.DECLARED, Level.DATASET): AssetKind.DATASET,
}  # fmt: skip
#: The same where models have no part: events and recorded runs know datasets only.
_LEADS_TO_DATASETS = _LEADS_TO | {
    (EdgeKind.PRODUCED, Level.DATASET): AssetKind.DATASET,
    (EdgeKind.PRODUCED, Level.VERSION): AssetKind.DATASET_VERSION,
    (EdgeKind.VERSION_OF, Level.VERSION): AssetKind.DATASET_VERSION,
}


class Place(NamedTuple):
    """What an edge connects, and how."""

    source: int
    target: int
    kind: EdgeKind
    level: Level


def log_opened(session: Session, opened: Sequence[tuple[int, Place]], *, modelless: bool = False) -> None:
    """Tell the log which edges opened; one entry for all of a batch. `modelless`: none leads to a model or version."""
    if not opened:
        return
    edges: list[Any] = [
        [edge, place.source, place.target, LEVEL_OF_CONTAINS if place.kind is EdgeKind.CONTAINS else MASKS[place.level]]
        for edge, place in opened
    ]
    _log(session, opened[0][1], "linked", edges, _LEADS_TO_DATASETS if modelless else _LEADS_TO)


def log_closed(session: Session, closed: Sequence[tuple[int, Place]]) -> None:
    """Tell the log which edges closed; one entry for all of a batch."""
    if closed:
        _log(session, closed[0][1], "unlinked", sorted(edge for edge, _ in closed), _LEADS_TO)


def _log(
    session: Session, place: Place, action: str, edges: Sequence[Any],
    leads_to: Mapping[tuple[EdgeKind, Level], AssetKind],
) -> None:  # fmt: skip
    """Name the entry after what an edge leads to."""
    known = AssetKind.FIELD if place.level is Level.FIELD else leads_to.get((place.kind, place.level))
    kind = known or asset_kind(session, place.target) or AssetKind.DATASET
    changes.record_asset(session, kind, place.target, action, None, {"edges": edges})


def retract(session: Session, edges: Sequence[int], subject: int, kind: AssetKind) -> None:
    """Take edges back that turned out to be wrong, as if they had never been said."""
    if edges:
        edge_queries.void_edges(session, edges)
        changes.record_asset(session, kind, subject, "unlinked", None, {"edges": sorted(edges)})
