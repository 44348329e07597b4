"""What people did, which files models have, and closed edges of merged datasets travel with an export too."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from copying import assert_same, emptied, empty, exported, imported, native, valid  # noqa: F401 - a fixture
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from story import NS
from telling import STORY, lines, tell
from test_emission import small_loop, working
from trained import train_nothing

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterVersion
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import Unavailable
from assetgraph.feedback import queries as feedback_queries
from assetgraph.feedback.export import StartExport, start_export
from assetgraph.feedback.service import FeedbackSpec, RecordFeedback, record
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.feedback.walk import walk_graph
from assetgraph.ids import AssetKind, parse_recommendation_key, recommendation_key
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.declared import DeclareLineage, declare
from assetgraph.lineage.expiry import expire
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.tables import EDGE, Level, RunState
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest
from assetgraph.recommendations.service import Recommend, Recommender, serving_version
from assetgraph.settings import Settings


def people(database: Database, model: int, version: int, *, took: bool = True) -> None:
    """Send feedback of all kinds, equal events twice, and let an export take what there is before the last."""
    shown = [recommendation_key(version, user, item, score, rank) for user, item, score, rank in (
        ("ann", "tea", 0.123456, 1), (None, "kaffee ☕", 1e22, 2), ("bob", "tea", -0.0, 3)
    )]  # fmt: skip
    kind, spec = FeedbackEvent, FeedbackSpec
    batches = [
        (spec(kind.CLICK, shown[0]), spec(kind.CLICK, shown[0]), spec(kind.RATING, shown[1], "x", "y", 1.5, key="k1")),
        (spec(kind.CLICK, user="ann", item="tea"),) * 3,
        (spec(kind.HIDE, shown[2], user="ann"), spec(kind.IMPRESSION, user="u", item="i", key="k2")),
    ]
    for place, batch in enumerate(batches):
        with database.transaction("frontend") as session:
            record(session, RecordFeedback(batch, model))
        if took and place == 1:
            with database.transaction("worker") as session:
                run, _ = start_export(session, StartExport(model, "shop", "clicks"))
                last = feedback_queries.newest_feedback(session, model)
                feedback_queries.insert_export(session, {"run_id": run, "model_id": model, "last_feedback_id": last})


def walked(database: Database) -> set[tuple[Any, ...]]:
    """Return what a walk down from model m meets, by names that hold in every copy."""
    with database.reading() as session:
        version = catalog.find_asset(session, AssetKind.MODEL_VERSION, "shop", "m@1")
        root = NodeRef(AssetKind.MODEL_VERSION, str(version))
        result = walk_graph(session, WalkRequest(root, Direction.DOWNSTREAM, 9, Level.VERSION))
        events = sorted(int(node.ref.key) for node in result.nodes if node.ref.kind is AssetKind.FEEDBACK)
        found: set[tuple[Any, ...]] = {("events", len(events))}
        for node in result.nodes:
            if node.ref.kind is AssetKind.RECOMMENDATION:
                said = parse_recommendation_key(node.ref.key)
                assert said is not None
                assert said[0] == version
                found.add((node.ref.kind, *said[1:]))
            elif node.ref.kind is AssetKind.RUN:
                taken = [edge.source for edge in result.edges if edge.target == node.ref]
                found.add((node.ref.kind, tuple(events.index(int(one.key)) for one in taken)))
        return found


def test_feedback_recommendations_and_models_come_back(
    database: Database, empty: Database, sqlite_template: Path
) -> None:
    """Each event as often as it was, in order, with the recommendation it answers and the export it went to."""
    with database.transaction("test") as session:
        model, version = train_nothing(session)
        other, second = train_nothing(session, "second")
    people(database, model, version)
    people_of_other = (FeedbackSpec(FeedbackEvent.CLICK, recommendation_key(second, "z", "z", 0.5, 1)),)
    with database.transaction("frontend") as session:
        record(session, RecordFeedback(people_of_other, other))
    native(empty, 0)  # ids differ
    with emptied(sqlite_template) as third:
        some = exported(database)
        valid(some)
        assert imported(third, some).errors == []
        assert_same(third, database)
        assert walked(third) == walked(database)
        assert imported(empty, exported(third)).errors == []
    said = [json.loads(line) for line in lines(empty)]
    assert sum(one[0] == "feedback" for one in said) == 9
    kinds = ('["feedback"', '["taken"', '["model')
    mine, theirs = ([line for line in lines(one) if line.startswith(kinds)] for one in (empty, database))
    assert mine == theirs
    assert len([line for line in mine if line.startswith('["taken"')]) == 1
    assert walked(empty) == walked(database)
    before = lines(empty)
    again = imported(empty, some)
    assert (again.added, again.errors) == (0, [])
    assert lines(empty) == before


def test_an_import_that_stops_within_feedback_goes_on(database: Database, empty: Database) -> None:
    """More events than a line holds; the second import adds what the first did not, and equal ones stay as many."""
    with database.transaction("test") as session:
        model, version = train_nothing(session)
        events = [FeedbackSpec(FeedbackEvent.CLICK, user=f"u{place % 7}", item="i") for place in range(1200)]
        record(session, RecordFeedback(tuple(events), model))
    people(database, model, version)
    some = exported(database)
    first = next(place for place, line in enumerate(some) if b'["feedback"' in line)
    done = imported(empty, some[: first + 2])
    assert "ends early" in done.errors[0][1]
    assert len(done.errors) == 1
    assert imported(empty, some).errors == []
    assert_same(empty, database)
    with empty.reading() as session:
        copy = catalog.find_asset(session, AssetKind.MODEL, "shop", "m")
        assert copy is not None
        assert feedback_queries.count_feedback(session, copy, 10**9) == 1208


def test_an_imported_model_serves_from_its_own_files_only(
    database: Database, settings: Settings, incoming: Path, empty: Database
) -> None:
    """Its row says which files those are; where they lie is new."""
    with working(settings):
        small_loop(database, settings, incoming)
    assert imported(empty, exported(database)).errors == []
    rows = []
    for one in (database, empty):
        with one.reading() as session:
            model = catalog.find_asset(session, AssetKind.MODEL, "shop", "m")
            assert model is not None
            rows.append(serving_version(session, model))
    assert rows[0].files == rows[1].files
    assert set(rows[0].files) == {"factors.safetensors", "vocabularies.json", "manifest.json"}
    there, here = (settings.artifacts / row.artifact for row in rows)
    assert here.name.startswith("imported-")
    command = Recommend(int(rows[1].id), "a")
    with empty.reading() as session:
        with pytest.raises(Unavailable, match="cannot be read"):
            Recommender(settings).recommend(session, command)
        shutil.copytree(there, here)
        items = Recommender(settings).recommend(session, command).items
    with database.reading() as session:
        asked = Recommend(int(rows[0].id), "a")
        assert [(one.item, one.score) for one in items] == [
            (one.item, one.score) for one in Recommender(settings).recommend(session, asked).items
        ]
    (here / "manifest.json").write_text((there / "manifest.json").read_text().replace('"m"', '"other"'))
    with empty.reading() as session, pytest.raises(Unavailable, match="another model"):
        Recommender(settings).recommend(session, command)


#: User, score, rank, key.
TOLD = st.tuples(
    st.sampled_from(["ann", "bob", None]), st.sampled_from([0.5, 1.0, -0.0, 123456.654321]), st.integers(0, 2),
    st.sampled_from([None, None, "a", "b", "c"]),
)  # fmt: skip


@given(st.lists(st.tuples(st.lists(TOLD, min_size=1, max_size=5), st.booleans()), max_size=6), st.integers(0, 20))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_feedback_comes_back(sqlite_template: Path, batches: list[tuple[list[Any], bool]], cut: int) -> None:
    """Batches of few different events, with exports in between, over an import that stops somewhere."""
    with emptied(sqlite_template) as original, emptied(sqlite_template) as copy:
        with original.transaction("test") as session:
            models = [train_nothing(session, name) for name in ("m", "n")]
        for batch, took in batches:
            events = []
            for user, score, rank, key in batch:
                said = recommendation_key(models[rank % 2][1], user, "tea", score, rank)
                events.append(FeedbackSpec(FeedbackEvent.CLICK, said, "u" if user is None else None, key=key))
            with original.transaction("test") as session:
                record(session, RecordFeedback(tuple(events)))
                last = feedback_queries.newest_feedback(session, models[0][0])
                if took and last:
                    run, _ = start_export(session, StartExport(models[0][0], "shop", "clicks"))
                    row = {"run_id": run, "model_id": models[0][0], "last_feedback_id": last}
                    feedback_queries.insert_export(session, row)
        some = exported(original)
        imported(copy, some[:-1][:-cut] if cut else some[:-1])
        assert imported(copy, some).errors == []
        assert_same(copy, original)
        assert walked(copy) == walked(original)


def closed_edges(database: Database, name: str) -> list[list[Any]]:
    """Return the closed edges at a dataset and its columns."""
    said = [json.loads(line) for line in lines(database)]
    at = [one for one in said if one[0] == "edge" and one[8] is not None]
    return [one for one in at if any(end[2] == name or end[2].startswith(f"{name}#") for end in one[1:3])]


def test_closed_edges_go_with_a_dataset_that_merges(database: Database, empty: Database) -> None:
    """Expired and declared ones, of the dataset and its columns, with supporters; loops go, equal ones become one."""
    specs = {name: (FieldSpec("id", "Int64"),) for name in ("s3/raw", "raw", "seed", "mart")}
    with database.transaction("test") as session:
        for name, fields in specs.items():
            lineage.register_version(session, RegisterVersion(NS, name, fields, fingerprint=name))
        refs = {name: AssetRef(namespace=NS, name=name) for name in specs}

        def says(target: str, *upstream: str) -> None:
            columns = tuple(ColumnEdge(refs[one], "id", refs[target], "id") for one in upstream)
            said = DeclareLineage(refs[target], "spec", tuple(refs[one] for one in upstream), columns)
            declare(session, said)

        for name in ("raw", "s3/raw"):
            lineage.record_run(
                session, lineage.RecordRun("etl", "clean", RunState.SUCCEEDED, f"of {name}", inputs=(refs[name],),
                                           outputs=(refs["mart"],))
            )  # fmt: skip
        says("mart", "s3/raw", "seed")
        says("s3/raw", "seed", "raw")
        says("mart")
        says("s3/raw")
        past = now() - timedelta(days=40)
        session.execute(EDGE.update().where(EDGE.c.level == Level.DATASET, EDGE.c.valid_to.is_(None)).values(
            valid_from=past, last_seen=past
        ))  # fmt: skip
    assert expire(database, 30, actor="test") == 3
    had = closed_edges(database, "raw"), closed_edges(database, "s3/raw")
    tell(database, [one for one in STORY if one.get("dataset", {}).get("name") == "raw"])
    assert closed_edges(database, "s3/raw") == []
    found = closed_edges(database, "raw")
    # Between raw and s3/raw there are loops now; both runs read what is one dataset.
    kept = [one for one in (*had[0], *had[1]) if {"raw", "s3/raw"} != {end[2].partition("#")[0] for end in one[1:3]}]
    named = {json.dumps(one).replace("s3/raw", "raw") for one in kept}
    assert {json.dumps([*one[:7], *one[8:9]]) for one in found} == {
        json.dumps([*one[:7], *one[8:9]]) for one in map(json.loads, named)
    }
    assert len(found) < len(kept)
    said = [json.loads(line) for line in lines(database)]
    read = next(one for one in found if one[3] == "CONSUMED")
    supporters = [one for one in said if one[0] == "support" and one[1][:2] == read[1:3]]
    assert {one[2][3] for one in supporters} == {"of raw", "of s3/raw"}
    assert imported(empty, exported(database)).errors == []
    assert_same(empty, database)
    with database.reading() as session:
        assert GraphIndex().at(session) is not None
