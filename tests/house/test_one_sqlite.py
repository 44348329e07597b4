"""One SQLite in a process: a second copy of the library takes the first one's locks away, and databases break."""

import subprocess
import sys

#: Loads what a server, a worker and its child load, the graph too, and prints the libraries in memory that hold SQLite.
PROGRAM = """
import sys
import polars, pyarrow, numba
import assetgraph.work, assetgraph_server.app, assetgraph_server.cli
from assetgraph.db.engine import Database
from assetgraph.lineage.index import load
with Database(sys.argv[1]).reading() as session:
    load(session)
seen = set()
for line in open("/proc/self/maps"):
    path = line.split()[-1]
    if path.startswith("/") and ".so" in path and path not in seen:
        seen.add(path)
        with open(path, "rb") as library:
            if b"SQLite format 3" in library.read():
                print(path)
"""


def test_no_second_copy_of_sqlite_is_loaded(sqlite_url: str) -> None:
    """By the signature of its files, which every copy holds."""
    command = [sys.executable, "-c", PROGRAM, sqlite_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert len(done.stdout.split()) == 1, done.stdout
