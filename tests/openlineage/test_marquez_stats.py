"""Numbers over time as Marquez' dashboard asks for them: by hour, by the days of a time zone, and by type."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from alembic import command
from marquez_story import served
from story import NS, dataset, event
from telling import lines, tell

from assetgraph.catalog.tables import ASSET
from assetgraph.clock import now
from assetgraph.db import migrate
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.openlineage import marquez_stats
from assetgraph.openlineage.marquez_stats import intervals
from assetgraph.settings import Settings

Get = Any


@pytest.fixture
def get(database: Database, settings: Settings) -> Iterator[Get]:
    """Ask for numbers; gives the intervals."""
    with served(database, settings) as (address, token):

        def ask(path: str, **parameters: Any) -> Any:
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.get(f"{address}/api/v1/{path}", params=parameters, headers=headers)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield ask


def happened(kind: str, run: str, at: datetime) -> dict[str, Any]:
    """Return a run event of a moment."""
    return {**event(kind, run, "job", 0, [dataset("in")]), "eventTime": at.isoformat()}


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The moment that it stays while a test runs: no hour ends in it."""
    at = now()
    monkeypatch.setattr(marquez_stats, "now", lambda: at)
    return at


def this_hour(at: datetime) -> datetime:
    """Return a moment at the beginning of an hour."""
    return at.replace(minute=0, second=0, microsecond=0) + timedelta(microseconds=1)


def test_events_are_counted_by_type_and_hour(get: Get, database: Database, moment: datetime) -> None:
    """At the bounds of hours, and what is outside of the day is not; other types are none."""
    at, hour = this_hour(moment), timedelta(hours=1)
    before = at - timedelta(microseconds=2)  # the last of the hour before
    tell(database, [
        happened("START", "a", at), happened("START", "b", before), happened("RUNNING", "a", at),
        happened("COMPLETE", "a", at), happened("FAIL", "b", at), happened("ABORT", "c", at - 23 * hour),
        happened("ABORT", "d", before - 23 * hour), happened("START", "e", at + hour),
        {"eventTime": at.isoformat(), "dataset": dataset("x")},
    ])  # fmt: skip
    found = get("stats/lineage-events", period="DAY", timezone="Europe/Berlin")
    assert len(found) == 24
    assert set(found[0]) == {"startInterval", "endInterval", "fail", "start", "complete", "abort"}
    counted = [tuple(one[name] for name in ("start", "complete", "fail", "abort")) for one in found]
    assert counted == [(0, 0, 0, 1), *[(0, 0, 0, 0)] * 21, (1, 0, 0, 0), (1, 1, 1, 0)]
    assert found[-1]["startInterval"] == (at - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert [one["endInterval"] for one in found[:-1]] == [one["startInterval"] for one in found[1:]]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"])
def test_days_are_those_of_the_time_zone(get: Get, database: Database, zone: str, moment: datetime) -> None:
    """Both sides of its midnights; a day is written as its date, which the page shows."""
    days = intervals("week", zone, moment)
    for place, day in enumerate(days):
        tell(database, [happened("START", f"{place}.{turn}", day.start + timedelta(hours=turn)) for turn in range(2)])
        tell(database, [happened("FAIL", f"{place}", day.end - timedelta(microseconds=1))])
    found = get("stats/lineage-events", period="WEEK", timezone=zone)
    assert [(one["start"], one["fail"]) for one in found] == [(2, 1)] * 7
    assert [one["startInterval"][10:] for one in found] == ["T00:00:00Z"] * 7
    assert found[-1]["startInterval"] == days[-1].shown[0].isoformat().replace("+00:00", "Z")


def test_days_when_clocks_change_are_shorter_or_longer() -> None:
    """By the calendar, not by 24 hours."""
    march = intervals("week", "Europe/Berlin", datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert [one.end - one.start for one in march][4] == timedelta(hours=23)
    assert {one.shown[1] - one.shown[0] for one in march} == {timedelta(days=1)}
    assert march[-1].end == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_things_add_up(get: Get, database: Database) -> None:
    """Datasets, jobs and sources by when they became known; what was merged into another counts no more."""
    made = {"datasets": AssetKind.DATASET, "jobs": AssetKind.JOB}
    all_of = {name: get(name, limit=0)["totalCount"] for name in ("jobs", "sources")}
    all_of["datasets"] = sum(line.startswith('["asset",["DATASET",') for line in lines(database))
    for name, total in all_of.items():
        for period, parts in (("DAY", 24), ("WEEK", 7)):
            found = get(f"stats/{name}", period=period, timezone="UTC")
            assert len(found) == parts
            assert set(found[0]) == {"startInterval", "endInterval", "count"}
            assert [one["count"] for one in found][-1] == total
            assert found[0]["count"] == 0
    for kind in made.values():
        with database.transaction("test") as session:
            mine = ASSET.c.kind == kind
            session.execute(ASSET.update().where(mine).values(created_at=now() - timedelta(days=1, hours=2)))
    for name in made:
        assert {one["count"] for one in get(f"stats/{name}", period="DAY")} == {all_of[name]}
        assert get(f"stats/{name}", period="WEEK")[0]["count"] == 0


def test_events_that_were_kept_before_are_counted(database: Database, moment: datetime) -> None:
    """A migration reads the types of those of the last days."""
    tell(database, [happened("COMPLETE", "a", now() - timedelta(days=2)), happened("START", "b", this_hour(moment))])

    def counted() -> tuple[int, int]:
        with database.reading() as session:
            found = marquez_stats.lineage_events(session, "week", None)
        return sum(one["start"] for one in found), sum(one["complete"] for one in found)

    assert counted() == (1, 1)
    with database.transaction("migration") as session:
        config = migrate._config(session.connection)
        command.downgrade(config, "0008")
        command.upgrade(config, "head")
    assert counted() == (1, 1)


@pytest.mark.parametrize("sought", ["данные", "ДАННЫЕ", "Данные: В", "ÜNÏ", "cÖd", "名前", "ODD"])
def test_search_knows_no_case_in_any_script(get: Get, sought: str) -> None:
    """Composed and in pieces, on both databases."""
    assert get("search", q=sought)["totalCount"] >= 1
    if sought == "ÜNÏ":
        assert get("search", q="u\u0308ni\u0308")["totalCount"] == 1
        assert get("search", q="ÜNI")["totalCount"] == 0
    assert all(one["namespace"] != NS or "odd" in one["name"] for one in get("search", q=sought)["results"])
