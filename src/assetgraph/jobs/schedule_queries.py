"""All SQL of schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, select, update

from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.jobs.tables import SCHEDULE


def due(session: Session, at: datetime, most: int) -> Sequence[Row[Any]]:
    """Return schedules whose planned time has come, the longest overdue first."""
    wanted = select(SCHEDULE).where(SCHEDULE.c.next_at <= at).order_by(SCHEDULE.c.next_at, SCHEDULE.c.id)
    return session.execute(wanted.limit(most)).all()


def move_on(session: Session, schedule: int, planned: datetime, following: datetime) -> bool:
    """Plan the next run; false when another worker did so for this planned time, or someone changed the schedule."""
    mine = and_(SCHEDULE.c.id == schedule, SCHEDULE.c.next_at == planned)
    return session.execute(update(SCHEDULE).where(mine).values(next_at=following)).rowcount == 1


def by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return schedules by id."""
    rows = session.execute(select(SCHEDULE).where(SCHEDULE.c.id.in_(list(ids)))).all()
    return {int(row.id): row for row in rows}


def of_assets(session: Session, assets: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the schedules of assets, by asset."""
    found: dict[int, list[Row[Any]]] = {asset: [] for asset in assets}
    wanted = select(SCHEDULE).where(SCHEDULE.c.asset_id.in_(list(assets))).order_by(SCHEDULE.c.kind)
    for row in session.execute(wanted).all():
        found[int(row.asset_id)].append(row)
    return found


def of_asset(session: Session, asset: int, kind: str) -> Row[Any] | None:
    """Return one schedule, locked."""
    mine = and_(SCHEDULE.c.asset_id == asset, SCHEDULE.c.kind == kind)
    return session.execute(select(SCHEDULE).where(mine).with_for_update()).one_or_none()


def page(session: Session, request: PageRequest) -> Page[Any]:
    """Return all schedules, the oldest first."""
    return keyset_page(
        session, select(SCHEDULE), select(func.count()).select_from(SCHEDULE), columns=[SCHEDULE.c.id], names=["id"],
        request=request,
    )  # fmt: skip


def add(session: Session, row: dict[str, Any]) -> int:
    """Insert a schedule and return its id."""
    return int(session.execute(insert(SCHEDULE).values(row).returning(SCHEDULE.c.id)).scalar_one())


def change(session: Session, schedule: int, columns: dict[str, Any]) -> None:
    """Set columns of a schedule."""
    session.execute(update(SCHEDULE).where(SCHEDULE.c.id == schedule).values(columns))


def remove(session: Session, schedule: int) -> None:
    """Delete a schedule."""
    session.execute(delete(SCHEDULE).where(SCHEDULE.c.id == schedule))
