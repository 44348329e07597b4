"""The rule of the change log: a transaction that changes rows of the graph leaves an entry, whatever it is about."""

from typing import Any

from sqlalchemy import select
from story import dataset, event, story
from telling import tell

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.metadata import all_tables
from assetgraph.lineage import service as lineage
from assetgraph.lineage.declared import DeclareLineage, declare
from assetgraph.openlineage.rows import LEFT_OUT


def graph(database: Database) -> dict[str, list[Any]]:
    """Return all rows of all tables that are part of the graph."""
    with database.reading() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)).all()))
            for table in all_tables().sorted_tables if table.info["logged"]
        }  # fmt: skip


class Watched:
    """A database whose rows and log are compared before and after each transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.rows, self.sequence = graph(database), self.newest()

    def newest(self) -> int:
        """Return the log's newest sequence."""
        with self.database.reading() as session:
            return changes.newest(session)

    def changed(self) -> list[str]:
        """Return the tables whose rows changed since the last call; where any did, the log must say something."""
        rows, sequence = graph(self.database), self.newest()
        found = [name for name in rows if rows[name] != self.rows[name]]
        assert not found or sequence > self.sequence, found
        self.rows, self.sequence = rows, sequence
        return found

    def said(self, since: int) -> list[tuple[str, str, Any]]:
        """Return what the log says after a sequence."""
        with self.database.reading() as session:
            return [(row.entity_type, row.action, row.after) for row in changes.follow(session, since)]


def test_every_table_of_the_graph_is_logged() -> None:
    """What need not be logged is what exports leave out, but for assets."""
    silent = {table.name for table in all_tables().sorted_tables if not table.info["logged"]}
    assert silent == LEFT_OUT - {"asset"}


def test_each_event_that_changes_rows_is_logged(database: Database) -> None:
    """A story event by event, then all of it again: that changes nothing, and the log stays."""
    watched = Watched(database)
    for one in story():
        tell(database, [one])
        watched.changed()
    before = watched.newest()
    tell(database, story())
    assert (watched.changed(), watched.newest()) == ([], before)


def test_what_only_moves_times_is_logged_as_touched(database: Database) -> None:
    """A run that goes on reading, and a producer who says the same again."""
    watched = Watched(database)
    tell(database, [event("START", "r", "j", 0, [dataset("a")]), event("RUNNING", "r", "j", 1, [dataset("a")])])
    assert "edge" in watched.changed()
    since = watched.newest()
    tell(database, [event("RUNNING", "r", "j", 5, [dataset("a")])])
    assert watched.changed() == ["edge", "edge_run"]
    [(entity, action, after)] = watched.said(since)
    assert (entity, action) == ("Graph", "touched")
    assert {"edge", "edge_run"} <= set(after["tables"])  # a version is dated again, to the same time


def test_commands_too(database: Database) -> None:
    """Declared and registered again; a transaction that fails, or changes nothing, says nothing."""
    with database.transaction("test") as session:
        for name in ("a", "x"):
            catalog.ensure_dataset(session, "ns", name)
    watched = Watched(database)
    command = DeclareLineage(AssetRef(namespace="ns", name="x"), "p", (AssetRef(namespace="ns", name="a"),))
    for _ in range(3):
        with database.transaction("test") as session:
            declare(session, command)
        assert watched.changed()[-1:] == ["edge"]
    for _ in range(2):
        with database.transaction("test") as session:
            lineage.register_version(session, RegisterVersion("ns", "x", fingerprint="1"))
        watched.changed()
    before = watched.newest()
    with database.transaction("test") as session:
        lineage.register_version(session, RegisterVersion("ns", "x", fingerprint="1"))
        catalog.ensure_dataset(session, "ns", "x")
    assert (watched.changed(), watched.newest()) == ([], before)
    try:
        with database.transaction("test") as session:
            declare(session, command)
            raise RuntimeError
    except RuntimeError:
        pass
    assert (watched.changed(), watched.newest()) == ([], before)
