"""Commands of lineage: jobs, runs, and the edges that a run proves."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assetgraph.catalog import queries as catalog_queries
from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, Identity
from assetgraph.changes import service as changes
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid
from assetgraph.ids import AssetKind, normalised
from assetgraph.lineage import queries
from assetgraph.lineage.columns import ColumnEdge, connect_columns, resolve_columns
from assetgraph.lineage.edges import Link, connect, version_of
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType

MAX_RUN_ASSETS = 1000
MAX_RUN_COLUMNS = 10_000
MAX_RUN_ID_BYTES = 400


@dataclass(frozen=True)
class RecordRun:
    """What an outside pipeline says of one of its runs."""

    namespace: str
    job: str
    state: RunState
    run_id: str | None = None
    inputs: tuple[AssetRef, ...] = ()
    outputs: tuple[AssetRef, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None


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
) -> int:
    """Insert a run of a job; Conflict when the run id is taken in the job's namespace."""
    job = queries.jobs_by_ids(session, [job_id])[job_id]
    key = normalised(run_id, what="runId", path=("runId",), most=MAX_RUN_ID_BYTES)
    identity = Identity(AssetKind.RUN, str(job.namespace), key, f"{job.name} {key[:8]}")
    columns: dict[str, Any] = {
        "job_id": job_id, "run_id": key, "type": type, "state": state, "attempt": 0 if state is RunState.QUEUED else 1,
        "parameters": parameters, "started_at": started_at, "ended_at": ended_at,
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
            closed = queries.close_edges_of_dropped_fields(session, int(row.dataset_id), version_id, now())
            if closed:
                after = {"edges": closed}
                changes.record_asset(session, AssetKind.DATASET_VERSION, version_id, "unlinked", None, after)
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


def record_run(session: Session, command: RecordRun) -> int:
    """Make or change an outside run with its inputs and outputs; sent again, it changes nothing."""
    _check_run(command)
    inputs = _resolve(session, command.inputs, "inputs")
    outputs = _resolve(session, command.outputs, "outputs")
    columns = resolve_columns(session, command.columns, inputs, outputs)
    loop = set(inputs) & set(outputs)
    if loop:
        raise Invalid("a run cannot read the version that it writes; register a new version first", path=("outputs",))
    job_id = ensure_job(session, command.namespace, command.job)
    given_id = command.run_id if command.run_id is not None else str(uuid.uuid4())
    run_id = normalised(given_id, what="runId", path=("runId",), most=MAX_RUN_ID_BYTES)
    known = catalog.find_asset(session, AssetKind.RUN, command.namespace, run_id)
    times = {"started_at": command.started_at, "ended_at": command.ended_at}
    given: dict[str, Any] = {name: as_utc(moment) for name, moment in times.items() if moment is not None}
    if known is None:
        run = create_run(session, job_id=job_id, run_id=run_id, type=RunType.EXTERNAL, state=command.state, **given)
    else:
        run = _continue_run(session, known, job_id, command.state, given)
    moment = command.started_at or command.ended_at
    at = None if moment is None else as_utc(moment)
    _connect_new(session, run, inputs, outputs, at)
    connect_columns(session, run, columns, at)
    return run


def _check_run(command: RecordRun) -> None:
    normalised(command.job, what="job", path=("job",))
    if len(command.columns) > MAX_RUN_COLUMNS:
        message = (
            f"{len(command.columns)} columns; at most {MAX_RUN_COLUMNS} are allowed, send the rest with the same runId"
        )
        raise Invalid(message, path=("columns",))
    for name, refs in (("inputs", command.inputs), ("outputs", command.outputs)):
        if len(refs) > MAX_RUN_ASSETS:
            raise Invalid(f"{len(refs)} {name}; at most {MAX_RUN_ASSETS} are allowed", path=(name,))
    if command.started_at and command.ended_at and as_utc(command.ended_at) < as_utc(command.started_at):
        raise Invalid("endedAt lies before startedAt", path=("endedAt",))


def _resolve(session: Session, refs: Sequence[AssetRef], name: str) -> list[int]:
    found = [catalog.resolve_version(session, ref, path=(name, str(i))) for i, ref in enumerate(refs)]
    return list(dict.fromkeys(found))


def _continue_run(session: Session, run: int, job_id: int, state: RunState, given: dict[str, Any]) -> int:
    row = queries.lock_run(session, run)
    assert row is not None  # noqa: S101 - the asset was just found
    if row.type is not RunType.EXTERNAL:
        raise Invalid("this run belongs to the service itself; it records its own state", path=("runId",))
    if int(row.job_id) != job_id:
        raise Conflict("runId belongs to a run of another job; use a new one", path=("runId",))
    if row.state.final and row.state is not state:
        # Events come late and twice: a final state stays, what they add (inputs, outputs, times) is kept.
        state = row.state
    change_run(session, run, "changed", state=state, **given)
    return run


def _connect_new(
    session: Session, run: int, inputs: Sequence[int], outputs: Sequence[int], at: datetime | None
) -> None:
    # The log's lock, early: of two runs that together would close a cycle, the later must see the earlier.
    changes.lock(session)
    had_inputs = queries.neighbours_by_kind(session, [run], [EdgeKind.CONSUMED], upstream=True, level=Level.VERSION)
    had_outputs = queries.neighbours_by_kind(session, [run], [EdgeKind.PRODUCED], upstream=False, level=Level.VERSION)
    new_inputs = [version for version in inputs if version not in had_inputs[run]]
    new_outputs = [version for version in outputs if version not in had_outputs[run]]
    if new_inputs or new_outputs:
        _refuse_cycle(session, {*inputs, *had_inputs[run]}, [*outputs, *had_outputs[run]])
    versions = catalog_queries.versions_by_ids(session, [*new_inputs, *new_outputs])
    datasets = {version: int(row.dataset_id) for version, row in versions.items()}
    if new_inputs:
        read = sorted({datasets[version] for version in new_inputs})
        consumed(session, run, new_inputs, definitions=read, at=at)
    if new_outputs:
        made = sorted({datasets[version] for version in new_outputs})
        produced(session, run, new_outputs, definitions=made, at=at)


def _refuse_cycle(session: Session, inputs: set[int], outputs: Sequence[int]) -> None:
    """Raise Conflict when an input was made, over whatever many runs, from an output: versions have no cycles."""
    kinds = (EdgeKind.CONSUMED, EdgeKind.PRODUCED)
    met, frontier = set(outputs), list(dict.fromkeys(outputs))
    while frontier:
        below = queries.neighbours_by_kind(session, frontier, kinds, upstream=False, level=Level.VERSION)
        frontier = [found for found in dict.fromkeys(x for many in below.values() for x in many) if found not in met]
        met.update(frontier)
        closing = inputs & met
        if closing:
            row = catalog_queries.versions_by_ids(session, sorted(closing))[min(closing)]
            made = catalog_queries.versions_by_ids(session, outputs)
            names = ", ".join(sorted(str(one.name) for one in made.values()))
            message = f"input {row.name} was made from output {names}; data cannot come from its own future"
            raise Conflict(message, path=("inputs",))
