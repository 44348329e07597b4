"""Inserts and updates of many rows that run again and again: compiled once, rows bound column by column.

SQLAlchemy spends as long on binding a row as SQLite on writing it. Only statements that were seen before come this way:
one that is built anew for each call would have to be compiled each time.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler

Rows = Sequence[Mapping[str, Any]]


class Many:
    """A statement for rows with certain keys."""

    def __init__(self, compiled: SQLCompiler, dialect: Dialect, keys: frozenset[str]) -> None:
        """Take what it was compiled to."""
        self.sql = str(compiled)
        #: For each place of the statement: the key of the rows or a constant, and what makes the driver's value of it.
        self._places: list[tuple[str | None, Any, Callable[[Any], Any] | None]] = []
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        for name in compiled.positiontup or ():
            process = binds[name].type.dialect_impl(dialect).bind_processor(dialect)
            constant = None if name in keys else compiled.params[name]
            constant = constant if process is None or name in keys else process(constant)
            self._places.append((name if name in keys else None, constant, process))

    def bound(self, rows: Rows) -> list[tuple[Any, ...]]:
        """Return rows as the driver takes them."""
        columns: list[Sequence[Any]] = []
        for key, constant, process in self._places:
            if key is None:
                columns.append([constant] * len(rows))
                continue
            values = map(itemgetter(key), rows)
            columns.append(list(values) if process is None else list(map(process, values)))
        return list(zip(*columns, strict=True))


_SEEN: WeakKeyDictionary[Insert | Update, dict[tuple[str, ...], Many | None]] = WeakKeyDictionary()


def many(statement: Insert | Update, dialect: Dialect, rows: Rows) -> Many | None:
    """Return how to run a statement for rows; None where SQLAlchemy must, or where it is seen for the first time."""
    known = _SEEN.get(statement)
    if known is None:
        _SEEN[statement] = {}
        return None
    keys = tuple(rows[0])
    if keys not in known:
        known[keys] = _compiled(statement, dialect, keys)
    return known[keys]


def _compiled(statement: Insert | Update, dialect: Dialect, keys: tuple[str, ...]) -> Many | None:
    compiled: Any = statement.compile(dialect=dialect, column_keys=sorted(keys), for_executemany=True)
    # Defaults made in Python, values returned, and lists within the statement are SQLAlchemy's affair.
    if (
        compiled.insert_prefetch
        or compiled.update_prefetch
        or compiled.effective_returning
        or compiled.post_compile_params
    ):
        return None
    return Many(compiled, dialect, frozenset(keys))
