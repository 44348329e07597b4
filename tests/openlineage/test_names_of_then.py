"""Names that datasets had: renames in any order, as of each moment, and after the migration that began to keep them."""

import itertools
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from story import NS, columns, dataset, event
from telling import tell

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import find_asset
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.ids import AssetKind
from assetgraph.lineage import past_queries
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.importing import import_lines


def moment(minute: float) -> datetime:
    """Return a moment of the story's clock."""
    return datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=minute)


def renamed(minute: int, old: str, new: str, space: str = NS) -> dict[str, Any]:
    """Return the event of a rename."""
    change = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": NS, "name": old}}
    named = dataset(new, lifecycleStateChange=change)
    return {"eventTime": moment(minute).isoformat(), "dataset": {**named, "namespace": space}}


EVENTS = [
    event("COMPLETE", "r1", "load", 1, [], [dataset("one", schema=columns("id"))]),
    renamed(3, "one", "two"),
    renamed(5, "two", "three", "elsewhere"),
    {"eventTime": moment(6).isoformat(), "dataset": {**dataset("three", symlinks={"identifiers": [
        {"namespace": NS, "name": "link", "type": "TABLE"}]}), "namespace": "elsewhere"}},
]  # fmt: skip
EXPECTED = {1.5: (NS, "one"), 3.5: (NS, "two"), 5.5: ("elsewhere", "three"), None: ("elsewhere", "three")}


def check(database: Database) -> None:
    """Compare names of the dataset, its version and lists with what they were."""
    with database.reading() as session:
        for minute, (space, name) in EXPECTED.items():
            at = None if minute is None else moment(minute)
            ids = {find_asset(session, AssetKind.DATASET, NS, any_name) for any_name in ("one", "two", "link")}
            [found] = [one for one in ids if one is not None]
            row = catalog.datasets_by_ids(session, [found], at)[found]
            assert (row.called_in, row.name) == (space, name)
            version = catalog.latest_versions(session, [found], at)[found]
            assert version.name == f"{name}@1"
            for asked in (NS, "elsewhere"):
                page = past_queries.datasets_page(session, {"namespace": asked}, PageRequest(), at)
                assert [one.name for one in page.rows] == ([name] if asked == space else [])


def copy(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events that nobody else changes."""
    return [orjson.loads(orjson.dumps(one)) for one in events]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))][::3])
def test_a_dataset_is_called_what_it_was_called(database: Database, order: tuple[int, ...]) -> None:
    """In whatever order renames become known."""
    for place in order:
        tell(database, copy([EVENTS[place]]))
    check(database)


def test_an_export_takes_the_names_along(database: Database, sqlite_template: Path, tmp_path: Path) -> None:
    """And an import puts them back."""
    tell(database, copy(EVENTS))
    with database.reading() as session:
        told = list(export_lines(session))
    copied = tmp_path / "copy.db"
    shutil.copyfile(sqlite_template, copied)
    other = Database(f"sqlite:///{copied}")
    assert import_lines(other, told, actor="test").errors == []
    check(other)
    other.close()


def test_the_migration_works_out_the_names_that_were(database: Database) -> None:
    """Down and up again, from what producers said of names."""
    tell(database, copy(EVENTS))
    with database.transaction("migration") as session:
        config = migrate._config(session.connection)
        command.downgrade(config, "0007")
        command.upgrade(config, "head")
    check(database)
