"""Exact top-k: filters, ties, fallbacks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetgraph.factorization.artifact import Artifact
from assetgraph.recommendations.topk import rank_items, top_k


@given(
    scores=st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0, 2.5]), min_size=1, max_size=40), k=st.integers(0, 50),
    data=st.data(),
)  # fmt: skip
def test_it_is_what_a_full_stable_sort_gives(scores: list[float], k: int, data: st.DataObject) -> None:
    """Also among ties, also with few allowed: of equal scores the lower row comes first."""
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    best = top_k(np.array(scores, np.float32), k, allowed)
    rows = [row for row in range(len(scores)) if allowed[row]]
    assert best.tolist() == sorted(rows, key=lambda row: (-scores[row], row))[:k]


@pytest.fixture
def artifact() -> Artifact:
    """Two users, four items: u had a, v had nothing; c is popular."""
    users = np.array([[1, 0], [0, 1]], np.float32)
    items = np.array([[4, 1], [3, 2], [2, 3], [1, 4]], np.float32)
    return Artifact(
        users, items, np.array([0, 1, 1]), np.array([0], np.int32), np.array([1, 1, 5, 0], np.float32),
        ["u", "v"], ["a", "b", "c", "d"], {},
    )  # fmt: skip


def names(artifact: Artifact, user: str | None, **given: object) -> list[str]:
    """Return the items of a ranking."""
    return [item for item, _ in rank_items(artifact, user, 10, **given).items]  # type: ignore[arg-type]


def test_what_a_user_had_is_left_out_unless_asked_for(artifact: Artifact) -> None:
    """Scores are dot products, best first."""
    assert rank_items(artifact, "u", 2).items == [("b", 3.0), ("c", 2.0)]
    assert names(artifact, "u", include_seen=True) == ["a", "b", "c", "d"]
    assert names(artifact, "v") == ["d", "c", "b", "a"]


def test_predicted_ratings_are_on_the_scale_of_the_ratings(artifact: Artifact) -> None:
    """Explicit feedback is learnt as the difference from its mean, which comes back on top."""
    rated = replace(artifact, manifest={"mean": 3.5})
    assert rank_items(rated, "u", 1).items == [("b", 6.5)]


def test_lists_allow_and_exclude(artifact: Artifact) -> None:
    """Unknown items in them are ignored; an empty list of allowed items allows none."""
    assert names(artifact, "u", among=["d", "b", "nothing"]) == ["b", "d"]
    assert names(artifact, "u", among=[]) == []
    assert names(artifact, "u", exclude=["b", "nothing"]) == ["c", "d"]
    assert names(artifact, "u", among=["b", "c"], exclude=["b"]) == ["c"]


@pytest.mark.parametrize("user", [None, "nobody", ""])
def test_whom_training_did_not_know_gets_what_is_popular(artifact: Artifact, user: str | None) -> None:
    """And the answer says so; ties by row."""
    ranking = rank_items(artifact, user, 3)
    assert (ranking.fallback, ranking.items) == ("POPULARITY", [("c", 5.0), ("a", 1.0), ("b", 1.0)])
