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


def costly(context: JobContext) -> None:
    """Work on three things, each of which costs too much in its own way, and on one that does not."""
    blamed = context.blamed()
    mark = Path(context.claim.parameters["file"])
    for subject in ("memory", "still", "crash", "good"):
        if subject in blamed:
            continue
        if subject == "memory":
            os.kill(os.getppid(), signal.SIGSTOP)  # a busy worker hears of it late, when all of it is held
        context.doing(subject, 600 << 20, 20.0 if subject == "memory" else 1.0)
        with mark.open("a") as stream:
            stream.write(f"{subject}\n")
        if subject == "memory":
            held = [b"x" * (900 << 20)]
            os.kill(os.getppid(), signal.SIGCONT)
            time.sleep(60 + len(held))
        if subject == "still":
            time.sleep(60)
        if subject == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        for _ in range(8):  # longer than it may stand still, but it gets on
            time.sleep(0.25)
            context.doing(subject, 600 << 20, 1.0)
    context.idle()
    time.sleep(1.5)  # nothing is to blame now
    note(context)


HANDLERS: dict[str, Handler] = {
    "note": note, "nap": nap, "slow_once": slow_once, "die": die, "fail": fail, "costly": costly,
}  # fmt: skip
