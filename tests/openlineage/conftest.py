"""What the tests of OpenLineage share."""

import shutil
from pathlib import Path

import pytest
from test_order import STORY, lines, tell

from assetgraph.db.engine import Database


@pytest.fixture(scope="session")
def expected(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The graph of the story, told event by event."""
    path = tmp_path_factory.mktemp("expected") / "graph.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    for event in STORY:
        tell(database, [event])
    found = lines(database)
    database.close()
    return found
