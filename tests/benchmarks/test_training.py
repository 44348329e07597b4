"""ALS beside the `implicit` package (extra `bench`): equal data, factors, iterations, CG steps, one BLAS thread."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import report
from scipy import sparse
from threadpoolctl import threadpool_limits

from assetgraph.factorization import als
from assetgraph.factorization.evaluate import evaluate
from assetgraph.factorization.interactions import read_interactions, split_holdout
from assetgraph.inventory.profile import open_at

Matrix = sparse.csr_matrix[Any]
pytestmark = pytest.mark.benchmark
ITERATIONS = 15


def cpu_seconds(work: Callable[[], None]) -> float:
    """Return the processor time of all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


@pytest.fixture(scope="module")
def split() -> tuple[Matrix, Matrix]:
    """Online Retail: a random tenth held out."""
    path = Path(__file__).parents[1] / "data" / "online_retail" / "online_retail_full_no_invoice.parquet"
    frame = open_at(path).frame
    data = read_interactions(
        frame, user_field="CustomerID", item_field="Description", value_field="Quantity", feedback="IMPLICIT"
    )
    return split_holdout(data.matrix, 0.1, 42)


@pytest.mark.parametrize("factors", [64, 128])
def test_training_beside_implicit(split: tuple[Matrix, Matrix], factors: int) -> None:
    """Processor seconds per iteration, final loss and NDCG@10 of both."""
    peer = pytest.importorskip("implicit.cpu.als", reason="install assetgraph[bench]")
    train, test = split
    options: dict[str, Any] = {"regularization": 0.01, "alpha": 1.0}
    ours: list[als.Factors] = []
    with threadpool_limits(limits=1):
        theirs = peer.AlternatingLeastSquares(
            factors=factors, iterations=ITERATIONS, num_threads=1, random_state=42, **options
        )
        their_seconds = cpu_seconds(lambda: theirs.fit(train, show_progress=False))
        our_seconds = cpu_seconds(
            lambda: ours.append(als.fit(train, factors=factors, iterations=ITERATIONS, **options))
        )
    found = {"assetgraph": ours[0], "implicit": als.Factors(theirs.user_factors, theirs.item_factors)}
    seconds = {"assetgraph": our_seconds, "implicit": their_seconds}
    rows: list[dict[str, Any]] = [
        {
            "engine": name, "k": factors, "cpu s per iteration": round(seconds[name] / ITERATIONS, 4),
            "loss": round(als.loss(train, one, **options), 1),
            "ndcg@10": round(evaluate(train, test, one, 10)["ndcg@10"], 4),
        }
        for name, one in found.items()
    ]  # fmt: skip
    report(f"ALS on Online Retail, {train.nnz} interactions, k = {factors}", rows)
    assert rows[0]["loss"] <= rows[1]["loss"] * 1.01


def test_a_full_matrix_beside_iterating() -> None:
    """1,000 users who all rated 10,000 items, k = 100: beside ten sweeps of dense ALS and 1,000 gradient steps.

    The peers are NumPy in float32; of the gradient steps a hundred are taken, whose time counts ten times.
    """
    generator = np.random.default_rng(5)
    product = generator.normal(size=(1_000, 100)) @ generator.normal(size=(100, 10_000)) / 10
    ratings = (product + 0.01 * generator.normal(size=product.shape)).astype(np.float32)
    matrix, penalty = sparse.csr_matrix(ratings), np.float32(1e-3)
    found: dict[str, tuple[Any, Any]] = {}

    def closed() -> None:
        told = als.fit(matrix, factors=100, regularization=float(penalty) / 10_000, feedback="EXPLICIT")
        found["closed form"] = (told.users, told.items)

    def sweeps() -> None:
        left, right = (side * np.float32(100) for side in started())
        less, identity = ratings - ratings.mean(), penalty * np.eye(100, dtype=np.float32)
        for _ in range(10):
            left = np.linalg.solve(right.T @ right + identity, right.T @ less.T).T
            right = np.linalg.solve(left.T @ left + identity, left.T @ less).T
        found["dense ALS, 10 sweeps"] = (left, right)

    def steps() -> None:
        left, right = (side * np.float32(10) for side in started())
        less = ratings - ratings.mean()
        for _ in range(100):
            error = less - left @ right.T
            left, right = (left + np.float32(1e-4) * (error @ right - penalty * left),
                           right + np.float32(1e-4) * (error.T @ left - penalty * right))  # fmt: skip
        found["gradient descent"] = (left, right)

    def started() -> tuple[Any, Any]:
        start = als.initial(1_000, 10_000, 100, 42)
        return start.users, start.items

    rows: list[dict[str, Any]] = []
    mean = float(ratings.mean())
    for name, work, times in (
        ("closed form", closed, 1), ("dense ALS, 10 sweeps", sweeps, 1), ("gradient descent", steps, 10),
    ):  # fmt: skip
        began = time.perf_counter()
        with threadpool_limits(limits=1):
            cpu = times * cpu_seconds(work)
        wall = times * (time.perf_counter() - began)
        left, right = found[name]
        error = float(np.sqrt(np.mean(np.square(ratings - mean - left @ right.T))))
        rows.append({"way": name, "CPU s": round(cpu, 2), "wall s": round(wall, 2), "RMSE": round(error, 6)})
    report("1,000 users x 10,000 items, all rated, k = 100", rows)
    assert rows[0]["wall s"] <= 0.5
    assert rows[0]["RMSE"] <= rows[1]["RMSE"] * 1.0001
    assert rows[2]["CPU s"] / rows[0]["CPU s"] >= 300
