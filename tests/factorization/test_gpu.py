"""The same array code on a GPU, where there is one."""

import numpy as np
import pytest
from scipy import sparse

from assetgraph.errors import Unavailable
from assetgraph.factorization import als
from assetgraph.factorization.arrays import gpu_problem, resolve_backend

PROBLEM = gpu_problem()


def test_auto_takes_what_is_there_and_a_demand_is_met_or_refused() -> None:
    """A machine without a GPU says what is missing."""
    assert resolve_backend("CPU") == "CPU"
    if PROBLEM is None:
        assert resolve_backend("AUTO") == resolve_backend("GPU") == "GPU"
    else:
        assert resolve_backend("AUTO") == "CPU"
        with pytest.raises(Unavailable, match="backend GPU cannot be used here"):
            resolve_backend("GPU")


@pytest.mark.skipif(PROBLEM is not None, reason=f"no GPU: {PROBLEM}")
@pytest.mark.parametrize("feedback", ["IMPLICIT", "EXPLICIT"])
def test_gpu_and_cpu_agree(feedback: str) -> None:
    """Losses after five iterations within 1e-5, relative."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(0.02, (2000, 800)).astype(np.float32)
    matrix = sparse.csr_matrix(counts)
    found = []
    for backend in ("CPU", "GPU"):
        factors = als.fit(matrix, factors=32, iterations=5, regularization=0.1, feedback=feedback, backend=backend)
        found.append(als.loss(matrix, factors, regularization=0.1, alpha=1.0, feedback=feedback))
    assert found[1] == pytest.approx(found[0], rel=1e-5)
