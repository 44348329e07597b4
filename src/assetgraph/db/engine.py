"""Engine, pragmas, and the two ways to use them: transaction() to write, reading() to read."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    Insert,
    Table,
    Update,
    UpdateBase,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from assetgraph.db.many import many
from assetgraph.errors import Contended, Invalid, Unavailable

BUSY_TIMEOUT_MS = 30_000
URL_FORMS = "write sqlite:///path/to/file.db or postgresql://user:password@host/database"
#: PostgreSQL's serialization_failure and deadlock_detected.
RETRIED_STATES = ("40001", "40P01")
UNDEFINED_TABLE = "42P01"
#: BEGIN is ours on both databases: what a snapshot is of, the log's newest sequence, comes with it in one round trip.
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT coalesce(max(sequence), 0) FROM change"


class Session:
    """One database transaction, with what must happen just before it commits (the change log writes itself last)."""

    def __init__(
        self, connection: Connection, *, actor: str, snapshot: bool = False, sequence: int | None = None
    ) -> None:
        """Wrap an open transaction; `actor` is who the change log names.

        snapshot: all statements see the database as it was at the first one; sequence: of a snapshot, where known.
        """
        self.connection = connection
        self.actor = actor
        self.snapshot = snapshot
        #: The newest sequence of the change log, once a snapshot was asked for it.
        self.sequence = sequence
        self.pending: list[Any] = []
        #: Names of the tables of the graph in which this transaction changed rows, each once.
        self.written: list[str] = []

    @property
    def dialect(self) -> str:
        """Name of the database: sqlite or postgresql."""
        return self.connection.dialect.name

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement; `parameters` may be one mapping or a list of them."""
        table = statement.table if isinstance(statement, UpdateBase) else None
        if not isinstance(table, Table) or not table.info.get("logged", True) or table.name in self.written:
            return self._run(statement, parameters, {})
        result = self._run(statement, parameters, _COUNTED)
        # SQLite knows how many rows a statement changed once all that it returns is read: such count as changing some.
        if result.returns_rows or result.rowcount:
            self.written.append(table.name)
        return result

    def _run(self, statement: Executable, parameters: Any, options: dict[str, Any]) -> CursorResult[Any]:
        if self.dialect == "sqlite" and isinstance(parameters, list) and isinstance(statement, Insert | Update):
            plan = many(statement, self.connection.dialect, parameters) if parameters else None
            if plan is not None:
                return self.connection.exec_driver_sql(plan.sql, plan.bound(parameters), execution_options=options)
        return self.connection.execute(statement, parameters, execution_options=options)

    def undo(self, marked: tuple[int, int]) -> None:
        """Forget what is to be logged since `mark`: a savepoint was rolled back."""
        del self.pending[marked[0] :], self.written[marked[1] :]

    def mark(self) -> tuple[int, int]:
        """Return up to where there is something to be logged now."""
        return len(self.pending), len(self.written)


_COUNTED = {"preserve_rowcount": True}
#: What transactions do last.
_LAST: list[Callable[[Session], None]] = []


def before_commit(act: Callable[[Session], None]) -> None:
    """Have all transactions of this process do something last; the change log does."""
    _LAST.append(act)


def _on_connect(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: BEGIN is ours, so that writers take the lock at once.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # Upper and lower case of all scripts: SQLite's own `lower` knows ASCII.
    connection.create_function("casefold", 1, _casefold, deterministic=True)


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("assetgraph_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _begin_on_postgres(driver: Any, *, write: bool) -> int | None:
    """Begin; returns the log's newest sequence of a snapshot, None where there is no log yet."""
    if write:
        driver.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        return None
    try:
        cursor = driver.execute(_SNAPSHOT, prepare=False)
    except Exception as error:
        if getattr(error, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        driver.rollback()
        driver.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        return None
    cursor.nextset()
    return int(cursor.fetchone()[0])


def _make_engine(url: str) -> Engine:
    # The URL may hold a password: messages never show it.
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Invalid(f"the database URL cannot be read; {URL_FORMS}") from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=24,
            connect_args={"check_same_thread": False},
            json_serializer=_json,
        )
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
        return engine
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise Invalid(f"'{parsed.drivername}' is no database that assetgraph runs on; {URL_FORMS}")
    parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        return create_engine(parsed, pool_size=8, max_overflow=24, isolation_level="AUTOCOMMIT", json_serializer=_json)
    except ImportError as error:
        raise Invalid("PostgreSQL needs the driver psycopg: install assetgraph[postgres]") from error


def _json(value: Any) -> str:
    """Write a JSON column; what orjson does not know (integers beyond 64 bits, lone surrogates) the slow way."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value)


class Database:
    """A database; thread-safe, one per process."""

    def __init__(self, url: str) -> None:
        """Open nothing yet: connections are made on first use."""
        self.url = url
        self.engine = _make_engine(url)
        self._writer = threading.Lock()
        self._sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, actor: str) -> Iterator[Session]:
        """Write: commit when the block ends, roll everything back when it raises."""
        # Threads of one process queue here instead of in SQLite's busy loop, which is unfair and slow.
        if self._sqlite:
            self._writer.acquire()
        try:
            with self._connect(write=True) as (connection, _), connection.begin():
                session = Session(connection, actor=actor)
                yield session
                for act in _LAST:
                    act(session)
        finally:
            if self._sqlite:
                self._writer.release()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read one consistent snapshot."""
        with self._connect(write=False) as (connection, sequence), connection.begin():
            yield Session(connection, actor="", snapshot=True, sequence=sequence)

    @contextmanager
    def _connect(self, *, write: bool) -> Iterator[tuple[Connection, int | None]]:
        try:
            connection, sequence = self._begun(write=write)
        except OperationalError as error:
            raise Unavailable(f"the database cannot be reached: {error.orig}") from error
        try:
            yield connection, sequence
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in RETRIED_STATES:
                raise Contended(f"another transaction was in the way; try again: {error.orig}") from error
            if error.connection_invalidated or "database is locked" in str(error.orig):
                raise Unavailable(f"the database is busy or gone; try again: {error.orig}") from error
            raise
        finally:
            connection.close()

    def _begun(self, *, write: bool, again: bool = True) -> tuple[Connection, int | None]:
        """Return a connection that begins, or on PostgreSQL has begun, and the log's newest sequence where known.

        Where the server went away since the pool kept its connections, they are all dropped, once: to begin tells as
        much as a ping before it.
        """
        connection = self.engine.connect()
        if self._sqlite:
            return connection.execution_options(assetgraph_write=write), None
        driver: Any = connection.connection.driver_connection
        try:
            return connection, _begin_on_postgres(driver, write=write)
        except Exception as error:
            gone = bool(driver.closed)
            if gone:
                connection.invalidate(error)
            connection.close()
            if not gone:
                raise
            if not again:
                raise Unavailable(f"the database is busy or gone; try again: {error}") from error
        self.engine.dispose()
        return self._begun(write=write, again=False)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
