"""Commands that do their work here: a worker in this process, and the folders that it may read."""

import threading
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from assetgraph.catalog import queries as catalog_queries
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError
from assetgraph.jobs.worker import Worker
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage.tables import RunState
from assetgraph.openlineage.emission import emitting
from assetgraph.settings import Settings
from assetgraph_server.console import err


def with_sources(settings: Settings, database: Database) -> Settings:
    """Return settings that also allow what lies in sources: whoever runs commands here may use those."""
    with database.reading() as session:
        # They were allowed when they were registered.
        located = catalog_queries.source_locations(session)
    roots = (*settings.scan_roots, *(Path(one) for one in located if "://" not in one))
    return settings.model_copy(update={"scan_roots": roots})


def work_through(settings: Settings, database: Database, run: int) -> dict[str, Any]:
    """Run a worker here until a run is final, with a progress bar; returns the run."""
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings).run, args=(stop,))
    thread.start()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with emitting(settings), Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("queued", total=1.0)
            while True:
                with database.reading() as session:
                    row = lineage_queries.runs_by_ids(session, [run])[run]
                bar.update(task, completed=row.progress or 0.0, description=row.message or row.state.value.lower())
                if row.state.final:
                    break
                stop.wait(0.2)
    finally:
        stop.set()
        thread.join()
    if row.state is not RunState.SUCCEEDED:
        raise AssetgraphError(f"{row.name} {row.state.value.lower()}: {row.error or 'no reason given'}")
    return dict(row._mapping)
