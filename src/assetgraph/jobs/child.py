"""The child process that does the work: warm (imports are paid once), killable, and dead when its worker is."""

import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError
from assetgraph.jobs.context import Doing, Handler, JobContext, resident_bytes
from assetgraph.jobs.service import STALLED, TOO_MUCH_MEMORY, Claim
from assetgraph.settings import Settings

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Outcome:
    """How one job ended in the child: completed by the handler, or the error to show."""

    completed: bool
    error: str | None


def resolve(handlers: str) -> dict[str, Handler]:
    """Return the table of handlers at 'module:NAME'; named as text because the table lies above this slice."""
    module, _, name = handlers.partition(":")
    table: dict[str, Handler] = getattr(importlib.import_module(module), name)
    return table


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


def _main(pipe: Connection, handlers: str, settings: Settings, parent: int) -> None:
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    table = resolve(handlers)
    database = Database(settings.url)
    while True:
        try:
            claim: Claim = pipe.recv()
        except EOFError:
            return
        pipe.send(_run(table, JobContext(database, settings, claim, tell=pipe.send)))


def _run(table: dict[str, Handler], context: JobContext) -> Outcome:
    claim = context.claim
    try:
        if claim.kind not in table:
            return Outcome(False, f"this worker knows no job of kind '{claim.kind}'; it knows: {', '.join(table)}")
        table[claim.kind](context)
    except AssetgraphError as error:
        return Outcome(context.completed, error.message)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - Polars panics are BaseExceptions, and a job must not kill its child
        traceback.print_exc()
        return Outcome(context.completed, f"{type(error).__name__}: {error}")
    return Outcome(context.completed, None)


class Child:
    """A child process, seen from the worker."""

    def __init__(self, handlers: str, settings: Settings) -> None:
        """Start the process; it imports the handlers while the worker looks for its first job."""
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        # The process must not be daemonic in multiprocessing's sense: a handler may use processes of its own.
        self._process: BaseProcess = spawn.Process(
            target=_main, args=(theirs, handlers, settings, os.getpid()), name="assetgraph-job"
        )
        self._process.start()
        theirs.close()
        #: What the job says that it works on.
        self.doing: Doing | None = None
        self._heard_at = time.monotonic()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def start(self, claim: Claim) -> None:
        """Give it a job."""
        self.doing = None
        self._pipe.send(claim)

    def outcome(self, timeout_seconds: float) -> Outcome | None:
        """Return how the job ended, or None when it has not within the time; raises EOFError when the child died."""
        until = time.monotonic() + timeout_seconds
        while self._pipe.poll(max(until - time.monotonic(), 0.0)):
            heard: Outcome | Doing | None = self._pipe.recv()
            if isinstance(heard, Outcome):
                return heard
            self.doing, self._heard_at = heard, time.monotonic()
            if self._heard_at >= until:
                break
        return None

    def overrun(self) -> str | None:
        """Return the code of the budget that what it works on has overrun."""
        if self.doing is None:
            return None
        if resident_bytes(self.pid) - self.doing.held_bytes > self.doing.memory_bytes:
            return TOO_MUCH_MEMORY
        return STALLED if time.monotonic() - self._heard_at > self.doing.stall_seconds else None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def close(self) -> None:
        """Let an idle process end by itself; kill it when it does not."""
        self._pipe.close()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
