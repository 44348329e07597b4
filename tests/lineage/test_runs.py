"""Outside runs: recorded in any order and as often as one likes, they come out the same."""

from datetime import UTC, datetime
from typing import Any

import pytest

from assetgraph.catalog.service import AssetRef, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Conflict, Invalid, NotFound
from assetgraph.lineage import queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(database: Database, **given: Any) -> int:
    """Record a run of job `load` in namespace `etl`."""
    command = RecordRun(**{"namespace": "etl", "job": "load", "state": RunState.SUCCEEDED, "run_id": "r1", **given})
    with database.transaction("etl") as session:
        return lineage.record_run(session, command)


def version(database: Database, name: str) -> int:
    """Register a version of a dataset."""
    with database.transaction("etl") as session:
        return lineage.register_version(session, RegisterVersion("shop", name))[0]


def newest(database: Database) -> int:
    """Return how long the log is."""
    with database.reading() as session:
        return changes.newest(session)


def ends(database: Database, run: int) -> tuple[list[int], list[int]]:
    """Return inputs and outputs."""
    with database.reading() as session:
        read = queries.neighbours_by_kind(session, [run], [EdgeKind.CONSUMED], upstream=True, level=Level.VERSION)
        made = queries.neighbours_by_kind(session, [run], [EdgeKind.PRODUCED], upstream=False, level=Level.VERSION)
    return read[run], made[run]


def test_a_run_sent_again_changes_nothing(database: Database) -> None:
    """Not the log, not the edges' counts."""
    raw, clean = version(database, "raw"), version(database, "clean")
    given = {"inputs": (AssetRef(id=raw),), "outputs": (AssetRef(id=clean),), "started_at": AT, "ended_at": AT}
    run = record(database, **given)
    before = newest(database)
    assert [record(database, **given) for _ in range(3)] == [run] * 3
    assert newest(database) == before
    assert ends(database, run) == ([raw], [clean])
    with database.reading() as session:
        row = queries.runs_by_ids(session, [run])[run]
    assert (row.state, row.started_at, row.ended_at) == (RunState.SUCCEEDED, AT, AT)


def test_late_events_add_and_never_reopen(database: Database) -> None:
    """A start that arrives after the end keeps the end, and what it read is kept."""
    raw, more, clean = version(database, "raw"), version(database, "more"), version(database, "clean")
    run = record(database, outputs=(AssetRef(namespace="shop", name="clean"),), ended_at=AT)
    record(database, state=RunState.RUNNING, inputs=(AssetRef(id=raw),), started_at=AT)
    record(database, state=RunState.FAILED, inputs=(AssetRef(id=more), AssetRef(id=more)))
    assert ends(database, run) == ([raw, more], [clean])
    with database.reading() as session:
        row = queries.runs_by_ids(session, [run])[run]
    assert (row.state, row.started_at, row.ended_at) == (RunState.SUCCEEDED, AT, AT)


def test_the_job_s_own_edges_count_its_runs(database: Database) -> None:
    """The DATASET level is the projection: one edge per dataset, with the number of runs that used it."""
    raw = version(database, "raw")
    first = record(database, run_id="r1", inputs=(AssetRef(id=raw),))
    second = record(database, run_id="r2", inputs=(AssetRef(id=raw),))
    assert first != second
    with database.reading() as session:
        job = queries.runs_by_ids(session, [first])[first].job_id
        found = queries.frontier(session, [job], Level.DATASET, upstream=True, at=datetime.now(UTC), most=10)
    assert [(row.kind, row.run_count) for row in found] == [(EdgeKind.CONSUMED, 2)]


@pytest.mark.parametrize(
    ("given", "error", "said", "path"),
    [
        ({"inputs": (AssetRef(namespace="shop", name="rew"),)}, NotFound, "known: raw", ("inputs", "0")),
        ({"inputs": (AssetRef(namespace="shop", name="raw", version=9),)}, NotFound, "versions are 1 to 1",
         ("inputs", "0")),
        ({"inputs": (AssetRef(id=99_999),)}, NotFound, "no dataset", ("inputs", "0")),
        ({"outputs": (AssetRef(),)}, Invalid, "name an asset", ("outputs", "0")),
        ({"inputs": (AssetRef(namespace="shop", name="raw"),), "outputs": (AssetRef(namespace="shop", name="raw"),)},
         Invalid, "cannot read the version that it writes", ("outputs",)),
        ({"started_at": AT, "ended_at": AT.replace(year=2025)}, Invalid, "endedAt lies before", ("endedAt",)),
        ({"inputs": (AssetRef(id=1),) * 1001}, Invalid, "at most 1000", ("inputs",)),
        ({"job": "other"}, Conflict, "another job", ("runId",)),
        ({"run_id": "  "}, Invalid, "runId must not be empty", ("runId",)),
        ({"job": ""}, Invalid, "job must not be empty", ("job",)),
        ({"namespace": ""}, Invalid, "namespace must not be empty", ("namespace",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(
    database: Database, given: dict[str, Any], error: type[AssetgraphError], said: str, path: tuple[str, ...]
) -> None:
    """Each with the input's path; the log stays as it was."""
    version(database, "raw")
    record(database)
    before = newest(database)
    with pytest.raises(error, match=said) as refused:
        record(database, **given)
    assert refused.value.path == path
    assert newest(database) == before
