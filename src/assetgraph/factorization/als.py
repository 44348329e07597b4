"""Alternating least squares by eigenbasis-preconditioned conjugate gradient, in array code for NumPy and CuPy.

Implicit feedback follows Hu, Koren, Volinsky (ICDM 2008): preference 1 for what was seen, 0 else, confidence
c = 1 + alpha * r. Per half-sweep the Gramian G = Y'Y is diagonalised once and both sides are rotated into its basis
(the loss does not change under rotation), so that each row's system is diag(L + lambda) + Y_u' D_u Y_u: the dense part
of every CG step is a vector product, and 1 / (L + lambda) is a preconditioner that is exact for all that was not seen.
Explicit feedback is ridge regression on the ratings less their mean, lambda scaled by the row's count
(Zhou et al. 2008); where every user rated every item, `closed_form` gives its best factors at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from assetgraph.factorization import closed_form
from assetgraph.factorization.arrays import array_module, to_numpy

#: CG steps per row and half-sweep, warm-started: three stay within 0.2 % of the exact loss after ten iterations.
IMPLICIT_STEPS = 3
EXPLICIT_STEPS = 8
#: Elements gathered per batch: 4M float32 are 16 MB, which stay in the cache of a server core.
BATCH_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class Factors:
    """Users (U, k) and items (I, k), float32; a score is their dot product, plus `mean` for explicit feedback."""

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    mean: float = 0.0


@dataclass(frozen=True)
class _Batch:
    """Rows of like length, padded: `columns` and `weights` are (rows, width); padding has weight 0."""

    rows: Any
    columns: Any
    #: Confidence less 1 (implicit), or 1 (explicit): the diagonal of D.
    weights: Any
    #: Right-hand side per entry: confidence (implicit), or rating less mean (explicit).
    targets: Any
    counts: Any


def _batches(xp: Any, matrix: sparse.csr_matrix[Any], factors: int, implicit: bool) -> Iterator[_Batch]:
    """Yield rows bucketed by length, each bucket's widths within an eighth, so that padding stays small."""
    lengths = np.diff(matrix.indptr)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    start = 0
    while start < len(order):
        shortest = int(lengths[order[start]])
        end = int(np.searchsorted(lengths[order], shortest + max(shortest // 8, 1), side="left"))
        width = int(lengths[order[end - 1]])
        most = max(1, BATCH_ELEMENTS // (width * factors))
        end = min(end, start + most)
        rows = order[start:end]
        width = int(lengths[rows[-1]])
        span = np.arange(width)
        taken = span[None, :] < lengths[rows][:, None]
        at = np.where(taken, matrix.indptr[rows][:, None] + span, 0)
        columns = np.where(taken, matrix.indices[at], 0)
        values = np.where(taken, matrix.data[at], 0).astype(np.float32)
        mask = taken.astype(np.float32)
        weights, targets = (values, values + mask) if implicit else (mask, values)
        counts = lengths[rows].astype(np.float32)
        yield _Batch(*(xp.asarray(part) for part in (rows, columns, weights, targets, counts)))
        start = end


def _solve(xp: Any, batch: _Batch, x: Any, fixed: Any, diagonal: Any, inverse: Any, steps: int) -> Any:
    """Return x after `steps` of preconditioned CG on (diag(diagonal) + F' D F) x = F' t; x is (rows, k)."""
    gathered = fixed[batch.columns]
    turned = gathered.transpose(0, 2, 1)

    def apply(v: Any) -> Any:
        seen = batch.weights * xp.matmul(gathered, v[:, :, None])[:, :, 0]
        return diagonal * v + xp.matmul(turned, seen[:, :, None])[:, :, 0]

    residual = xp.matmul(turned, batch.targets[:, :, None])[:, :, 0] - apply(x)
    z = inverse * residual
    p = z
    rz = (residual * z).sum(axis=1)
    for _ in range(steps):
        ap = apply(p)
        curvature = (p * ap).sum(axis=1)
        # A row that has converged has nothing to divide by: it stays where it is.
        step = xp.where(curvature > 0, rz / xp.where(curvature > 0, curvature, 1), 0)[:, None]
        x = x + step * p
        residual = residual - step * ap
        z = inverse * residual
        fresh = (residual * z).sum(axis=1)
        p = z + xp.where(rz > 0, fresh / xp.where(rz > 0, rz, 1), 0)[:, None] * p
        rz = fresh
    return x


def half_sweep(
    xp: Any,
    batches: list[_Batch],
    solved: Any,
    fixed: Any,
    *,
    regularization: float,
    implicit: bool,
    steps: int,
) -> tuple[Any, Any]:
    """Solve one side for the other; returns both, rotated into the eigenbasis of the fixed side's Gramian.

    solved: (n, k) float32, the start; fixed: (m, k) float32. Rows without entries become zero.
    """
    gramian = (fixed.T @ fixed).astype(xp.float64)
    values, basis = xp.linalg.eigh(gramian)
    values = xp.maximum(values, 0).astype(xp.float32)
    basis = basis.astype(xp.float32)
    fixed, solved = fixed @ basis, solved @ basis
    result = xp.zeros_like(solved)
    for batch in batches:
        if implicit:
            diagonal = values[None, :] + xp.float32(regularization)
            inverse = 1 / xp.maximum(diagonal, xp.float32(1e-12))
        else:
            scaled = batch.counts[:, None]
            diagonal = xp.broadcast_to(scaled * xp.float32(regularization), (len(batch.rows), len(values)))
            inverse = 1 / xp.maximum(diagonal + scaled * values / len(fixed), xp.float32(1e-12))
        result[batch.rows] = _solve(xp, batch, solved[batch.rows], fixed, diagonal, inverse, steps)
    return result, fixed


def initial(users: int, items: int, factors: int, seed: int) -> Factors:
    """Return the start: uniform in [0, 0.01), as common tools do, the same for a seed on every backend."""
    generator = np.random.default_rng(seed)
    shape = [(count, factors) for count in (users, items)]
    left, right = ((generator.random(size, dtype=np.float32) * np.float32(0.01)) for size in shape)
    return Factors(left, right)


def fit(
    matrix: sparse.csr_matrix[Any],
    *,
    factors: int = 64,
    iterations: int = 15,
    regularization: float = 0.01,
    alpha: float = 1.0,
    feedback: str = "IMPLICIT",
    backend: str = "CPU",
    seed: int = 42,
    start: Factors | None = None,
    first_iteration: int = 0,
    steps: int | None = None,
    on_iteration: Callable[[int, Factors], None] | None = None,
) -> Factors:
    """Factorize a (users, items) CSR matrix of float32 interactions; returns float32 factors.

    Explicit ratings of every item by every user are solved in closed form, in one step that counts as all iterations.
    Deterministic for a seed, a backend and a machine. `start` with `first_iteration` goes on from a checkpoint to
    the same result. `on_iteration` gets the number of iterations done and the factors so far.
    """
    xp = array_module(backend)
    implicit = feedback == "IMPLICIT"
    taken = steps if steps is not None else (IMPLICIT_STEPS if implicit else EXPLICIT_STEPS)
    mean = 0.0 if implicit else float(matrix.data.mean())
    if not implicit and closed_form.is_full(matrix):
        ratings = np.subtract(matrix.data, mean, dtype=np.float32).reshape(matrix.shape)
        with threadpool_limits(limits=1, user_api="blas"):
            left, right = closed_form.solve(xp, xp.asarray(ratings), factors, regularization)
        solved = Factors(to_numpy(left), to_numpy(right), mean)
        if on_iteration is not None:
            on_iteration(iterations, solved)
        return solved
    weighted = matrix.astype(np.float32)
    weighted.data = weighted.data * np.float32(alpha) if implicit else weighted.data - np.float32(mean)
    begin = start or initial(matrix.shape[0], matrix.shape[1], factors, seed)
    # One BLAS thread: small products on spinning threads cost several times more than they gain (als.md, finding 5).
    with threadpool_limits(limits=1, user_api="blas"):
        by_user = list(_batches(xp, weighted, factors, implicit))
        by_item = list(_batches(xp, weighted.T.tocsr(), factors, implicit))
        users, items = xp.asarray(begin.users), xp.asarray(begin.items)
        for iteration in range(first_iteration, iterations):
            users, items = half_sweep(
                xp, by_user, users, items, regularization=regularization, implicit=implicit, steps=taken
            )
            items, users = half_sweep(
                xp, by_item, items, users, regularization=regularization, implicit=implicit, steps=taken
            )
            if on_iteration is not None:
                on_iteration(iteration + 1, Factors(to_numpy(users), to_numpy(items), mean))
    return Factors(to_numpy(users), to_numpy(items), mean)


def loss(
    matrix: sparse.csr_matrix[Any], factors: Factors, *, regularization: float, alpha: float, feedback: str = "IMPLICIT"
) -> float:
    """Return the objective that `fit` lowers, in float64."""
    users, items = factors.users.astype(np.float64), factors.items.astype(np.float64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    scores = np.einsum("nk,nk->n", users[rows], items[matrix.indices])
    values = matrix.data.astype(np.float64)
    if feedback == "EXPLICIT":
        squares = (users**2).sum(axis=1) @ np.diff(matrix.indptr)
        squares += (items**2).sum(axis=1) @ np.bincount(matrix.indices, minlength=matrix.shape[1])
        return float(((values - factors.mean - scores) ** 2).sum() + regularization * squares)
    confidence = 1 + alpha * values
    seen = (confidence * (1 - scores) ** 2 - scores**2).sum()
    everything = ((users.T @ users) * (items.T @ items)).sum()
    return float(seen + everything + regularization * ((users**2).sum() + (items**2).sum()))
