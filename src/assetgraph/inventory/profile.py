"""Reading a found dataset and describing it: shape, statistics of each column, fingerprint.

Everything here is exact; memory is bounded by reading a few columns at a time (see CELLS_AT_ONCE), never all of a big
table.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from assetgraph.catalog.grouping import GroupingKind, GroupingRule
from assetgraph.inventory.discover import BrokenFile, Candidate, discover
from assetgraph.inventory.fingerprint import content_hash, hash_values
from assetgraph.inventory.formats import Opened, open_dataset, parts_of, told_as_findings

__all__ = [
    "FieldProfile", "FieldShape", "OpenedDataset", "Profile", "ScannedDataset", "open_at", "profile",
    "quality_metrics", "scan_candidate", "shown_type",
]  # fmt: skip

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TOP_VALUES = 10
HISTOGRAM_BINS = 20
#: Longest text of a value that a profile keeps, in characters.
TEXT_LENGTH = 256
#: Columns are read together while their cells stay below this number.
CELLS_AT_ONCE = 32_000_000

Progress = Callable[[float], None]


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
class FieldProfile:
    """Statistics of a column; `count` is all rows, nulls included.

    Mean, deviation (of a sample), quantiles and histogram are of the finite numbers; min and max leave out NaN only.
    """

    field: str
    count: int
    null_count: int
    distinct_count: int
    distinct_is_exact: bool
    min: str | None = None
    max: str | None = None
    mean: float | None = None
    stddev: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    #: Value, count, and by how much the count may be off; most frequent first, equal counts by value.
    top_values: tuple[tuple[str | None, int, int], ...] = ()
    #: Low edge, high edge, count; the high edge belongs to the last bin only.
    histogram: tuple[tuple[float, float, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the profile with every tuple as an object that names its parts."""
        named = asdict(self)
        named["quantiles"] = [{"q": q, "value": value} for q, value in self.quantiles]
        named["top_values"] = [
            {"value": value, "count": count, "count_error_bound": bound} for value, count, bound in self.top_values
        ]
        named["histogram"] = [{"low": low, "high": high, "count": count} for low, high, count in self.histogram]
        return named


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
    #: What is odd about it and did not keep it from being read.
    notices: tuple[BrokenFile, ...] = ()


def scan_candidate(candidate: Candidate, on_progress: Progress | None = None) -> ScannedDataset:
    """Profile and fingerprint a dataset; raises BrokenFile, and nothing else, for what is wrong with its files."""
    with open_dataset(candidate) as opened, told_as_findings(candidate):
        described = _profile(opened.frame, opened.candidate, on_progress)
        hashed = content_hash(opened.frame)
    if hashed.rows != described.row_count:
        message = f"'{candidate.name}' changed while it was read; scan it again"
        raise BrokenFile(candidate.location, "CHANGED", message)
    return ScannedDataset(described, hashed.text(), opened.notices)


@dataclass(frozen=True)
class OpenedDataset:
    """A dataset unread, typed as a scan types it."""

    candidate: Candidate
    opened: Opened

    @property
    def frame(self) -> pl.LazyFrame:
        """All its rows."""
        return self.opened.frame

    def fingerprint(self) -> str:
        """Read it once and return the fingerprint of its content; raises BrokenFile."""
        with told_as_findings(self.candidate):
            return content_hash(self.frame).text()


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
    """Profile a dataset; `on_progress` gets the share of the columns that are done, from 0 to 1."""
    with open_dataset(candidate) as opened, told_as_findings(candidate):
        return _profile(opened.frame, opened.candidate, on_progress)


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


def _profile(frame: pl.LazyFrame, candidate: Candidate, on_progress: Progress | None) -> Profile:
    schema = frame.collect_schema()
    rows = int(frame.select(pl.len()).collect().item())
    required = _required_fields(candidate)
    shapes = tuple(
        FieldShape(name, shown_type(dtype), name not in required, ordinal)
        for ordinal, (name, dtype) in enumerate(schema.items())
    )
    together = max(1, CELLS_AT_ONCE // max(rows, 1))
    names = schema.names()
    profiles: list[FieldProfile] = []
    for start in range(0, len(names), together):
        for column in frame.select(names[start : start + together]).collect():
            profiles.append(_field_profile(column))
            if on_progress is not None:
                on_progress(len(profiles) / len(names))
    return Profile(rows, candidate.size_bytes, shapes, tuple(profiles))


def _required_fields(candidate: Candidate) -> set[str]:
    """Return the columns that Parquet declares free of nulls; every other may hold them."""
    if candidate.format != "parquet" or not candidate.is_local:
        return set()
    try:
        schema = pyarrow.parquet.read_schema(candidate.files[0])
    except pa.ArrowException:
        # PyArrow does not know every type that Polars reads (128-bit integers).
        return set()
    return {field.name for field in schema if not field.nullable}


def _field_profile(column: pl.Series) -> FieldProfile:
    present = column.drop_nulls().alias("value")
    rows, nulls = len(column), column.null_count()
    if column.dtype.is_nested():
        # Nested values are told apart by a 64-bit hash: not exact to the letter.
        distinct = len(np.unique(hash_values(present)[0]))
        return FieldProfile(column.name, rows, nulls, distinct, distinct_is_exact=False)
    if not len(present):
        return FieldProfile(column.name, rows, nulls, 0, distinct_is_exact=True)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        present = present.cast(pl.String)
    counts = present.value_counts(name="count")
    top = counts.sort("count", "value", descending=[True, False]).head(TOP_VALUES)
    low, high = _range(counts.get_column("value"))
    numbers: dict[str, Any] = _numeric(present) if column.dtype.is_numeric() else {}
    ranked = zip(_texts(top.get_column("value")), top.get_column("count"), strict=True)
    return FieldProfile(
        column.name, rows, nulls, counts.height, distinct_is_exact=True, min=low, max=high,
        top_values=tuple((value, int(count), 0) for value, count in ranked), **numbers,
    )  # fmt: skip


def _range(values: pl.Series) -> tuple[str | None, str | None]:
    if values.dtype.is_float():
        values = values.drop_nans()
    if not len(values):
        return None, None
    value = pl.col("value")
    low, high = (values.to_frame().select(bound).to_series() for bound in (value.min(), value.max()))
    return _texts(low)[0], _texts(high)[0]


def _numeric(present: pl.Series) -> dict[str, Any]:
    """Return mean, stddev, quantiles (linear interpolation) and histogram of the finite values."""
    values = present.cast(pl.Float64).to_numpy()
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    if not len(finite):
        return {}
    with np.errstate(all="ignore"):
        mean = float(finite.mean())
        stddev = float(finite.std(ddof=1)) if len(finite) > 1 else None
        at = np.quantile(finite, QUANTILES)
    return {
        "mean": mean if np.isfinite(mean) else None,
        "stddev": stddev if stddev is not None and np.isfinite(stddev) else None,
        "quantiles": tuple((q, float(value)) for q, value in zip(QUANTILES, at, strict=True) if np.isfinite(value)),
        "histogram": _histogram(finite),
    }


def _histogram(finite: NDArray[np.float64]) -> tuple[tuple[float, float, int], ...]:
    low, high = float(finite.min()), float(finite.max())
    # 20 edges must be apart from each other and the distance of the outer ones a number.
    with np.errstate(all="ignore"):
        edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
    if not np.all(np.isfinite(edges)) or not np.all(np.diff(edges) > 0):
        return ((low, high, len(finite)),)
    counts, edges = np.histogram(finite, bins=HISTOGRAM_BINS, range=(low, high))
    bins = zip(edges[:-1], edges[1:], counts, strict=True)
    return tuple((float(start), float(end), int(count)) for start, end, count in bins)


def _texts(values: pl.Series) -> list[str]:
    """Return values as text: ISO 8601 for times, true and false, hexadecimal digits for bytes."""
    if values.dtype.is_temporal():
        texts = values.dt.to_string("iso:strict").str.replace(r"\.0+([+Z-].*)?$", "${1}")
    elif isinstance(values.dtype, pl.Binary):
        texts = values.bin.encode("hex")
    elif values.dtype.is_float():
        return [repr(float(value) + 0.0) for value in values]
    else:
        texts = values.cast(pl.String)
    return [text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 1] + "…" for text in texts]
