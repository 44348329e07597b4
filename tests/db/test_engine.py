"""Transactions on PostgreSQL: connections that went away while the pool kept them, and what a snapshot knows."""

from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine, make_url, text

from assetgraph.catalog import service as catalog
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import Unavailable
from assetgraph.ids import AssetKind

OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> :own"


def cut(url: str) -> int:
    """End all other connections to the database, as a restart of the server does; returns how many there were."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        ended = connection.execute(text(OTHERS), {"own": own}).all()
    engine.dispose()
    return len(ended)


def filled(url: str, many: int = 3) -> Database:
    """Return a database whose pool keeps connections."""
    database = Database(url)
    with ExitStack() as stack:
        for _ in range(many):
            stack.enter_context(database.reading())
    return database


def test_connections_that_went_away_are_noticed_when_a_transaction_begins(postgres_url: str) -> None:
    """Nobody sees an error, reading or writing, however many of them the pool kept."""
    database = filled(postgres_url)
    assert cut(postgres_url) == 3
    with database.reading() as session:
        assert changes.newest(session) == 0
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(database.reading())
    assert cut(postgres_url) == 3
    with database.transaction("test") as session:
        catalog.ensure_dataset(session, "ns", "a")
    with database.reading() as session:
        assert catalog.find_asset(session, AssetKind.DATASET, "ns", "a") is not None
    database.close()


def test_a_connection_lost_in_a_transaction_is_told(postgres_url: str) -> None:
    """What was read or written before cannot be repeated behind the caller's back."""
    database = filled(postgres_url, 1)
    with pytest.raises(Unavailable), database.transaction("test") as session:
        catalog.ensure_dataset(session, "ns", "a")
        cut(postgres_url)
        catalog.ensure_dataset(session, "ns", "b")
    with database.reading() as session:
        assert catalog.find_asset(session, AssetKind.DATASET, "ns", "a") is None
    database.close()


def test_a_server_that_is_not_there_is_told(postgres_url: str) -> None:
    """No retry without end."""
    database = Database(make_url(postgres_url).set(port=1).render_as_string(hide_password=False))
    with pytest.raises(Unavailable), database.reading():
        pass
    database.close()


def test_a_snapshot_stays_at_its_sequence(database: Database) -> None:
    """A reader sees neither rows nor a newer sequence that others commit meanwhile; a writer sees both."""
    with database.transaction("test") as session:
        catalog.ensure_dataset(session, "ns", "a")
    with database.reading() as reader:
        before = changes.newest(reader)
        with database.transaction("test") as session:
            catalog.ensure_dataset(session, "ns", "b")
        assert changes.newest(reader) == before
        assert catalog.find_asset(reader, AssetKind.DATASET, "ns", "b") is None
        assert [row.sequence for row in changes.follow(reader, 0)] == list(range(1, before + 1))
    with database.transaction("test") as session:
        assert changes.newest(session) == before + 1
