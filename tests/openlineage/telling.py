"""Telling events to a database, and comparing graphs as text."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from story import story

from assetgraph.db.engine import Database
from assetgraph.openlineage.canonical import graph_lines
from assetgraph.openlineage.events import parse_event
from assetgraph.openlineage.facts import facts_of
from assetgraph.openlineage.service import ingest

STORY = story()


def tell(database: Database, events: Sequence[dict[str, Any]]) -> list[bool]:
    """Ingest events as one batch."""
    with database.transaction(actor="test") as session:
        return ingest(session, [facts_of(parse_event(orjson.dumps(event))) for event in events])


def lines(database: Database) -> list[str]:
    """Return the graph as text."""
    with database.reading() as session:
        return graph_lines(session)


def different(found: list[str], expected: list[str]) -> str:
    """Say what differs, for people."""
    return "\n".join([*(f"+ {line}" for line in sorted(set(found) - set(expected))),
                      *(f"- {line}" for line in sorted(set(expected) - set(found)))])  # fmt: skip


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
