"""SQL of what stewards say of columns."""

from collections.abc import Sequence

from sqlalchemy import select, update

from assetgraph.catalog.tables import FIELD
from assetgraph.db.engine import Session


def descriptions(session: Session, fields: Sequence[int]) -> dict[int, str | None]:
    """Return what stewards say of columns."""
    rows = session.execute(select(FIELD.c.id, FIELD.c.description).where(FIELD.c.id.in_(list(fields)))).all()
    return {int(row.id): row.description for row in rows}


def describe(session: Session, field: int, description: str) -> None:
    """Set what stewards say of a column."""
    session.execute(update(FIELD).where(FIELD.c.id == field).values(description=description))
