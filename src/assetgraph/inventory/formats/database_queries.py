"""Tables and views of SQL databases: listed, typed, and read in batches within one read-only transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, unquote

import polars as pl
import sqlalchemy as sa
from polars.io.plugins import register_io_source
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from assetgraph.inventory.discover.candidates import Access, BrokenFile, Candidate
from assetgraph.inventory.formats.casts import typed
from assetgraph.inventory.formats.failures import broken, needs, told

BATCH_ROWS = 20_000
#: Schemas that PostgreSQL itself has.
_SYSTEM = ("information_schema", "pg_catalog", "pg_toast")
_TIMES = ("DATE", "TIMESTAMP", "DATETIME")


def list_tables(location: str, schema: str | None, access: Access) -> list[Candidate]:
    """Return the tables and views of a database, or of one schema of it; raises BrokenFile when it cannot be asked."""
    source = Candidate(location, "database", (), location, location, access=access)
    try:
        engine = _engine(source)
        inspector = sa.inspect(engine)
        if engine.dialect.name == "sqlite":
            schemas: list[str | None] = [None]
        else:
            known = [name for name in inspector.get_schema_names() if not name.startswith(_SYSTEM)]
            schemas = [*known] if schema is None else [name for name in known if name == schema]
        found = []
        for space in schemas:
            names = {*inspector.get_table_names(space), *inspector.get_view_names(space)}
            if engine.dialect.name == "postgresql":
                names |= set(inspector.get_materialized_view_names(space))
            found += [_candidate(source, space, name) for name in names]
    except sa.exc.SQLAlchemyError as error:
        raise _unreadable(source, error) from error
    return sorted(found, key=lambda one: one.name)


def _candidate(source: Candidate, schema: str | None, name: str) -> Candidate:
    shown = name if schema is None else f"{schema}.{name}"
    part = "/".join(quote(one, safe="") for one in (schema or "", name))
    base = "/".join(source.location.split("/")[:3])
    return Candidate(shown, "database", (), f"{base}/{shown}", source.root, part=part, access=source.access)


def open_table(candidate: Candidate, resources: ExitStack) -> pl.LazyFrame:
    """Return the rows of a table or view as they are now: every reading of the frame sees the same ones."""
    schema, name = (unquote(one) for one in str(candidate.part).split("/"))
    try:
        engine = _engine(candidate)
        connection = resources.enter_context(engine.connect())
        described = sa.inspect(connection).get_columns(name, schema or None)
        if engine.dialect.name == "sqlite":
            columns, moments = _sqlite_columns(connection, name, described)
        else:
            connection.rollback()
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
            columns, moments = _postgresql_columns(described), []
    except sa.exc.SQLAlchemyError as error:
        raise _unreadable(candidate, error) from error
    if not columns:
        raise BrokenFile(candidate.location, "EMPTY_FILE", f"'{candidate.name}' has no columns")
    table = _table(name, list(columns), schema or None)
    frame = _frame(candidate, connection, table, columns)
    return typed(frame, moments, iso_only=True) if moments else frame


def _table(name: str, columns: list[str], schema: str | None) -> sa.TableClause:
    """Return a table with every name quoted: SQLAlchemy does not know all words that are reserved."""
    named: list[sa.ColumnClause[Any]] = [sa.column(sa.quoted_name(one, quote=True)) for one in columns]
    space = None if schema is None else sa.quoted_name(schema, quote=True)
    return sa.table(sa.quoted_name(name, quote=True), *named, schema=space)


def _frame(
    candidate: Candidate, connection: sa.Connection, table: sa.TableClause,
    columns: dict[str, tuple[pl.DataType, sa.types.TypeEngine[Any] | None]],
) -> pl.LazyFrame:  # fmt: skip
    def casts(names: list[str]) -> list[tuple[str, Any]]:
        return [(one, columns[one][1]) for one in names]

    def read(
        wanted: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        # Without columns only the number of rows counts: one column tells it.
        names = list(columns)[:1] if wanted is not None and not wanted else wanted or list(columns)
        chosen = [table.c[one] if cast is None else sa.cast(table.c[one], cast) for one, cast in casts(names)]
        statement = sa.select(*chosen).select_from(table).limit(rows)
        schema = {one: columns[one][0] for one in names}
        try:
            result = connection.execution_options(yield_per=BATCH_ROWS).execute(statement)
            for batch in result.partitions(BATCH_ROWS):
                frame = pl.DataFrame([tuple(row) for row in batch], schema=schema, orient="row", strict=True)
                yield frame if predicate is None else frame.filter(predicate)
        except sa.exc.SQLAlchemyError as error:
            raise broken(candidate, error) from error

    return register_io_source(read, schema={name: dtype for name, (dtype, _) in columns.items()})


def _postgresql_columns(described: Any) -> dict[str, tuple[pl.DataType, Any]]:
    """Return each column's type, and the type it is cast to in SQL where Python has none for it."""
    found: dict[str, tuple[pl.DataType, Any]] = {}
    for column in described:
        kind = column["type"]
        dtype: pl.DataType | None = None
        cast: Any = None
        if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
            if kind.precision is not None and kind.precision <= 38:
                dtype = pl.Decimal(kind.precision, kind.scale or 0)
            else:
                dtype, cast = pl.Float64(), sa.Double()
        elif isinstance(kind, sa.DateTime):
            dtype = pl.Datetime("us", "UTC" if kind.timezone else None)
        else:
            dtype = next((dtype for base, dtype in _POSTGRESQL if isinstance(kind, base)), None)
        if isinstance(kind, sa.Enum | sa.Uuid) or dtype is None:
            dtype, cast = pl.String(), sa.Text()
        found[str(column["name"])] = (dtype, cast)
    return found


_POSTGRESQL: tuple[tuple[type, pl.DataType], ...] = (
    (sa.SmallInteger, pl.Int16()), (sa.BigInteger, pl.Int64()), (sa.Integer, pl.Int32()), (sa.Boolean, pl.Boolean()),
    (sa.REAL, pl.Float32()), (sa.Float, pl.Float64()), (sa.Date, pl.Date()), (sa.LargeBinary, pl.Binary()),
    (sa.String, pl.String()),
)  # fmt: skip


def _sqlite_columns(
    connection: sa.Connection, name: str, described: Any
) -> tuple[dict[str, tuple[pl.DataType, Any]], list[str]]:
    """Return each column's type by all its values (SQLite's own types bind nothing), and those that may be times."""
    names = [str(column["name"]) for column in described]
    if not names:
        return {}, []
    table = _table(name, names, None)
    checks = [
        sa.func.max(sa.func.typeof(table.c[one]) == kind)
        for one in names
        for kind in ("integer", "real", "text", "blob")
    ]
    seen = connection.execute(sa.select(*checks).select_from(table)).one()
    found: dict[str, tuple[pl.DataType, Any]] = {}
    moments = []
    for place, column in enumerate(described):
        integer, real, text, blob = (bool(one) for one in seen[place * 4 : place * 4 + 4])
        declared = str(column["type"]).upper()
        if blob and not (integer or real or text):
            kind: tuple[pl.DataType, Any] = (pl.Binary(), None)
        elif text or blob or not (integer or real):
            # Mixed values, or none: text.
            kind = (pl.String(), None if text and not (integer or real or blob) else sa.Text())
            if declared.startswith(_TIMES):
                moments.append(names[place])
        elif real:
            kind = (pl.Float64(), sa.Float() if integer else None)
        else:
            kind = (pl.Boolean(), None) if declared.startswith("BOOL") else (pl.Int64(), None)
        found[names[place]] = kind
    return found, moments


def _engine(candidate: Candidate) -> sa.Engine:
    try:
        url = make_url(candidate.access.database)
    except sa.exc.ArgumentError as error:
        raise BrokenFile(candidate.location, "UNREADABLE", "the database's URL cannot be read") from error
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database:
        return sa.create_engine("sqlite://", creator=lambda: _read_only(url), poolclass=NullPool)
    if backend == "postgresql":
        try:
            return sa.create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)
        except ImportError as error:
            raise needs(candidate, "postgres") from error
    raise BrokenFile(candidate.location, "UNSUPPORTED", f"databases of kind '{backend}' are not read")


def _read_only(url: URL) -> sqlite3.Connection:
    # Polars reads from threads of its own, one at a time.
    return sqlite3.connect(f"file:{quote(str(url.database))}?mode=ro", uri=True, check_same_thread=False)


def _unreadable(candidate: Candidate, error: sa.exc.SQLAlchemyError) -> BrokenFile:
    cause = getattr(error, "orig", None) or error
    message = f"'{candidate.name}' cannot be read ({type(cause).__name__}: {told(candidate, cause)})"
    return BrokenFile(candidate.location, "UNREADABLE", message)
