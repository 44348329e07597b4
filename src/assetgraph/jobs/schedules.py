"""Schedules: cron expressions that queue runs, once for each planned time however many workers look.

A planned time that passed while no worker ran is made up for once, with the latest one; while the run before still
waits or runs, nothing more is queued.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assetgraph.catalog import queries as catalog
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database, Session
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import TYPE_NAMES
from assetgraph.jobs import schedule_queries as queries
from assetgraph.lineage import queries as lineage_queries
from assetgraph.settings import Settings

#: Queues a run: (session, settings, schedule row, planned time) -> run.
Launcher = Callable[[Session, Settings, Any, datetime], int]

#: At most this many schedules are looked at in one turn; the rest follow in the next.
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class SetSchedule:
    """Queue runs of a kind for an asset at the times of a cron expression; replaces the schedule there is."""

    asset_id: int
    kind: str
    #: Minute, hour, day of the month, month, day of the week.
    cron: str
    time_zone: str = "UTC"
    enabled: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)


def planned_times(cron: str, time_zone: str, at: datetime) -> tuple[datetime, datetime]:
    """Return (the latest planned time not after a moment, the first one after it), in UTC."""
    from croniter import croniter  # parses time zones and calendars; only those who plan pay for it

    here = at.astimezone(_zone(time_zone))
    try:
        latest = here if croniter.match(cron, here) else croniter(cron, here).get_prev(datetime)
        following = croniter(cron, here).get_next(datetime)
    except (ValueError, KeyError) as error:  # croniter's own errors are ValueErrors
        message = f"'{cron[:80]}' plans nothing: write minute, hour, day, month and weekday, such as '30 2 * * *'"
        raise Invalid(f"{message} ({error})", path=("cron",)) from error
    return latest.astimezone(UTC).replace(second=0, microsecond=0), following.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"'{name[:60]}' is no time zone; write UTC, Europe/Berlin, Asia/Shanghai, ..."
        raise Invalid(message, path=("timeZone",)) from error


def set_schedule(session: Session, command: SetSchedule) -> int:
    """Make or replace the schedule of an asset for a kind of job; returns its id."""
    if len(command.cron.split()) != 5:
        raise Invalid("cron needs five fields: minute, hour, day, month and weekday", path=("cron",))
    _, following = planned_times(command.cron, command.time_zone, now())
    asset = catalog.asset_kinds(session, [command.asset_id]).get(command.asset_id)
    if asset is None:
        raise NotFound("no such asset to schedule", path=("source",))
    columns: dict[str, Any] = {
        "cron": " ".join(command.cron.split()), "time_zone": command.time_zone, "parameters": dict(command.parameters),
        "next_at": following if command.enabled else None, "problem": None,
    }  # fmt: skip
    known = queries.of_asset(session, command.asset_id, command.kind)
    said = {"kind": command.kind, "cron": columns["cron"], "timeZone": command.time_zone, "enabled": command.enabled}
    if known is None:
        schedule = queries.add(session, {"asset_id": command.asset_id, "kind": command.kind, **columns})
    else:
        schedule = int(known.id)
        queries.change(session, schedule, columns)
    changes.record(session, TYPE_NAMES[asset], command.asset_id, "scheduled", None, said)
    return schedule


def remove_schedule(session: Session, schedule: int) -> None:
    """Delete a schedule; runs that it queued stay."""
    known = queries.by_ids(session, [schedule]).get(schedule)
    if known is None:
        raise NotFound("no schedule has this id", path=("schedule",))
    queries.remove(session, schedule)
    asset = catalog.asset_kinds(session, [int(known.asset_id)])[int(known.asset_id)]
    changes.record(session, TYPE_NAMES[asset], int(known.asset_id), "unscheduled", {"kind": known.kind}, None)


def launch_due(database: Database, settings: Settings, launchers: str, *, actor: str) -> list[int]:
    """Queue what is planned for now or was missed; returns the runs.

    `launchers` names the table of launchers by kind as 'module:NAME': it lies above this slice, and only a worker that
    has something to launch imports it.
    """
    with database.reading() as session:
        rows = queries.due(session, now(), MOST_AT_ONCE)
    if not rows:
        return []
    module, _, name = launchers.partition(":")
    table: Mapping[str, Launcher] = getattr(importlib.import_module(module), name)
    found = (_launch(database, settings, table, row, actor) for row in rows)
    return [run for run in found if run is not None]


def _launch(
    database: Database, settings: Settings, launchers: Mapping[str, Launcher], row: Any, actor: str
) -> int | None:  # fmt: skip
    schedule = int(row.id)
    latest, following = planned_times(row.cron, row.time_zone, now())
    planned = max(latest, row.next_at)
    try:
        with database.transaction(actor=actor) as session:
            if not queries.move_on(session, schedule, row.next_at, following):
                return None
            if row.last_run_id is not None and _runs_still(session, int(row.last_run_id)):
                queries.change(session, schedule, {"problem": f"{planned:%Y-%m-%d %H:%M} UTC: the run before goes on"})
                return None
            if row.kind not in launchers:
                raise NotFound(f"nothing launches jobs of kind '{row.kind}' here")
            run = launchers[row.kind](session, settings, row, planned)
            queries.change(session, schedule, {"last_run_id": run, "problem": None})
            return run
    except AssetgraphError as error:
        # The planned time counts as tried: what is wrong is told, and the next one tries again.
        with database.transaction(actor=actor) as session:
            if queries.move_on(session, schedule, row.next_at, following):
                queries.change(session, schedule, {"problem": error.message})
        return None


def _runs_still(session: Session, run: int) -> bool:
    row = lineage_queries.runs_by_ids(session, [run]).get(run)
    return row is not None and not row.state.final
