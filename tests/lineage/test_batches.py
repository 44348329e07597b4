"""Runs in batches: as many statements for a thousand as for one, and a bad one spoils no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Conflict, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.support import Transformation
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk

AT = datetime(2026, 1, 1, tzinfo=UTC)
COPY = Transformation("DIRECT", "IDENTITY")


def ref(name: str) -> AssetRef:
    """Return a dataset's latest version."""
    return AssetRef(namespace="ns", name=name)


def command(number: int, *, read: str, made: str, **more: object) -> RecordRun:
    """Return a run that read one dataset and made another, with a column."""
    columns = (ColumnEdge(ref(read), "a", ref(made), "b", COPY),)
    at = AT + timedelta(minutes=number)
    given = {"namespace": "etl", "job": f"job {number}", "state": RunState.SUCCEEDED, "run_id": f"r{number}",
             "inputs": (ref(read),), "outputs": (ref(made),), "columns": columns, "started_at": at}  # fmt: skip
    return RecordRun(**{**given, **more})  # type: ignore[arg-type]


def register(database: Database, *names: str) -> None:
    """Register a version of each dataset."""
    with database.transaction("test") as session:
        for name in names:
            lineage.register_version(session, RegisterVersion("ns", name, (FieldSpec("a", "int"),)))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that run meanwhile."""
    seen: list[str] = []

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def record(database: Database, commands: list[RecordRun]) -> list[int | AssetgraphError]:
    """Record runs."""
    with database.transaction("test") as session:
        return lineage.record_runs(session, commands)


def test_a_thousand_runs_cost_as_many_statements_as_one(database: Database) -> None:
    """New ones, and the same sent again; each with an input, an output and a column edge."""
    register(database, *(f"{end}{number}" for end in ("raw", "clean") for number in range(1101)))
    counts, start = [], 0
    for size in (1, 100, 1000):
        commands = [command(n, read=f"raw{n}", made=f"clean{n}") for n in range(start, start + size)]
        start += size
        for _ in range(2):
            with statements(database) as seen:
                done = record(database, commands)
            assert all(isinstance(one, int) for one in done)
            counts.append(len(seen))
    assert counts[0] == counts[2] == counts[4]
    assert counts[1] == counts[3] == counts[5] < counts[0] < 45


def test_a_batch_is_what_its_runs_are_one_by_one(database: Database) -> None:
    """Runs told in turn add up, whether in one batch or in several."""
    register(database, "raw", "clean", "more", "wide")
    told = [
        command(1, read="raw", made="clean", state=RunState.RUNNING),
        command(1, read="more", made="clean", started_at=None, ended_at=AT + timedelta(hours=1)),
        command(1, read="raw", made="clean", state=RunState.FAILED, started_at=None),
        command(2, read="clean", made="wide", job="job 1"),
    ]
    alone = [one for command in told for one in record(database, [command])]
    again = [
        RecordRun(one.namespace, one.job, one.state, f"{one.run_id} again", one.inputs, one.outputs, one.columns,
                  one.started_at, one.ended_at)
        for one in told
    ]  # fmt: skip
    together = record(database, again)
    assert alone[0] == alone[1] == alone[2] != alone[3]
    assert together[0] == together[1] == together[2] != together[3]
    with database.reading() as session:
        for one, other in zip(alone, together, strict=True):
            assert isinstance(one, int)
            assert isinstance(other, int)
            left, right = (queries.runs_by_ids(session, [run])[run] for run in (one, other))
            named = ("job_id", "state", "started_at", "ended_at", "type", "attempt")
            assert [left._mapping[name] for name in named] == [right._mapping[name] for name in named]
            for upstream, kind in ((True, EdgeKind.CONSUMED), (False, EdgeKind.PRODUCED)):
                found = queries.neighbours_by_kind(
                    session, [one, other], [kind], upstream=upstream, level=Level.VERSION
                )
                assert sorted(found[one]) == sorted(found[other])
        field = catalog.asset_id(session, AssetKind.FIELD, "ns", "clean#b")
        root = NodeRef(AssetKind.FIELD, str(field))
        walked = walk(session, WalkRequest(root, Direction.UPSTREAM, 1, Level.FIELD))
        indexed = walk_in_memory(session, WalkRequest(root, Direction.UPSTREAM, 1, Level.FIELD), GraphIndex())
    assert sorted(edge.run_count for edge in walked.edges) == [2, 2]
    assert indexed is not None
    assert indexed.edges == walked.edges


def test_a_bad_run_is_refused_alone_and_nothing_of_it_is_written(database: Database) -> None:
    """Whatever is wrong with it; the others stay, in order."""
    register(database, "raw", "clean")
    with database.reading() as session:
        before = changes.newest(session)
    bad: list[tuple[RecordRun, type[AssetgraphError], tuple[str, ...]]] = [
        (command(1, read="no", made="clean"), NotFound, ("inputs", "0")),
        (command(2, read="raw", made="clean", run_id=" "), Invalid, ("runId",)),
        (command(3, read="raw", made="raw"), Invalid, ("outputs",)),
        (command(4, read="raw", made="clean", namespace=""), Invalid, ("namespace",)),
        (command(5, read="raw", made="clean", columns=(ColumnEdge(ref("raw"), "\0", ref("clean"), "x"),)), Invalid,
         ("columns", "0", "fromField")),
        (command(6, read="raw", made="clean", run_id="r0"), Conflict, ("runId",)),
        (command(7, read="clean", made="raw"), Conflict, ("inputs",)),
    ]  # fmt: skip
    good = [command(0, read="raw", made="clean"), command(8, read="raw", made="clean")]
    done = record(database, [good[0], *(one for one, _, _ in bad), good[1]])
    assert isinstance(done[0], int)
    assert isinstance(done[-1], int)
    for found, (_, error, path) in zip(done[1:-1], bad, strict=True):
        assert isinstance(found, error)
        assert found.path == path
    assert "clean@1 was made from output raw@1" in str(done[-2])
    with database.reading() as session:
        log = [(row.entity_type, row.action) for row in changes.follow(session, before)]
        assert (log.count(("Job", "created")), log.count(("Run", "created")), len(log)) == (2, 2, 5)
        assert catalog.asset_id(session, AssetKind.JOB, "etl", "job 7") is None


def test_only_bad_runs_write_nothing(database: Database) -> None:
    """Not even a change."""
    with database.reading() as session:
        before = changes.newest(session)
    [done] = record(database, [command(1, read="no", made="never")])
    assert isinstance(done, NotFound)
    with database.reading() as session:
        assert changes.newest(session) == before


@pytest.mark.parametrize("size", [2, 5])
def test_a_ring_of_runs_is_broken_at_its_last(database: Database, size: int) -> None:
    """In one batch, as one by one."""
    register(database, *(f"d{number}" for number in range(size)))
    ring = [command(n, read=f"d{n}", made=f"d{(n + 1) % size}") for n in range(size)]
    done = record(database, ring)
    assert [isinstance(one, int) for one in done] == [True] * (size - 1) + [False]
