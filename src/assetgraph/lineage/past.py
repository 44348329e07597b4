"""Runs as they were: what they show of their end and of their progress was not known before."""

from datetime import datetime
from typing import Any

from assetgraph.lineage.tables import RunState

#: What a run says of itself that comes with its end, or changes as it goes.
_LATER = ("progress", "message", "ended_at", "error")


def run_at(row: Any, at: datetime | None) -> dict[str, Any]:
    """Return the columns of a run that were other at a moment."""
    if at is None or not ahead(row, at):
        return {}
    begun = any(moment is not None and moment <= at for moment in (row.started_at, row.first_at))
    state = RunState.RUNNING if begun else RunState.QUEUED
    return {"state": state, "started_at": row.started_at if begun else None, **dict.fromkeys(_LATER)}


def ahead(row: Any, at: datetime) -> bool:
    """Tell whether a run had not ended at a moment, of those that say when they began or ended."""
    if row.ended_at is not None:
        return bool(row.ended_at > at)
    return row.started_at is not None and bool(row.started_at > at)
