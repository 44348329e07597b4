"""All SQL of quality."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, true

from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.quality.tables import METRIC

#: A node lists at most this many metrics in a plain list; the connection pages through all.
MOST_LISTED = 1000


def insert_metrics(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert metrics set-wise and return their ids in order."""
    if not rows:
        return []
    statement = insert(METRIC).returning(METRIC.c.id, sort_by_parameter_order=True)
    return [int(row.id) for row in session.execute(statement, list(rows)).all()]


def metrics_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return metrics by id."""
    rows = session.execute(select(METRIC).where(METRIC.c.id.in_(list(ids)))).all()
    return {int(row.id): row for row in rows}


def _measured(at: datetime | None) -> ColumnElement[bool]:
    return true() if at is None else METRIC.c.measured_at <= at


def metrics_of(session: Session, assets: Sequence[int], at: datetime | None = None) -> dict[int, list[Row[Any]]]:
    """Return the metrics of assets, newest first, by asset; with a moment, those measured by then."""
    found: dict[int, list[Row[Any]]] = {asset: [] for asset in assets}
    newest = METRIC.c.id.desc()
    rank = func.row_number().over(partition_by=METRIC.c.asset_id, order_by=newest).label("rank")
    ranked = select(METRIC, rank).where(METRIC.c.asset_id.in_(list(assets)), _measured(at)).subquery()
    listed = select(ranked).where(ranked.c.rank <= MOST_LISTED).order_by(ranked.c.asset_id, ranked.c.rank)
    for row in session.execute(listed).all():
        found[int(row.asset_id)].append(row)
    return found


def last_measured(
    session: Session, assets: Sequence[int], at: datetime
) -> dict[int, dict[tuple[str, str | None], float]]:
    """Return the last value of each number by a moment, by asset and then by name and field."""
    latest = (METRIC.c.measured_at.desc(), METRIC.c.id.desc())
    of = (METRIC.c.asset_id, METRIC.c.name, METRIC.c.field)
    rank = func.row_number().over(partition_by=of, order_by=latest).label("rank")
    ranked = select(*of, METRIC.c.value, rank).where(METRIC.c.asset_id.in_(list(assets)), _measured(at)).subquery()
    found: dict[int, dict[tuple[str, str | None], float]] = {asset: {} for asset in assets}
    for row in session.execute(select(ranked).where(ranked.c.rank == 1)).all():
        found[int(row.asset_id)][(str(row.name), row.field)] = float(row.value)
    return found


def metrics_page(
    session: Session, asset: int, name: str | None, request: PageRequest, at: datetime | None = None
) -> Page[Any]:
    """Return the metrics of an asset, newest first, maybe of one name, or those measured by a moment."""
    mine = and_(METRIC.c.asset_id == asset, _measured(at))
    if name is not None:
        mine = and_(mine, METRIC.c.name == name)
    return keyset_page(
        session,
        select(METRIC).where(mine),
        select(func.count()).select_from(METRIC).where(mine),
        columns=[METRIC.c.id],
        names=["id"],
        request=request,
        descending=True,
    )
