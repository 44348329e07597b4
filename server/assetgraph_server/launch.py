"""Starting processes: the server, and the worker beside it on the embedded default."""

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from assetgraph.catalog import tokens
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.errors import Unavailable
from assetgraph.openlineage.emission import emitting
from assetgraph.settings import Settings

TOKEN_FILE = "admin-token"  # noqa: S105 - the name of a file


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives another process these settings."""
    texts = {f"ASSETGRAPH_{name.upper()}": _written(value) for name, value in settings.model_dump().items()}
    return {**os.environ, **texts, "ASSETGRAPH_DATABASE_URL": settings.url}


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{name}={reference}" if reference else name for name, reference in value.items())
    return str(value)


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def first_token(settings: Settings, database: Database) -> str | None:
    """Make the first admin token, kept in ASSETGRAPH_HOME with mode 0600; None when there are tokens already."""
    with database.transaction(actor="serve") as session:
        if tokens.every(session):
            return None
        _, token = tokens.create(session, "admin", tokens.Role.ADMIN)
        path = settings.home / TOKEN_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(token + "\n")
    return token


@contextmanager
def workers_beside(settings: Settings, count: int) -> Iterator[None]:
    """Run worker processes while the block runs; they end with it, and with this process should it be killed."""
    command = [sys.executable, "-m", "assetgraph_server.cli", "worker", "--with-parent"]
    started = [
        subprocess.Popen(command, env=environment(settings), stdin=subprocess.PIPE)  # noqa: S603 - our own program
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def serve(settings: Settings, *, workers: int) -> None:
    """Migrate, make the first token, start workers and serve until stopped."""
    from assetgraph_server.app import create_app

    migrate.upgrade(settings.url)
    database = Database(settings.url)
    token = first_token(settings, database)
    address = f"http://{settings.host}:{settings.port}"
    print(f"assetgraph serves at {address}  (GraphiQL: {address}/graphql)", flush=True)
    if token is not None:
        print(f"admin token, shown once and kept in {settings.home / TOKEN_FILE}: {token}", flush=True)
    app = create_app(settings, database)
    # What start-up made stays: the collector need not look at it again, nor run for every few hundred objects of the
    # many short-lived ones that a batch of events is made of.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # Workers tell what their runs do too; here it goes on while none runs, and a run cancelled in the queue is told.
    with emitting(settings), workers_beside(settings, workers):
        uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", ws="websockets-sansio")


@contextmanager
def running_server(settings: Settings) -> Iterator[str]:
    """Run `assetgraph serve` as a process of its own and yield its address once it is ready."""
    command = [sys.executable, "-m", "assetgraph_server.cli", "serve"]
    url = f"http://{settings.host}:{settings.port}"
    process = subprocess.Popen(command, env=environment(settings), stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _until_ready(process, url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _until_ready(process: "subprocess.Popen[bytes]", url: str, timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"the server ended with status {process.returncode} before it was ready")
        try:
            if httpx.get(f"{url}/healthz", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise Unavailable(f"the server was not ready within {timeout_seconds:g} s")


def demo_data() -> Path:
    """Return the folder of the sample data: in the wheel, or in the checkout's tests/data."""
    package = Path(__file__).parent
    inside = package / "demo_data"
    return inside if inside.is_dir() else package.parent.parent / "tests" / "data" / "online_retail"
