"""Feedback: each event once, whole batches or nothing, and the ways through it in the graph."""

import base64
import json
from typing import Any

import pytest
from trained import train_nothing

from assetgraph.changes import service as changes
from assetgraph.db.engine import Database
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.feedback import queries
from assetgraph.feedback.service import FeedbackSpec, Recorded, RecordFeedback, record
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.feedback.walk import walk_graph
from assetgraph.ids import AssetKind, recommendation_key
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest

CLICK, RATING = FeedbackEvent.CLICK, FeedbackEvent.RATING


@pytest.fixture
def trained(database: Database) -> tuple[int, int]:
    """A model and its version."""
    with database.transaction("test") as session:
        return train_nothing(session)


def send(database: Database, *events: FeedbackSpec, model: int | None = None) -> Recorded:
    """Record a batch."""
    with database.transaction("frontend") as session:
        return record(session, RecordFeedback(events, model))


def rows(database: Database, found: Recorded) -> list[Any]:
    """Return the stored events in order."""
    with database.reading() as session:
        stored = queries.feedback_by_ids(session, found.feedback_ids)
    return [stored[key] for key in found.feedback_ids]


def test_an_event_that_answers_a_recommendation_needs_nothing_else(
    database: Database, trained: tuple[int, int]
) -> None:
    """User, item, model and version follow from the recommendation's id."""
    model, version = trained
    key = recommendation_key(version, "17850", "MUG", 0.5, 1)
    [row] = rows(database, send(database, FeedbackSpec(CLICK, key)))
    assert (row.user, row.item, row.model_id, row.model_version_id) == ("17850", "MUG", model, version)
    [other] = rows(database, send(database, FeedbackSpec(RATING, user="17850.0", item=" MUG ", value=4), model=model))
    assert (other.user, other.item, other.value, other.model_version_id) == ("17850", "MUG", 4.0, None)


def written(*said: Any) -> str:
    """Return a recommendation's key as somebody else might write it."""
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def test_one_recommendation_is_one_node(database: Database, trained: tuple[int, int]) -> None:
    """Written with spaces, escapes and a whole number for the score: kept as this service writes it."""
    _, version = trained
    key = recommendation_key(version, "Žofie", "MUG", 1.0, 1)
    other = written(version, "Žofie", "MUG", 1, 1)
    assert other != key
    [one, two] = rows(database, send(database, FeedbackSpec(CLICK, key), FeedbackSpec(CLICK, other)))
    assert one.recommendation == two.recommendation == key


@pytest.mark.parametrize(
    "said", [("u", "i", 10**400, 1), ("u", "i", float("nan"), 1), ("\ud800", "i", 1, 1), ("u", "i", 1, True),
             ("u", "i", "1", 1), ("u", "i", 1, 2**62)],
)  # fmt: skip
def test_no_recommendation_is_malformed(database: Database, trained: tuple[int, int], said: tuple[Any, ...]) -> None:
    """Numbers that no float holds, half characters, truth values: an answer for the client, not a failure."""
    with pytest.raises(NotFound):
        send(database, FeedbackSpec(CLICK, written(trained[1], *said)))


def test_a_key_is_kept_once(database: Database, trained: tuple[int, int]) -> None:
    """Within a batch, over batches; events without a key are all kept."""
    model, _ = trained
    one, two, bare = (FeedbackSpec(CLICK, user="u", item="i", key=key) for key in ("1", "2", None))
    first = send(database, one, one, bare, bare, model=model)
    assert (first.accepted, first.duplicates) == (3, 1)
    second = send(database, one, two, model=model)
    assert (second.accepted, second.duplicates) == (1, 1)
    third = send(database, one, two, model=model)
    assert (third.accepted, third.duplicates, third.feedback_ids) == (0, 2, [])


def test_a_large_batch_goes_in_whole(database: Database, trained: tuple[int, int]) -> None:
    """Ten thousand events in one request, one change in the log; one more is too many."""
    model, _ = trained
    events = [FeedbackSpec(CLICK, user=f"u{i}", item="i", key=str(i)) for i in range(10_000)]
    with database.reading() as session:
        before = changes.newest(session)
    assert send(database, *events, model=model).accepted == 10_000
    with database.reading() as session:
        assert changes.newest(session) == before + 1
    with pytest.raises(Invalid, match="at most 10000"):
        send(database, *events, events[0], model=model)


@pytest.mark.parametrize(
    ("event", "named", "error", "path"),
    [
        (FeedbackSpec(CLICK, user="u", item="i"), False, Invalid, ("model",)),
        (FeedbackSpec(CLICK, user="u"), True, Invalid, ("events", "1", "item")),
        (FeedbackSpec(CLICK, item="i"), True, Invalid, ("events", "1", "user")),
        (FeedbackSpec(RATING, user="u", item="i"), True, Invalid, ("events", "1", "value")),
        (FeedbackSpec(RATING, user="u", item="i", value=float("nan")), True, Invalid, ("events", "1", "value")),
        (FeedbackSpec(CLICK, user="u" * 201, item="i"), True, Invalid, ("events", "1", "user")),
        (FeedbackSpec(CLICK, user="u", item="\0"), True, Invalid, ("events", "1", "item")),
        (FeedbackSpec(CLICK, "nonsense"), True, NotFound, ("events", "1", "recommendation")),
        (FeedbackSpec(CLICK, recommendation_key(99_999, "u", "i", 1, 1)), True, NotFound,
         ("events", "1", "recommendation")),
    ],
)  # fmt: skip
def test_one_bad_event_spoils_the_batch(
    database: Database, trained: tuple[int, int], event: FeedbackSpec, named: bool, error: type[AssetgraphError],
    path: tuple[str, ...],
) -> None:  # fmt: skip
    """Its place is named, and nothing is stored."""
    model, version = trained
    good = FeedbackSpec(CLICK, recommendation_key(version, "u", "i", 1, 1))
    with pytest.raises(error) as refused:
        send(database, good, event, model=model if named else None)
    assert refused.value.path == path
    with database.reading() as session:
        assert queries.newest_feedback(session, model) == 0


def test_a_recommendation_of_another_model_is_refused(database: Database, trained: tuple[int, int]) -> None:
    """An event belongs to the model that recommended."""
    with database.transaction("test") as session:
        other, _ = train_nothing(session, "other")
    with pytest.raises(Invalid, match="belongs to another model"):
        send(database, FeedbackSpec(CLICK, recommendation_key(trained[1], "u", "i", 1, 1)), model=other)


def test_walks_pass_through_recommendations_and_feedback(database: Database, trained: tuple[int, int]) -> None:
    """Down from the model version to what people did, and up from an event to the data behind it."""
    _, version = trained
    keys = [recommendation_key(version, "u", f"i{rank}", 1, rank) for rank in (1, 2)]
    done = send(database, *(FeedbackSpec(CLICK, key) for key in (keys[0], keys[0], keys[1])))
    root = NodeRef(AssetKind.MODEL_VERSION, str(version))
    with database.reading() as session:
        down = walk_graph(session, WalkRequest(root, Direction.DOWNSTREAM, 5, Level.VERSION))
        event = NodeRef(AssetKind.FEEDBACK, str(done.feedback_ids[0]))
        up = walk_graph(session, WalkRequest(event, Direction.UPSTREAM, 5, Level.VERSION))
    shown = {NodeRef(AssetKind.RECOMMENDATION, key) for key in keys}
    heard = {NodeRef(AssetKind.FEEDBACK, str(key)) for key in done.feedback_ids}
    assert {node.ref for node in down.nodes} == {root} | shown | heard
    assert sorted(edge.kind for edge in down.edges) == [EdgeKind.RECEIVED] * 3 + [EdgeKind.RECOMMENDED] * 2
    kinds = [node.ref.kind for node in up.nodes]
    assert kinds[:3] == [AssetKind.FEEDBACK, AssetKind.RECOMMENDATION, AssetKind.MODEL_VERSION]
    assert AssetKind.DATASET_VERSION in kinds
