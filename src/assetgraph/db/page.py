"""Keyset pages: stable under writes, backed by an index, never an offset."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_

from assetgraph.db.engine import Session
from assetgraph.db.table import UtcDateTime
from assetgraph.errors import Invalid

MAX_FIRST = 100
DEFAULT_FIRST = 20


@dataclass(frozen=True)
class PageRequest:
    """How much of a list is asked for, and after which cursor."""

    first: int = DEFAULT_FIRST
    after: str | None = None

    @staticmethod
    def of(first: int | None, after: str | None, *, most: int = MAX_FIRST) -> "PageRequest":
        """Check the bounds; raises Invalid outside 0..most."""
        size = DEFAULT_FIRST if first is None else first
        if not 0 <= size <= most:
            raise Invalid(f"first must be from 0 to {most}, not {size}", path=("first",))
        return PageRequest(size, after)


T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page: rows, their cursors, whether there are more, and how many there are in all."""

    rows: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    total: int
    has_previous: bool = field(default=False)


def cursor_of(*key: int | str) -> str:
    """Return the opaque cursor of a row's sort key."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode("ascii")


_STRANGE = "the cursor is not one that this list gave out; start again without `after`"


def key_of(cursor: str, width: int) -> tuple[Any, ...]:
    """Return the sort key in a cursor; raises Invalid when it is not one of this list's."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except ValueError:
        key = None
    if not isinstance(key, list) or len(key) != width or not all(isinstance(part, int | str) for part in key):
        raise Invalid(_STRANGE, path=("after",))
    return tuple(key)


def after_key(
    columns: Sequence[ColumnElement[Any]], key: Sequence[Any], *, descending: bool = False
) -> ColumnElement[bool]:
    """Return the predicate `columns > key` (or `<`), spelled out so that both databases use the index."""
    alternatives: list[ColumnElement[bool]] = []
    for position, column in enumerate(columns):
        equal = [columns[i] == key[i] for i in range(position)]
        beyond = column < key[position] if descending else column > key[position]
        alternatives.append(and_(*equal, beyond))
    return or_(*alternatives)


def _packed(value: Any) -> int | str:
    return value.isoformat() if isinstance(value, datetime) else value


def _unpacked(column: ColumnElement[Any], value: int | str) -> Any:
    if not isinstance(column.type, UtcDateTime):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise Invalid(_STRANGE, path=("after",)) from None


def keyset_page(
    session: Session,
    statement: Select[Any],
    count: Select[Any],
    *,
    columns: Sequence[ColumnElement[Any]],
    names: Sequence[str],
    request: PageRequest,
    descending: bool = False,
) -> Page[Any]:
    """Run a list in two statements (rows, count); `names` are the result columns that hold the sort key."""
    total = int(session.execute(count).scalar_one())
    if request.after is not None:
        place = [_unpacked(*pair) for pair in zip(columns, key_of(request.after, len(columns)), strict=True)]
        statement = statement.where(after_key(columns, place, descending=descending))
    ordered = statement.order_by(*(column.desc() if descending else column.asc() for column in columns))
    rows = session.execute(ordered.limit(request.first + 1)).all()
    shown = rows[: request.first]
    cursors = [cursor_of(*(_packed(row._mapping[name]) for name in names)) for row in shown]
    return Page(shown, cursors, len(rows) > request.first, total, request.after is not None)
