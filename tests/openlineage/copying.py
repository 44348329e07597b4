"""Exports of a database, and empty databases to import them into."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from official import check
from story import NS
from telling import different, lines

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Transformation
from assetgraph.lineage.tables import RunState
from assetgraph.openlineage.canonical import graph_hash
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.importing import Imported, import_lines
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec


def exported(database: Database, *, events_only: bool = False) -> list[bytes]:
    """Return an export's lines."""
    with database.reading() as session:
        return list(export_lines(session, events_only=events_only))


@contextmanager
def emptied(template: Path) -> Iterator[Database]:
    """Give an empty SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.db"
        shutil.copyfile(template, path)
        opened = Database(f"sqlite:///{path}")
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, sqlite_template: Path) -> Iterator[Database]:
    """Another, empty database of each kind."""
    if request.param == "sqlite":
        with emptied(sqlite_template) as opened:
            yield opened
        return
    from conftest import _numbers
    from sqlalchemy import create_engine, text

    server, name = request.getfixturevalue("postgres_server"), f"test_{next(_numbers)}"
    admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_assetgraph"))
    opened = Database(f"{server}/{name}")
    yield opened
    opened.close()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def imported(database: Database, some: list[bytes]) -> Imported:
    """Import lines."""
    return import_lines(database, some, actor="test")


def native(database: Database, *steps: int) -> None:
    """Record a graph by commands: versions, runs, columns, a column that goes, metrics, steward's words."""
    spec = {name: FieldSpec(name, "Int64") for name in ("id", "mail", "hash")}

    def version(name: str, fingerprint: str | None, *names: str) -> RegisterVersion:
        return RegisterVersion(NS, name, tuple(spec[one] for one in names), f"/data/{name}", fingerprint, row_count=3)

    def columns_of(*pairs: tuple[str, str]) -> tuple[ColumnEdge, ...]:
        masks = Transformation("DIRECT", "TRANSFORMATION", "", True)
        return tuple(
            ColumnEdge(AssetRef(namespace=NS, name="raw"), one, AssetRef(namespace=NS, name="orders"), other, masks)
            for one, other in pairs
        )

    def step(number: int, session: Any) -> None:
        if number == 0:
            lineage.register_version(session, version("raw", "f1", "id", "mail"))
        elif number == 1:
            lineage.register_version(session, version("orders", None, "id", "hash"))
        elif number == 2:
            lineage.register_version(session, version("raw", "f2", "id"))
        elif number == 3:
            tags, owners = ("pii", "tier=1"), ("team:data",)
            catalog.register_dataset(session, RegisterDataset(NS, "orders", "by hand", tags=tags, owners=owners))
        elif number == 4:
            lineage.register_version(session, version("raw", "f1", "id", "mail"))
            lineage.register_version(session, version("orders", "g", "id", "hash"))
            refs = [(AssetRef(namespace=NS, name=name),) for name in ("raw", "orders")]
            said = columns_of(("mail", "hash"), ("id", "id"))
            made = lineage.record_run(
                session,
                lineage.RecordRun(
                    "etl", "clean", RunState.SUCCEEDED, "not-a-uuid", inputs=refs[0], outputs=refs[1], columns=said
                ),
            )
            quality.record_metrics(session, made, [MetricSpec("seconds", 0.1)] * 2)
        else:
            lineage.register_version(session, version("orders", "last", "id"))

    for number in steps:
        with database.transaction("pipeline") as session:
            step(number, session)


def assert_same(found: Database, expected: Database) -> None:
    """Hold two graphs to each other."""
    assert not (said := different(lines(found), lines(expected))), said
    with found.reading() as one, expected.reading() as other:
        assert graph_hash(one) == graph_hash(other)
        assert changes.verify(one).broken_at is None


def valid(some: list[bytes]) -> None:
    """Check an export's own events against the official schemas; those that came are as they came."""
    header = json.loads(some[0])
    check(header)
    for line in some[1 + header["job"]["facets"]["assetgraph_export"]["events"] :]:
        check(json.loads(line))
