"""From a table to a user-item matrix with its vocabularies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from assetgraph.errors import Invalid, NotFound


@dataclass(frozen=True)
class Interactions:
    """A matrix (users x items, CSR, float32) and what its rows and columns are called."""

    matrix: sparse.csr_matrix[Any]
    users: list[str]
    items: list[str]
    #: Rows of the table that had no user, no item, or (implicit) no positive value.
    dropped_rows: int


def id_expression(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as id text: whole numbers without a fraction, also of floats; trimmed; empty as null."""
    column = pl.col(name)
    if dtype.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() < 2**63)
        as_integer = pl.when(whole).then(column).otherwise(None).cast(pl.Int64).cast(pl.String)
        return pl.when(column.is_nan()).then(None).otherwise(pl.coalesce(as_integer, column.cast(pl.String)))
    text = column.cast(pl.String).str.strip_chars()
    text = pl.when(text.str.contains(r"^-?\d+\.0+$")).then(text.str.replace(r"\.0+$", "")).otherwise(text)
    return pl.when(text == "").then(None).otherwise(text)


def read_interactions(
    frame: pl.LazyFrame, *, user_field: str, item_field: str, value_field: str | None, feedback: str
) -> Interactions:
    """Read and sum interactions.

    Implicit: values of one user and item are summed, values that are not positive (returns) are dropped, each row
    counts 1 without a value field. Explicit: several values of one user and item become their mean.
    """
    schema = frame.collect_schema()
    for argument, name in (("userField", user_field), ("itemField", item_field), ("valueField", value_field)):
        if name is not None and name not in schema:
            raise NotFound(f"the data has no column '{name}'", path=(argument,), known=schema.names())
    if value_field is not None and not schema[value_field].is_numeric():
        known = [name for name, dtype in schema.items() if dtype.is_numeric()]
        message = f"column '{value_field}' is {schema[value_field]}, not a number"
        raise Invalid(message, path=("valueField",), known=known)
    value = pl.lit(1.0) if value_field is None else pl.col(value_field).cast(pl.Float64)
    chosen = frame.select(
        id_expression(user_field, schema[user_field]).alias("user"),
        id_expression(item_field, schema[item_field]).alias("item"),
        value.alias("value"),
    )
    rows = int(frame.select(pl.len()).collect().item())
    kept = chosen.filter(pl.all_horizontal(pl.all().is_not_null()), pl.col("value").is_finite())
    if feedback == "IMPLICIT":
        kept = kept.filter(pl.col("value") > 0)
    combined = pl.col("value").sum() if feedback == "IMPLICIT" else pl.col("value").mean()
    pairs = kept.group_by("user", "item").agg(combined, pl.len().alias("rows")).collect()
    if pairs.is_empty():
        raise Invalid("no row has a user, an item and a usable value; nothing can be learnt", path=("dataset",))
    users = pairs["user"].unique().sort()
    items = pairs["item"].unique().sort()
    user_at = users.search_sorted(pairs["user"]).to_numpy()
    item_at = items.search_sorted(pairs["item"]).to_numpy()
    values = pairs["value"].to_numpy().astype(np.float32)
    matrix = sparse.coo_matrix((values, (user_at, item_at)), shape=(len(users), len(items))).tocsr()
    matrix.sort_indices()
    return Interactions(matrix, users.to_list(), items.to_list(), rows - int(pairs["rows"].sum()))


def split_holdout(
    matrix: sparse.csr_matrix[Any], fraction: float, seed: int
) -> tuple[sparse.csr_matrix[Any], sparse.csr_matrix[Any]]:
    """Return (train, test): a random `fraction` of the entries held out, none of a user's only entry."""
    generator = np.random.default_rng(seed)
    held = generator.random(matrix.nnz) < fraction
    counts = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), counts)
    kept = np.bincount(rows[~held], minlength=matrix.shape[0])
    first = matrix.indptr[:-1][(kept == 0) & (counts > 0)]
    held[first] = False
    both = []
    for chosen in (~held, held):
        part = (matrix.data[chosen], (rows[chosen], matrix.indices[chosen]))
        both.append(sparse.csr_matrix(part, shape=matrix.shape))
    return both[0], both[1]
