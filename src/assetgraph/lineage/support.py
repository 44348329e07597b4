"""Edges that runs, jobs or datasets claim, written set-wise: what is known is read once, and only changes are written.

All that a claim changes is a minimum, a maximum or a union, so that the order of claims does not matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import edge_queries
from assetgraph.lineage.queries import asset_kind
from assetgraph.lineage.tables import EdgeKind, Ending, Level

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


@dataclass(frozen=True, order=True)
class Transformation:
    """What a column edge does to the values, in OpenLineage's terms: DIRECT or INDIRECT, and how."""

    type: str
    subtype: str = ""
    description: str = ""
    masking: bool = False


class Place(NamedTuple):
    """What an edge connects, and how."""

    source: int
    target: int
    kind: EdgeKind
    level: Level


@dataclass
class Claim:
    """Someone's word that there is an edge: a run counts for it, others do not.

    By nobody, when the edge stands by itself: between a run and what it read, a dataset and its version.
    """

    by: int | None
    counts: bool
    first_at: datetime
    last_at: datetime


class Claims:
    """The claims of a batch, joined as they come."""

    def __init__(self) -> None:
        """Start with none."""
        self.by_place: dict[Place, dict[int | None, Claim]] = {}
        self.transformations: dict[Place, set[Transformation]] = {}

    def add(
        self, place: Place, by: int | None, at: datetime, *, counts: bool = True,
        transformations: Iterable[Transformation] = (),
    ) -> None:  # fmt: skip
        """Add a claim made at a moment."""
        claims = self.by_place.setdefault(place, {})
        known = claims.get(by)
        if known is None:
            claims[by] = Claim(by, counts, at, at)
        else:
            known.first_at, known.last_at = min(known.first_at, at), max(known.last_at, at)
        if transformations:
            self.transformations.setdefault(place, set()).update(transformations)


def write_claims(session: Session, claims: Claims, *, modelless: bool = False) -> None:
    """Open the edges that are new, and note on the others who says so, when, how often, and what is done to values.

    `modelless`: no claim leads to a model or its versions; it spares a statement.
    """
    if not claims.by_place:
        return
    # The log's lock, early: of two that first claim an edge, the later must see the earlier's.
    changes.lock(session)
    known = edge_queries.edges_at(session, list(claims.by_place))
    fresh = [place for place in claims.by_place if place not in known]
    opened = edge_queries.insert_edges(session, {place: _row(claims, place) for place in fresh})
    log_opened(session, [(opened[place], place) for place in fresh], modelless=modelless)
    ids = {**opened, **{place: int(row.id) for place, row in known.items()}}
    news = _write_supporters(session, claims, ids, known)
    changed = [
        one for place, row in known.items()
        if (one := _changed(claims, place, row, news.get(int(row.id), 0))) is not None
    ]  # fmt: skip
    edge_queries.update_edges(session, changed)
    settle(session, [
        edge for place, edge in ids.items()
        # What is open stays so when it is seen later.
        if place.level is Level.FIELD and (place not in known or known[place].ending is Ending.DROPPED)
    ])  # fmt: skip


def _row(claims: Claims, place: Place) -> dict[str, Any]:
    said = claims.by_place[place].values()
    done = claims.transformations.get(place)
    return {
        "valid_from": min(one.first_at for one in said), "last_seen": max(one.last_at for one in said),
        "run_count": sum(one.counts for one in said),
        "transformations": [asdict(one) for one in sorted(done)] if done else None,
    }  # fmt: skip


def _changed(claims: Claims, place: Place, row: Any, news: int) -> dict[str, Any] | None:
    said = claims.by_place[place].values()
    first = min(row.valid_from, *(one.first_at for one in said))
    last = max(row.last_seen, *(one.last_at for one in said))
    had: list[dict[str, Any]] = row.transformations or []
    done = had
    if place in claims.transformations:
        more = {*claims.transformations[place], *(Transformation(**one) for one in had)}
        if len(more) > len(had):
            done = [asdict(one) for one in sorted(more)]
    if (first, last, news, len(done)) == (row.valid_from, row.last_seen, 0, len(had)):
        return None
    return {
        "edge": int(row.id), "first": first, "last": last, "count": int(row.run_count) + news, "done": done or None
    }  # fmt: skip


def _write_supporters(
    session: Session, claims: Claims, ids: dict[Place, int], known: dict[Place, Any]
) -> dict[int, int]:
    """Note who supports which edge; returns by how many runs the edges that were there gained."""
    wanted = {
        (ids[place], one.by): one
        for place, said in claims.by_place.items() for one in said.values() if one.by is not None
    }  # fmt: skip
    old = {(int(row.id), by) for place, row in known.items() for by in claims.by_place[place] if by is not None}
    there = edge_queries.supporters(session, sorted(old))
    insert, update = [], []
    news: dict[int, int] = {}
    for (edge, by), one in wanted.items():
        had = there.get((edge, by))
        if had is None:
            insert.append({"edge_id": edge, "run_id": by, "first_at": one.first_at, "last_at": one.last_at})
            if one.counts:
                news[edge] = news.get(edge, 0) + 1
            continue
        first, last = min(had[0], one.first_at), max(had[1], one.last_at)
        if (first, last) != had:
            update.append({"edge": edge, "by": by, "first": first, "last": last})
    edge_queries.write_supporters(session, insert, update)
    return news


def settle(session: Session, edges: Sequence[int]) -> None:
    """Close column edges where a version dropped the column after they were seen last, and open those seen since.

    It follows from rows alone, whatever order they came in.
    """
    if not edges:
        return
    opened, closed = [], []
    for row in edge_queries.drops_after(session, edges):
        if row.dropped_at == row.valid_to:
            continue
        change = {"edge": int(row.id), "until": row.dropped_at, "why": Ending.DROPPED if row.dropped_at else None}
        place = Place(int(row.source_id), int(row.target_id), row.kind, row.level)
        if row.dropped_at is None:
            opened.append((change, place))
        else:
            closed.append((change, place, row.valid_to is None))
    edge_queries.end_edges(session, [*(one[0] for one in opened), *(one[0] for one in closed)])
    log_opened(session, [(change["edge"], place) for change, place in opened])
    log_closed(session, [(change["edge"], place) for change, place, was_open in closed if was_open])


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
