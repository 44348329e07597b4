"""From a table's batches to its state: the compiled kernel where it knows the type, the plain path elsewhere."""

import numpy as np
import polars as pl

from assetgraph.inventory.sketch import kernel
from assetgraph.inventory.sketch.fill import PIECE, Scratch, WordFilling
from assetgraph.inventory.sketch.measures import kind_of, plain
from assetgraph.inventory.sketch.oracle import plain_columns, table_schema
from assetgraph.inventory.sketch.sampling import sampled_rows
from assetgraph.inventory.sketch.states import ColumnState, TableState
from assetgraph.inventory.sketch.text_fill import TextFilling

#: Rows of a batch that are hashed and counted together where a column goes the plain way.
PLAIN_ROWS = 1 << 18


class Accumulator:
    """Takes a table's batches in order and gives its state; for one thread."""

    def __init__(self, schema: pl.Schema, *, first_row: int = 0, seed: int = 0) -> None:
        self.rows = 0
        self._first_row = first_row
        self._seed = seed
        self._schema = schema
        self._compiled = {name: _filling(name, dtype) for name, dtype in schema.items()}
        self._plain: dict[str, dict[str, ColumnState]] = {}
        self._work = Scratch()
        self._sums = np.zeros(2, np.uint64)

    def add(self, batch: pl.DataFrame) -> None:
        """Add the batch that follows."""
        if not batch.height:
            return
        first = self._first_row + self.rows
        filled = [one for one in self._compiled.values() if one is not None]
        for kind, drawn in self._work.drawn.items():
            floors = [one.sampled.floor for one in filled if type(one.sampled) is kind]
            if floors:
                drawn.draw(first, batch.height, min(floors), self._seed)
        columns = []
        for name, column in self._compiled.items():
            if column is None:
                continue
            series = plain(batch.get_column(name))
            if series.n_chunks() > 1:
                series = series.rechunk()
            column.open(series)
            column.add_sample(self._work.drawn[type(column.sampled)])
            columns.append(column)
        lanes = self._plain_lanes(batch, first)
        work = self._work
        for start in range(0, batch.height, PIECE):
            end = min(start + PIECE, batch.height)
            if lanes is not None:
                work.first[: end - start] += lanes[0, start:end]
                work.second[: end - start] += lanes[1, start:end]
            for column in columns:
                column.add(start, end, work)
            kernel.sum_rows(work.first, work.second, end - start, self._sums)
        for column in columns:
            column.close()
        self.rows += batch.height

    def _plain_lanes(self, batch: pl.DataFrame, first: int) -> np.ndarray | None:
        names = [name for name, column in self._compiled.items() if column is None]
        if not names:
            return None
        rows, reached = sampled_rows(first, batch.height, 0, self._seed)
        levels = np.empty(batch.height, np.uint8)
        levels[rows] = reached
        lanes = np.zeros((2, batch.height), np.uint64)
        for name in names:
            states, added = plain_columns(batch.get_column(name), levels, self._seed)
            lanes += added
            before = self._plain.get(name)
            self._plain[name] = {
                state.path: before[state.path].merged(state, ordered=True) if before else state for state in states
            }
        return lanes

    def state(self) -> TableState:
        """Return the state of what was added."""
        columns: dict[str, ColumnState] = {}
        empty = pl.DataFrame(schema=self._schema)
        for name, column in self._compiled.items():
            if column is not None:
                columns[name] = column.state()
            elif name in self._plain:
                columns |= self._plain[name]
            else:
                states, _ = plain_columns(empty.get_column(name), np.zeros(0, np.uint8), self._seed)
                columns |= {state.path: state for state in states}
        return TableState(self.rows, (int(self._sums[0]), int(self._sums[1])), table_schema(self._schema), columns)


def _filling(name: str, dtype: pl.DataType) -> WordFilling | TextFilling | None:
    """Return an empty column of a type, or None for a type that the kernel does not know."""
    kind = kind_of(dtype)
    if kind in ("integer", "float"):
        return WordFilling(name, dtype)
    return TextFilling(name, dtype) if kind in ("text", "bytes") else None
