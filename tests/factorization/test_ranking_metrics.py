"""Ranking metrics beside their definitions, written out user by user."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from assetgraph.factorization.als import Factors
from assetgraph.factorization.evaluate import evaluate
from assetgraph.factorization.interactions import split_holdout

USERS, ITEMS = 60, 25


def split(seed: int) -> tuple[sparse.csr_matrix[Any], sparse.csr_matrix[Any]]:
    """Return what users had and what was held out of it."""
    had = np.random.default_rng(seed).random((USERS, ITEMS)) < 0.3
    return split_holdout(sparse.csr_matrix(had.astype(np.float32)), 0.4, seed)


def plainly(train: NDArray[Any], test: NDArray[Any], scores: NDArray[Any], k: int) -> dict[str, float]:
    """Return the metrics by their definitions."""
    told: dict[str, list[float]] = {name: [] for name in ("ndcg", "recall", "map", "mrr")}
    shown = [0] * ITEMS
    for user in range(USERS):
        held = {item for item in range(ITEMS) if test[user, item]}
        if not held:
            continue
        new = [item for item in range(ITEMS) if not train[user, item]]
        ranked = sorted(new, key=lambda item: -scores[user, item])[:k]
        hits = [item in held for item in ranked]
        most = min(len(held), k)
        told["ndcg"].append(
            sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
            / sum(1 / math.log2(place + 2) for place in range(most))
        )
        told["recall"].append(sum(hits) / most)
        told["map"].append(sum(sum(hits[: at + 1]) / (at + 1) for at, hit in enumerate(hits) if hit) / most)
        told["mrr"].append(next((1 / (at + 1) for at, hit in enumerate(hits) if hit), 0.0))
        for item in ranked:
            shown[item] += 1
    found = {f"{name}@{k}": sum(values) / len(values) for name, values in told.items()}
    found[f"coverage@{k}"] = sum(count > 0 for count in shown) / ITEMS
    apart = sum(abs(one - other) for one in shown for other in shown)
    found[f"gini@{k}"] = apart / (2 * ITEMS * sum(shown))
    had = train.sum(axis=0)
    bits = [-count * math.log2(max(had[item], 0.5) / USERS) for item, count in enumerate(shown)]
    return {**found, f"novelty@{k}": sum(bits) / sum(shown)}


@pytest.mark.parametrize("k", [1, 5, 25, 40])
def test_metrics_are_their_definitions(k: int) -> None:
    """Of the model and of popularity, also for lists longer than what a user did not have."""
    train, test = split(k)
    generator = np.random.default_rng(k)
    factors = Factors(generator.normal(size=(USERS, 4)).astype(np.float32),
                      generator.normal(size=(ITEMS, 4)).astype(np.float32))  # fmt: skip
    # Popularity has ties; what they are broken by is not defined, so each item gets a share of its own.
    found = evaluate(train, test, factors, k)
    wanted = plainly(train.toarray(), test.toarray(), factors.users @ factors.items.T, k)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)
    assert {name.removeprefix("popularity_") for name in found if name.startswith("popularity_")} == set(wanted)


def test_popularity_ranks_by_how_many_have_an_item() -> None:
    """Without ties it is the ranking by counts."""
    had = np.array([[user < 20 - 2 * item for item in range(8)] for user in range(20)], dtype=np.float32)
    train = sparse.csr_matrix(had)
    test = sparse.csr_matrix((1 - had) * (np.arange(8) == np.arange(20)[:, None] % 8))
    test.eliminate_zeros()
    found = evaluate(train, test, Factors(np.zeros((20, 1), np.float32), np.zeros((8, 1), np.float32)), 3)
    hits = []
    for user in range(20):
        held = set(test[user].indices.tolist())
        new = [item for item in range(8) if not had[user, item]][:3]
        if held:
            hits.append(len(held & set(new)) / min(len(held), 3))
    assert found["popularity_recall@3"] == pytest.approx(sum(hits) / len(hits))


def test_the_interval_holds_the_mean_and_is_the_same_for_a_seed() -> None:
    """It narrows with the number of users, and nothing held out has none."""
    train, test = split(1)
    factors = Factors(np.ones((USERS, 1), np.float32), np.arange(ITEMS, dtype=np.float32)[:, None])
    found = evaluate(train, test, factors, 5)
    assert found["ndcg@5_low"] < found["ndcg@5"] < found["ndcg@5_high"]
    assert found == evaluate(train, test, factors, 5)
    assert found["ndcg@5_low"] != evaluate(train, test, factors, 5, seed=7)["ndcg@5_low"]
    many = [sparse.vstack([one] * 16).tocsr() for one in (train, test)]
    wide = Factors(np.ones((16 * USERS, 1), np.float32), factors.items)
    narrow = evaluate(many[0], many[1], wide, 5)
    assert narrow["ndcg@5"] == pytest.approx(found["ndcg@5"])
    ratio = (narrow["ndcg@5_high"] - narrow["ndcg@5_low"]) / (found["ndcg@5_high"] - found["ndcg@5_low"])
    assert 0.15 < ratio < 0.4
    nothing = evaluate(train, sparse.csr_matrix(np.zeros(test.shape, np.float32)), factors, 5)
    assert nothing["ndcg@5"] == 0.0
    assert "ndcg@5_low" not in nothing
