"""Exact top-k with filters and deterministic ties."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assetgraph.factorization.artifact import Artifact


@dataclass(frozen=True)
class Ranking:
    """Items with scores, best first, and whether they are the user's own or what is popular."""

    items: list[tuple[str, float]]
    fallback: str


def top_k(scores: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the rows of the k highest scores among the allowed, best first; of equal scores the lower row first."""
    candidates = np.flatnonzero(allowed)
    if k <= 0 or not len(candidates):
        return np.empty(0, dtype=np.int64)
    kept = scores[candidates]
    if k < len(candidates):
        # Everything that ties with the k-th stays in, so that the cut among equals is by row, not by chance.
        threshold = np.partition(kept, len(kept) - k)[len(kept) - k]
        candidates, kept = candidates[kept >= threshold], kept[kept >= threshold]
    order = np.lexsort((candidates, -kept))[:k]
    chosen: NDArray[Any] = candidates[order]
    return chosen


def rank_items(
    artifact: Artifact,
    user: str | None,
    first: int,
    *,
    among: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    include_seen: bool = False,
) -> Ranking:
    """Rank items for a user; one that training did not know gets what is popular."""
    row = None if user is None else artifact.user_at.get(user)
    allowed = np.ones(len(artifact.item_names), dtype=bool)
    if among is not None:
        allowed[:] = False
        allowed[[artifact.item_at[item] for item in among if item in artifact.item_at]] = True
    allowed[[artifact.item_at[item] for item in exclude if item in artifact.item_at]] = False
    if row is None:
        scores = artifact.popularity
    else:
        scores = artifact.items @ artifact.users[row] + np.float32(artifact.manifest.get("mean", 0.0))
        if not include_seen:
            allowed[artifact.seen(row)] = False
    best = top_k(scores, first, allowed)
    items = [(artifact.item_names[at], float(scores[at])) for at in best]
    return Ranking(items, "POPULARITY" if row is None else "NONE")
