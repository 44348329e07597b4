"""Reading a found dataset and describing it: shape, statistics of each column, fingerprint.

A table is read once, in pieces; `sketch` says what is exact and what is approximate within which bounds.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import polars as pl

from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.inventory.classify.engine import classify
from assetgraph.inventory.classify.kinds import Counts, Table, TableFound
from assetgraph.inventory.discover import BrokenFile, Candidate, discover
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.formats import Opened, open_dataset, parts_of, told_as_findings
from assetgraph.inventory.kept import Kept
from assetgraph.inventory.reading import Reading, read_dataset, row_groups
from assetgraph.inventory.sketch.reading import OnRows, Progress
from assetgraph.inventory.sketch.states import TableState, fingerprint
from assetgraph.inventory.sketch.summary import FieldProfile, field_profiles

__all__ = [
    "FieldProfile", "FieldShape", "OpenedDataset", "Profile", "ScannedDataset", "open_at", "profile",
    "quality_metrics", "scan_candidate", "shown_type",
]  # fmt: skip


def shown_type(dtype: pl.DataType) -> str:
    """Return Polars' name of a type with its parameters in brackets: Datetime[us, UTC], Decimal[38, 2], List[Int64]."""
    if isinstance(dtype, pl.List):
        return f"List[{shown_type(cast('pl.DataType', dtype.inner))}]"
    if isinstance(dtype, pl.Struct):
        parts = (f"{field.name}: {shown_type(cast('pl.DataType', field.dtype))}" for field in dtype.fields)
        return f"Struct[{', '.join(parts)}]"
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''}]"
    if isinstance(dtype, pl.Duration):
        return f"Duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal[{dtype.precision}, {dtype.scale}]"
    return type(dtype).__name__ if isinstance(dtype, pl.Categorical | pl.Enum) else str(dtype)


@dataclass(frozen=True)
class FieldShape:
    """A column as the file declares it; `type` is Polars' name of it."""

    name: str
    type: str
    nullable: bool
    ordinal: int


@dataclass(frozen=True)
class Profile:
    """A dataset's size, shape and statistics; `field_profiles` has the order of `fields`."""

    row_count: int
    size_bytes: int
    fields: tuple[FieldShape, ...]
    field_profiles: tuple[FieldProfile, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the statistics as values that JSON holds (no NaN, no infinity)."""
        return {
            "row_count": self.row_count,
            "size_bytes": self.size_bytes,
            "fields": [one.as_json() for one in self.field_profiles],
        }


@dataclass(frozen=True)
class ScannedDataset:
    """What a scan learned of a dataset."""

    profile: Profile
    fingerprint: str
    #: Its state, and what is kept of it for the next scan.
    reading: Reading = field(compare=False)
    #: What its columns seem to mean, by rows that were read; None where none were.
    found: TableFound | None = field(compare=False)

    @property
    def state(self) -> TableState:
        """The state that merges with those of other parts, and answers what drift asks."""
        return self.reading.state

    @property
    def notices(self) -> tuple[BrokenFile, ...]:
        """What is odd about it and did not keep it from being read."""
        return self.reading.notices


def scan_candidate(
    candidate: Candidate, on_progress: Progress | None = None, *, kept: Kept | None = None,
    listed_ns: int | None = None, parallel: int = 1, on_rows: OnRows | None = None,
) -> ScannedDataset:  # fmt: skip
    """Profile and fingerprint a dataset; raises BrokenFile, and nothing else, for what is wrong with its files.

    on_progress gets the share of the bytes to read that are done, from 0 to 1. kept: what the scan before kept, so that
    parts that did not change are not read; listed_ns: when the files were listed, in ns since 1970, by default now.
    parallel: how many parts are read at once; nothing that comes of it depends on that. on_rows gets the rows.
    """
    now_ns = time.time_ns() if listed_ns is None else listed_ns
    reading = read_dataset(candidate, kept, now_ns, on_progress, parallel=parallel, on_rows=on_rows)
    described = _profile(reading)
    # The first rows are cheap to read again; they show forms well, and how often values repeat less well.
    found = None if reading.sample is None else classify(_table(candidate.name, described, reading.sample))
    return ScannedDataset(described, fingerprint(reading.state), reading, found)


def _table(name: str, described: Profile, sample: pl.DataFrame) -> Table:
    counts = {one.field: Counts(one.count, one.null_count, one.distinct_count) for one in described.field_profiles}
    return Table(sample, counts, name)


@dataclass(frozen=True)
class OpenedDataset:
    """A dataset unread, typed as a scan types it."""

    candidate: Candidate
    opened: Opened

    @property
    def frame(self) -> pl.LazyFrame:
        """All its rows."""
        return self.opened.frame

    def __enter__(self) -> "OpenedDataset":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.opened.close()

    def fingerprint(self) -> str:
        """Read it once and return the fingerprint of its content; raises BrokenFile."""
        with told_as_findings(self.candidate):
            return content_fingerprint(self.frame, row_groups(self.candidate))


def open_at(location: Path) -> OpenedDataset:
    """Open the dataset at a location as a scan wrote it down; raises BrokenFile when no readable one lies there."""
    found = find_at(str(location))
    if found is None:
        raise BrokenFile(location, "UNREADABLE", f"'{location.name}' is gone or no longer one dataset; scan it again")
    return OpenedDataset(found, open_dataset(found))


def find_at(location: str) -> Candidate | None:
    """Return the dataset whose location this is: a file or a folder, with `*` in a series and `#` before a sheet."""
    file, _, sheet = location.partition("#") if not Path(location).exists() else (location, "", "")
    base = Path(file)
    while "*" in str(base) or not base.exists():
        if base == base.parent:
            return None
        base = base.parent
    found = discover(base, base.parent if base.is_file() or base == Path(file) else base)
    found = [part for one in found for part in (parts_of(one) if sheet else [one])]
    named = [one for one in found if one.location == location]
    if not named and "*" in file:
        # A rule of the source put these together.
        grouped = discover(base, base, [GroupingRule(GroupingKind.GROUP, file[len(str(base).rstrip("/")) + 1 :])])
        named = [one for one in grouped if one.location == location]
    return named[0] if len(named) == 1 else None


def profile(candidate: Candidate, on_progress: Progress | None = None) -> Profile:
    """Profile a dataset, as `scan_candidate` does."""
    return scan_candidate(candidate, on_progress).profile


def quality_metrics(described: Profile) -> list[tuple[str, str | None, float, bool]]:
    """Return the metrics (name, field or None, value, is exact): row_count, size_bytes, completeness, uniqueness.

    Completeness is the share of values that are not null, uniqueness the distinct share of those; neither of nothing.
    """
    metrics: list[tuple[str, str | None, float, bool]] = [
        ("row_count", None, float(described.row_count), True),
        ("size_bytes", None, float(described.size_bytes), True),
    ]
    cells = sum(one.count for one in described.field_profiles)
    if cells:
        nulls = sum(one.null_count for one in described.field_profiles)
        metrics.append(("completeness", None, 1.0 - nulls / cells, True))
    for one in described.field_profiles:
        present = one.count - one.null_count
        if one.count:
            metrics.append(("completeness", one.field, present / one.count, True))
        if present:
            metrics.append(("uniqueness", one.field, one.distinct_count / present, one.distinct_is_exact))
    return metrics


def _profile(reading: Reading) -> Profile:
    shapes = tuple(
        FieldShape(name, shown_type(dtype), name not in reading.required, ordinal)
        for ordinal, (name, dtype) in enumerate(reading.columns.types.items())
    )
    names = list(reading.columns.types)
    return Profile(reading.state.rows, reading.candidate.size_bytes, shapes, field_profiles(reading.state, names))
