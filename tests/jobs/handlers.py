"""Job kinds of the tests, in a real table that real child processes import."""

import os
import signal
import time
from pathlib import Path

from assetgraph.catalog import service as catalog
from assetgraph.jobs.context import Handler, JobContext


def note(context: JobContext) -> None:
    """Leave a mark in a file and a dataset in the catalog, in the completing transaction."""
    path = Path(context.claim.parameters["file"])
    with path.open("a") as stream:
        stream.write(f"{context.claim.attempt}\n")
    with context.completing() as session:
        catalog.ensure_dataset(session, "jobs", f"done-{context.claim.run_id}")


def nap(context: JobContext) -> None:
    """Take a moment before the work."""
    time.sleep(0.05)
    note(context)


def slow_once(context: JobContext) -> None:
    """Burn CPU on the first attempt, and do the work on the next."""
    with Path(context.claim.parameters["file"]).open("a") as stream:
        stream.write(f"begin {context.claim.attempt}\n")
    until = time.monotonic() + (60 if context.claim.attempt == 1 else 0)
    while time.monotonic() < until:
        sum(range(1000))
    note(context)


def die(context: JobContext) -> None:
    """End the child as a crash of native code does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(context: JobContext) -> None:
    """Fail as a bug does."""
    raise RuntimeError("a bug")


HANDLERS: dict[str, Handler] = {"note": note, "nap": nap, "slow_once": slow_once, "die": die, "fail": fail}
