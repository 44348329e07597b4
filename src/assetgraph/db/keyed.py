"""Rows by their ids, with statements that are built once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam

from assetgraph.db.engine import Session


def among(column: Any) -> ColumnElement[bool]:
    """Tell whether a column is one of the parameter `ids`, for statements that are built once."""
    found: ColumnElement[bool] = column.in_(bindparam("ids", expanding=True))
    return found


def by_id(session: Session, statement: Select[Any], ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the rows of a statement with the parameter `ids` by their id."""
    return {int(row.id): row for row in session.execute(statement, {"ids": list(ids)}).all()}
