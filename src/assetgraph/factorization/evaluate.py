"""Ranking metrics on the full catalogue, beside the popularity baseline (never on sampled negatives).

Of the k best items of each user that it did not have, with binary gains: NDCG (Jarvelin, Kekalainen 2002), recall with
the denominator min(k, held out) (Liang et al. 2018), average precision with the same denominator, and the reciprocal
rank of the first hit. Of all lists together: how much of the catalogue they show, how unequally (Gini), and how
unexpected it is (novelty: the mean self-information of an item, by the share of users that have it; Zhou et al. 2010).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from assetgraph.factorization.als import Factors

#: Users scored at once: bounds memory at 512 x items.
BLOCK_USERS = 512
#: Samples of users, drawn with repetition, that an interval is told by.
RESAMPLES = 1_000
#: Metrics of one user's list, in the order of the columns of `_Lists.told`.
OF_A_LIST = ("ndcg", "recall", "map", "mrr")


@dataclass
class _Lists:
    """What the lists of one way of ranking came to."""

    items: int
    #: A row for each user: `OF_A_LIST`.
    told: list[NDArray[np.float64]] = field(default_factory=list)
    shown: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.shown = np.zeros(self.items, np.int64)

    def add(
        self, scores: NDArray[np.float32], seen: sparse.csr_matrix[Any], relevant: sparse.csr_matrix[Any], k: int
    ) -> None:
        """Rank a block of users by scores (n, items), which are overwritten."""
        top, there = _best(scores, seen, k)
        wanted = np.zeros(scores.shape, dtype=bool)
        wanted[np.repeat(np.arange(scores.shape[0]), np.diff(relevant.indptr)), relevant.indices] = True
        hits = np.take_along_axis(wanted, top, axis=1) & there
        self.told.append(_measured(hits, np.diff(relevant.indptr)))
        self.shown += np.bincount(top[there], minlength=self.items)

    def metrics(self, k: int, had: NDArray[np.float64], users: int) -> dict[str, float]:
        """Return the metrics; had: how many users have each item of the training part."""
        rows = np.concatenate(self.told) if self.told else np.zeros((0, len(OF_A_LIST)))
        means = rows.mean(axis=0) if len(rows) else np.zeros(len(OF_A_LIST))
        found = {f"{name}@{k}": float(value) for name, value in zip(OF_A_LIST, means, strict=True)}
        return found | {
            f"coverage@{k}": float((self.shown > 0).mean()), f"gini@{k}": _gini(self.shown),
            f"novelty@{k}": _novelty(self.shown, had, users),
        }  # fmt: skip


def evaluate(
    train: sparse.csr_matrix[Any], test: sparse.csr_matrix[Any], factors: Factors, k: int, *, seed: int = 42
) -> dict[str, float]:
    """Return the metrics of the model, and those of popularity with `popularity_` before their names.

    Items of `train` are left out of a user's ranking. `ndcg@k_low` and `ndcg@k_high` are the bounds of the model's NDCG
    in 95 of 100 samples of users drawn with repetition (percentile bootstrap), the same for a seed.
    """
    had = np.asarray((train > 0).sum(axis=0), dtype=np.float64).ravel()
    users = np.flatnonzero(np.diff(test.indptr))
    model, popular = (_Lists(train.shape[1]) for _ in range(2))
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(users), BLOCK_USERS):
            block = users[start : start + BLOCK_USERS]
            seen, relevant = train[block], test[block]
            model.add(factors.users[block] @ factors.items.T, seen, relevant, k)
            popular.add(np.tile(had.astype(np.float32), (len(block), 1)), seen, relevant, k)
    told = model.metrics(k, had, train.shape[0])
    if len(users):
        told |= _interval(np.concatenate(model.told)[:, 0], f"ndcg@{k}", seed)
    beside = popular.metrics(k, had, train.shape[0])
    return told | {f"popularity_{name}": value for name, value in beside.items()}


def _best(
    scores: NDArray[np.float32], seen: sparse.csr_matrix[Any], k: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the k best items that are not seen, and where there is one: a user may have had nearly all."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    k = min(k, scores.shape[1])
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return top, np.isfinite(np.take_along_axis(scores, top, axis=1))


def _measured(hits: NDArray[np.bool_], held_out: NDArray[Any]) -> NDArray[np.float64]:
    """Return `OF_A_LIST` of each user; hits: (n, k), in the order of the ranking."""
    places = np.arange(1, hits.shape[1] + 1)
    discounts = 1 / np.log2(places + 1)
    possible = np.minimum(held_out, hits.shape[1])
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[possible]
    precision = np.cumsum(hits, axis=1) / places
    first = np.where(hits.any(axis=1), 1 / (np.argmax(hits, axis=1) + 1), 0.0)
    return np.stack(
        [(hits * discounts).sum(axis=1) / ideal, hits.sum(axis=1) / possible,
         (hits * precision).sum(axis=1) / possible, first], axis=1,
    )  # fmt: skip


def _gini(shown: NDArray[np.int64]) -> float:
    """Return the Gini index of how often each item is shown: 0 for all alike, near 1 for one alone."""
    total = int(shown.sum())
    if not total:
        return 0.0
    ranks = np.arange(1, len(shown) + 1)
    return float((2 * ranks - len(shown) - 1) @ np.sort(shown) / (len(shown) * total))


def _novelty(shown: NDArray[np.int64], had: NDArray[np.float64], users: int) -> float:
    """Return the mean self-information, in bits, of what is shown; an item that nobody has counts as half a user's."""
    total = int(shown.sum())
    share = np.maximum(had, 0.5) / max(users, 1)
    return float(-(shown @ np.log2(np.minimum(share, 1.0))) / total) if total else 0.0


def _interval(values: NDArray[np.float64], name: str, seed: int) -> dict[str, float]:
    generator = np.random.default_rng(seed)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
