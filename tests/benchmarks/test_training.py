"""ALS beside the `implicit` package (extra `bench`): equal data, factors, iterations, CG steps, one BLAS thread."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
