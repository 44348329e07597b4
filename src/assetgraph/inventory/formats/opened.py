"""A dataset that is open: its schema, a lazy frame over all its rows, and batches of them in bounded memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

import polars as pl

from assetgraph.inventory.discover.candidates import BrokenFile, Candidate
from assetgraph.inventory.formats.failures import told_as_findings

#: Rows of a batch where nothing else is asked for.
BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Rows:
    """What a format makes of files: their rows, and what it learned of them on the way."""

    frame: pl.LazyFrame
    notices: Sequence[BrokenFile] = ()
    #: Of columns that are typed by their text, the form of the values (`casts.typed`).
    forms: Mapping[str, str] = field(default_factory=dict)
    #: Bytes of the data where the candidate does not know them.
    size: int | None = None


@dataclass
class Opened:
    """A dataset unread, typed as scans type it. Files written to read it go when it is closed or forgotten.

    `frame` may be collected many times; each time the data is read again.
    """

    candidate: Candidate
    frame: pl.LazyFrame
    #: What is odd about it and did not keep it from being read.
    notices: tuple[BrokenFile, ...] = ()
    #: Of columns that are typed by their text, the form of the values; files of one dataset agree when theirs do.
    forms: Mapping[str, str] = field(default_factory=dict)
    resources: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
        return self.frame.collect_schema()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
        """Yield all rows once, in any order, at most `rows` at a time; raises BrokenFile."""
        with told_as_findings(self.candidate):
            for batch in self.frame.collect_batches(chunk_size=rows, maintain_order=False):
                yield from batch.iter_slices(rows)

    def close(self) -> None:
        """Give back what reading it took."""
        self.resources.close()

    def __enter__(self) -> "Opened":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
