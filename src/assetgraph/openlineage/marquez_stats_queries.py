"""SQL of numbers over time: one pass over what is counted, whatever the number of intervals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select, true

from assetgraph.catalog.tables import ASSET
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.openlineage.marquez_queries import every_source
from assetgraph.openlineage.tables import RAW_EVENT


def events_by_type(
    session: Session, intervals: Sequence[tuple[datetime, datetime]], types: Sequence[str]
) -> dict[str, list[int]]:
    """Return how many run events of each type are in each of some intervals, which follow one another."""
    at = RAW_EVENT.c.event_time
    counts = [func.count().filter(at >= start, at < end) for start, end in intervals]
    # All of it is in one index: the bodies, which are large, are not read.
    within = and_(at >= intervals[0][0], at < intervals[-1][1], RAW_EVENT.c.event_type.in_(list(types)))
    rows: Sequence[Any] = session.execute(
        select(RAW_EVENT.c.event_type, *counts).where(within).group_by(RAW_EVENT.c.event_type)
    ).all()
    found: dict[str, list[int]] = {str(row[0]): [int(number) for number in row[1:]] for row in rows}
    return {kind: found.get(kind, [0] * len(intervals)) for kind in types}


def _before(session: Session, table: Any, at: Any, ends: Sequence[datetime], where: Any = None) -> list[int]:
    counts = [func.count().filter(at < end) for end in ends]
    wanted = select(*counts).select_from(table).where(true() if where is None else where)
    return [int(number) for number in session.execute(wanted).one()]


def assets_before(session: Session, kind: AssetKind, ends: Sequence[datetime]) -> list[int]:
    """Return how many assets of a kind were registered before each of some moments."""
    return _before(session, ASSET, ASSET.c.created_at, ends, and_(ASSET.c.kind == kind, ASSET.c.namespace != ""))


def sources_before(session: Session, ends: Sequence[datetime]) -> list[int]:
    """Return how many sources were known before each of some moments."""
    met = every_source(session).subquery("met")
    return _before(session, met, met.c.first, ends)
