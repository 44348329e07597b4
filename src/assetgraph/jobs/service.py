"""The durable queue: enqueue, claim, beat, fence, finish, give back, cancel."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assetgraph.catalog import service as catalog
from assetgraph.changes import service as changes
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.jobs import queries
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunState, RunType

TOO_MUCH_MEMORY, STALLED, CRASHED = "TOO_MUCH_MEMORY", "STALLED", "CRASHED"
#: What a job may be ended by without being to blame itself.
BLAMES = {
    TOO_MUCH_MEMORY: "reading it took more memory than ASSETGRAPH_SCAN_MEMORY_BYTES allows",
    STALLED: "reading it made no progress for ASSETGRAPH_SCAN_STALL_SECONDS",
    CRASHED: "the process that read it ended: the system had no memory left, or its bytes crash what reads them",
}


@dataclass(frozen=True)
class Claim:
    """A run that a worker holds, with the fencing token that its writes must show."""

    run_id: int
    kind: str
    token: int
    worker: str
    attempt: int
    parameters: dict[str, Any]


def enqueue(
    session: Session,
    *,
    kind: str,
    type: RunType,  # noqa: A002 - the contract's name
    namespace: str,
    job: str,
    parameters: dict[str, Any],
    idempotency_key: str | None = None,
    needs_gpu: bool = False,
    nominal_at: datetime | None = None,
) -> tuple[int, bool]:
    """Make a queued run and its lease in the caller's transaction; returns (run, created).

    `nominal_at` is when a schedule planned it for; without an offset it is UTC.
    A key used before gives the run that it made; with another request it raises Conflict.
    """
    request: dict[str, Any] = {"kind": kind, "namespace": namespace, "job": job, "parameters": parameters}
    planned = None if nominal_at is None else as_utc(nominal_at)
    if planned is not None:
        request["nominal_at"] = planned
    if idempotency_key is not None:
        known = catalog.remembered(session, idempotency_key, request)
        if known is not None:
            return known, False
    job_id = lineage.ensure_job(session, namespace, job)
    run = lineage.create_run(
        session, job_id=job_id, run_id=str(uuid.uuid4()), type=type, state=RunState.QUEUED, parameters=parameters,
        nominal_at=planned,
    )  # fmt: skip
    lease = {"run_id": run, "kind": kind, "token": 0, "expires_at": now(), "attempts": 0}
    queries.insert_lease(session, {**lease, "needs_gpu": needs_gpu, "cancel_requested": False})
    if idempotency_key is not None:
        catalog.remember(session, idempotency_key, request, run)
    return run, True


def claim(
    database: Database, worker: str, *, lease_seconds: float, max_attempts: int, gpu: bool = False, most: int = 1
) -> list[Claim]:
    """Take runs that wait, or whose worker fell silent; those tried too often fail here."""
    with database.transaction(actor=worker) as session:
        moment = now()
        until = moment + timedelta(seconds=lease_seconds)
        rows = queries.claim(session, worker, at=moment, until=until, gpu=gpu, most=most)
        runs = lineage_queries.runs_by_ids(session, [int(row.run_id) for row in rows])
        claims: list[Claim] = []
        for row in sorted(rows, key=lambda row: int(row.run_id)):
            run = runs[int(row.run_id)]
            if row.cancel_requested:
                _end(session, int(row.run_id), RunState.CANCELLED, None)
            elif row.attempts > max_attempts:
                error = f"given up: {max_attempts} workers died on it without finishing"
                _end(session, int(row.run_id), RunState.FAILED, error)
            else:
                started = {"started_at": moment} if run.started_at is None else {}
                lineage.change_run(
                    session, int(row.run_id), "started", state=RunState.RUNNING, attempt=int(row.attempts), **started
                )
                parameters = dict(run.parameters or {})
                claims.append(
                    Claim(int(row.run_id), str(row.kind), int(row.token), worker, int(row.attempts), parameters)
                )
        return claims


def beat(database: Database, claimed: Claim, lease_seconds: float) -> str:
    """Keep the lease; returns 'held', 'cancel' when the run should end, or 'lost' when another worker has it."""
    with database.transaction(actor=claimed.worker) as session:
        until = now() + timedelta(seconds=lease_seconds)
        row = queries.extend(session, claimed.run_id, claimed.token, until)
    if row is None:
        return "lost"
    return "cancel" if row.cancel_requested else "held"


def cancel_requested(database: Database, claimed: Claim) -> bool:
    """Tell whether someone asked to cancel; a read, so that it can be asked often."""
    with database.reading() as session:
        row = queries.held_unlocked(session, claimed.run_id)
    return row is not None and bool(row.cancel_requested)


def fence(session: Session, claimed: Claim) -> None:
    """Refuse to write for a worker that lost its lease; the lease stays locked until the commit."""
    if queries.held(session, claimed.run_id, claimed.token) is None:
        raise Conflict(f"run {claimed.run_id} was taken over by another worker; this attempt ends without writing")


def progress(database: Database, claimed: Claim, fraction: float, message: str) -> None:
    """Show how far a run is; callers keep this to once a second."""
    with database.transaction(actor=claimed.worker) as session:
        fence(session, claimed)
        lineage.change_run(session, claimed.run_id, "progressed", progress=fraction, message=message)


def finish(session: Session, claimed: Claim, state: RunState, error: str | None = None, **columns: Any) -> None:
    """End a run in the same transaction as its last write: exactly once, because the lease goes with it."""
    fence(session, claimed)
    _end(session, claimed.run_id, state, error, **columns)


def _end(session: Session, run: int, state: RunState, error: str | None, **columns: Any) -> None:
    lineage.change_run(session, run, state.value.lower(), state=state, error=error, ended_at=now(), **columns)
    queries.delete_lease(session, run)


def give_back(database: Database, claimed: Claim) -> None:
    """Put a run back because this worker stops; it does not count as an attempt."""
    with database.transaction(actor=claimed.worker) as session:
        if queries.held(session, claimed.run_id, claimed.token) is None:
            return
        queries.release(session, claimed.run_id, claimed.token, now())
        lineage.change_run(
            session, claimed.run_id, "given back", state=RunState.QUEUED, attempt=max(claimed.attempt - 1, 0)
        )


def blame(database: Database, claimed: Claim, subject: str, code: str) -> None:
    """Note what a job was ended by as a finding of its run, and put the run back to be begun without it."""
    with database.transaction(actor=claimed.worker) as session:
        fence(session, claimed)
        finding = {"subject": subject, "code": code, "message": BLAMES[code], "found_at": now()}
        lineage_queries.insert_findings(session, [{"run_id": claimed.run_id, **finding}])
        changes.record_asset(session, AssetKind.RUN, claimed.run_id, "finding", None, finding)
    give_back(database, claimed)


def blamed(session: Session, run: int) -> set[str]:
    """Return what earlier attempts of a run were ended by."""
    return {str(one.subject) for one in lineage_queries.findings_of(session, [run])[run] if one.code in BLAMES}


def cancel(session: Session, run: int) -> None:
    """Cancel a run: at once while it waits, else by its worker within a second."""
    row = lineage_queries.lock_run(session, run)
    if row is None:
        raise NotFound("no run has this id", path=("run",))
    if row.type is RunType.EXTERNAL:
        raise Invalid("this run happens outside the service; cancel it where it runs", path=("run",))
    if row.state is RunState.CANCELLED:
        return
    if row.state.final:
        raise Conflict(f"the run has {row.state.value.lower()} already; it cannot be cancelled", path=("run",))
    lease = queries.lease_of(session, run)
    if lease is None or lease.worker is None:
        _end(session, run, RunState.CANCELLED, None)
    else:
        queries.request_cancel(session, run)
        lineage.change_run(session, run, "cancel requested", message="cancelling")
