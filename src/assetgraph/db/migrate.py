"""Migrations: safe to run twice, and from several processes at once."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from assetgraph.db.engine import Database

#: Key of the PostgreSQL advisory lock that migrations queue behind ("agmigr").
MIGRATION_LOCK = 0x61676D696772


def script_location() -> Path:
    """Return the folder of migrations: the checkout's when there is one, else the wheel's copy."""
    package = Path(str(files("assetgraph")))
    checkout = package.parent.parent / "migrations"
    return checkout if (checkout / "env.py").exists() else package / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def upgrade(url: str) -> str:
    """Bring the database to the newest revision and return it; concurrent callers wait for each other."""
    database = Database(url)
    try:
        # One write transaction: SQLite's lock is taken at its start, PostgreSQL queues on an advisory lock.
        with database.transaction(actor="migration") as session:
            if session.dialect == "postgresql":
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            command.upgrade(_config(session.connection), "head")
        return current(url) or ""
    finally:
        database.close()


def current(url: str) -> str | None:
    """Return the revision that the database is at, or None when it is empty."""
    database = Database(url)
    try:
        with database.reading() as session:
            return MigrationContext.configure(session.connection).get_current_revision()
    finally:
        database.close()
