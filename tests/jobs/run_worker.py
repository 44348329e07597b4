"""A worker process of its own, with the tests' job kinds: what the tests kill."""

import signal
import sys
import threading
from pathlib import Path

from assetgraph.jobs.worker import Worker
from assetgraph.settings import Settings

if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = Settings(
        database_url=sys.argv[1], home=Path(sys.argv[2]), lease_seconds=2, poll_seconds=0.1, log_level="ERROR"
    )
    Worker(settings, handlers=sys.argv[3]).run(stop)
