"""Where events go: an HTTP endpoint, or a file."""

import os
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson
import structlog

from assetgraph.errors import Unavailable
from assetgraph.settings import Settings

TIMEOUT_SECONDS = 5.0
#: What an endpoint answers to an event that it will never take; everything else may be right another time.
REFUSED = (400, 413, 415, 422)

log = structlog.get_logger("assetgraph.emission")


class Undelivered(Unavailable):
    """An event did not arrive; `after` is when the endpoint wants to be asked again, in seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        """Say why."""
        super().__init__(message)
        self.after = after


class Sink(Protocol):
    """Takes one event at a time: when `send` returns, the event is safe."""

    name: str

    def send(self, event: dict[str, Any]) -> None:
        """Deliver an event; raises Undelivered when it must be tried again."""

    def close(self) -> None:
        """Let go of what is open."""


class HttpSink:
    """POSTs each event to one URL, as OpenLineage's clients do."""

    name = "http"

    def __init__(self, url: str, api_key: str) -> None:
        """Connect on first use; the key goes to this URL only, because redirects are not followed."""
        self._url = url
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {api_key}"} if api_key else {})}
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers)

    def send(self, event: dict[str, Any]) -> None:
        """Deliver an event. One that the endpoint calls wrong is logged and passed over: the rest must not wait."""
        try:
            answer = self._client.post(self._url, content=orjson.dumps(event))
        except httpx.HTTPError as error:
            raise Undelivered(f"the endpoint cannot be reached: {type(error).__name__}") from error
        if answer.is_success:
            return
        if answer.status_code in REFUSED:
            said = answer.text[:500]
            log.error("event refused", status=answer.status_code, run=event["run"]["runId"], answer=said)
            return
        wait = answer.headers.get("Retry-After", "")
        raise Undelivered(f"the endpoint answered {answer.status_code}", float(wait) if wait.isdigit() else 0.0)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class FileSink:
    """Appends each event to a file as one line, safe on the disk when `send` returns."""

    name = "file"

    def __init__(self, path: Path) -> None:
        """Open on first use."""
        self._path = path
        self._descriptor: int | None = None

    def send(self, event: dict[str, Any]) -> None:
        """Append an event."""
        try:
            if self._descriptor is None:
                self._descriptor = self._opened()
            line = memoryview(orjson.dumps(event) + b"\n")
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError as error:
            self.close()
            raise Undelivered(f"the file cannot be written: {error.strerror}") from error

    def _opened(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
        # A kill in the middle of a write left half a line: its event comes again, whole.
        size = os.fstat(descriptor).st_size
        end = size
        while end > 0 and os.pread(descriptor, 1, end - 1) != b"\n":
            end -= 1
        if end != size:
            os.ftruncate(descriptor, end)
        return descriptor

    def close(self) -> None:
        """Close the file; what was half written is cut off when it is opened again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def sinks_of(settings: Settings) -> list[Sink]:
    """Return the sinks that the settings name."""
    found: list[Sink] = []
    if settings.openlineage_url:
        found.append(HttpSink(settings.openlineage_url, settings.openlineage_api_key))
    if settings.openlineage_file:
        found.append(FileSink(Path(settings.openlineage_file).expanduser()))
    return found
