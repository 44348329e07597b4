"""Every item rated by every user: the optimum at once, beside what iterating comes to and the plain definition."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doing import done
from scipy import sparse

from assetgraph.catalog.service import AssetRef, RegisterSource, find_asset, register_source
from assetgraph.db.engine import Database
from assetgraph.db.page import PageRequest
from assetgraph.factorization import als, artifact, closed_form, queries
from assetgraph.factorization.service import StartTraining, TrainingParameters, artifact_folder, start_training
from assetgraph.ids import AssetKind
from assetgraph.inventory.located import check_readable
from assetgraph.inventory.service import StartScan, start_scan
from assetgraph.settings import Settings


def full(users: int, items: int, rank: int, seed: int = 0) -> sparse.csr_matrix[Any]:
    """Return ratings of that rank with a little noise."""
    generator = np.random.default_rng(seed)
    product = generator.normal(size=(users, rank)) @ generator.normal(size=(rank, items))
    noisy = 3 + product + 0.05 * generator.normal(size=(users, items))
    return sparse.csr_matrix(noisy.astype(np.float32))


def centred(matrix: sparse.csr_matrix[Any]) -> sparse.csr_matrix[Any]:
    """Return ratings less their mean."""
    less = matrix.copy()
    less.data = less.data - np.float32(matrix.data.mean())
    return less


def iterated(matrix: sparse.csr_matrix[Any], regularization: float, sweeps: int) -> als.Factors:
    """Return four factors after so many sweeps of ALS, each half solved exactly."""
    start, ratings = als.initial(*matrix.shape, 4, seed=1), centred(matrix)
    by_user, by_item = (list(als._batches(np, side, 4, False)) for side in (ratings, ratings.T.tocsr()))
    users, items = start.users * np.float32(50), start.items * np.float32(50)
    options: dict[str, Any] = {"regularization": regularization, "implicit": False, "steps": 20}
    for _ in range(sweeps):
        users, items = als.half_sweep(np, by_user, users, items, **options)
        items, users = als.half_sweep(np, by_item, items, users, **options)
    return als.Factors(users, items, float(matrix.data.mean()))


@pytest.mark.parametrize(("users", "items"), [(40, 90), (90, 40), (60, 60)])
@pytest.mark.parametrize("regularization", [0.0, 0.001, 0.02])
def test_iterating_comes_to_it_from_above(users: int, items: int, regularization: float) -> None:
    """Neither ten nor three hundred sweeps of ALS come below its loss, and the latter come near."""
    matrix = full(users, items, 6)

    def lost(factors: als.Factors) -> float:
        return als.loss(matrix, factors, regularization=regularization, alpha=1.0, feedback="EXPLICIT")

    best = lost(als.fit(matrix, factors=4, regularization=regularization, feedback="EXPLICIT"))
    for sweeps in (10, 300):
        assert best <= lost(iterated(matrix, regularization, sweeps)) * (1 + 1e-6)
    assert lost(iterated(matrix, regularization, 300)) <= best * 1.001


def test_it_is_the_thresholded_decomposition() -> None:
    """In float64 by the definition: singular values less lambda times the root of users times items, the k largest."""
    matrix = full(50, 30, 8)
    found = als.fit(matrix, factors=5, regularization=0.01, feedback="EXPLICIT")
    left, singular, right = np.linalg.svd(matrix.toarray().astype(np.float64) - found.mean, full_matrices=False)
    kept = np.maximum(singular[:5] - 0.01 * np.sqrt(50 * 30), 0)
    assert np.abs(found.users @ found.items.T - (left[:, :5] * kept) @ right[:5]).max() <= 2e-4
    assert {str(found.users.dtype), str(found.items.dtype)} == {"float32"}
    assert (found.users.shape, found.items.shape) == ((50, 5), (30, 5))


def test_more_factors_than_there_are_directions_and_more_penalty_than_there_is_data() -> None:
    """What is left over is zero, and finite."""
    matrix = full(6, 4, 2)
    found = als.fit(matrix, factors=9, regularization=0.0, feedback="EXPLICIT")
    assert (found.users.shape, found.items.shape) == ((6, 9), (4, 9))
    assert not found.users[:, 4:].any()
    assert np.abs(found.users @ found.items.T + found.mean - matrix.toarray()).max() <= 1e-3
    nothing = als.fit(matrix, factors=3, regularization=1e6, feedback="EXPLICIT")
    assert not nothing.users.any()
    assert not nothing.items.any()
    constant = als.fit(sparse.csr_matrix(np.full((3, 5), 2, np.float32)), factors=2, feedback="EXPLICIT")
    assert np.isfinite(constant.users).all()
    assert np.abs(constant.users @ constant.items.T + constant.mean - 2).max() <= 1e-6


def test_only_a_full_matrix_is_taken_for_one() -> None:
    """One rating less, one told twice, or implicit feedback: these are iterated."""
    matrix = full(5, 7, 2)
    assert closed_form.is_full(matrix)
    less = matrix.copy()
    less.data[3] = 0
    less.eliminate_zeros()
    assert not closed_form.is_full(less)
    twice = sparse.csr_matrix(
        (matrix.data, np.concatenate([matrix.indices[:-1], matrix.indices[-2:-1]]), matrix.indptr), shape=matrix.shape
    )
    assert not closed_form.is_full(twice)
    assert not closed_form.is_full(sparse.csr_matrix(np.zeros((0, 0), np.float32)))
    told: list[int] = []
    als.fit(matrix, factors=2, iterations=4, feedback="EXPLICIT", on_iteration=lambda done, _: told.append(done))
    assert told == [4]
    told.clear()
    als.fit(less, factors=2, iterations=4, feedback="EXPLICIT", on_iteration=lambda done, _: told.append(done))
    assert told == [1, 2, 3, 4]


def test_a_training_says_how_it_was_solved(database: Database, settings: Settings, incoming: Path) -> None:
    """Ratings of everything by everyone are recognised, and predicted; one rating less is iterated."""
    taste = {"a": 1.0, "b": 2.0, "c": 4.0, "d": 5.0}
    lines = [f"{user},{item},{value * (2 if item == 'y' else 1)}" for user, value in taste.items() for item in "xyz"]
    with database.transaction("test") as session:
        source = register_source(session, RegisterSource("shop", "s", str(incoming)))
    for kept in (lines, lines[:-1]):
        (incoming / "ratings.csv").write_text("\n".join(["user,item,stars", *kept]))
        done(database, settings, lambda session: start_scan(session, settings, StartScan(source)))
        asked = StartTraining(
            "shop", "m", AssetRef(namespace="shop", name="ratings"), "user", "item", "stars",
            parameters=TrainingParameters(factors=2, iterations=5, feedback="EXPLICIT", regularization=0, holdout=0),
        )  # fmt: skip
        train = partial(start_training, settings=settings, command=asked, check_readable=check_readable)
        done(database, settings, train)
    with database.reading() as session:
        model = find_asset(session, AssetKind.MODEL, "shop", "m")
        assert model is not None
        found = queries.model_versions_page(session, model, PageRequest.of(10, None)).rows
    rows = sorted(found, key=lambda row: int(row.number))
    whole = artifact.load(artifact_folder(settings, rows[0]))
    solvers = [row.parameters["solver"] for row in rows]
    assert solvers == ["CLOSED_FORM", "ALS"]
    ratings = np.array([[value, 2 * value, value] for value in taste.values()])
    assert np.abs(whole.users @ whole.items.T + ratings.mean() - ratings).max() <= 1e-4
