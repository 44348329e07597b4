"""All SQL of the rules by which a source's files are grouped."""

from typing import Any

from sqlalchemy import update

from assetgraph.catalog.tables import SOURCE
from assetgraph.db.engine import Session


def set_grouping(session: Session, source_id: int, rules: list[dict[str, Any]] | None) -> None:
    """Replace the rules of a source."""
    session.execute(update(SOURCE).where(SOURCE.c.id == source_id).values(grouping=rules))
