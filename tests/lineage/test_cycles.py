"""Versions have no cycles: data cannot come from its own future, however many runs lie between."""

import pytest

from assetgraph.catalog.service import AssetRef, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import Conflict
from assetgraph.lineage import service as lineage
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState


def version(database: Database, name: str) -> AssetRef:
    """Register a version of a dataset."""
    with database.transaction("test") as session:
        made, _ = lineage.register_version(session, RegisterVersion("ns", name))
    return AssetRef(id=made)


def record(database: Database, run_id: str, inputs: tuple[AssetRef, ...], outputs: tuple[AssetRef, ...]) -> int:
    """Record an outside run."""
    with database.transaction("test") as session:
        return lineage.record_run(session, RecordRun("ns", f"job {run_id}", RunState.RUNNING, run_id, inputs, outputs))


def test_a_run_that_would_close_a_cycle_is_refused_and_leaves_nothing(database: Database) -> None:
    """Of a, b from it, c from b: making a from c is refused, also when a later event names the outputs."""
    a, b, c, d = (version(database, name) for name in "abcd")
    record(database, "1", (a,), (b,))
    record(database, "2", (b,), (c,))
    record(database, "3", (c,), ())
    with database.reading() as session:
        before = changes.newest(session)
    with pytest.raises(Conflict, match=r"input c@1 was made from output a@1") as refused:
        record(database, "4", (c,), (a,))
    assert refused.value.path == ("inputs",)
    with pytest.raises(Conflict, match="own future"):
        record(database, "3", (), (a,))
    with database.reading() as session:
        assert changes.newest(session) == before
    record(database, "3", (a, b), (d,))
    record(database, "1", (a,), (b,))


def test_datasets_may_form_a_cycle_of_new_versions(database: Database) -> None:
    """A job that reads yesterday's version and writes today's is the normal case."""
    first, second = version(database, "state"), version(database, "state")
    assert record(database, "1", (first,), (second,)) > 0
