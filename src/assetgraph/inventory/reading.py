"""Reading a dataset part by part: a part that did not change is taken from what was kept of it, and not read again.

Parts are read as the whole types them. Where a new part's columns do not fit what is kept, or the texts of parts have
types of their own that do not agree, nothing that is kept helps, and all is read.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice

import polars as pl
import pyarrow as pa
import pyarrow.parquet

from assetgraph.inventory import identity
from assetgraph.inventory.classify.facts import MOST_ROWS
from assetgraph.inventory.discover import BrokenFile, Candidate
from assetgraph.inventory.footers import read_footer
from assetgraph.inventory.formats import Opened, open_dataset, told_as_findings
from assetgraph.inventory.formats.schemas import NO_FORMS, Agreed, Unfit, agreed, fitted, union
from assetgraph.inventory.identity import Mark, Part
from assetgraph.inventory.kept import Kept, KeptPart, KeptSpan, Merging
from assetgraph.inventory.sketch.packing import to_bytes
from assetgraph.inventory.sketch.reading import OnRows, Progress, table_state
from assetgraph.inventory.sketch.states import TableState

#: Formats whose files say their columns' types themselves.
_TYPED = frozenset(("parquet", "arrow"))


@dataclass(frozen=True)
class Reading:
    """What reading a dataset gave."""

    candidate: Candidate
    state: TableState
    columns: Agreed
    required: frozenset[str]
    parts: list[KeptPart]
    spans: list[KeptSpan]
    #: First rows of what was read; None where nothing was.
    sample: pl.DataFrame | None
    notices: tuple[BrokenFile, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every part was read."""
        return self.read_parts == len(self.parts)

    @property
    def read_parts(self) -> int:
        """How many of the parts were read."""
        return sum(part.packed is not None for part in self.parts)


def read_dataset(
    candidate: Candidate, kept: Kept | None, listed_ns: int, on_progress: Progress | None = None, *, parallel: int = 1,
    on_rows: OnRows | None = None,
) -> Reading:  # fmt: skip
    """Return the state of a dataset; raises BrokenFile for what is wrong with its files, and nothing else.

    listed_ns: when its files were listed, in ns since 1970. on_progress gets the share of the bytes to read, from any
    thread but never from two at once; on_rows the rows as they are read, also from several. parallel: how many parts
    are read at once.
    """
    if candidate.problem:
        raise BrokenFile(candidate.location, "UNREADABLE", candidate.problem)
    kept = kept if kept is not None and kept.how == identity.how_read(candidate) else None
    known = {} if kept is None or not candidate.entries else kept.marks
    whole = [Part(0, candidate.entries)]
    parts = whole if set(known) == {0} else identity.parts_of(candidate)
    same = _unchanged(candidate, parts, known, listed_ns)
    if parts == whole and not same:
        parts = identity.parts_of(candidate)
    with ExitStack() as resources:
        opened = _opened(candidate, [part for part in parts if part.key not in same], resources)
        columns = _columns(candidate, opened.values(), kept if same else None)
        if same and (columns is None or _lost(kept, same, opened)):
            same = {}
            opened |= _opened(candidate, [part for part in parts if part.key not in opened], resources)
            columns = _columns(candidate, [opened[part.key] for part in parts], None)
        if columns is None:
            # The texts of the files decide together what their columns are: they are one part.
            parts = whole
            opened = _opened(candidate, parts, resources)
            columns = _columns(candidate, opened.values(), None)
        assert columns is not None  # noqa: S101 - one part agrees with itself
        total = sum(part.size_bytes for part in parts if part.key in opened)
        work = _Pass(candidate, columns, listed_ns, total, on_progress, on_rows)
        return _read(work, parts, opened, same, kept, parallel)


def unchanged(candidate: Candidate, kept: Kept, listed_ns: int) -> list[KeptPart] | None:
    """Return a dataset's parts where all are what they were, whatever their files' stamps say; else None."""
    if not candidate.entries or candidate.problem or kept.how != identity.how_read(candidate):
        return None
    parts = [Part(0, candidate.entries)] if set(kept.marks) == {0} else identity.parts_of(candidate)
    same = _unchanged(candidate, parts, kept.marks, listed_ns)
    if {part.key for part in parts} != set(same) or set(same) != set(kept.marks):
        return None
    return [
        KeptPart(key, kept.own[key], marks, None, is_moved=marks != list(kept.marks[key]))
        for key, marks in same.items()
    ]  # fmt: skip


def _unchanged(
    candidate: Candidate, parts: Sequence[Part], known: Mapping[int, Sequence[Mark]], listed_ns: int
) -> dict[int, list[Mark]]:
    found = {}
    for part in parts:
        marks = identity.unchanged(candidate, part, known[part.key], listed_ns) if part.key in known else None
        if marks is not None:
            found[part.key] = marks
    return found


def _opened(candidate: Candidate, parts: Sequence[Part], resources: ExitStack) -> dict[int, Opened]:
    return {part.key: resources.enter_context(open_dataset(_alone(candidate, part))) for part in parts}


def _alone(candidate: Candidate, part: Part) -> Candidate:
    """Return a part as a dataset by itself."""
    if part.entries == candidate.entries:
        return candidate
    return replace(candidate, entries=part.entries, siblings=candidate.entries)


def _lost(kept: Kept | None, same: Mapping[int, list[Mark]], opened: Mapping[int, Opened]) -> bool:
    """Tell whether columns of parts that are gone are those of no other part: the whole may not have them any more."""
    if kept is None:
        return False
    there = {kept.own[key] for key in same} | {_agreed(one).digest for one in opened.values()}
    return not set(kept.own.values()) <= there


def _agreed(one: Opened) -> Agreed:
    return Agreed(dict(one.schema), one.forms)


def _columns(candidate: Candidate, opened: Iterable[Opened], kept: Kept | None) -> Agreed | None:
    """Return the columns of all parts together; None where what is kept has other ones, or texts do not agree."""
    found = [_agreed(one) for one in opened]
    found = [kept.columns, *found] if kept is not None else found
    if candidate.format in _TYPED:
        try:
            whole = Agreed(union([one.types for one in found]), NO_FORMS)
        except Unfit as error:
            if kept is not None:
                return None  # all of them together may be read as something else
            message = f"'{candidate.name}' has files with columns that do not fit together ({error})"
            raise BrokenFile(candidate.location, "SCHEMA_MISMATCH", message) from error
    else:
        together = found[0] if len(found) == 1 else agreed(found)
        if together is None:
            return None
        whole = together
    return whole if kept is None or whole == kept.columns else None


@dataclass
class _Pass:
    """Reads parts, some at once; what is common to them."""

    candidate: Candidate
    columns: Agreed
    listed_ns: int
    total_bytes: int
    on_progress: Progress | None
    on_rows: OnRows | None
    done_bytes: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, part: Part, one: Opened, first_row: int) -> tuple[TableState, KeptPart, list[pl.DataFrame]]:
        """Read a part and return its state and its first rows; raises BrokenFile."""
        alone, told = _alone(self.candidate, part), 0.0
        rows = list[pl.DataFrame]()

        def watch(batch: pl.DataFrame) -> None:
            if (left := MOST_ROWS - sum(one.height for one in rows)) > 0:
                rows.append(batch.head(left))
            if self.on_rows is not None:
                self.on_rows(batch)

        def progress(share: float) -> None:
            nonlocal told
            told = self._advance(part.size_bytes, told, share)

        with told_as_findings(self.candidate):
            frame = fitted(one.frame, one.schema, self.columns.types, one.forms)
            groups = row_groups(alone)
            state = table_state(frame, groups, first_row=first_row, on_progress=progress, on_rows=watch)
        if groups is not None and state.rows != sum(groups):
            message = f"'{self.candidate.name}' changed while it was read; scan it again"
            raise BrokenFile(self.candidate.location, "CHANGED", message)
        marks = identity.marks_of(self.candidate, part, self.listed_ns)
        progress(1.0)
        return state, KeptPart(part.key, _agreed(one).digest, marks, to_bytes(state)), rows

    def _advance(self, size: int, told: float, share: float) -> float:
        if self.on_progress is not None and share > told:
            with self.lock:
                self.done_bytes += size * (share - told)
                self.on_progress(min(self.done_bytes / self.total_bytes, 1.0) if self.total_bytes else 1.0)
        return share


def _read(
    work: _Pass, parts: Sequence[Part], opened: Mapping[int, Opened], same: Mapping[int, list[Mark]],
    kept: Kept | None, parallel: int,
) -> Reading:  # fmt: skip
    candidate, left = work.candidate, MOST_ROWS
    merging, samples, keeps = Merging([one.key for one in parts], same, kept), list[pl.DataFrame](), list[KeptPart]()
    to_read = iter([part for part in parts if part.key in opened])
    running: deque[Future[tuple[TableState, KeptPart, list[pl.DataFrame]]]] = deque()

    def start(pool: ThreadPoolExecutor, most: int) -> None:
        for part in islice(to_read, most):
            running.append(pool.submit(work.read, part, opened[part.key], part.key if len(parts) > 1 else 0))

    with ThreadPoolExecutor(parallel) as pool:
        # One more than are read at once waits, so that none is idle while the oldest is merged.
        start(pool, parallel + 1)
        try:
            for part in parts:
                if part.key in same:
                    assert kept is not None  # noqa: S101 - else nothing is the same
                    merging.add_kept()
                    moved = same[part.key] != list(kept.marks[part.key])
                    keeps.append(KeptPart(part.key, kept.own[part.key], same[part.key], None, is_moved=moved))
                    continue
                state, keep, rows = running.popleft().result()
                start(pool, 1)
                merging.add(state)
                keeps.append(keep)
                for batch in rows if left > 0 else ():
                    samples.append(batch.head(max(left, 0)))
                    left -= samples[-1].height
        finally:
            for one in running:
                one.cancel()
    state = merging.result()
    notices = tuple(notice for one in opened.values() for notice in one.notices)
    required = _required(candidate) if kept is None or not same else kept.required
    nulls = {path for path, column in state.columns.items() if column.nulls}
    sample = pl.concat(samples) if samples else None
    read = next(iter(opened.values())).candidate if parts[0].entries == candidate.entries and opened else candidate
    return Reading(read, state, work.columns, required - nulls, keeps, merging.spans, sample, notices)


def row_groups(candidate: Candidate) -> list[int] | None:
    """Return how many rows are read at once: a Parquet file's row groups, all of some small files; None: unknown."""
    if candidate.format != "parquet" or not candidate.is_local:
        return None
    if len(candidate.entries) > 1 and candidate.size_bytes > identity.LARGE_BYTES * identity.TOGETHER_ABOUT:
        return None
    try:
        found = [read_footer(entry.path) for entry in candidate.entries]
    except BrokenFile:
        return None  # reading it says what is wrong
    return list(found[0].group_rows) if len(found) == 1 else [sum(one.rows for one in found)]


def _required(candidate: Candidate) -> frozenset[str]:
    """Return the columns that Parquet declares free of nulls; every other may hold them."""
    if candidate.format != "parquet" or not candidate.is_local:
        return frozenset()
    try:
        schema = pyarrow.parquet.read_schema(candidate.files[0])
    except (pa.ArrowException, OSError):
        # PyArrow does not know every type that Polars reads (128-bit integers), and minds more damage.
        return frozenset()
    return frozenset(field.name for field in schema if not field.nullable)
