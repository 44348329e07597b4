"""Emission: follows the change log and tells the outside what the service's own runs do.

The cursor is moved after an event has arrived, so that a kill anywhere loses nothing and at most repeats the events of
one change. One emitter sends at a time over each way: whoever holds the cursor's row.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog

from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError
from assetgraph.lineage import queries as lineage
from assetgraph.openlineage import emission_queries as queries
from assetgraph.openlineage.own_runs import events_of, is_own
from assetgraph.openlineage.sinks import Sink, Undelivered, sinks_of
from assetgraph.settings import Settings

#: Changes of runs that are read at once.
BATCH = 50
#: A cursor held longer than this without a word is anyone's: longer than a delivery may take.
HOLD = timedelta(seconds=30)
#: A change of something else moves the cursor only when it lies this far behind.
LAG = 10_000
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
#: How long a process that stops goes on sending what is there.
LAST_SECONDS = 3.0

log = structlog.get_logger("assetgraph.emission")


class Emitter:
    """Tells one sink; runs in a thread of its own, so that a slow endpoint holds up no job."""

    def __init__(self, database: Database, sink: Sink, *, poll_seconds: float = 0.5) -> None:
        """Connect lazily."""
        self.database = database
        self.sink = sink
        self.holder = f"emitter {socket.gethostname()} {os.getpid()} {secrets.token_hex(2)}"
        self._poll_seconds = poll_seconds
        self._held_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Tell until `stop` is set, and then what is left, for a few seconds."""
        wait, failures = 0.0, 0
        while not stop.wait(wait):
            wait, failures = self._turn(failures)
        until = time.monotonic() + LAST_SECONDS
        while time.monotonic() < until:
            wait, failures = self._turn(0)
            if wait and not failures:
                break
            time.sleep(min(wait, 0.2))
        self._release()
        self.sink.close()

    def _turn(self, failures: int) -> tuple[float, int]:
        """Tell a batch; returns how long to wait and how often it failed in a row."""
        try:
            return (0.0, 0) if self.step() else (self._poll_seconds, 0)
        except Exception as error:  # noqa: BLE001 - whatever it is, the cursor stays and it is tried again
            wait = min(FIRST_WAIT * 2**failures, LONGEST_WAIT)
            if isinstance(error, Undelivered):
                wait = min(max(wait, error.after), LONGEST_WAIT)
            log.warning("events wait", sink=self.sink.name, error=str(error), seconds=wait)
            return wait, min(failures + 1, 10)

    def step(self) -> bool:
        """Tell the next changes; False when there is nothing to tell, or another emitter tells it."""
        found = self._next()
        if found is None:
            return False
        upto, changes = found
        for sequence, events in changes:
            for event in events:
                if time.monotonic() - self._held_at > HOLD.total_seconds() / 4 and self._claim() is None:
                    return False
                self.sink.send(event)
            if not self._move(sequence):
                return False
        return bool(changes) if upto is None else self._move(upto)

    def _next(self) -> tuple[int | None, Sequence[tuple[int, list[dict[str, Any]]]]] | None:
        """Return the next changes with their events, and how far the log was looked through when that should be kept.

        The cursor is written only when there is something to tell: an idle emitter only reads.
        """
        with self.database.reading() as session:
            newest, known = queries.newest_change(session), queries.cursor(session, self.sink.name)
            after = 0 if known is None else known
            if not queries.run_changes(session, after, newest, 1) and newest - after < LAG:
                return None
        claimed = self._claim()
        if claimed is None:
            return None
        with self.database.reading() as session:
            newest = queries.newest_change(session)
            changes = queries.run_changes(session, claimed, newest, BATCH)
            runs = lineage.runs_by_ids(session, sorted({int(one.entity_key) for one in changes}))
            told = [
                (int(one.sequence), events_of(session, one, run) if (run := runs.get(int(one.entity_key))) is not None
                 and is_own(run) else [])
                for one in changes
            ]  # fmt: skip
        return (None if len(changes) == BATCH or newest - claimed < LAG else newest), told

    def _claim(self) -> int | None:
        """Take or keep the cursor; returns how far it is, or None while another emitter has it."""
        at, self._held_at = now(), time.monotonic()
        with self.database.transaction(actor=self.holder) as session:
            queries.ensure_cursor(session, self.sink.name, at)
            return queries.claim_cursor(session, self.sink.name, self.holder, at=at, until=at + HOLD)

    def _move(self, sequence: int) -> bool:
        self._held_at = time.monotonic()
        with self.database.transaction(actor=self.holder) as session:
            return queries.move_cursor(session, self.sink.name, self.holder, sequence, now() + HOLD)

    def _release(self) -> None:
        try:
            with self.database.transaction(actor=self.holder) as session:
                queries.release_cursor(session, self.sink.name, self.holder)
        except AssetgraphError as error:
            log.warning("cursor kept until it runs out", sink=self.sink.name, error=error.message)


@contextmanager
def emitting(settings: Settings) -> Iterator[None]:
    """Tell the sinks that the settings name while the block runs; without any, do nothing."""
    sinks = sinks_of(settings)
    if not sinks:
        yield
        return
    database, stop = Database(settings.url), threading.Event()
    threads = [
        threading.Thread(target=Emitter(database, sink, poll_seconds=settings.poll_seconds).run, args=(stop,))
        for sink in sinks
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        database.close()
