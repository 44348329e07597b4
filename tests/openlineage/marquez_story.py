"""A service that was told the story, and some names that need care, for the tests of the Marquez read API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from assetgraph_server.app import create_app
from serving import serving
from story import at, columns, dataset, event, story
from telling import tell

from assetgraph.catalog import tokens
from assetgraph.db.engine import Database
from assetgraph.settings import Settings

#: Names as real producers have them, and worse.
ODD = ["a/b.parquet", "x:y", "50% off", "100%25", "a#b", "ünï cödé", "表/名前", "данные: всё", "q?a=b&c", "..x", "a+b"]
ODD_SPACE = "s3://bucket/a:b #1/%2F"
RUN_ID = "0195f6ab-7c1e-7000-8000-00000000abcd"


def odd_events() -> list[dict[str, Any]]:
    """Return events whose names need care; the run's id is a UUID and it ran on plan."""
    inputs = [{"namespace": ODD_SPACE, "name": name, "facets": {}} for name in ODD]
    whole = event("COMPLETE", RUN_ID, "odd/job: 1%", 60, inputs, [dataset("odd out", schema=columns("a:b", "c"))], {
        "nominalTime": {"nominalStartTime": "2026-03-01T00:00:00Z", "nominalEndTime": "2026-03-02T00:00:00Z"},
    }, {"sourceCodeLocation": {"type": "git", "url": "https://example.com/x"}})  # fmt: skip
    lake = dataset("lake", dataSource={"name": "the lake", "uri": "s3://lake"})
    return [whole, {"eventTime": at(61), "dataset": lake}]


def told(database: Database) -> None:
    """Tell the story, in batches as they come."""
    events = story()
    for start in range(0, len(events), 7):
        tell(database, events[start : start + 7])
    tell(database, odd_events())


@contextmanager
def served(database: Database, settings: Settings, role: tokens.Role = tokens.Role.READER) -> Iterator[tuple[str, str]]:
    """Serve what was told; gives the address and a token of a role."""
    told(database)
    with database.transaction("test") as session:
        _, token = tokens.create(session, role.value, role)
    with serving(create_app(settings, database)) as address:
        yield f"http://{address}", token


def part(name: str) -> str:
    """Return a name as a segment of a path."""
    return quote(name, safe="")
