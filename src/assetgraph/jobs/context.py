"""What a job's handler works with: its claim, fenced transactions, progress, completion."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from assetgraph.db.engine import Database, Session
from assetgraph.jobs import service
from assetgraph.jobs.service import Claim
from assetgraph.lineage.tables import RunState
from assetgraph.settings import Settings

#: Progress is written at most this often.
PROGRESS_SECONDS = 1.0


@dataclass
class JobContext:
    """Handed to a handler; every write goes through its fenced transactions."""

    database: Database
    settings: Settings
    claim: Claim
    completed: bool = False
    _written_at: float = field(default=float("-inf"), repr=False)

    def progress(self, fraction: float, message: str) -> None:
        """Show how far the work is, from 0 to 1; more than one call a second is dropped."""
        moment = time.monotonic()
        if moment - self._written_at < PROGRESS_SECONDS:
            return
        self._written_at = moment
        service.progress(self.database, self.claim, min(max(fraction, 0.0), 1.0), message)

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
