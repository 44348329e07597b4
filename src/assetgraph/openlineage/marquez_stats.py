"""Numbers over time for the dashboard of Marquez' page: events by type, and how many things there were."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.openlineage import marquez_stats_queries as queries
from assetgraph.openlineage.marquez_bodies import Body
from assetgraph.openlineage.marquez_ids import moment

HOURS, DAYS = 24, 7
#: Types of events that are counted, and what the page calls them.
TYPES = {"FAIL": "fail", "START": "start", "COMPLETE": "complete", "ABORT": "abort"}


class Interval(NamedTuple):
    """A part of a period: the instants between which things count, and how the answer writes them."""

    start: datetime
    end: datetime
    shown: tuple[datetime, datetime]


def intervals(period: str, timezone: str | None, at: datetime) -> list[Interval]:
    """Return the 24 hours up to the current one (period `day`), or the seven days of a time zone up to today (`week`).

    Days are written as Marquez writes them, as their midnight in UTC whatever the zone: its page shows them in UTC.
    """
    if period == "day":
        last = at.replace(minute=0, second=0, microsecond=0)
        hours = [last - timedelta(hours=HOURS - 1 - place) for place in range(HOURS + 1)]
        return [Interval(start, end, (start, end)) for start, end in pairwise(hours)]
    zone = _zone(timezone)
    today = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    # By the calendar: a day on which clocks change has 23 or 25 hours.
    days = [today - timedelta(days=DAYS - 1 - place) for place in range(DAYS + 1)]
    return [
        Interval(
            start.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC),
            (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)),
        )
        for start, end in pairwise(days)
    ]  # fmt: skip


def _zone(name: str | None) -> tzinfo:
    if name is None or name.upper() in ("", "UTC"):
        return UTC  # known even where the machine has no time zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"timezone must be a name like Europe/Berlin, not '{name[:40]}'", path=("timezone",)) from None


def _body(one: Interval) -> Body:
    return {"startInterval": moment(one.shown[0]), "endInterval": moment(one.shown[1])}


def lineage_events(session: Session, period: str, timezone: str | None) -> list[Body]:
    """Count run events by type in each interval, by the events' own time."""
    wanted = intervals(period, timezone, now())
    found = queries.events_by_type(session, [(one.start, one.end) for one in wanted], list(TYPES))
    return [
        {**_body(one), **{name: found[kind][place] for kind, name in TYPES.items()}}
        for place, one in enumerate(wanted)
    ]  # fmt: skip


def _grown(count: Callable[[Session, Sequence[datetime]], list[int]]) -> Callable[..., list[Body]]:
    """Return what counts how many things there were at the end of each interval."""

    def counted(session: Session, period: str, timezone: str | None) -> list[Body]:
        wanted = intervals(period, timezone, now())
        found = count(session, [one.end for one in wanted])
        return [{**_body(one), "count": number} for one, number in zip(wanted, found, strict=True)]

    return counted


datasets = _grown(lambda session, ends: queries.assets_before(session, AssetKind.DATASET, ends))
jobs = _grown(lambda session, ends: queries.assets_before(session, AssetKind.JOB, ends))
sources = _grown(queries.sources_before)
