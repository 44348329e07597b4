"""Commands of lineage: jobs, runs, and the edges that a run proves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from assetgraph.catalog import batches
from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import Identity
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict
from assetgraph.ids import AssetKind, normalised
from assetgraph.lineage import queries
from assetgraph.lineage.dropped import settle_versions
from assetgraph.lineage.edges import Link, connect, version_of
from assetgraph.lineage.recording import MAX_RUN_ID_BYTES, RecordRun, record_run, record_runs
from assetgraph.lineage.support import Transformation
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType

__all__ = [
    "RecordRun", "change_run", "consumed", "create_run", "derived", "ensure_job", "produced", "record_run",
    "record_runs", "register_version",
]  # fmt: skip


def ensure_job(session: Session, namespace: str, name: str, description: str | None = None) -> int:
    """Return the id of a job, made when it is new."""
    identity = Identity.of(AssetKind.JOB, namespace, name)
    made = catalog.create_asset(session, identity)
    if made is not None:
        queries.insert_job(session, {"id": made, "description": description})
        return made
    found = catalog_queries.asset_id(session, identity.kind, identity.namespace, identity.key)
    assert found is not None  # noqa: S101 - the insert met this identity
    return found


def create_run(
    session: Session,
    *,
    job_id: int,
    run_id: str,
    type: RunType,  # noqa: A002 - the contract's name
    state: RunState,
    parameters: dict[str, Any] | None = None,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
    nominal_at: datetime | None = None,
) -> int:
    """Insert a run of a job; Conflict when the run id is taken in the job's namespace."""
    job = queries.jobs_by_ids(session, [job_id])[job_id]
    key = normalised(run_id, what="runId", path=("runId",), most=MAX_RUN_ID_BYTES)
    identity = Identity(AssetKind.RUN, str(job.namespace), key, f"{job.name} {key[:8]}")
    columns: dict[str, Any] = {
        "job_id": job_id, "run_id": key, "type": type, "state": state, "attempt": 0 if state is RunState.QUEUED else 1,
        "parameters": parameters, "started_at": started_at, "ended_at": ended_at,
        "nominal_at": nominal_at,
    }  # fmt: skip
    made = catalog.create_asset(session, identity, columns)
    if made is None:
        raise Conflict(f"run '{key}' exists in namespace '{job.namespace}' under another job", path=("runId",))
    queries.insert_run(session, {"id": made, **columns})
    return made


def change_run(session: Session, run: int, action: str, **columns: Any) -> None:
    """Change columns of a run and record what changed."""
    row = queries.lock_run(session, run)
    assert row is not None  # noqa: S101 - callers hold a run that exists
    before = {name: row._mapping[name] for name in columns if row._mapping[name] != columns[name]}
    if not before:
        return
    queries.update_run(session, run, columns)
    changes.record_asset(session, AssetKind.RUN, run, action, before, {name: columns[name] for name in before})


def register_version(session: Session, command: catalog.RegisterVersion) -> tuple[int, bool]:
    """Register a dataset version and its place in the graph; returns (id, created)."""
    version_id, created = catalog.register_version(session, command)
    if created:
        row = catalog_queries.versions_by_ids(session, [version_id])[version_id]
        version_of(session, int(row.dataset_id), version_id)
        if command.fields and row.number > 1:
            settle_versions(session, [version_id])
    return version_id, created


def consumed(
    session: Session, run: int, inputs: Sequence[int], *, definitions: Sequence[int], at: datetime | None = None
) -> None:
    """Note what a run read; `definitions` are the sources, datasets or models that the job therefore reads."""
    row = queries.runs_by_ids(session, [run])[run]
    connect(session, [Link(item, run, EdgeKind.CONSUMED, Level.VERSION) for item in inputs], run=run, at=at)
    links = [Link(item, int(row.job_id), EdgeKind.CONSUMED, Level.DATASET) for item in definitions]
    connect(session, links, run=run, at=at)


def produced(
    session: Session, run: int, outputs: Sequence[int], *, definitions: Sequence[int], at: datetime | None = None
) -> None:
    """Note what a run made; `definitions` are the datasets or models that the job therefore makes."""
    row = queries.runs_by_ids(session, [run])[run]
    connect(session, [Link(run, item, EdgeKind.PRODUCED, Level.VERSION) for item in outputs], run=run, at=at)
    links = [Link(int(row.job_id), item, EdgeKind.PRODUCED, Level.DATASET) for item in definitions]
    connect(session, links, run=run, at=at)


def derived(
    session: Session, run: int, source: int, target: int, columns: Sequence[tuple[str, str, Transformation]]
) -> None:
    """Note that a run made columns of dataset `target` of columns of dataset `source`; fields nobody named are made."""
    paths = [
        ((source, normalised(one, what="field name")), (target, normalised(other, what="field name")), done)
        for one, other, done in columns
    ]
    fields = batches.ensure_fields(session, list(dict.fromkeys(end for *ends, _ in paths for end in ends)))
    done: dict[tuple[int, int], list[Transformation]] = {}
    for one, other, what in paths:
        done.setdefault((fields[one], fields[other]), []).append(what)
    links = [Link(*ends, EdgeKind.DERIVED, Level.FIELD, tuple(what)) for ends, what in done.items()]
    connect(session, links, run=run)
