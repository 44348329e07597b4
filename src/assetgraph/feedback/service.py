"""Commands of feedback: record events in bulk, each once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assetgraph.changes import service as changes
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, NotFound
from assetgraph.factorization import queries as models
from assetgraph.feedback import queries
from assetgraph.feedback.tables import FeedbackEvent
from assetgraph.ids import id_text, normalised, parse_recommendation_key, recommendation_key

MAX_EVENTS = 10_000
MAX_ID_BYTES = 200
#: SQLite binds at most 32,766 values a statement; an event has ten.
INSERT_BATCH = 2000


@dataclass(frozen=True)
class FeedbackSpec:
    """One event: it answers a recommendation, or names user and item itself."""

    event: FeedbackEvent
    recommendation: str | None = None
    user: str | None = None
    item: str | None = None
    value: float | None = None
    occurred_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True)
class RecordFeedback:
    """A batch of events, of one model or of the models that their recommendations name."""

    events: tuple[FeedbackSpec, ...]
    model_id: int | None = None


@dataclass(frozen=True)
class Recorded:
    """How many events were new, how many were known by their key, and the ids of the new ones."""

    accepted: int
    duplicates: int
    feedback_ids: list[int]


def record(session: Session, command: RecordFeedback) -> Recorded:
    """Store a batch whole or not at all; events whose key is known (or given twice) are counted as duplicates."""
    if len(command.events) > MAX_EVENTS:
        raise Invalid(f"{len(command.events)} events; at most {MAX_EVENTS} are allowed at once", path=("events",))
    owners = _models_of(session, command)
    moment = now()
    rows: dict[object, dict[str, Any]] = {}
    for position, event in enumerate(command.events):
        row = {**_row(event, command.model_id, owners, ("events", str(position))), "created_at": moment}
        row["occurred_at"] = as_utc(event.occurred_at) if event.occurred_at else moment
        rows.setdefault(event.key if event.key is not None else position, row)
    # Ids must follow commits, so that an export can say "all up to this id" and mean it.
    changes.lock(session)
    batch = list(rows.values())
    ids: list[int] = []
    for start in range(0, len(batch), INSERT_BATCH):
        ids += queries.insert_feedback(session, batch[start : start + INSERT_BATCH])
    if ids:
        after = {"accepted": len(ids), "first": ids[0], "last": ids[-1]}
        changes.record(session, "Feedback", ids[0], "recorded", None, after)
    return Recorded(len(ids), len(command.events) - len(ids), ids)


def _models_of(session: Session, command: RecordFeedback) -> dict[int, int]:
    """Return the model of each model version that the events name, in one statement."""
    if command.model_id is not None and command.model_id not in models.models_by_ids(session, [command.model_id]):
        raise NotFound("no model has this id", path=("model",))
    parsed = [parse_recommendation_key(event.recommendation) for event in command.events if event.recommendation]
    wanted = sorted({key[0] for key in parsed if key is not None})
    return {version: int(row.model_id) for version, row in models.model_versions_by_ids(session, wanted).items()}


def _row(event: FeedbackSpec, model_id: int | None, owners: dict[int, int], path: Sequence[str]) -> dict[str, Any]:
    user, item, version, answered = event.user, event.item, None, None
    if event.recommendation is not None:
        parsed = parse_recommendation_key(event.recommendation)
        if parsed is None or parsed[0] not in owners:
            raise NotFound("this is not a recommendation of this service", path=(*path, "recommendation"))
        version = parsed[0]
        answered = recommendation_key(*parsed)  # as this service writes it: one recommendation is one node
        user, item = user if user is not None else parsed[1], item if item is not None else parsed[2]
        if model_id is not None and owners[version] != model_id:
            raise Invalid("the recommendation belongs to another model", path=(*path, "recommendation"))
        model_id = owners[version]
    if model_id is None:
        raise Invalid("say which model the event belongs to: give `model`, or a recommendation", path=("model",))
    if user is None or item is None:
        raise Invalid(
            "name user and item, or a recommendation that has them", path=(*path, "user" if user is None else "item")
        )
    if event.value is not None and not math.isfinite(event.value):
        raise Invalid("value must be a finite number", path=(*path, "value"))
    if event.event is FeedbackEvent.RATING and event.value is None:
        raise Invalid("a RATING needs a value", path=(*path, "value"))
    key = None if event.key is None else normalised(event.key, what="key", path=(*path, "key"), most=500)
    return {
        "model_id": model_id, "model_version_id": version,
        "user": normalised(id_text(user), what="user", path=(*path, "user"), most=MAX_ID_BYTES),
        "item": normalised(id_text(item), what="item", path=(*path, "item"), most=MAX_ID_BYTES),
        "event": event.event, "value": event.value, "recommendation": answered, "key": key,
    }  # fmt: skip
