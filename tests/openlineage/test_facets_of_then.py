"""Bodies of facets as of a moment: what stood then, in whatever order it became known, and when two names meet."""

import itertools
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import NS, dataset, event
from telling import tell

from assetgraph.catalog.service import find_asset
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.openlineage.export import export_lines
from assetgraph.openlineage.facet_past import Stretch, Word, fold
from assetgraph.openlineage.facet_past_queries import before
from assetgraph.openlineage.importing import import_lines
from assetgraph.openlineage.reading_queries import facets_of


def moment(minute: float) -> datetime:
    """Return a moment of the story's clock."""
    return datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=minute)


def stored(minute: int, layer: str | None, name: str = "raw") -> dict[str, Any]:
    """Return an event that says how a dataset is stored, or that nothing is known of it any more."""
    said: dict[str, Any] = {"_deleted": True} if layer is None else {"storageLayer": layer}
    return event("COMPLETE", f"r{minute}", "load", minute, [], [dataset(name, storage=said)])


def seen(database: Database, at: datetime | None) -> tuple[str, datetime] | None:
    """Return how the dataset was stored at a moment, and since when it was said so."""
    with database.reading() as session:
        found = find_asset(session, AssetKind.DATASET, NS, "raw")
        assert found is not None
        rows = [one for one in facets_of(session, [found], at)[found] if one.name == "storage"]
    return (orjson.loads(rows[0].body)["storageLayer"], rows[0].event_time.replace(microsecond=0)) if rows else None


EVENTS = [stored(1, "delta"), stored(2, "delta"), stored(4, "iceberg"), stored(6, None), stored(8, "delta")]
EXPECTED = {
    0.5: None, 1.5: ("delta", moment(1)), 2.5: ("delta", moment(1)), 3.5: ("delta", moment(1)),
    4.5: ("iceberg", moment(4)), 6.5: None, 8.5: ("delta", moment(8)),
}  # fmt: skip


@pytest.mark.parametrize("order", [*itertools.permutations(range(5))][::11])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_facet_is_what_it_was(database: Database, order: tuple[int, ...], size: int) -> None:
    """Said again, replaced, deleted and back; event by event, and in batches."""
    events = [orjson.loads(orjson.dumps(EVENTS[place])) for place in order]
    for start in range(0, len(events), size):
        tell(database, events[start : start + size])
    assert {minute: seen(database, moment(minute)) for minute in EXPECTED} == EXPECTED
    assert seen(database, None) == ("delta", moment(8))


def test_what_never_changed_keeps_nothing_and_is_there_since_it_was_said_first(database: Database) -> None:
    """However late the first word comes."""
    for minute in (5, 9, 2, 7):
        tell(database, [stored(minute, "delta")])
    assert (seen(database, moment(1)), seen(database, moment(3))) == (None, ("delta", moment(2)))
    with database.reading() as session:
        found = find_asset(session, AssetKind.DATASET, NS, "raw")
        assert found is not None
        assert before(session, [(found, "DATASET", "storage")]) == []


@pytest.mark.parametrize("late", [False, True])
def test_two_names_of_one_dataset_have_one_story(database: Database, *, late: bool) -> None:
    """Whether they are known to be one before or after."""
    same = {"eventTime": moment(20).isoformat(), "dataset": dataset("raw", symlinks={"identifiers": [
        {"namespace": NS, "name": "other", "type": "TABLE"}]})}  # fmt: skip
    said = [stored(1, "delta"), stored(2, "delta", "other"), stored(4, "iceberg", "other"), stored(6, None),
            stored(8, "delta", "other")]  # fmt: skip
    for one in [*said, same] if late else [same, *said]:
        tell(database, [orjson.loads(orjson.dumps(one))])
    assert {minute: seen(database, moment(minute)) for minute in EXPECTED} == EXPECTED


def test_an_export_takes_what_was_along(database: Database, sqlite_template: Path, tmp_path: Path) -> None:
    """And an import puts it back."""
    tell(database, [orjson.loads(orjson.dumps(one)) for one in EVENTS])
    with database.reading() as session:
        told = list(export_lines(session))
    shutil.copyfile(sqlite_template, tmp_path / "copy.db")
    other = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert import_lines(other, told, actor="test").errors == []
    assert {minute: seen(other, moment(minute)) for minute in EXPECTED} == EXPECTED
    other.close()


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab")), max_size=12), st.randoms())
@settings(max_examples=300)
def test_folding_keeps_every_word_that_no_late_one_contradicts(said: list[tuple[int, str]], random: Any) -> None:
    """In order it is exact; in any order the times do not overlap, bodies take turns, and the last one is the same."""
    words = sorted({at: Word(moment(at), digest, digest) for at, digest in sorted(said)}.values())
    exact = fold([], words)
    for word in words:
        assert any(one.digest == word.digest and one.since <= word.at <= one.last for one in exact)
    mixed = [*words]
    random.shuffle(mixed)
    found: list[Stretch] = []
    for word in mixed:
        found = fold(found, [word])
    assert all(one.last < other.since and one.digest != other.digest for one, other in itertools.pairwise(found))
    assert [one[1:] for one in found[-1:]] == [one[1:] for one in exact[-1:]]
    assert {one.since for one in found} <= {word.at for word in words}
