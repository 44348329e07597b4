"""Edges that runs, jobs or datasets claim, written set-wise: what is known is read once, and only changes are written.

All that a claim changes is a minimum, a maximum or a union, so that the order of claims does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import edge_queries
from assetgraph.lineage.edges import MASKS, Transformation
from assetgraph.lineage.queries import asset_kind
from assetgraph.lineage.tables import EdgeKind, Level

LEVEL_OF_CONTAINS = 3


class Place(NamedTuple):
    """What an edge connects, and how."""

    source: int
    target: int
    kind: EdgeKind
    level: Level


@dataclass
class Claim:
    """Someone's word that there is an edge: a run counts for it, others do not."""

    by: int
    counts: bool
    first_at: datetime
    last_at: datetime


class Claims:
    """The claims of a batch, joined as they come."""

    def __init__(self) -> None:
        """Start with none."""
        self.by_place: dict[Place, dict[int, Claim]] = {}
        self.transformations: dict[Place, set[Transformation]] = {}

    def add(
        self, place: Place, by: int, at: datetime, *, counts: bool, transformations: Iterable[Transformation] = ()
    ) -> None:
        """Add a claim made at a moment."""
        claims = self.by_place.setdefault(place, {})
        known = claims.get(by)
        if known is None:
            claims[by] = Claim(by, counts, at, at)
        else:
            known.first_at, known.last_at = min(known.first_at, at), max(known.last_at, at)
        if transformations:
            self.transformations.setdefault(place, set()).update(transformations)


def write_claims(session: Session, claims: Claims) -> None:
    """Open the edges that are new, and note on the others who says so, when, how often, and what is done to values."""
    if not claims.by_place:
        return
    known = edge_queries.edges_at(session, list(claims.by_place))
    fresh = [place for place in claims.by_place if place not in known]
    opened = edge_queries.insert_edges(session, [_row(claims, place) for place in fresh])
    log_opened(session, [(opened[place], place) for place in fresh])
    ids = {**opened, **{place: int(row.id) for place, row in known.items()}}
    news = _write_supporters(session, claims, ids, known)
    changed = [
        one for place, row in known.items()
        if (one := _changed(claims, place, row, news.get(int(row.id), 0))) is not None
    ]  # fmt: skip
    edge_queries.update_edges(session, changed)


def _row(claims: Claims, place: Place) -> dict[str, Any]:
    said = claims.by_place[place].values()
    done = claims.transformations.get(place)
    return {
        "source_id": place.source, "target_id": place.target, "kind": place.kind, "level": place.level,
        "valid_from": min(one.first_at for one in said), "last_seen": max(one.last_at for one in said),
        "run_count": sum(one.counts for one in said), "producer": "",
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
    wanted = {(ids[place], one.by): one for place, said in claims.by_place.items() for one in said.values()}
    old = {(int(row.id), by) for place, row in known.items() for by in claims.by_place[place]}
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
        first = min(had[0] or one.first_at, one.first_at)
        last = max(had[1] or one.last_at, one.last_at)
        if (first, last) != had:
            update.append({"edge": edge, "by": by, "first": first, "last": last})
    edge_queries.write_supporters(session, insert, update)
    return news


def log_opened(session: Session, opened: Sequence[tuple[int, Place]]) -> None:
    """Tell the log which edges opened; one entry for all of a batch."""
    if not opened:
        return
    edges = [
        [edge, place.source, place.target, LEVEL_OF_CONTAINS if place.kind is EdgeKind.CONTAINS else MASKS[place.level]]
        for edge, place in opened
    ]
    subject = opened[0][1].target
    kind = asset_kind(session, subject)
    changes.record_asset(session, kind or AssetKind.DATASET, subject, "linked", None, {"edges": edges})


def retract(session: Session, edges: Sequence[int], subject: int, kind: AssetKind) -> None:
    """Take edges back that turned out to be wrong, as if they had never been said."""
    if edges:
        edge_queries.void_edges(session, edges)
        changes.record_asset(session, kind, subject, "unlinked", None, {"edges": sorted(edges)})
