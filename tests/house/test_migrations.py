"""Migrations: the tables are what the code says, and upgrading is safe to repeat and to race."""

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from assetgraph.catalog import service as catalog
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.db.metadata import all_tables
from assetgraph.ids import AssetKind


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    """Autogenerate finds nothing to do."""
    with database.reading() as session:
        context = MigrationContext.configure(session.connection, opts={"compare_type": True})
        assert compare_metadata(context, all_tables()) == []


def test_upgrading_a_filled_database_again_keeps_what_is_in_it(database: Database) -> None:
    """Twice is once."""
    with database.transaction("test") as session:
        dataset, _ = catalog.ensure_dataset(session, "ns", "a")
    assert migrate.upgrade(database.url) == migrate.head()
    with database.reading() as session:
        assert catalog.find_asset(session, AssetKind.DATASET, "ns", "a") == dataset


def test_several_processes_may_upgrade_an_empty_database_at_once(tmp_path: Path) -> None:
    """They wait for each other, and all see the newest revision."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    code = f"from assetgraph.db import migrate; print(migrate.upgrade({url!r}))"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in started] == [migrate.head()] * 3
