"""Edges that runs, jobs or datasets claim, written set-wise: what is known is read once, and only changes are written.

All that a claim changes is a minimum, a maximum or a union, so that the order of claims does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.lineage import edge_queries, span_queries
from assetgraph.lineage.edge_log import Place, log_opened
from assetgraph.lineage.settling import settle
from assetgraph.lineage.tables import Ending, Level


@dataclass(frozen=True, order=True)
class Transformation:
    """What a column edge does to the values, in OpenLineage's terms: DIRECT or INDIRECT, and how."""

    type: str
    subtype: str = ""
    description: str = ""
    masking: bool = False


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
    rows = _known(session, claims)
    known = {place: _nearest(claims, place, some) for place, some in rows.items()}
    fresh = [place for place in claims.by_place if place not in known]
    _say_again(session, claims, [place for place in fresh if place.level is Level.FIELD])
    opened = edge_queries.insert_edges(session, {place: _row(claims, place) for place in fresh})
    log_opened(session, [(opened[place], place) for place in fresh], modelless=modelless)
    ids = {**opened, **{place: int(row.id) for place, row in known.items()}}
    news = _write_supporters(session, claims, ids, known)
    changed = {
        place: one for place, row in known.items()
        if (one := _changed(claims, place, row, news.get(int(row.id), 0))) is not None
    }  # fmt: skip
    edge_queries.update_edges(session, list(changed.values()))
    span_queries.set_done(session, [
        {"source": place.source, "target": place.target, "said_kind": place.kind, "done": one["done"]}
        for place, one in changed.items() if len(one["done"] or ()) > len(known[place].transformations or ())
        and place.level is Level.FIELD
    ])  # fmt: skip
    unsettled = [
        place for place in ids
        # What is open stays so when it is seen later.
        if place.level is Level.FIELD and (
            place in opened or known[place].ending is Ending.DROPPED or len(rows[place]) > 1
            or min(one.first_at for one in claims.by_place[place].values()) < known[place].valid_from
        )
    ]  # fmt: skip
    whole = {int(row.id) for place in unsettled if len(rows.get(place, ())) > 1 for row in rows[place]}
    settle(session, sorted({*(ids[place] for place in unsettled), *whole}), whole=whole)


def _known(session: Session, claims: Claims) -> dict[Place, list[Any]]:
    """Return the rows that claims concern: the one of each edge, or of a column edge those of several times."""
    fields = [place for place in claims.by_place if place.level is Level.FIELD]
    others = [place for place in claims.by_place if place.level is not Level.FIELD]
    found = {place: [row] for place, row in edge_queries.edges_at(session, others).items()} if others else {}
    if fields:
        said = [one for place in fields for one in claims.by_place[place].values()]
        bys = {one.by for one in said if one.by is not None}
        found |= span_queries.claimed(session, fields, min(one.first_at for one in said), sorted(bys))
    return found


def _nearest(claims: Claims, place: Place, rows: Sequence[Any]) -> Any:
    """Return the row that claims are added to at first: the open one, or one whose time they lie in."""
    said = claims.by_place[place].values()
    first, last = min(one.first_at for one in said), max(one.last_at for one in said)
    near = [row for row in rows if row.valid_to is not None and row.valid_from <= last and row.valid_to >= first]
    return next((row for row in rows if row.valid_to is None), near[0] if near else rows[-1])


def _say_again(session: Session, claims: Claims, fresh: Sequence[Place]) -> None:
    """Have new rows of column edges, and those closed before, say all that was ever done to values."""
    had = span_queries.closed_before(session, fresh) if fresh else {}
    more = []
    for place, said in had.items():
        known = {Transformation(**one) for one in said}
        done = known | claims.transformations.get(place, set())
        if done:
            claims.transformations[place] = done
        if done != known:
            plain = [asdict(one) for one in sorted(done)]
            more.append({"source": place.source, "target": place.target, "said_kind": place.kind, "done": plain})
    span_queries.set_done(session, more)


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
