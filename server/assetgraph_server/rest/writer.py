"""Group commit: events that wait together are written together, by one thread, in one transaction."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Unavailable
from assetgraph.openlineage.facts import Facts
from assetgraph.openlineage.service import ingest

#: Clients give up after five seconds and send again: what cannot be written by then is better refused at once.
MOST_WAITING = 4000
#: Events of one transaction: more would keep other writers waiting.
TOGETHER = 1000
#: Tries of a transaction while the database is busy.
_TRIES = 3
#: How long a group waits for as many requests as the one before it had.
LINGER_SECONDS = 0.004
#: Every so many groups it tries whether more would come.
PROBE = 16

Outcome = bool | AssetgraphError


@dataclass
class _Waiting:
    """Events of one request."""

    actor: str
    events: Sequence[Facts]
    answer: Future[list[Outcome]] = field(default_factory=Future)


class EventWriter:
    """Takes events from many requests; each request hears when its own are committed, or why they are not."""

    def __init__(self, database: Database) -> None:
        """Start no thread before the first event."""
        self._database = database
        self._queue: deque[_Waiting] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    async def write(self, actor: str, events: Sequence[Facts]) -> list[Outcome]:
        """Write events; tells for each whether it was new, or the error that refused it.

        Raises Unavailable when too many wait already, and when the database does not answer.
        """
        item = _Waiting(actor, events)
        with self._wake:
            if self._waiting and self._waiting + len(events) > MOST_WAITING:
                raise Unavailable(f"{self._waiting} events wait to be written; send this again later")
            self._waiting += len(events)
            self._queue.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
                self._thread.start()
            self._wake.notify()
        return await asyncio.wrap_future(item.answer)

    def _run(self) -> None:
        last = before = 1
        for number in count():
            with self._wake:
                while not self._queue:
                    self._wake.wait()
                # Those who were answered together send again together: a moment's patience halves the transactions.
                # Now and then it waits for two groups' worth, so that halves that take turns become one.
                wanted = last + before if number % PROBE == 0 else last
                self._wake.wait_for(partial(self._has, wanted), LINGER_SECONDS)
                group = self._take()
            last, before = len(group), last
            try:
                # From here on nobody can cancel: an answer that cannot be given must not spoil those of the others.
                heard = [item for item in group if item.answer.set_running_or_notify_cancel()]
                if heard:
                    self._write(heard)
            except BaseException as error:  # noqa: BLE001 - whatever it is, each request must hear of it
                for item in group:
                    if not item.answer.done():
                        item.answer.set_exception(error)
            with self._wake:
                self._waiting -= sum(len(item.events) for item in group)

    def _has(self, requests: int) -> bool:
        return len(self._queue) >= requests

    def _take(self) -> list[_Waiting]:
        """Return the next requests of one caller: the change log names who wrote a transaction."""
        group = [self._queue.popleft()]
        count = len(group[0].events)
        while self._queue and self._queue[0].actor == group[0].actor:
            count += len(self._queue[0].events)
            if count > TOGETHER:
                break
            group.append(self._queue.popleft())
        return group

    def _write(self, group: list[_Waiting]) -> None:
        if len(group) == 1:
            group[0].answer.set_result(self._parts(group[0].actor, group[0].events))
            return
        events = [event for item in group for event in item.events]
        try:
            told = self._transaction(group[0].actor, events)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - one request's trouble is not the others'
            for item in group:
                self._alone(item)
            return
        start = 0
        for item in group:
            item.answer.set_result(list(told[start : start + len(item.events)]))
            start += len(item.events)

    def _alone(self, item: _Waiting) -> None:
        try:
            item.answer.set_result(self._parts(item.actor, item.events))
        except Exception as error:  # noqa: BLE001 - its request hears of it
            item.answer.set_exception(error)

    def _parts(self, actor: str, events: Sequence[Facts]) -> list[Outcome]:
        """Write a request's events in transactions of bounded size; one that cannot be written fails alone."""
        outcomes: list[Outcome] = []
        for start in range(0, len(events), TOGETHER):
            part = events[start : start + TOGETHER]
            try:
                outcomes += self._transaction(actor, part)
            except AssetgraphError as error:
                if isinstance(error, Unavailable) or len(events) == 1:
                    raise
                outcomes += [self._single(actor, event) for event in part]
        return outcomes

    def _single(self, actor: str, event: Facts) -> Outcome:
        try:
            return self._transaction(actor, [event])[0]
        except AssetgraphError as error:
            return error

    def _transaction(self, actor: str, events: Sequence[Facts]) -> list[bool]:
        for attempt in range(_TRIES):
            try:
                with self._database.transaction(actor=actor) as session:
                    return ingest(session, events)
            except Unavailable:
                if attempt == _TRIES - 1:
                    raise
                time.sleep(0.05 * (attempt + 1))
        raise AssertionError("the loop returns or raises")
