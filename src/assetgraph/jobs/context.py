"""What a job's handler works with: its claim, fenced transactions, progress, completion."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assetgraph.db.engine import Database, Session
from assetgraph.jobs import service
from assetgraph.jobs.service import Claim
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

#: Progress is written at most this often.
PROGRESS_SECONDS = 1.0
#: The worker hears that a job gets on at most this often.
TELL_SECONDS = 0.2


@dataclass(frozen=True)
class Doing:
    """What a job works on now, told to its worker: when it costs too much, this is what is to blame."""

    subject: str
    memory_bytes: int
    stall_seconds: float
    #: What the process held when it began on the subject: what earlier work left in memory is not this one's. The
    #: process measures it itself: when the worker hears of it, the subject may hold memory already.
    held_bytes: int


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 where that cannot be told (not on Linux)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


@dataclass
class JobContext:
    """Handed to a handler; every write goes through its fenced transactions."""

    database: Database
    settings: Settings
    claim: Claim
    completed: bool = False
    #: Takes a word to the worker; in a process without one nobody listens.
    tell: Callable[[Doing | None], None] = field(default=lambda _: None, repr=False)
    _written_at: float = field(default=float("-inf"), repr=False)
    _doing: str | None = field(default=None, repr=False)
    _held_bytes: int = field(default=0, repr=False)
    _told_at: float = field(default=float("-inf"), repr=False)

    def progress(self, fraction: float, message: str) -> None:
        """Show how far the work is, from 0 to 1; more than one call a second is dropped."""
        moment = time.monotonic()
        if moment - self._written_at < PROGRESS_SECONDS:
            return
        self._written_at = moment
        service.progress(self.database, self.claim, min(max(fraction, 0.0), 1.0), message)

    def doing(self, subject: str, memory_bytes: int, stall_seconds: float) -> None:
        """Say what is worked on and what it may cost, and again whenever it gets on.

        Where it costs more, or ends the process, the worker notes a finding of the run that names it, and the job is
        begun anew: `blamed` tells then what to leave out.
        """
        moment = time.monotonic()
        if self._doing == subject and moment - self._told_at < TELL_SECONDS:
            return
        if self._doing != subject:
            self._held_bytes = resident_bytes(os.getpid())
        self._doing, self._told_at = subject, moment
        self.tell(Doing(subject, memory_bytes, stall_seconds, self._held_bytes))

    def idle(self) -> None:
        """Say that nothing is worked on that a finding could name."""
        self._doing = None
        self.tell(None)

    def blamed(self) -> set[str]:
        """Return what earlier attempts of the run were ended by."""
        with self.database.reading() as session:
            return service.blamed(session, self.claim.run_id)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Write as this claim; raises Conflict when another worker has taken the run over."""
        with self.database.transaction(actor=self.claim.worker) as session:
            service.fence(session, self.claim)
            yield session

    @contextmanager
    def completing(self, *, message: str | None = None) -> Iterator[Session]:
        """Do the last write and end the run as succeeded, in one transaction."""
        with self.transaction() as session:
            yield session
            service.finish(session, self.claim, RunState.SUCCEEDED, progress=1.0, message=message)
        self.completed = True


Handler = Callable[[JobContext], None]
