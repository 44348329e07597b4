"""What walks keep of one sequence of the log: bounded, of that sequence alone, and never of an open transaction."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from assetgraph.catalog import service as catalog
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.kept import Kept
from assetgraph.lineage.tables import EDGE, EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, WalkResult


@pytest.fixture
def pair(database: Database) -> tuple[int, int]:
    """Two datasets, one read by the other."""
    with database.transaction("test") as session:
        ends = catalog.ensure_dataset(session, "ns", "a")[0], catalog.ensure_dataset(session, "ns", "b")[0]
        connect(session, [Link(*ends, EdgeKind.DERIVED, Level.DATASET)])
    return ends


def walked(session: Session, index: GraphIndex, root: int) -> WalkResult | None:
    """Walk downstream."""
    return walk_in_memory(session, WalkRequest(NodeRef(AssetKind.DATASET, str(root)), Direction.DOWNSTREAM), index)


def asked(database: Database, index: GraphIndex, root: int) -> tuple[WalkResult, list[str]]:
    """Walk on a snapshot of its own; returns also the statements that read edges."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if "FROM edge" in arguments[2]:
            seen.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        with database.reading() as session:
            found = walked(session, index, root)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert found is not None
    return found, seen


def seen_last(database: Database, moment: Any, **more: Any) -> None:
    """Move the time an edge was seen last, as an event does that says nothing else."""
    with database.transaction("test") as session:
        session.execute(update(EDGE).values(last_seen=moment, **more))


def test_a_warm_walk_reads_no_edges_until_the_log_moves(database: Database, pair: tuple[int, int]) -> None:
    """And then it shows what they are now."""
    index = GraphIndex()
    first, _ = asked(database, index, pair[0])
    warm, statements = asked(database, index, pair[0])
    assert (warm.edges, statements) == (first.edges, [])
    moment = now() + timedelta(days=1)
    seen_last(database, moment)
    after, _ = asked(database, index, pair[0])
    assert [edge.last_seen for edge in after.edges] == [moment]


def test_an_older_snapshot_neither_sees_nor_adds(database: Database, pair: tuple[int, int]) -> None:
    """It is answered by SQL, or from what it reads itself."""
    index = GraphIndex()
    with database.reading() as older:
        before = walked(older, index, pair[0])
        seen_last(database, now() + timedelta(days=1))
        newer, _ = asked(database, index, pair[0])
        assert before is not None
        assert newer.edges != before.edges
        assert walked(older, index, pair[0]) is None
        edges = index.readings(older).edges
        assert edges.all_of([1], lambda _: {}) == {}
        edges.all_of([1], lambda _: {1: (before.edges[0], None)})
    assert asked(database, index, pair[0])[0].edges == newer.edges


def test_a_transaction_that_writes_adds_nothing(database: Database, pair: tuple[int, int]) -> None:
    """What it sees of its own is nobody else's, and may be rolled back."""
    index = GraphIndex()
    before, _ = asked(database, index, pair[0])
    with pytest.raises(RuntimeError), database.transaction("test") as session:
        session.execute(update(EDGE).values(last_seen=now() + timedelta(days=1)))
        mine = walked(session, index, pair[0])
        assert mine is not None
        assert mine.edges != before.edges
        raise RuntimeError
    assert asked(database, index, pair[0])[0].edges == before.edges


def test_an_edge_shows_from_when_it_is_valid(database: Database, pair: tuple[int, int]) -> None:
    """A producer's clock that is ahead: the log says nothing when the time comes."""
    index = GraphIndex()
    ahead = now() + timedelta(seconds=1)
    seen_last(database, ahead, valid_from=ahead)
    assert asked(database, index, pair[0])[0].edges == []
    threading.Event().wait((ahead - now()).total_seconds())
    shown, statements = asked(database, index, pair[0])
    assert ([edge.first_seen for edge in shown.edges], statements) == ([ahead], [])


def test_what_is_kept_is_bounded() -> None:
    """Beyond its size it begins anew; what is asked for is answered whole all the same."""
    kept: Kept[int, str] = Kept(most=10)
    read: list[list[int]] = []

    def look_up(keys: list[int]) -> dict[int, str]:
        read.append(keys)
        return {key: str(key) for key in keys if key >= 0}

    assert list(kept.all_of(range(8), look_up)) == list(range(8))
    assert list(kept.all_of([7, 3, -1], look_up)) == [7, 3]
    assert read == [list(range(8)), [-1]]
    assert len(kept.all_of(range(100), look_up)) == 100
    assert len(kept.all_of(range(4, 12), look_up)) == 8
    kept.all_of(range(4, 12), look_up)
    assert [len(keys) for keys in read[2:]] == [92, 8]
