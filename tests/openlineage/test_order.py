"""Any order, any duplication, any cut into batches: the same graph, line for line."""

import shutil
import tempfile
from pathlib import Path

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telling import STORY, different, expected, lines, tell  # noqa: F401 - a fixture

from assetgraph.db.engine import Database


@st.composite
def tellings(draw: st.DrawFn) -> list[list[int]]:
    """Draw the story's events in any order, some of them again, cut into batches."""
    order = draw(st.permutations(range(len(STORY))))
    order += draw(st.lists(st.sampled_from(range(len(STORY))), max_size=10))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True) if start < end]


@given(tellings())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_and_any_duplication_give_the_same_graph(
    sqlite_template: Path, expected: list[str], batches: list[list[int]]
) -> None:
    """Permuted, repeated and cut at will."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.db"
        shutil.copyfile(sqlite_template, path)
        database = Database(f"sqlite:///{path}")
        try:
            for batch in batches:
                tell(database, [STORY[place] for place in batch])
            assert not (found := different(lines(database), expected)), found
        finally:
            database.close()


def test_both_databases_hold_the_same_graph(database: Database, expected: list[str]) -> None:
    """Backwards, in batches of five."""
    for start in range(0, len(STORY), 5):
        tell(database, STORY[::-1][start : start + 5])
    assert not (found := different(lines(database), expected)), found


def test_a_repeated_event_changes_nothing(database: Database) -> None:
    """As a client sends it whose answers get lost."""
    assert tell(database, STORY) == [True] * len(STORY)
    before = lines(database)
    for _ in range(6):
        assert tell(database, STORY[3:5]) == [False, False]
    assert lines(database) == before


def closed(found: list[str]) -> dict[str, str]:
    """Return when the column edges of a graph closed, by their ends; some were opened again."""
    rows = [orjson.loads(line) for line in found if line.startswith('["edge"')]
    return {f"{row[1][2]} {row[2][2]}": row[8][14:16] for row in rows if row[4] == "FIELD" and row[8] is not None}


def test_edges_of_dropped_columns_close_when_the_column_went(expected: list[str]) -> None:
    """At the writer's version; not those of columns that no schema ever had. Claimed again, one has two times."""
    assert closed(expected) == {
        "raw#mail dim#mail": "48", "raw#age dim#years": "46", "raw#mail lake#new": "38", "raw#age dim#zip": "44"
    }  # fmt: skip
    rows = [orjson.loads(line) for line in expected if line.startswith('["edge"') and "dim#zip" in line]
    again = sorted((row[6][14:16], row[8] and row[8][14:16], row[9]) for row in rows if row[2][2] == "dim#zip")
    assert again == [("41", "44", 1), ("48", None, 1)]
