"""Any data and any rules, and a preparation of them."""

import math
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from assetgraph.factorization.interactions import id_expression
from assetgraph.inventory.prepare.engine import Prepared, prepare
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.rules import (
    Case,
    DuplicateRule,
    Keep,
    OutlierRule,
    PatternRule,
    Rules,
    SplitBy,
    SplitRule,
    TextRule,
    TimeRule,
)  # fmt: skip


def prepared(frame: pl.DataFrame | pl.LazyFrame, rules: Rules, folder: Path) -> Prepared:
    """Prepare into a fresh folder."""
    folder.mkdir(parents=True)
    return prepare(Pieces.of(frame.lazy(), None, folder), rules, folder, id_expression, lambda _share, _message: None)


ROWS = st.lists(
    st.fixed_dictionaries({
        "user": st.one_of(st.none(), st.sampled_from(["a", "b ", "c", "", "  ", "1.0", "1"])),
        "n": st.one_of(st.none(), st.integers(-3, 30)),
        "x": st.one_of(st.none(), st.floats(width=32), st.sampled_from([0.0, -0.0, math.nan, math.inf])),
        "at": st.one_of(st.none(), st.sampled_from(["2020-01-01", "2020-01-02", "2020-03-01", "1/2/20", "x"])),
    }),
    max_size=40,
)  # fmt: skip
RULES = st.builds(
    Rules,
    text=st.sampled_from([(), (TextRule("user", Case.UPPER),)]),
    times=st.sampled_from([(), (TimeRule("at", ("%Y-%m-%d", "%m/%d/%y")),)]),
    required=st.lists(st.sampled_from(["user", "n", "x", "at"]), unique=True).map(tuple),
    excluded=st.sampled_from([(), (PatternRule("user", "^[aA]"), PatternRule("user", "c"))]),
    positive=st.lists(st.sampled_from(["n", "x"]), unique=True).map(tuple),
    outliers=st.sampled_from([
        (), (OutlierRule("n", low=0.1, high=0.9),), (OutlierRule("x", high=0.8), OutlierRule("n", low=0.5)),
    ]),
    duplicates=st.one_of(
        st.none(),
        st.builds(DuplicateRule, st.sampled_from([(), ("user",), ("user", "n"), ("x",)]), st.sampled_from(Keep)),
    ),
    user_field=st.sampled_from([None, "user"]),
    item_field=st.sampled_from([None, "n"]),
    split=st.sampled_from([None, SplitRule(SplitBy.USER, "user", 0.3, 0.3)]),
)  # fmt: skip
COLUMNS: dict[str, Any] = {"user": pl.String, "n": pl.Int64, "x": pl.Float64, "at": pl.String}
SCHEMA = pl.Schema(COLUMNS)
