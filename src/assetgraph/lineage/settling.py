"""When column edges are valid: a row for each stretch of time, which follows from who supports the edge and what drops.

A supporter keeps an edge valid from when it said so first until a version drops a column of it after it said so last.
Stretches of several supporters that overlap or touch are one. So it follows from what is stored alone, whatever order
it came in, and an edge that closes with its column and is claimed again later has two rows with a gap between.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from assetgraph.db.engine import Session
from assetgraph.lineage import edge_queries, span_queries
from assetgraph.lineage.edge_log import Place, log_closed, log_opened
from assetgraph.lineage.span_queries import Spot, spot_of
from assetgraph.lineage.tables import Ending, Level

#: (first, last, whether it counts) of a supporter.
Support = tuple[datetime, datetime, bool]


@dataclass
class _Stretch:
    """A time in which an edge is valid: until `end`, or still."""

    begin: datetime
    last: datetime
    end: datetime | None
    rows: set[int]
    by: dict[int, Support] = field(default_factory=dict)

    def touches(self, other: "_Stretch") -> bool:
        """Tell whether another, which begins later, continues this one."""
        return self.end is None or other.begin <= self.end

    def take(self, other: "_Stretch") -> None:
        """Join another that this one touches."""
        self.last = max(self.last, other.last)
        self.end = None if self.end is None or other.end is None else max(self.end, other.end)
        self.rows |= other.rows
        self.by |= other.by


@dataclass
class _Work:
    """What changes: rows by what is done to them."""

    ends: list[tuple[dict[str, Any], Place, bool]] = field(default_factory=list)
    update: list[dict[str, Any]] = field(default_factory=list)
    void: list[tuple[int, Place, bool]] = field(default_factory=list)
    insert: list[tuple[dict[str, Any], Place, dict[int, Support]]] = field(default_factory=list)
    #: Supporters as they were and as they are to be, by (edge, supporter).
    had: dict[tuple[int, int], Support] = field(default_factory=dict)
    want: dict[tuple[int, int], Support] = field(default_factory=dict)


def settle(session: Session, edges: Sequence[int], *, whole: Collection[int] = ()) -> None:
    """Close column edges where a version dropped the column after they were seen last, and open those seen since.

    Of the edges in `whole` all rows are looked into: a supporter may have come to support two of them.
    """
    if not edges:
        return
    spots = _around(session, edges)
    torn = [rows for rows in spots.values() if _torn(rows, whole)]
    work = _Work()
    for rows in spots.values():
        if not _torn(rows, whole):
            for row in rows:
                _end(work, row, _dropped(row))
    if torn:
        _mend(session, torn, work)
    _write(session, work)


def _around(session: Session, edges: Iterable[int]) -> dict[Spot, list[Row[Any]]]:
    """Return edges with all rows of theirs that they may touch, oldest first."""
    known: dict[int, Row[Any]] = {}
    fresh = set(edges)
    while fresh:
        found = span_queries.spans(session, sorted(fresh))
        known |= {int(row.id): row for row in found}
        if not found:
            break
        since = min(row.valid_from for row in found)
        fresh = set(span_queries.siblings(session, {spot_of(row) for row in found}, since)) - set(known)
    spots: dict[Spot, list[Row[Any]]] = defaultdict(list)
    for row in sorted(known.values(), key=lambda row: (row.valid_from, int(row.id))):
        spots[spot_of(row)].append(row)
    return spots


def _dropped(row: Any) -> datetime | None:
    """Return when the first version after a row was seen last dropped a column of it."""
    return min((drop for drop in (row.drop_2, row.drop_3) if drop is not None), default=None)


def _holds(row: Any) -> bool:
    """Tell whether no version dropped a column of a row between when it was seen first and last."""
    drops = [drop for drop in (row.drop_0, row.drop_1) if drop is not None]
    return all(drop > row.last_seen for drop in drops)


def _torn(rows: Sequence[Row[Any]], whole: Collection[int]) -> bool:
    """Tell whether rows are other than one stretch each, or may be."""
    if any(int(row.id) in whole for row in rows):
        return True
    if not all(map(_holds, rows)):
        return True
    ends = [_dropped(row) for row in rows]
    return any(end is None or end >= row.valid_from for end, row in zip(ends, rows[1:], strict=False))


def _place(row: Any) -> Place:
    return Place(int(row.source_id), int(row.target_id), row.kind, row.level)


def _end(work: _Work, row: Any, end: datetime | None) -> None:
    if end != row.valid_to:
        change = {"edge": int(row.id), "until": end, "why": None if end is None else Ending.DROPPED}
        work.ends.append((change, _place(row), row.valid_to is None))


def _mend(session: Session, spots: Sequence[Sequence[Row[Any]]], work: _Work) -> None:
    """Work out the stretches of edges from who supports them, and which rows become which."""
    edges = sorted(int(row.id) for rows in spots for row in rows)
    said: dict[int, list[Any]] = defaultdict(list)
    for one in span_queries.supporters_of(session, edges):
        said[int(one.edge_id)].append(one)
    drops: dict[int, set[datetime]] = defaultdict(set)
    for drop in span_queries.drops(session, edges):
        drops[int(drop.id)].add(drop.effective_at)
    for rows in spots:
        moments = sorted(set().union(*(drops[int(row.id)] for row in rows)))
        stretches = _stretches(rows, said, moments, work)
        left = {int(row.id): row for row in rows}
        for stretch in reversed(stretches):
            _assign(work, stretch, rows, left)
        work.void += [(edge, _place(row), row.valid_to is None) for edge, row in left.items()]


def _stretches(
    rows: Sequence[Any], said: dict[int, list[Any]], moments: Sequence[datetime], work: _Work
) -> list[_Stretch]:  # fmt: skip
    def until(last: datetime) -> datetime | None:
        place = bisect_right(moments, last)
        return moments[place] if place < len(moments) else None

    by: dict[int, tuple[Support, set[int]]] = {}
    parts: list[_Stretch] = []
    for row in rows:
        edge = int(row.id)
        if not said[edge]:
            # Nobody's word but the row's own (declared ones): it was said at both of its moments.
            parts += [_Stretch(at, at, until(at), {edge}) for at in (row.valid_from, row.last_seen)]
        for one in said[edge]:
            first, last = one.first_at or row.valid_from, one.last_at or row.last_seen
            run = int(one.run_id)
            work.had[(edge, run)] = first, last, bool(one.is_run)
            known, where = by.get(run, ((first, last, bool(one.is_run)), set()))
            by[run] = (min(known[0], first), max(known[1], last), known[2]), where | {edge}
    for run, (support, where) in by.items():
        parts.append(_Stretch(support[0], support[1], until(support[1]), where, {run: support}))
    joined: list[_Stretch] = []
    for part in sorted(parts, key=lambda part: (part.begin, part.last)):
        if joined and joined[-1].touches(part):
            joined[-1].take(part)
        else:
            joined.append(part)
    return joined


def _assign(work: _Work, stretch: _Stretch, rows: Sequence[Any], left: dict[int, Any]) -> None:
    """Give a stretch one of the rows it is made of, the open one if it is open itself; else it becomes a new row."""
    sources = [row for row in rows if int(row.id) in stretch.rows]
    done = {tuple(sorted(one.items())): one for row in sources for one in row.transformations or ()}
    said = [done[key] for key in sorted(done)] or None
    count = sum(counts for _, _, counts in stretch.by.values()) if stretch.by else sources[0].run_count
    any_row = sources[0]
    mine = sorted(stretch.rows & set(left))
    kept = next((edge for edge in mine if (left[edge].valid_to is None) == (stretch.end is None)), None)
    if kept is None and mine:
        kept = mine[0]
    if kept is None:
        why = None if stretch.end is None else Ending.DROPPED
        row = {
            "source_id": any_row.source_id, "target_id": any_row.target_id, "kind": any_row.kind,
            "level": Level.FIELD, "producer": any_row.producer, "valid_from": stretch.begin, "valid_to": stretch.end,
            "ending": why, "last_seen": stretch.last, "run_count": count, "transformations": said,
        }  # fmt: skip
        work.insert.append((row, _place(any_row), stretch.by))
        return
    row = left.pop(kept)
    work.update.append({
        "edge": kept, "first": stretch.begin, "last": stretch.last, "count": count, "done": said
    })  # fmt: skip
    _end(work, row, stretch.end)
    work.want |= {(kept, run): support for run, support in stretch.by.items()}


def _write(session: Session, work: _Work) -> None:
    """Write it: closed ones first, since of the rows of an edge only one may be open."""
    closing = [one for one in work.ends if one[0]["until"] is not None]
    opening = [one for one in work.ends if one[0]["until"] is None]
    span_queries.delete_supporters(session, sorted(set(work.had) - set(work.want)))
    if work.void:
        edge_queries.void_edges(session, sorted(edge for edge, _, _ in work.void))
    edge_queries.end_edges(session, [change for change, _, _ in (*closing, *opening)])
    edge_queries.update_edges(session, work.update)
    made = span_queries.insert_spans(session, [row for row, _, _ in work.insert])
    inserted = list(zip(made, work.insert, strict=True))
    for edge, (_, _, by) in inserted:
        work.want |= {(edge, run): support for run, support in by.items()}
    fresh, moved = [], []
    for (edge, run), (first, last, _) in work.want.items():
        had = work.had.get((edge, run))
        if had is None:
            fresh.append({"edge_id": edge, "run_id": run, "first_at": first, "last_at": last})
        elif had[:2] != (first, last):
            moved.append({"edge": edge, "by": run, "first": first, "last": last})
    edge_queries.write_supporters(session, fresh, moved)
    log_opened(session, [
        *((change["edge"], place) for change, place, _ in opening),
        *((edge, place) for edge, (row, place, _) in inserted if row["valid_to"] is None),
    ])  # fmt: skip
    log_closed(session, [
        *((change["edge"], place) for change, place, was_open in closing if was_open),
        *((edge, place) for edge, place, was_open in work.void if was_open),
    ])  # fmt: skip
