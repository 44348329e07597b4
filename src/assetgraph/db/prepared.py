"""Selects that run many times a second: compiled once, rows as named tuples.

SQLAlchemy takes three times as long to bind, run and read a statement as SQLite does for twenty rows by their keys.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any, cast

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Select, Text, any_, bindparam, func, select

from assetgraph.db.engine import Session

Process = Callable[[Any], Any] | None


def among(dialect: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a column is one of the parameter `ids`: one parameter, however many there are."""
    if dialect == "postgresql":
        return column == any_(bindparam("ids", type_=ARRAY(BigInteger)))
    each = func.json_each(bindparam("ids", type_=Text())).table_valued("value")
    return column.in_(select(each.c.value))


def packed(session: Session, ids: list[int]) -> list[int] | str:
    """Return ids as the parameter of `among`."""
    return ids if session.dialect == "postgresql" else f"[{','.join(map(str, ids))}]"


class Prepared:
    """A select, built for each kind of database when it first runs there."""

    def __init__(self, build: Callable[[str], Select[Any]]) -> None:
        """Take what builds it for the name of a dialect; its columns must have names of their own."""
        self._build = build
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, **parameters: Any) -> list[Any]:
        """Run it; the rows are named tuples."""
        compiled = self._compiled.get(session.dialect)
        if compiled is None:
            dialect = session.connection.dialect
            compiled = self._compiled[session.dialect] = _Compiled(self._build(dialect.name), dialect)
        return compiled.rows(session, parameters)


def by_id(session: Session, statement: Prepared, ids: Iterable[int]) -> dict[int, Any]:
    """Return the rows of a select with `among` by their id."""
    return {row.id: row for row in statement.rows(session, ids=packed(session, list(ids)))}


def _row_of(names: list[str]) -> Callable[[Iterable[Any]], Any]:
    named: Any = namedtuple("Row", names)  # type: ignore[misc]
    named._mapping = property(named._asdict)  # type: ignore[attr-defined] # as SQLAlchemy's rows have
    made: Callable[[Iterable[Any]], Any] = named._make
    return made


class _Compiled:
    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        if cast("Any", compiled).post_compile_params:
            raise TypeError("a list of values would be written into the statement at each call")
        self._sql = str(compiled)
        self._defaults: dict[str, Any] = dict(compiled.params)
        self._order: list[str] | None = compiled.positiontup if compiled.positional else None
        self._bind: dict[str, Process] = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for bind, name in compiled.bind_names.items()
        }
        columns = list(statement.selected_columns)
        read = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        #: What turns the driver's values into ours, by place.
        self._read = [(place, process) for place, process in enumerate(read) if process is not None]
        self._row = _row_of([str(column.key) for column in columns])

    def rows(self, session: Session, given: dict[str, Any]) -> list[Any]:
        values = {**self._defaults, **given}
        for name, process in self._bind.items():
            if process is not None:
                values[name] = process(values[name])
        parameters: Any = values if self._order is None else tuple([values[name] for name in self._order])
        result = session.connection.exec_driver_sql(self._sql, parameters)
        found: Iterable[Any] = result.cursor.fetchall()
        result.close()
        if self._read and found:
            cells: list[Iterable[Any]] = list(zip(*found, strict=True))
            for place, process in self._read:
                cells[place] = map(process, cells[place])
            found = zip(*cells, strict=True)
        return list(map(self._row, found))
