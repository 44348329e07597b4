"""A matrix in which every user rated every item: its best factors without iterating.

Of min |X - U V'|^2 + a |U|^2 + b |V|^2 the product is the singular value decomposition X = A S B' with every singular
value less sqrt(a b), none below zero, and of these the k largest: a |U|^2 + b |V|^2 is, for a given product, at least
2 sqrt(a b) times its nuclear norm (Srebro, Rennie, Jaakkola, NIPS 2004), whose proximal step is that threshold (Cai,
Candes, Shen, SIAM J. Optim. 2010). The explicit objective of `als` weighs a user's penalty by the number of its
ratings, which are here all the items, and an item's by all the users.
"""

from typing import Any

import numpy as np
from scipy import linalg, sparse


def is_full(matrix: sparse.csr_matrix[Any]) -> bool:
    """Tell whether a (users, items) matrix has one entry for every user and item."""
    users, items = matrix.shape
    return bool(users and items and matrix.nnz == users * items and matrix.has_canonical_format)


def solve(xp: Any, ratings: Any, factors: int, regularization: float) -> tuple[Any, Any]:
    """Return the users' (U, k) and the items' (I, k) factors, float32, of ratings (U, I), float32.

    The Gramian of the shorter side is made in float32; singular values below 1e-3 of the largest are as exact as that
    allows.
    """
    users, items = ratings.shape
    turned = users > items
    sided = ratings.T if turned else ratings
    squares, basis = _largest(xp, sided @ sided.T, min(factors, len(sided)))
    singular = xp.sqrt(xp.maximum(squares, 0))
    kept = xp.maximum(singular - regularization * float(np.sqrt(users * items)), 0)
    # B = X' A / S; what is thresholded away needs no direction.
    inverse = xp.where(kept > 0, 1 / xp.where(kept > 0, singular, 1), 0)
    basis, inverse = basis.astype(xp.float32), inverse.astype(xp.float32)
    other = (sided.T @ basis) * inverse
    # The penalty of one user weighs as much as all items, that of one item as all users: u^2 = s sqrt(U / I).
    balance = float(users / items) ** 0.25
    root = xp.sqrt(kept).astype(xp.float32)
    left, right = (other, basis) if turned else (basis, other)
    return _padded(xp, left * root * balance, factors), _padded(xp, right * root / balance, factors)


def _largest(xp: Any, gramian: Any, count: int) -> tuple[Any, Any]:
    """Return the largest eigenvalues of a float32 matrix, falling, and their vectors as columns, in float64.

    On the CPU found in float32, in half the time, and refined by a step of subspace iteration and Rayleigh-Ritz in
    float64 (Golub, Van Loan, Matrix Computations, 8.2.4), which squares their errors.
    """
    exact = gramian.astype(xp.float64)
    if xp is np:
        size = len(gramian)
        _, near = linalg.eigh(gramian, subset_by_index=(size - count, size - 1), overwrite_a=True)
        frame, _ = np.linalg.qr(exact @ near)
        values, turns = np.linalg.eigh(frame.T @ exact @ frame)
        vectors = frame @ turns
    else:
        values, vectors = xp.linalg.eigh(exact)
    return values[::-1][:count], vectors[:, ::-1][:, :count]


def _padded(xp: Any, side: Any, factors: int) -> Any:
    """Return a side with as many columns as were asked for: a matrix has no more directions than its shorter side."""
    if side.shape[1] == factors:
        return xp.ascontiguousarray(side)
    padded = xp.zeros((len(side), factors), xp.float32)
    padded[:, : side.shape[1]] = side
    return padded
