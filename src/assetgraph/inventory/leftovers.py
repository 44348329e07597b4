"""Files that scans wrote to read others, and that a killed scan left: gone with the next scan."""

import shutil
from pathlib import Path

from assetgraph.db.engine import Session
from assetgraph.lineage import queries

_PREFIX = "run-"


def scratch_of(home: Path, run: int) -> Path:
    """Return the folder of one scan's temporary files; it need not be there."""
    return home / "scratch" / f"{_PREFIX}{run}"


def sweep(session: Session, home: Path, run: int) -> None:
    """Remove what this run left when it was killed, and what runs left that nobody works on any more."""
    folders = {int(one.name.removeprefix(_PREFIX)): one for one in (home / "scratch").glob(f"{_PREFIX}[0-9]*")}
    states = queries.runs_by_ids(session, list(folders)) if folders else {}
    for number, folder in folders.items():
        row = states.get(number)
        if number == run or row is None or row.state.final:
            shutil.rmtree(folder, ignore_errors=True)
