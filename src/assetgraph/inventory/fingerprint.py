"""A fingerprint of a table's content that does not see how it is stored.

Equal for every order of rows and columns and every file layout; different when a value, a null, a column's name or its
type is. It is a by-product of the profile: `sketch.hashing` says what is hashed, `sketch.states.fingerprint` how it is
written.
"""

from collections.abc import Sequence

import polars as pl

from assetgraph.inventory.sketch.reading import table_state
from assetgraph.inventory.sketch.states import fingerprint


def content_fingerprint(frame: pl.LazyFrame, row_groups: Sequence[int] | None = None) -> str:
    """Read a table once and return the fingerprint of its content."""
    return fingerprint(table_state(frame, row_groups))
