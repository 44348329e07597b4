"""What is given is what SQLite probes by: no statement goes through a kind, or through all that one end has."""

import itertools
from typing import Any

import pytest
from sqlalchemy import event, text

from assetgraph.catalog import batch_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion
from assetgraph.db.engine import Database, Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import edge_queries, filter_queries, run_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edge_log import Place
from assetgraph.lineage.filters import Filter
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.openlineage import queries, restore_queries
from assetgraph.openlineage.rows import BY_NAME

KEYS = [("ns", "a"), ("ns", "b")]
PLACES = [Place(1, 2, EdgeKind.DERIVED, Level.DATASET)]
LISTS = (
    Filter(namespaces=("ns",)), Filter(tags=("pii",)), Filter(tags=()), Filter(owners=("ann", "bob")),
    Filter(roles=(DatasetRole.FEATURE,)), Filter(namespaces=("ns", "other"), tags=("pii",), owners=("ann",)),
)  # fmt: skip
EDGE = {"source_id": 1, "target_id": 2, "kind": EdgeKind.DERIVED, "level": Level.DATASET}
#: What is asked, and what the plan says of it.
PROBES: tuple[tuple[Any, str], ...] = (
    (lambda s: batch_queries.assets_named(s, AssetKind.DATASET, KEYS), "(kind=? AND namespace=? AND key=?)"),
    (lambda s: batch_queries.known_names(s, ["ns"]), "(kind=? AND namespace=?)"),
    (lambda s: run_queries.runs_named(s, KEYS), "(kind=? AND namespace=? AND key=?)"),
    (lambda s: queries.runs_named(s, [(1, "a")]), "(run_id=?)"),
    (lambda s: edge_queries.edges_at(s, PLACES), "(target_id=? AND level=? AND source_id=?)"),
    (lambda s: restore_queries.there(s, BY_NAME["edge"], BY_NAME["edge"].lookup, [EDGE]), "=? AND level=? AND "),
)  # fmt: skip


def plans(session: Session, ask: Any) -> list[str]:
    """Return the plan, line by line, of the first statement that is given something."""
    asked: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        if "json_each" in arguments[2]:
            asked.append((arguments[2], arguments[3]))

    engine = session.connection.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        ask(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    explained = session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1])
    return [str(row[3]) for row in explained]


@pytest.mark.parametrize("place", range(len(PROBES)))
def test_names_runs_and_edges_are_probed(scratch: Database, place: int) -> None:
    """By the whole key, or as much of it as is given."""
    ask, expected = PROBES[place]
    with scratch.reading() as session:
        assert session.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")).scalar() == 0
        found = plans(session, ask)
    assert any(expected in line for line in found), found
    assert not [line for line in found if line.endswith(("(kind=?)", "(job_id=?)"))]


@pytest.mark.parametrize(("level", "wanted"), list(itertools.product(Level, LISTS)))
def test_filters_look_only_at_what_is_given(scratch: Database, level: Level, wanted: Filter) -> None:
    """Rows of the given ids, and what hangs on each."""
    with scratch.reading() as session:
        found = plans(session, lambda session: filter_queries.matching(session, wanted, level, [1, 2]))
    tables = [line for line in found if line.startswith("SEARCH")]
    assert tables
    assert not [line for line in tables if not any(f"({name}=?" in line for name in (
        "rowid", "asset_id", "dataset_id", "target_id", "job_id", "id"
    ))], found  # fmt: skip
    assert not [line for line in found if line.startswith(("SCAN asset", "SCAN dataset"))]


def test_what_matches_is_the_same_from_all_and_from_what_is_given(database: Database) -> None:
    """Definitions, versions, runs and columns, by each list."""
    fields = (FieldSpec("mail", "text", tags=("pii",)), FieldSpec("id", "int"))
    with database.transaction("test") as session:
        for name, space in (("raw", "ns"), ("clean", "ns"), ("mart", "other")):
            lineage.register_version(session, RegisterVersion(space, name, fields if name == "clean" else fields[1:]))
        catalog.register_dataset(session, RegisterDataset("ns", "raw", tags=("pii",), owners=("bob",)))
        catalog.register_dataset(session, RegisterDataset("other", "mart", role=DatasetRole.FEATURE, owners=("ann",)))
        ends = [AssetRef(namespace=space, name=name) for space, name in (("ns", "raw"), ("ns", "clean"))]
        edge = ColumnEdge(ends[0], "id", ends[1], "id")
        lineage.record_run(session, RecordRun("ns", "wash", RunState.SUCCEEDED, "r", (ends[0],), (ends[1],), (edge,)))
    with database.reading() as session:
        every = [int(row.id) for row in session.execute(text("SELECT id FROM asset"))]
        sizes = set()
        for level, wanted in itertools.product(Level, LISTS):
            expected = {int(row.id) for row in filter_queries.all_matching(session, wanted, level, 1000)}
            assert filter_queries.matching(session, wanted, level, every) == expected, (level, wanted)
            assert filter_queries.matching(session, wanted, level, every[::2]) == expected & set(every[::2])
            sizes.add(len(expected))
    assert len(sizes) > 4
