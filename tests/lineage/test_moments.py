"""Moments of findings, of columns and of openings; and what impact of the past costs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy.event import listen, remove
from test_columns import Shop

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.service import AssetRef
from assetgraph.catalog.tables import VERSION, VERSION_FIELD
from assetgraph.clock import now
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.declared import DeclareLineage, declare
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.impact import AskImpact, Impact, ImpactChange, impact_of
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import FINDING, EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk


def hour(number: int) -> datetime:
    """Return a moment."""
    return datetime(2026, 1, 1, number, tzinfo=UTC)


def test_a_finding_is_there_since_it_was_found(database: Database) -> None:
    """Not before; those of before the column of moments was there, since their run ended."""
    with database.transaction("test") as session:
        known: dict[str, Any] = {"started_at": hour(1), "ended_at": hour(5)}
        run = lineage.record_run(session, RecordRun("ns", "j", RunState.SUCCEEDED, "r", **known))
        queries.insert_findings(session, [
            {"run_id": run, "subject": str(at), "code": "c", "message": "m", "found_at": hour(at)} for at in (2, 3)
        ])  # fmt: skip

    def seen(at: datetime | None) -> list[tuple[str, datetime]]:
        with database.reading() as session:
            return [(row.subject, row.found_at) for row in queries.findings_of(session, [run], at)[run]]

    both = [("2", hour(2)), ("3", hour(3))]
    assert (seen(hour(1)), seen(hour(2)), seen(hour(4)), seen(None)) == ([], both[:1], both, both)
    with database.transaction("migration") as session:
        config = migrate._config(session.connection)
        command.downgrade(config, "0007")
        command.upgrade(config, "head")
    assert (seen(hour(4)), seen(hour(5))) == ([], [("2", hour(5)), ("3", hour(5))])
    with database.transaction("test") as session:
        session.execute(FINDING.update().values(found_at=None))  # as an old export tells it
    assert (seen(hour(4)), seen(None)) == ([], [("2", hour(5)), ("3", hour(5))])


def test_a_column_is_what_the_latest_version_says_not_the_one_told_last(database: Database) -> None:
    """Versions may become known late: what the latest by the producer's clock says holds."""
    shop = Shop(database)
    versions = [shop.version("raw", "mail") for _ in range(2)]
    shop.version("raw", "mail", "age")
    with database.transaction("test") as session:
        for version, at in ((versions[0], hour(1)), (versions[1], now() + timedelta(hours=1))):
            session.execute(VERSION.update().where(VERSION.c.id == version).values(effective_at=at))
        mine = VERSION_FIELD.c.version_id == versions[1]
        session.execute(VERSION_FIELD.update().where(mine).values(type="Binary"))
    mail = shop.field("raw.mail")
    with database.reading() as session:
        assert catalog.fields_by_ids(session, [mail])[mail].type == "Binary"
        assert catalog.fields_by_ids(session, [mail], now())[mail].type == "String"


@pytest.mark.parametrize("declared", [False, True])
def test_commands_open_column_edges_again_after_a_gap(database: Database, *, declared: bool) -> None:
    """What runs and what producers say: there, gone with the column, there again; the last opening is a new time."""
    shop = Shop(database)
    shop.version("raw", "mail")
    edge = ColumnEdge(AssetRef(namespace="ns", name="raw"), "mail", AssetRef(namespace="ns", name="clean"), "contact")

    def say(run: str) -> None:
        if not declared:
            shop.run(run, "raw.mail>clean.contact")
            return
        with database.transaction("test") as session:
            declare(session, DeclareLineage(edge.target, "p", (edge.source,), (edge,)))

    moments, told = [], []
    for number in range(3):
        shop.version("clean", "contact", f"c{number}")
        say(f"r{number}")
        moments.append(now())
        shop.version("clean", f"c{number}")
        moments.append(now())
    say("last")
    root = NodeRef(AssetKind.FIELD, str(shop.field("clean.contact")))
    with database.reading() as session:
        for at in (*moments, None):
            found = walk(session, WalkRequest(root, Direction.UPSTREAM, 3, Level.FIELD, as_of=at))
            told.append([one.first_seen for one in found.edges])
    assert [len(one) for one in told] == [1, 0, 1, 0, 1, 0, 1]
    first = [one[0] for one in told[::2]]
    assert first == sorted(first)
    assert len(set(first)) == 4


def layered(database: Database, prefix: str, depth: int, width: int) -> int:
    """Make a root with layers of datasets below, each of the next layer made of each of one; return the root."""
    with database.transaction("test") as session:
        root = catalog_service.ensure_dataset(session, "ns", prefix)[0]
        above = [root]
        for layer in range(depth):
            below = [catalog_service.ensure_dataset(session, "ns", f"{prefix}{layer}/{one}")[0] for one in range(width)]
            connect(session, [
                Link(above[place % len(above)], one, EdgeKind.DERIVED, Level.DATASET)
                for place, one in enumerate(below)
            ])  # fmt: skip
            above = below
    return root


def test_impact_of_the_past_takes_a_bounded_number_of_statements_for_each_level(database: Database) -> None:
    """The same for a wide graph as for a narrow one, and for each level more the same again."""
    shapes = {(depth, width): layered(database, f"d{depth}w{width}", depth, width)
              for depth in (2, 4, 8) for width in (1, 40)}  # fmt: skip
    at = now()

    def asked(root: int) -> tuple[int, Impact]:
        seen: list[str] = []

        def note(*given: Any) -> None:
            seen.append(given[2])

        listen(database.engine, "before_cursor_execute", note)
        try:
            with database.reading() as session:
                command = AskImpact(NodeRef(AssetKind.DATASET, str(root)), ImpactChange.DATASET_RETIRED, as_of=at)
                found = impact_of(session, command)
        finally:
            remove(database.engine, "before_cursor_execute", note)
        return len([one for one in seen if not one.startswith("BEGIN")]), found

    cost: dict[tuple[int, int], int] = {}
    for (depth, width), root in shapes.items():
        cost[(depth, width)], found = asked(root)
        assert found.affected[AssetKind.DATASET].total == depth * width
    assert all(cost[(depth, 1)] == cost[(depth, 40)] for depth in (2, 4, 8)), cost
    step = (cost[(4, 40)] - cost[(2, 40)]) / 2
    assert cost[(8, 40)] - cost[(4, 40)] == 4 * step, cost
    assert step <= 4, cost
