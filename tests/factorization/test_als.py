"""ALS against a plain float64 Cholesky reference."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from assetgraph.factorization import als


def ratings(users: int = 120, items: int = 80, seed: int = 0) -> sparse.csr_matrix[Any]:
    """Return clustered random counts, with a user and an item that have none."""
    generator = np.random.default_rng(seed)
    taste = generator.random((users, 5)) @ generator.random((5, items))
    chosen = generator.random((users, items)) < 0.25 * taste / taste.max()
    chosen[3] = False
    chosen[:, 5] = False
    values = (1 + generator.poisson(1, (users, items))) * chosen
    return sparse.csr_matrix(values.astype(np.float32))


def exact_half(
    matrix: sparse.csr_matrix[Any], fixed: NDArray[np.float64], reg: float, alpha: float, implicit: bool
) -> NDArray[np.float64]:
    """Solve every row by Cholesky in float64: the definition, written plainly."""
    result = np.zeros((matrix.shape[0], fixed.shape[1]))
    identity = np.eye(fixed.shape[1])
    for row in range(matrix.shape[0]):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        seen, values = fixed[matrix.indices[entries]], matrix.data[entries].astype(np.float64)
        if not len(values):
            continue
        if implicit:
            system = fixed.T @ fixed + (seen.T * (alpha * values)) @ seen + reg * identity
            right = seen.T @ (1 + alpha * values)
        else:
            system = seen.T @ seen + reg * len(values) * identity
            right = seen.T @ values
        factor = np.linalg.cholesky(system)
        result[row] = np.linalg.solve(factor.T, np.linalg.solve(factor, right))
    return result


@pytest.mark.parametrize("feedback", ["IMPLICIT", "EXPLICIT"])
def test_a_half_sweep_equals_the_exact_solution(feedback: str) -> None:
    """With enough steps the scores agree with Cholesky to 1e-4 (scores do not depend on the basis)."""
    matrix = ratings()
    start = als.initial(*matrix.shape, 16, seed=1)
    fixed = start.items * 100
    implicit = feedback == "IMPLICIT"
    weighted = matrix * np.float32(2.0) if implicit else matrix
    batches = list(als._batches(np, weighted, 16, implicit))
    solved, rotated = als.half_sweep(np, batches, start.users, fixed, regularization=0.1, implicit=implicit, steps=60)
    exact = exact_half(matrix, fixed.astype(np.float64), 0.1, 2.0, implicit)
    scores, reference = solved @ rotated.T, exact @ fixed.T
    assert np.abs(scores - reference).max() <= 1e-4 * np.abs(reference).max()


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_ten_iterations_come_within_a_five_hundredth_of_exact(alpha: float) -> None:
    """The loss of three CG steps per half-sweep is within 0.2 % of exact ALS from the same start."""
    matrix = ratings(300, 200)
    start = als.initial(*matrix.shape, 16, seed=2)
    users, items = start.users.astype(np.float64), start.items.astype(np.float64)
    for _ in range(10):
        users = exact_half(matrix, items, 0.1, alpha, True)
        items = exact_half(matrix.T.tocsr(), users, 0.1, alpha, True)
    exact = als.loss(
        matrix, als.Factors(users.astype(np.float32), items.astype(np.float32)), regularization=0.1, alpha=alpha
    )
    found = als.fit(matrix, factors=16, iterations=10, regularization=0.1, alpha=alpha, start=start)
    assert als.loss(matrix, found, regularization=0.1, alpha=alpha) <= exact * 1.002


def test_a_seed_gives_the_same_factors_and_a_checkpoint_goes_on_to_them() -> None:
    """Bitwise the same, in one go or resumed."""
    matrix = ratings()
    kept: dict[int, als.Factors] = {}
    whole = als.fit(matrix, factors=8, iterations=6, seed=5, on_iteration=lambda n, f: kept.update({n: f}))
    again = als.fit(matrix, factors=8, iterations=6, seed=5)
    resumed = als.fit(matrix, factors=8, iterations=6, seed=5, start=kept[4], first_iteration=4)
    assert np.array_equal(whole.users, again.users)
    assert np.array_equal(whole.items, resumed.items)
    assert sorted(kept) == [1, 2, 3, 4, 5, 6]


def test_a_checkerboard_is_completed() -> None:
    """Users like what is of their colour: the one missing cell of it ranks above all of the other colour."""
    board = np.add.outer(np.arange(20), np.arange(20)) % 2 == 0
    matrix = board.astype(np.float32)
    matrix[0, 0] = 0
    found = als.fit(sparse.csr_matrix(matrix), factors=4, iterations=10)
    scores = found.items @ found.users[0]
    assert scores[0] > scores[~board[0]].max()


def test_explicit_ratings_are_predicted() -> None:
    """A rank-two matrix of ratings is found again from two thirds of its cells."""
    generator = np.random.default_rng(0)
    truth = 3 + generator.normal(size=(60, 2)) @ generator.normal(size=(2, 40))
    shown = generator.random(truth.shape) < 0.66
    matrix = sparse.csr_matrix(np.where(shown, truth, 0).astype(np.float32))
    found = als.fit(matrix, factors=4, iterations=30, regularization=0.001, feedback="EXPLICIT")
    predicted = found.users @ found.items.T + found.mean
    error = np.sqrt(((predicted - truth)[~shown] ** 2).mean())
    assert error < 0.3 * truth.std()
