"""SQL of incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, insert, or_, select, true, update

from assetgraph.catalog.tables import ASSET
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.quality.tables import INCIDENT


def open_incidents(session: Session, dataset: int) -> dict[str, Row[Any]]:
    """Return the open incidents of a dataset by subject."""
    mine = and_(INCIDENT.c.dataset_id == dataset, INCIDENT.c.closed_at.is_(None))
    return {str(row.subject): row for row in session.execute(select(INCIDENT).where(mine)).all()}


def incidents_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return incidents by id."""
    rows = session.execute(select(INCIDENT).where(INCIDENT.c.id.in_(list(ids)))).all()
    return {int(row.id): row for row in rows}


def insert_incidents(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert incidents and return their ids in order."""
    if not rows:
        return []
    statement = insert(INCIDENT).returning(INCIDENT.c.id, sort_by_parameter_order=True)
    return [int(row.id) for row in session.execute(statement, list(rows)).all()]


def change_incidents(session: Session, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Set some columns of incidents; each row has `incident`, the id, and the values."""
    if rows:
        values: dict[Any, Any] = {INCIDENT.c[name]: bindparam(f"new_{name}") for name in names}
        given = [{"incident": row["incident"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        session.execute(update(INCIDENT).where(INCIDENT.c.id == bindparam("incident")).values(values), given)


def lock_incident(session: Session, incident: int) -> Row[Any] | None:
    """Return an incident for changing it."""
    return session.execute(select(INCIDENT).where(INCIDENT.c.id == incident).with_for_update()).one_or_none()


def _then(at: datetime | None) -> ColumnElement[bool]:
    return true() if at is None else INCIDENT.c.opened_at <= at


def incidents_page(
    session: Session, wanted: dict[str, Any], request: PageRequest, at: datetime | None = None
) -> Page[Any]:
    """Return incidents, newest first; wanted: dataset, namespace, severity, open, acknowledged (None: any)."""
    closed = INCIDENT.c.closed_at.is_not(None) if at is None else INCIDENT.c.closed_at <= at
    seen = INCIDENT.c.acknowledged_at.is_not(None) if at is None else INCIDENT.c.acknowledged_at <= at
    conditions = [_then(at)]
    if wanted.get("dataset") is not None:
        conditions.append(INCIDENT.c.dataset_id == wanted["dataset"])
    if wanted.get("namespace") is not None:
        conditions.append(ASSET.c.namespace == wanted["namespace"])
    if wanted.get("severity") is not None:
        conditions.append(INCIDENT.c.severity == wanted["severity"])
    for name, happened, moment in (
        ("open", ~closed, INCIDENT.c.closed_at), ("acknowledged", seen, INCIDENT.c.acknowledged_at)
    ):  # fmt: skip
        if wanted.get(name) is not None:
            # A moment that is not there makes a comparison neither true nor false.
            known = or_(happened, moment.is_(None)) if name == "open" else and_(happened, moment.is_not(None))
            conditions.append(known if wanted[name] else ~known)
    joined = INCIDENT.join(ASSET, ASSET.c.id == INCIDENT.c.dataset_id)
    return keyset_page(
        session,
        select(INCIDENT).select_from(joined).where(*conditions),
        select(func.count()).select_from(joined).where(*conditions),
        columns=[INCIDENT.c.opened_at, INCIDENT.c.id],
        names=["opened_at", "id"],
        request=request,
        descending=True,
    )
