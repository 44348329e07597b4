"""The worker: claims runs, has a child do them, keeps their leases, and ends or gives them back."""

import os
import secrets
import socket
import threading
import time

import structlog

from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Conflict, Unavailable
from assetgraph.jobs import service
from assetgraph.jobs.child import Child, Outcome
from assetgraph.jobs.schedules import launch_due
from assetgraph.jobs.service import Claim
from assetgraph.lineage.expiry import expire
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

#: How often a running job's cancel request is looked for.
CANCEL_POLL_SECONDS = 0.25
#: How often a worker closes edges that were not seen for their time to live.
EXPIRE_SECONDS = 3600
#: How often a worker looks whether a schedule's time has come.
PLAN_SECONDS = 1

log = structlog.get_logger("assetgraph.worker")


class Worker:
    """One job at a time; run more workers for more."""

    def __init__(
        self,
        settings: Settings,
        *,
        gpu: bool = False,
        name: str | None = None,
        handlers: str = "assetgraph.work:HANDLERS",
        launchers: str = "assetgraph.work:LAUNCHERS",
    ) -> None:
        """Connect lazily; `handlers` names the table of job kinds as 'module:NAME', `launchers` that of schedules."""
        self.settings = settings
        self.database = Database(settings.url)
        self.gpu = gpu
        self.name = name or f"worker {socket.gethostname()} {os.getpid()} {secrets.token_hex(2)}"
        self.handlers = handlers
        self.launchers = launchers
        self._child: Child | None = None
        self._expire_edges_at = time.monotonic()
        self._plan_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a running job is then given back."""
        log.info("worker started", worker=self.name, gpu=self.gpu)
        self._ready()
        try:
            while not stop.is_set():
                try:
                    self._turn(stop)
                except Exception:  # a bug must not end the worker: what it held goes to the next by its lease
                    log.exception("this turn failed; the worker goes on", worker=self.name)
                    stop.wait(self.settings.poll_seconds)
        finally:
            if self._child is not None:
                self._child.close()
            self.database.close()
            log.info("worker stopped", worker=self.name)

    def _turn(self, stop: threading.Event) -> None:
        # Before claiming: no job waits under a lease, and a worker that is never idle comes by here too.
        self._expire_edges()
        self._plan()
        claims = self._claim()
        if not claims:
            stop.wait(self.settings.poll_seconds)
        for claimed in claims:
            self._work(claimed, stop)

    def _claim(self) -> list[Claim]:
        try:
            return service.claim(
                self.database,
                self.name,
                lease_seconds=self.settings.lease_seconds,
                max_attempts=self.settings.max_attempts,
                gpu=self.gpu,
            )
        except AssetgraphError as error:
            log.warning("cannot claim", error=error.message)
            return []

    def _expire_edges(self) -> None:
        """Close edges past their time to live, when it is time again."""
        if not self.settings.edge_ttl_days or time.monotonic() < self._expire_edges_at:
            return
        self._expire_edges_at = time.monotonic() + EXPIRE_SECONDS
        try:
            closed = expire(self.database, self.settings.edge_ttl_days, actor=self.name)
        except AssetgraphError as error:
            log.warning("cannot expire edges", error=error.message)
        else:
            log.info("edges expired", closed=closed)

    def _plan(self) -> None:
        """Queue what schedules planned, when it is time again to look."""
        if time.monotonic() < self._plan_at:
            return
        self._plan_at = time.monotonic() + PLAN_SECONDS
        try:
            runs = launch_due(self.database, self.settings, self.launchers, actor=self.name)
        except AssetgraphError as error:
            log.warning("cannot plan", error=error.message)
        else:
            if runs:
                log.info("runs planned", runs=runs)

    def _ready(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = Child(self.handlers, self.settings)
        return self._child

    def _work(self, claimed: Claim, stop: threading.Event) -> None:
        log.info("run started", run=claimed.run_id, kind=claimed.kind, attempt=claimed.attempt)
        child = self._ready()
        try:
            child.start(claimed)
            outcome = self._watch(child, claimed, stop)
        except (EOFError, OSError):
            outcome = None
            self._drop(child)
            if child.doing is not None:
                self._blame(claimed, child.doing.subject, service.CRASHED)
                return
            # The child died under the job: leave the lease to run out now rather than later, counted as an attempt.
            self._expire(claimed)
        except Unavailable as error:
            # Without the database the lease cannot be kept: whoever reaches it first after that takes the run.
            outcome = None
            self._drop(child)
            log.warning("database lost", run=claimed.run_id, error=error.message)
        if outcome is not None and not outcome.completed:
            self._end(claimed, RunState.FAILED if outcome.error else RunState.SUCCEEDED, outcome.error)
        log.info("run ended", run=claimed.run_id, error=outcome.error if outcome else "not finished here")

    def _watch(self, child: Child, claimed: Claim, stop: threading.Event) -> Outcome | None:
        beat_at = time.monotonic() + self.settings.lease_seconds / 4
        while True:
            outcome = child.outcome(CANCEL_POLL_SECONDS)
            if outcome is not None:
                return outcome
            if stop.is_set():
                self._drop(child)
                service.give_back(self.database, claimed)
                return None
            state = "held"
            overrun = child.overrun()
            if overrun is not None and child.doing is not None:
                self._drop(child)
                self._blame(claimed, child.doing.subject, overrun)
                return None
            if time.monotonic() >= beat_at:
                state = service.beat(self.database, claimed, self.settings.lease_seconds)
                beat_at = time.monotonic() + self.settings.lease_seconds / 4
            elif service.cancel_requested(self.database, claimed):
                state = "cancel"
            if state != "held":
                self._drop(child)
                if state == "cancel":
                    self._end(claimed, RunState.CANCELLED, None)
                return None

    def _blame(self, claimed: Claim, subject: str, code: str) -> None:
        log.warning("given up", run=claimed.run_id, subject=subject, code=code)
        try:
            service.blame(self.database, claimed, subject, code)
        except (Conflict, Unavailable) as error:
            log.warning("lease lost", run=claimed.run_id, error=error.message)

    def _drop(self, child: Child) -> None:
        child.kill()
        self._child = None

    def _end(self, claimed: Claim, state: RunState, error: str | None) -> None:
        try:
            with self.database.transaction(actor=self.name) as session:
                service.finish(session, claimed, state, error)
        except (Conflict, Unavailable) as lost:
            log.warning("lease lost", run=claimed.run_id, error=lost.message)

    def _expire(self, claimed: Claim) -> None:
        try:
            service.beat(self.database, claimed, 0.0)
        except Unavailable as error:
            log.warning("database lost", run=claimed.run_id, error=error.message)
