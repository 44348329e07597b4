"""Relations from sketches: containment near the truth, keys exact, names decide where values cannot."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetgraph.factorization.interactions import id_expression
from assetgraph.inventory.relate.candidates import Candidate, Column, RelationKind, relations, words
from assetgraph.inventory.relate.keys import candidate_keys
from assetgraph.inventory.relate.sketch import KEPT, ColumnSketch, hashes_of, sketch_columns


def columns_of(tables: dict[str, pl.DataFrame], folder: Path) -> list[Column]:
    """Return the columns of tables, sketched, with their keys; datasets and fields are numbered as they come."""
    found: list[Column] = []
    for dataset, (name, table) in enumerate(tables.items()):
        sketches = sketch_columns(table.lazy(), id_expression)
        distinct = {one: table.get_column(one).n_unique() for one in table.columns}
        nulls = {one: table.get_column(one).null_count() for one in table.columns}
        keys = candidate_keys(table.lazy(), table.height, distinct, nulls, folder)
        for column, sketch in sketches.items():
            found.append(Column(dataset, len(found), name, column, sketch, (column,) in keys, table.height))
    return found


def said(found: list[Candidate]) -> set[tuple[str, str, str]]:
    """Return relations as text."""
    return {
        (one.kind.value, f"{one.source.dataset_name}.{one.source.name}", f"{one.target.dataset_name}.{one.target.name}")
        for one in found
    }


def test_a_shop_s_relations_are_found_and_no_others(tmp_path: Path) -> None:
    """Foreign keys under other names and types; dense numbers that mean something else are no relation."""
    generator = np.random.default_rng(3)
    customers = generator.choice(np.arange(10_000, 99_999), 20_000, replace=False)
    skus = [f"SKU{number:07}" for number in generator.choice(10**7, 3_000, replace=False)]
    size = 60_000
    orders = pl.DataFrame({
        "order_id": np.arange(size), "customer_id": generator.choice(customers, size).astype(float),
        "article": generator.choice(skus, size), "quantity": generator.integers(1, 20, size),
        "price": generator.normal(size=size), "city": generator.choice([f"town {n}" for n in range(300)], size),
    })  # fmt: skip
    tables = {
        "customers": pl.DataFrame({"id": customers, "age": generator.integers(18, 90, len(customers))}),
        "products": pl.DataFrame({"sku": skus, "shelf": np.arange(len(skus))}),
        "orders": orders,
        "weather": pl.DataFrame({
            "city": [f"town {n % 290}" for n in range(2_000)], "hour": [n % 24 for n in range(2_000)],
        }),
        "orders_copy": orders.sample(fraction=0.97, seed=1, shuffle=True),
    }  # fmt: skip
    found = said(relations(columns_of(tables, tmp_path), derived={(2, 4)}))
    assert ("FOREIGN_KEY", "orders.customer_id", "customers.id") in found
    assert ("FOREIGN_KEY", "orders.article", "products.sku") in found
    assert ("JOINABLE", "weather.city", "orders.city") in found
    assert not {
        one for one in found if {"quantity", "age", "shelf", "hour"} & {one[1].split(".")[1], one[2].split(".")[1]}
    }
    again = said(relations(columns_of(tables, tmp_path), derived=()))
    assert {one for one in again if one[0] == "DUPLICATE"} == {("DUPLICATE", "orders_copy.order_id", "orders.order_id")}


@settings(max_examples=25, deadline=None)
@given(shared=st.integers(0, 20_000), mine=st.integers(0, 20_000), theirs=st.integers(0, 50_000))
def test_containment_is_estimated_within_its_error(shared: int, mine: int, theirs: int) -> None:
    """Exact where both columns are small, within four standard errors else."""
    if shared + mine < 3 or shared + theirs < 3 or not shared:
        return
    one = pl.DataFrame({"code": [f"s{n}" for n in range(shared)] + [f"m{n}" for n in range(mine)]})
    other = pl.DataFrame({"code": [f"s{n}" for n in range(shared)] + [f"t{n}" for n in range(theirs)]})
    columns = [
        Column(at, at, f"d{at}", "code", sketch_columns(table.lazy(), id_expression)["code"], at == 1, table.height)
        for at, table in enumerate((one, other))
    ]
    truth = shared / (shared + mine)
    for candidate in relations(columns, derived=()):
        if candidate.kind is RelationKind.FOREIGN_KEY:
            compared = min(KEPT, one.height) * min(1.0, KEPT / other.height)
            assert candidate.containment == pytest.approx(truth, abs=4 * np.sqrt(0.25 / compared) + 1e-9)
            if max(one.height, other.height) < KEPT:
                assert candidate.containment == pytest.approx(truth)
        assert candidate.confidence <= candidate.containment + 1e-9
    # Of a larger key's values too few may be kept to compare a small column with.
    if truth == 1 and other.height < KEPT:
        assert ("FOREIGN_KEY", "d0.code", "d1.code") in said(relations(columns, derived=()))


def test_sketches_know_how_many_values_there_are_and_merge_types() -> None:
    """Exact below KEPT, near above; 17850, 17850.0 and its text are one value; measured floats are none."""
    many = sketch_columns(pl.DataFrame({"n": np.arange(300_000)}).lazy(), id_expression)["n"]
    assert many.distinct == pytest.approx(300_000, rel=0.06)
    assert (many.is_exact, many.values, many.low, many.high, many.dense) == (False, 300_000, 0, 299_999, True)
    assert (hashes_of(many.to_bytes()) == many.hashes).all()
    table = pl.DataFrame(
        {"a": [17850, 2, None], "b": [17850.0, 2.0, None], "c": ["17850", " 2.0", None], "d": [0.5, 1, 2]}
    )
    sketches = sketch_columns(table.lazy(), id_expression)
    assert list(sketches) == ["a", "b", "c"]
    assert len({sketch.to_bytes() for sketch in sketches.values()}) == 1
    assert (sketches["a"].distinct, sketches["a"].values) == (2, 2)


def test_keys_are_exact(tmp_path: Path) -> None:
    """One repeated value far behind is seen; a pair is a key; columns with nulls are none."""
    size = 250_000
    table = pl.DataFrame({
        "id": np.arange(size), "almost": [*range(size - 1), 0], "day": np.arange(size) // 500,
        "place": np.arange(size) % 500, "holey": [None, *range(size - 1)],
    })  # fmt: skip
    distinct = {name: table.get_column(name).n_unique() for name in table.columns}
    nulls = {name: table.get_column(name).null_count() for name in table.columns}
    keys = candidate_keys(table.lazy(), size, distinct, nulls, tmp_path)
    assert keys[0] == ("id",)
    assert ("day", "place") in keys
    assert all("holey" not in key and "id" not in key for key in keys[1:])
    assert ("almost",) not in keys
    assert list(tmp_path.iterdir()) == []


def test_names_are_split_into_words() -> None:
    """Camel case, underscores, capitals, plurals, other scripts."""
    assert words("CustomerIDs") == words("customer_id") == {"customer", "id"}
    assert words("HTTPServer2") == {"http", "server", "2"}
    assert words("address") == {"address"}
    assert words("用户_id") == {"用户", "id"}


def test_an_empty_sketch_is_no_relation() -> None:
    """Columns of nulls are left alone."""
    empty = ColumnSketch(np.empty(0, dtype=np.uint64), 0, whole=False)
    assert relations([Column(0, 0, "a", "x", empty, False, 0), Column(1, 1, "b", "x", empty, False, 0)], ()) == []
