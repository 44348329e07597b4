"""An export replayed into an empty service gives the same graph, line for line, on and across both databases."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from copying import assert_same, emptied, empty, exported, imported, native, valid  # noqa: F401 - a fixture
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from telling import STORY, lines, tell
from test_emission import small_loop, working

from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.db.metadata import all_tables
from assetgraph.jobs import service as jobs
from assetgraph.lineage.expiry import expire
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.tables import RunType
from assetgraph.openlineage.rows import ENTITIES, LEFT_OUT, RELATIONS
from assetgraph.settings import Settings


def test_the_story_and_commands_come_back_as_they_were(database: Database, empty: Database) -> None:
    """Events and commands mixed, with renamed and merged datasets and closed column edges; again changes nothing."""
    native(database, 0, 1)
    tell(database, STORY[:20])
    native(database, 4, 3)
    tell(database, STORY[20:])
    native(database, 5, 2)
    some = exported(database)
    valid(some)
    done = imported(empty, some)
    assert done.errors == []
    assert done.events == len(STORY)
    assert any('"valid_to":"' in line.decode() for line in some)
    assert_same(empty, database)
    again = imported(empty, some)
    assert (again.events, again.added, again.errors) == (0, 0, [])
    assert_same(empty, database)
    assert sorted(exported(empty, events_only=True)[1:-1]) == sorted(exported(database, events_only=True)[1:-1])
    index = GraphIndex()
    with empty.reading() as session:
        index.at(session)


def test_the_loop_comes_back_as_it_was(
    database: Database, empty: Database, settings: Settings, incoming: Path, sqlite_template: Path
) -> None:
    """Scan, training, feedback export, a failed training; then over a second database and back."""
    with working(settings):
        small_loop(database, settings, incoming)
    some = exported(database)
    valid(some)
    assert imported(empty, some).errors == []
    assert_same(empty, database)
    with emptied(sqlite_template) as third:
        assert imported(third, exported(empty)).errors == []
        assert_same(third, database)


def test_events_alone_replay_to_the_same_graph(database: Database, empty: Database) -> None:
    """With the header of --events-only, and as bare lines from anywhere."""
    tell(database, STORY)
    some = exported(database, events_only=True)
    assert len(some) == len(STORY) + 2
    assert imported(empty, some[1:-1][::-1]).errors == []
    assert_same(empty, database)
    assert imported(empty, some).known == len(STORY)


def test_new_events_mean_the_same_after_an_import(database: Database, empty: Database) -> None:
    """The copy knows all that decides what later events do: facets, names, readings, supporters."""
    tell(database, STORY[::2])
    assert imported(empty, exported(database)).errors == []
    for one in (database, empty):
        tell(one, STORY[1::2])
    assert_same(empty, database)


@given(st.permutations(range(len(STORY))), st.lists(st.integers(0, 6), max_size=5), st.data())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_mix_of_events_and_commands_comes_back(
    sqlite_template: Path, order: list[int], steps: list[int], data: st.DataObject
) -> None:
    """Random subsets in random order; edges expire in between, and their datasets merge after that."""
    told = order[: data.draw(st.integers(0, len(order)))]
    acts = [*(("event", one) for one in told), *(("command", one) for one in steps)]
    acts = data.draw(st.permutations(acts))
    with emptied(sqlite_template) as original, emptied(sqlite_template) as copy:
        for kind, number in acts:
            if kind == "event":
                tell(original, [STORY[number]])
            elif number == 6:
                expire(original, 1, actor="test")
            else:
                native(original, number)
        done = imported(copy, exported(original))
        assert done.errors == []
        assert_same(copy, original)


def test_versions_of_commands_survive_a_merge_of_names(database: Database, empty: Database) -> None:
    """Both datasets have versions with the same numbers when a symlink says that they are one."""
    lake = next(one for one in STORY if one.get("dataset", {}).get("name") == "raw")
    tell(database, [one for one in STORY if any(part["name"] == "s3/raw" for part in one.get("inputs", ()))])
    native(database, 0, 2)
    tell(database, [lake])
    assert imported(empty, exported(database)).errors == []
    assert_same(empty, database)


def test_an_export_joins_what_is_there(database: Database, sqlite_template: Path) -> None:
    """Into a service that knows other things, and some of the same: nothing there is lost, and twice is once."""
    with emptied(sqlite_template) as other:
        native(other, 0, 4, 3)
        tell(other, STORY[::3])
        some = exported(other)
        native(database, 1, 4)
        tell(database, STORY[1::3])
        before = set(lines(database))
        assert imported(database, some).errors == []
        after = lines(database)
        assert len(set(after) - before) > 10
        again = imported(database, some)
        assert (again.events, again.added, again.errors) == (0, 0, [])
        assert lines(database) == after
        said = [json.loads(line) for line in after]
        supporters = Counter(repr(one[1]) for one in said if one[0] == "support" and one[2][0] == "RUN")
        for one in (one for one in said if one[0] == "edge" and repr([*one[1:4], one[5], one[8]]) in supporters):
            assert one[7 + 2] == supporters[repr([*one[1:4], one[5], one[8]])]
        with database.reading() as session:
            assert changes.verify(session).broken_at is None
        with emptied(sqlite_template) as events:
            tell(events, STORY[::3] + STORY[1::3])
            kinds = ('["facet"', '["alias"', '["job"')
            wanted = {line for line in lines(events) if line.startswith(kinds)}
            assert wanted - set(after) == set()


def test_wrong_lines_are_named_and_the_rest_goes_in(database: Database, empty: Database) -> None:
    """By number; a line goes in whole or not at all; a file that ends early is told."""
    native(database, 4)
    tell(database, STORY[:3])
    some = exported(database)
    broken = [*some[:2], b"{not json\n", *some[3:-1]]
    done = imported(empty, broken)
    assert [number for number, _ in done.errors] == [3, len(broken)]
    assert "JSON" in done.errors[0][1]
    assert "ends early" in done.errors[1][1]
    odd = json.loads(some[-2])
    odd["job"]["facets"]["assetgraph_rows"]["rows"] = [["edge", {"source_id": 99}]]
    before = lines(empty)
    done = imported(empty, [*some[:4], json.dumps(odd).encode(), some[-1]])
    assert [number for number, _ in done.errors] == [5]
    assert lines(empty) == before


def test_what_a_client_sends_is_never_believed_as_an_export(
    database: Database, empty: Database, sqlite_template: Path
) -> None:
    """Rows of runs, tags or fingerprints in an event are facets like any others, in the service and in an import."""
    native(database, 4, 3)
    with database.transaction("test") as session:
        jobs.enqueue(session, kind="scan", type=RunType.SCAN, namespace="shop", job="scan in", parameters={})
    tell(empty, [json.loads(line) for line in exported(database)])
    believed_nothing(empty)
    with emptied(sqlite_template) as third:
        assert imported(third, exported(empty)).errors == []
        believed_nothing(third)
        assert_same(third, empty)


def believed_nothing(database: Database) -> None:
    """Hold a graph to what any client may say."""
    said = [json.loads(line) for line in lines(database)]
    assert {one[-1] for one in said if one[0] in ("tag", "owner")} == {"openlineage"}
    assert {one[2] for one in said if one[0] == "run"} == {"EXTERNAL"}
    assert {(one[6], one[7]) for one in said if one[0] == "version"} == {(None, None)}
    assert {(one[2], one[4]) for one in said if one[0] == "dataset"} == {(None, None)}
    assert not [one for one in said if one[0] in ("source", "model", "model version")]


def test_every_table_is_exported_or_left_out_on_purpose() -> None:
    """A new table must be declared in openlineage/rows.py."""
    known = {one.name for one in ENTITIES.values()} | {one.name for one in RELATIONS} | LEFT_OUT
    assert {name for name in all_tables().tables if name != "alembic_version"} == known


def test_the_commands_export_import_and_hash(database: Database, empty: Database, tmp_path: Path) -> None:
    """As they are typed, over a pipe and over a file."""
    native(database, 4, 3)
    tell(database, STORY[:9])
    program = [sys.executable, "-m", "assetgraph_server.cli", "lineage"]
    environment = {**os.environ, "ASSETGRAPH_HOME": str(tmp_path)}

    def run(*words: str, given: bytes | None = None) -> bytes:
        done = subprocess.run([*program, *words], env=environment, input=given, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    piped = run("export", "--database-url", database.url)
    said = json.loads(run("import", "-", "--json", "--database-url", empty.url, given=piped))
    assert (said[0]["new_events"], said[0]["errors"]) == (9, 0)
    hashes = {run("hash", "--database-url", one.url) for one in (database, empty)}
    assert len(hashes) == 1
    file = tmp_path / "events.ndjson"
    run("export", "--events-only", "--output", str(file), "--database-url", database.url)
    assert len(file.read_text().splitlines()) == 11
    assert not file.with_name("events.ndjson.part").exists()
