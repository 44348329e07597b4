"""What the service costs: commits through the change log alone and in batches, walks, recommendations."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from reporting import report
from scipy import sparse

from assetgraph.catalog.service import RegisterVersion
from assetgraph.db.engine import Database
from assetgraph.factorization.artifact import Artifact
from assetgraph.ids import AssetKind
from assetgraph.lineage import service as lineage
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk
from assetgraph.recommendations.topk import rank_items

pytestmark = pytest.mark.benchmark
COMMITS, BATCH = 100, 1000


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_registering_one_by_one_and_in_batches(database: Database) -> None:
    """Versions per second: each its own commit, or a thousand in one."""

    def one_by_one() -> None:
        for number in range(COMMITS):
            with database.transaction("bench") as session:
                lineage.register_version(session, RegisterVersion("single", f"d{number}"))

    def batched() -> None:
        with database.transaction("bench") as session:
            for number in range(BATCH):
                lineage.register_version(session, RegisterVersion("batch", f"d{number}"))

    alone, together = COMMITS / seconds(one_by_one), BATCH / seconds(batched)
    dialect = database.engine.dialect.name
    rows = [{"database": dialect, "one commit each /s": round(alone), "1,000 per commit /s": round(together)}]
    report("Registering dataset versions", rows)
    assert together > alone


def test_walking_a_layered_graph(database: Database) -> None:
    """Ten layers of a thousand runs and versions, walked whole and to depth 2."""
    width, layers = 100, 10
    with database.transaction("bench") as session:
        nodes = [
            [lineage.register_version(session, RegisterVersion("ns", f"d{layer}-{i}"))[0] for i in range(width)]
            for layer in range(layers)
        ]
        links = [
            Link(nodes[layer][i], nodes[layer + 1][(i + shift) % width], EdgeKind.DERIVED, Level.VERSION)
            for layer in range(layers - 1) for i in range(width) for shift in range(3)
        ]  # fmt: skip
        connect(session, links)
    root = NodeRef(AssetKind.DATASET_VERSION, str(nodes[-1][0]))
    rows: list[dict[str, Any]] = []
    for depth in (2, 20):
        request = WalkRequest(root, Direction.UPSTREAM, depth, Level.VERSION)
        with database.reading() as session:
            found = walk(session, request)
            taken = min(seconds(partial(walk, session, request)) for _ in range(5))
        dialect = database.engine.dialect.name
        rows.append({"database": dialect, "depth": depth, "nodes": len(found.nodes), "edges": len(found.edges),
                     "ms": round(taken * 1000, 1)})  # fmt: skip
    report("Walking upstream", rows)
    assert rows[1]["nodes"] > rows[0]["nodes"]


def test_recommending_from_a_large_catalogue() -> None:
    """Exact top ten of 1,000,000 items, k = 64, with the user's history left out."""
    generator = np.random.default_rng(0)
    users, items, k = 100, 1_000_000, 64
    matrix = sparse.csr_matrix(sparse.random(users, items, 1e-5, random_state=0, dtype=np.float32))
    factors = [generator.standard_normal((count, k), dtype=np.float32) for count in (users, items)]
    artifact = Artifact(
        factors[0], factors[1],
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), np.ones(items, np.float32),
        [str(i) for i in range(users)], [str(i) for i in range(items)], {},
    )  # fmt: skip
    rank_items(artifact, "0", 10)
    taken = sorted(seconds(partial(rank_items, artifact, str(user), 10)) for user in range(users))
    rows = [{"items": items, "k": k, "median ms": round(taken[50] * 1000, 2), "p95 ms": round(taken[95] * 1000, 2)}]
    report("Exact top 10", rows)
    assert len(rank_items(artifact, "1", 10).items) == 10
