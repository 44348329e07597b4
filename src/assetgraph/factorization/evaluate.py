"""Ranking metrics on the full catalogue, beside the popularity baseline (never on sampled negatives)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from assetgraph.factorization.als import Factors

#: Users scored at once: bounds memory at 512 x items.
BLOCK_USERS = 512


def evaluate(train: sparse.csr_matrix[Any], test: sparse.csr_matrix[Any], factors: Factors, k: int) -> dict[str, float]:
    """Return NDCG@k and Recall@k of the model and of popularity, averaged over users with held-out items.

    Items of `train` are left out of a user's ranking; gains are binary; Recall's denominator is min(k, held out).
    """
    popularity = np.asarray((train > 0).sum(axis=0), dtype=np.float32).ravel()
    users = np.flatnonzero(np.diff(test.indptr))
    sums = np.zeros(4)
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(users), BLOCK_USERS):
            block = users[start : start + BLOCK_USERS]
            seen = train[block]
            relevant = test[block]
            scores = factors.users[block] @ factors.items.T
            sums[:2] += _gains(scores, seen, relevant, k)
            sums[2:] += _gains(np.tile(popularity, (len(block), 1)), seen, relevant, k)
    means = sums / max(len(users), 1)
    names = (f"ndcg@{k}", f"recall@{k}", f"popularity_ndcg@{k}", f"popularity_recall@{k}")
    return dict(zip(names, (float(value) for value in means), strict=True))


def _gains(
    scores: NDArray[np.float32], seen: sparse.csr_matrix[Any], relevant: sparse.csr_matrix[Any], k: int
) -> NDArray[np.float64]:
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    k = min(k, scores.shape[1])
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    wanted = np.zeros(scores.shape, dtype=bool)
    wanted[np.repeat(np.arange(scores.shape[0]), np.diff(relevant.indptr)), relevant.indices] = True
    hits = np.take_along_axis(wanted, top, axis=1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    possible = np.minimum(np.diff(relevant.indptr), k)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[possible]
    ndcg = (hits * discounts).sum(axis=1) / ideal
    recall = hits.sum(axis=1) / possible
    return np.array([ndcg.sum(), recall.sum()])
