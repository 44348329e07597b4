"""Outside runs, recorded in batches: one bad run is refused by itself, and the number of statements stays the same."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assetgraph.catalog import batch_queries, batches
from assetgraph.catalog.batch_queries import Key
from assetgraph.catalog.service import AssetRef, Identity
from assetgraph.changes import service as changes
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Conflict, Invalid
from assetgraph.ids import AssetKind, normalised
from assetgraph.lineage import run_queries
from assetgraph.lineage.acyclic import Downstream, Node
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edge_log import Place
from assetgraph.lineage.support import Claims, write_claims
from assetgraph.lineage.tables import EdgeKind, Level, RunState, RunType

MAX_RUNS = 1000
MAX_RUN_ASSETS = 1000
MAX_RUN_COLUMNS = 10_000
MAX_RUN_ID_BYTES = 400

Column = tuple[int, str]


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


@dataclass
class _Plan:
    """A command with what its names turned out to mean."""

    command: RecordRun
    job: Key = ("", "")
    key: Key = ("", "")
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    columns: list[tuple[Column, Column]] = field(default_factory=list)
    error: AssetgraphError | None = None
    #: Inputs that were made from the outputs: named once all are known.
    closing: set[int] = field(default_factory=set)


@dataclass
class _Run:
    """A run as the batch leaves it."""

    job: Key | None
    state: RunState
    started_at: datetime | None
    ended_at: datetime | None
    #: As it is stored; None when it is new.
    row: Any = None
    inputs: dict[int, None] = field(default_factory=dict)
    outputs: dict[int, None] = field(default_factory=dict)
    columns: list[tuple[ColumnEdge, Column, Column]] = field(default_factory=list)
    id: int = 0
    registered_at: datetime = field(default_factory=now)

    @property
    def moments(self) -> list[datetime]:
        """When what it read and made was there; of a run without times, whenever it is sent, when it was registered."""
        return [one for one in (self.started_at, self.ended_at) if one is not None] or [self.registered_at]


def record_run(session: Session, command: RecordRun) -> int:
    """Make or change an outside run with its inputs and outputs; sent again, it changes nothing."""
    [done] = record_runs(session, [command])
    if isinstance(done, AssetgraphError):
        raise done
    return done


def record_runs(session: Session, commands: Sequence[RecordRun]) -> list[int | AssetgraphError]:
    """Make or change outside runs; returns the id of each, or why it was refused, with nothing of it written."""
    # The log's lock, early: of two batches that name the same, or together would close a cycle, the later must see
    # the earlier.
    changes.lock(session)
    plans = [_planned(command) for command in commands]
    datasets = _resolve(session, plans)
    jobs = batch_queries.assets_named(session, AssetKind.JOB, list({one.job for one in plans if one.error is None}))
    runs = _known_runs(session, plans, jobs)
    _accept(session, plans, runs)
    _name_cycles(session, plans)
    good = {one.key: runs[one.key] for one in plans if one.error is None}
    _write_runs(session, good, jobs, {one.job: one.command.job.strip() for one in plans})
    _write_edges(session, good, jobs, datasets)
    return [one.error or good[one.key].id for one in plans]


def _planned(command: RecordRun) -> _Plan:
    plan = _Plan(command)
    try:
        for name, refs in (("inputs", command.inputs), ("outputs", command.outputs)):
            if len(refs) > MAX_RUN_ASSETS:
                raise Invalid(f"{len(refs)} {name}; at most {MAX_RUN_ASSETS} are allowed", path=(name,))
        if len(command.columns) > MAX_RUN_COLUMNS:
            many = f"{len(command.columns)} columns; at most {MAX_RUN_COLUMNS} are allowed"
            raise Invalid(f"{many}, send the rest with the same runId", path=("columns",))
        if command.started_at and command.ended_at and as_utc(command.ended_at) < as_utc(command.started_at):
            raise Invalid("endedAt lies before startedAt", path=("endedAt",))
        normalised(command.job, what="job", path=("job",))
        job = Identity.of(AssetKind.JOB, command.namespace, command.job)
        run_id = command.run_id if command.run_id is not None else str(uuid.uuid4())
        plan.job = (job.namespace, job.key)
        plan.key = (job.namespace, normalised(run_id, what="runId", path=("runId",), most=MAX_RUN_ID_BYTES))
    except AssetgraphError as error:
        plan.error = error
    return plan


def _resolve(session: Session, plans: Sequence[_Plan]) -> dict[int, int]:
    """Find all versions that the plans name; returns the dataset of each."""
    refs = [
        ref for plan in plans if plan.error is None
        for ref in (
            *plan.command.inputs, *plan.command.outputs,
            *(end for edge in plan.command.columns for end in (edge.source, edge.target)),
        )
    ]  # fmt: skip
    found = batches.resolve_versions(session, refs)
    rows = batch_queries.versions(session, sorted({one for one in found.values() if isinstance(one, int)}))
    datasets = {version: int(row.dataset_id) for version, row in rows.items()}
    for plan in plans:
        if plan.error is None:
            try:
                _resolve_one(plan, found, datasets)
            except AssetgraphError as error:
                plan.error = error
    return datasets


def _resolve_one(plan: _Plan, found: batches.Found, datasets: dict[int, int]) -> None:
    command = plan.command
    ends = {"inputs": command.inputs, "outputs": command.outputs}
    plan.inputs, plan.outputs = (
        list(dict.fromkeys(batches.at(found, ref, (name, str(place))) for place, ref in enumerate(refs)))
        for name, refs in ends.items()
    )
    read, made = ({datasets[one] for one in versions} for versions in (plan.inputs, plan.outputs))
    for place, edge in enumerate(command.columns):
        paths = edge.paths(place)
        columns = []
        for name, ref, path, known, versions in (
            ("from", edge.source, paths[0], read, plan.inputs), ("to", edge.target, paths[1], made, plan.outputs)
        ):  # fmt: skip
            version = batches.at(found, ref, ("columns", str(place), name))
            if datasets[version] not in known:  # a column's dataset is read or made too
                known.add(datasets[version])
                versions.append(version)
            columns.append((datasets[version], path))
        plan.columns.append((columns[0], columns[1]))
    if set(plan.inputs) & set(plan.outputs):
        raise Invalid("a run cannot read the version that it writes; register a new version first", path=("outputs",))


def _known_runs(session: Session, plans: Sequence[_Plan], jobs: dict[Key, int]) -> dict[Key, _Run]:
    rows = run_queries.runs_named(session, list({one.key for one in plans if one.error is None}))
    names = {id_: key for key, id_ in jobs.items()}
    return {
        key: _Run(names.get(int(row.job_id)), row.state, row.started_at, row.ended_at, row, id=int(row.id),
                  registered_at=row.created_at)
        for key, row in rows.items()
    }  # fmt: skip


def _accept(session: Session, plans: Sequence[_Plan], runs: dict[Key, _Run]) -> None:
    """Fold the plans into their runs, in order; a plan that breaks a rule is left out."""
    stored = {key: int(run.row.id) for key, run in runs.items()}
    had = [
        run_queries.data_edges(session, sorted(stored.values()), upstream=True),
        run_queries.data_edges(session, sorted(stored.values()), upstream=False),
    ]
    old = {edge for edges in had for edge in edges}
    graph = Downstream()
    adding = []
    for plan in (one for one in plans if one.error is None):
        run = stored.get(plan.key)
        new = {(version, run) for version in plan.inputs} | {(run, version) for version in plan.outputs}
        if not new <= old:
            adding.append(plan)
    roots = {version for plan in adding for version in plan.outputs}
    graph.load(session, roots | {stored[plan.key] for plan in adding if plan.key in stored})
    for source, target in had[0]:
        graph.below.setdefault(source, set()).add(target)
    nodes: dict[Key, Node] = {plan.key: stored.get(plan.key, plan.key) for plan in plans}
    cyclic = graph.closes((nodes[plan.key], plan.inputs, plan.outputs) for plan in adding)
    for plan in (one for one in plans if one.error is None):
        try:
            _fold(plan, runs, graph, nodes[plan.key], look=cyclic)
        except AssetgraphError as error:
            plan.error = error


def _fold(plan: _Plan, runs: dict[Key, _Run], graph: Downstream, node: Node, *, look: bool) -> None:
    command, run = plan.command, runs.get(plan.key)
    if run is None:
        run = _Run(plan.job, command.state, None, None)
    elif run.row is not None and run.row.type is not RunType.EXTERNAL:
        raise Invalid("this run belongs to the service itself; it records its own state", path=("runId",))
    elif run.job != plan.job:
        raise Conflict("runId belongs to a run of another job; use a new one", path=("runId",))
    if look:
        ends = [one for one in graph.below.get(node, ()) if isinstance(one, int)]
        plan.closing = {one for one in plan.inputs if one in graph.reached([*plan.outputs, *ends])}
        above = {one for one, below in graph.below.items() if node in below and isinstance(one, int)}
        plan.closing |= above & graph.reached(plan.outputs)
        if plan.closing:
            raise Conflict("data cannot come from its own future", path=("inputs",))
    graph.add(node, plan.inputs, plan.outputs)
    runs[plan.key] = run
    # Events come late and twice: a final state stays, what they add (inputs, outputs, times) is kept.
    run.state = run.state if run.state.final else command.state
    run.started_at = as_utc(command.started_at) if command.started_at else run.started_at
    run.ended_at = as_utc(command.ended_at) if command.ended_at else run.ended_at
    run.inputs.update(dict.fromkeys(plan.inputs))
    run.outputs.update(dict.fromkeys(plan.outputs))
    run.columns += [(edge, *ends) for edge, ends in zip(command.columns, plan.columns, strict=True)]


def _name_cycles(session: Session, plans: Sequence[_Plan]) -> None:
    cyclic = [plan for plan in plans if plan.closing]
    names = run_queries.names(session, sorted({one for plan in cyclic for one in (*plan.closing, *plan.outputs)}))
    for plan in cyclic:
        made = ", ".join(sorted(names[one] for one in plan.outputs)) or "what the run wrote"
        message = f"input {names[min(plan.closing)]} was made from output {made}; data cannot come from its own future"
        plan.error = Conflict(message, path=("inputs",))


def _write_runs(session: Session, runs: dict[Key, _Run], jobs: dict[Key, int], shown: dict[Key, str]) -> None:
    """Insert the jobs and runs that are new, and change the others; `jobs` grows."""
    missing = {run.job: shown[run.job] for run in runs.values() if run.job is not None and run.job not in jobs}
    made_jobs = batches.make_assets(session, AssetKind.JOB, missing, {})
    jobs |= made_jobs
    run_queries.insert_jobs(session, [{"id": one, "description": None} for one in made_jobs.values()])
    fresh, changed = {}, []
    for key, run in runs.items():
        said = {name: getattr(run, name) for name in run_queries.SAID}
        if run.row is None:
            assert run.job is not None  # noqa: S101 - new runs are made with their plan's job
            attempt = 0 if run.state is RunState.QUEUED else 1
            fresh[key] = {"job_id": jobs[run.job], "run_id": key[1], "type": RunType.EXTERNAL, "attempt": attempt,
                          "parameters": None, **said}  # fmt: skip
            continue
        before = {name: run.row._mapping[name] for name in said if run.row._mapping[name] != said[name]}
        if before:
            changed.append({"run": run.id, **{f"new_{name}": value for name, value in said.items()}})
            after = {name: said[name] for name in before}
            changes.record_asset(session, AssetKind.RUN, run.id, "changed", before, after)
    run_queries.update_runs(session, changed)
    made = batch_queries.insert_assets(session, [
        {
            "kind": AssetKind.RUN, "namespace": key[0], "key": key[1], "created_at": runs[key].registered_at,
            "name": f"{shown[runs[key].job or ('', '')]} {key[1][:8]}",
        }
        for key in fresh
    ])  # fmt: skip
    for key, id_ in made.items():
        runs[key].id = id_
        changes.record_asset(session, AssetKind.RUN, id_, "created", None, {"namespace": key[0], **fresh[key]})
    run_queries.insert_runs(session, [{"id": made[key], **row} for key, row in fresh.items()])


def _write_edges(session: Session, runs: dict[Key, _Run], jobs: dict[Key, int], datasets: dict[int, int]) -> None:
    named = dict.fromkeys(end for run in runs.values() for _, *ends in run.columns for end in ends)
    fields = batches.ensure_fields(session, list(named)) if named else {}
    claims = Claims()
    for run in runs.values():
        assert run.job is not None  # noqa: S101 - accepted runs have their plan's job
        job = jobs[run.job]
        places = {
            **dict.fromkeys(Place(one, run.id, EdgeKind.CONSUMED, Level.VERSION) for one in run.inputs),
            **dict.fromkeys(Place(run.id, one, EdgeKind.PRODUCED, Level.VERSION) for one in run.outputs),
            **{Place(datasets[one], job, EdgeKind.CONSUMED, Level.DATASET): run.id for one in run.inputs},
            **{Place(job, datasets[one], EdgeKind.PRODUCED, Level.DATASET): run.id for one in run.outputs},
        }  # fmt: skip
        for moment in run.moments:
            for place, by in places.items():
                claims.add(place, by, moment)
            for edge, source, target in run.columns:
                done = () if edge.transformation is None else (edge.transformation,)
                place = Place(fields[source], fields[target], EdgeKind.DERIVED, Level.FIELD)
                claims.add(place, run.id, moment, transformations=done)
    write_claims(session, claims, modelless=True)
