"""From tables to matrices: ids as text, what is dropped, what is summed, what is refused."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.factorization.interactions import Interactions, read_interactions, split_holdout


def read(columns: dict[str, Any], value: str | None = "q", feedback: str = "IMPLICIT") -> Interactions:
    """Read a table with the columns u, i and maybe q."""
    return read_interactions(
        pl.LazyFrame(columns, strict=False), user_field="u", item_field="i", value_field=value, feedback=feedback
    )


def cells(found: Interactions) -> dict[tuple[str, str], float]:
    """Return the matrix by names."""
    matrix = found.matrix.tocoo()
    return {
        (found.users[row], found.items[column]): float(value)
        for row, column, value in zip(matrix.row, matrix.col, matrix.data, strict=True)
    }


@pytest.mark.parametrize(
    ("users", "names"),
    [
        ([17850.0, 13047.0], ["13047", "17850"]),
        ([17850, 13047], ["13047", "17850"]),
        ([" 17850 ", "17850.0", "007"], ["007", "17850"]),
        ([1.5, 2.0**70], ["1.1805916207174113e+21", "1.5"]),
        (["x.0", "1.0.0"], ["1.0.0", "x.0"]),
    ],
)
def test_ids_are_text_without_a_needless_fraction(users: list[Any], names: list[str]) -> None:
    """However a file stores them, a user has one id."""
    assert read({"u": users, "i": ["a"] * len(users)}, None).users == names


def test_rows_without_user_item_or_use_are_dropped_and_counted() -> None:
    """Missing customers, empty names, returns, values that are no numbers."""
    found = read({
        "u": ["a", None, "a", " ", "b", "b", "b"], "i": ["x", "x", None, "x", "x", "y", "y"],
        "q": [2.0, 1.0, 1.0, 1.0, -3.0, float("nan"), 4.0],
    })  # fmt: skip
    assert cells(found) == {("a", "x"): 2.0, ("b", "y"): 4.0}
    assert found.dropped_rows == 5


def test_values_are_summed_or_averaged() -> None:
    """Implicit feedback adds up, ratings do not; without a value each row counts one."""
    table = {"u": ["a", "a", "b"], "i": ["x", "x", "x"], "q": [1, 4, 0]}
    assert cells(read(table)) == {("a", "x"): 5.0}
    assert cells(read(table, feedback="EXPLICIT")) == {("a", "x"): 2.5, ("b", "x"): 0.0}
    assert cells(read(table, None)) == {("a", "x"): 2.0, ("b", "x"): 1.0}


@pytest.mark.parametrize(
    ("table", "error", "said"),
    [
        ({"u": ["a"], "i": ["x"]}, NotFound, "no column 'q'; known: u, i"),
        ({"u": ["a"], "item": ["x"], "q": [1]}, NotFound, "no column 'i'; known: u, item, q"),
        ({"u": ["a"], "i": ["x"], "q": ["1"], "n": [2]}, Invalid, "'q' is String, not a number; known: n"),
        ({"u": ["a"], "i": ["x"], "q": [-1]}, Invalid, "nothing can be learnt"),
    ],
)
def test_what_cannot_be_learnt_from_says_why(table: dict[str, Any], error: type[AssetgraphError], said: str) -> None:
    """And names what is there."""
    with pytest.raises(error, match=said):
        read(table)


def test_a_holdout_takes_no_user_s_only_entry() -> None:
    """Both parts together are the whole, apart they share nothing, and a seed decides."""
    generator = np.random.default_rng(1)
    count = 400
    table = {"u": generator.integers(0, 150, count), "i": generator.integers(0, 20, count)}
    matrix = read(table, None).matrix
    train, test = split_holdout(matrix, 0.5, 7)
    assert (train + test != matrix).nnz == 0
    assert train.multiply(test).nnz == 0
    assert np.diff(train.indptr).min() >= 1
    assert 0.2 * matrix.nnz < test.nnz < 0.5 * matrix.nnz
    again, _ = split_holdout(matrix, 0.5, 7)
    other, _ = split_holdout(matrix, 0.5, 8)
    assert np.array_equal(again.toarray(), train.toarray())
    assert not np.array_equal(other.toarray(), train.toarray())
