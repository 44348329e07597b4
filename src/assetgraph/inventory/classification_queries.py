"""SQL of what columns mean."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from assetgraph.catalog import history_queries
from assetgraph.catalog.queries import insert_ignoring
from assetgraph.catalog.tables import SCANS, TAG, Aspect, ProposalStatus
from assetgraph.db.engine import Session
from assetgraph.inventory.classification_tables import CLASSIFICATION


def of_fields(session: Session, fields: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return all that was proposed and said of columns, by column."""
    found: dict[int, list[Row[Any]]] = {field: [] for field in fields}
    mine = CLASSIFICATION.c.field_id.in_(list(fields))
    rows = session.execute(select(CLASSIFICATION).where(mine).order_by(CLASSIFICATION.c.semantic_type)).all()
    for row in rows:
        found[int(row.field_id)].append(row)
    return found


def shown(session: Session, fields: Sequence[int]) -> dict[int, Row[Any]]:
    """Return what each column shows: what is accepted, else what is proposed."""
    mine = and_(CLASSIFICATION.c.field_id.in_(list(fields)), CLASSIFICATION.c.status != ProposalStatus.REJECTED)
    found: dict[int, Row[Any]] = {}
    # PROPOSED stands after ACCEPTED in the alphabet.
    for row in session.execute(select(CLASSIFICATION).where(mine).order_by(CLASSIFICATION.c.status)).all():
        found.setdefault(int(row.field_id), row)
    return found


def semantic_types(session: Session, fields: Sequence[int], at: datetime | None = None) -> dict[int, str | None]:
    """Return the type that each column shows, or showed at a moment."""
    types: dict[int, str | None] = {key: row.semantic_type or None for key, row in shown(session, fields).items()}
    if at is not None:
        then = history_queries.said_at(session, fields, Aspect.SEMANTIC_TYPE, at)
        types |= {field: value for (field, _), value in then.items()}
    return types


def insert_rows(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert what is proposed or said of columns."""
    if rows:
        session.execute(insert(CLASSIFICATION), list(rows))


def delete_proposed(session: Session, fields: Iterable[int]) -> None:
    """Drop what is only proposed of columns."""
    mine = and_(CLASSIFICATION.c.field_id.in_(list(fields)), CLASSIFICATION.c.status == ProposalStatus.PROPOSED)
    session.execute(delete(CLASSIFICATION).where(mine))


def delete_one(session: Session, field: int, semantic_type: str) -> None:
    """Drop what is known of one type of a column."""
    mine = and_(CLASSIFICATION.c.field_id == field, CLASSIFICATION.c.semantic_type == semantic_type)
    session.execute(delete(CLASSIFICATION).where(mine))


def decide(
    session: Session, field: int, status: ProposalStatus, *, by: str, at: datetime, semantic_type: str | None = None
) -> None:
    """Set what became of a column's one type, or of all that are not rejected."""
    mine = and_(CLASSIFICATION.c.field_id == field, CLASSIFICATION.c.status != ProposalStatus.REJECTED)
    if semantic_type is not None:
        mine = and_(mine, CLASSIFICATION.c.semantic_type == semantic_type)
    decided = {"status": status, "decided_by": by, "decided_at": at}
    session.execute(update(CLASSIFICATION).where(mine).values(decided))


def scanned_tags(session: Session, fields: Sequence[int]) -> dict[int, set[str]]:
    """Return the tags that scans set on columns."""
    found: dict[int, set[str]] = {field: set() for field in fields}
    wanted = select(TAG.c.asset_id, TAG.c.name).where(TAG.c.asset_id.in_(list(fields)), TAG.c.origin == SCANS)
    for row in session.execute(wanted).all():
        found[int(row.asset_id)].add(str(row.name))
    return found


def replace_scanned_tags(session: Session, tags: Mapping[int, Iterable[str]]) -> None:
    """Set the tags that scans say of columns; those of people and of events stay."""
    if not tags:
        return
    session.execute(delete(TAG).where(TAG.c.asset_id.in_(list(tags)), TAG.c.origin == SCANS))
    insert_ignoring(session, TAG, [
        {"asset_id": field, "name": name, "origin": SCANS} for field, names in tags.items() for name in sorted(names)
    ])  # fmt: skip
