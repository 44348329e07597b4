"""Serving: which model version answers, its artifact in memory, and ids that say all, so that nothing is written."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.factorization import artifact as artifacts
from assetgraph.factorization import queries
from assetgraph.factorization.artifact import Artifact
from assetgraph.factorization.service import artifact_folder
from assetgraph.ids import id_text, recommendation_key
from assetgraph.recommendations.topk import rank_items
from assetgraph.settings import Settings

MAX_FIRST = 1000
MAX_LISTED = 10_000
#: Model versions kept open; memory-mapped, so that this bounds vocabularies more than factors.
KEPT_OPEN = 8


@dataclass(frozen=True)
class Recommend:
    """Ask for items for a user; `model` is a model (its production version serves) or a model version."""

    model: int
    user: str | None = None
    first: int = 10
    among: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    include_seen: bool = False


@dataclass(frozen=True)
class RecommendedItem:
    """One recommendation; `key` encodes the rest."""

    key: str
    user: str | None
    item: str
    score: float
    rank: int
    reason: str | None


@dataclass(frozen=True)
class Recommended:
    """A list, the model version that made it, and the fallback used (NONE or POPULARITY)."""

    items: list[RecommendedItem]
    version: Row[Any]
    fallback: str


class Recommender:
    """Keeps artifacts open; one per process, used by many threads."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._open: OrderedDict[int, Artifact] = OrderedDict()
        self._lock = threading.Lock()

    def recommend(self, session: Session, command: Recommend) -> Recommended:
        """Rank items; raises NotFound for an unknown model, Conflict when it has no version in production."""
        _check(command)
        version = serving_version(session, command.model)
        artifact = self._artifact(version)
        user = None if command.user is None else id_text(command.user)
        ranking = rank_items(
            artifact, user, command.first,
            among=command.among, exclude=command.exclude, include_seen=command.include_seen,
        )  # fmt: skip
        reason = None
        if ranking.fallback == "POPULARITY":
            who = "no user was given" if user is None else "the model does not know this user"
            reason = f"popular: {who}"
        items = [
            RecommendedItem(
                recommendation_key(int(version.id), user, item, score, rank), user, item, score, rank, reason
            )
            for rank, (item, score) in enumerate(ranking.items, start=1)
        ]
        return Recommended(items, version, ranking.fallback)

    def _artifact(self, version: Row[Any]) -> Artifact:
        key = int(version.id)
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        loaded = artifacts.load(artifact_folder(self._settings, version), version.files)
        with self._lock:
            self._open[key] = loaded
            while len(self._open) > KEPT_OPEN:
                self._open.popitem(last=False)
        return loaded


def _check(command: Recommend) -> None:
    if not 0 <= command.first <= MAX_FIRST:
        raise Invalid(f"first must be from 0 to {MAX_FIRST}, not {command.first}", path=("first",))
    listed: Sequence[tuple[str, Sequence[str]]] = (("among", command.among or ()), ("exclude", command.exclude))
    for name, values in listed:
        if len(values) > MAX_LISTED:
            raise Invalid(f"{name} has {len(values)} items; at most {MAX_LISTED} are allowed", path=(name,))


def serving_version(session: Session, model: int) -> Row[Any]:
    """Return the model version that answers for the id of a model or of a model version."""
    version = queries.model_versions_by_ids(session, [model]).get(model)
    if version is not None:
        return version
    row = queries.models_by_ids(session, [model]).get(model)
    if row is None:
        raise NotFound("no model or model version has this id", path=("model",))
    serving = queries.production_of(session, [model]).get(model)
    if serving is None:
        message = f"model '{row.name}' has no version in production; promote one with promoteModelVersion"
        raise Conflict(message, path=("model",))
    return serving
