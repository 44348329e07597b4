"""All SQL of quality."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, true

from assetgraph.catalog.tables import VERSION
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.quality.tables import CHECK, METRIC, RESULT

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


def series_page(
    session: Session, dataset: int, wanted: dict[str, Any], request: PageRequest, at: datetime | None = None
) -> Page[Any]:
    """Return the metrics of all versions of a dataset, newest first; wanted: name, field, since, until (None: any)."""
    mine = and_(VERSION.c.dataset_id == dataset, _measured(at))
    for name in ("name", "field"):
        if wanted.get(name) is not None:
            mine = and_(mine, METRIC.c[name] == wanted[name])
    if wanted.get("since") is not None:
        mine = and_(mine, METRIC.c.measured_at >= wanted["since"])
    if wanted.get("until") is not None:
        mine = and_(mine, METRIC.c.measured_at <= wanted["until"])
    joined = METRIC.join(VERSION, VERSION.c.id == METRIC.c.asset_id)
    return keyset_page(
        session,
        select(METRIC).select_from(joined).where(mine),
        select(func.count()).select_from(joined).where(mine),
        columns=[METRIC.c.measured_at, METRIC.c.id],
        names=["measured_at", "id"],
        request=request,
        descending=True,
    )


def checks_page(session: Session, dataset: int, request: PageRequest, at: datetime | None = None) -> Page[Any]:
    """Return the checks of a dataset, newest first: those that hold, or that were declared and held at a moment."""
    holds: ColumnElement[bool] = CHECK.c.removed_at.is_(None)
    if at is not None:
        holds = and_(or_(holds, CHECK.c.removed_at > at), or_(CHECK.c.since.is_(None), CHECK.c.since <= at))
    mine = and_(CHECK.c.dataset_id == dataset, holds)
    return keyset_page(
        session,
        select(CHECK).where(mine),
        select(func.count()).select_from(CHECK).where(mine),
        columns=[CHECK.c.id],
        names=["id"],
        request=request,
        descending=True,
    )


def checks_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return checks by id."""
    return {int(row.id): row for row in session.execute(select(CHECK).where(CHECK.c.id.in_(list(ids)))).all()}


def _counted(at: datetime | None = None) -> ColumnElement[bool]:
    """Results that count: their run was not aborted, the version that it met is known, and they were there by then."""
    known = and_(RESULT.c.counted, RESULT.c.version_id.is_not(None))
    return known if at is None else and_(known, RESULT.c.checked_at <= at)


def results_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return results that count, by id."""
    rows = session.execute(select(RESULT).where(RESULT.c.id.in_(list(ids)), _counted())).all()
    return {int(row.id): row for row in rows}


def results_page(session: Session, check: int, request: PageRequest, at: datetime | None = None) -> Page[Any]:
    """Return the results of a check that count, newest first."""
    mine = and_(RESULT.c.check_id == check, _counted(at))
    return keyset_page(
        session,
        select(RESULT).where(mine),
        select(func.count()).select_from(RESULT).where(mine),
        columns=[RESULT.c.checked_at, RESULT.c.id],
        names=["checked_at", "id"],
        request=request,
        descending=True,
    )


def last_results(session: Session, checks: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return the newest result of each check that counts, by check."""
    newest = (RESULT.c.checked_at.desc(), RESULT.c.id.desc())
    rank = func.row_number().over(partition_by=RESULT.c.check_id, order_by=newest).label("rank")
    ranked = select(RESULT, rank).where(RESULT.c.check_id.in_(list(checks)), _counted(at)).subquery()
    rows = session.execute(select(ranked).where(ranked.c.rank == 1)).all()
    return {int(row.check_id): row for row in rows}
