"""What is in a dataset's files: shape, per-field profile, fingerprint; every failure is a typed BrokenFile."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assetgraph.inventory.discover import BrokenFile, Candidate
from assetgraph.inventory.fingerprint import canonical_schema, fingerprint, slices

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TOP_VALUES = 10
BINS = 20
#: Longest text kept of a value.
SHOWN_CHARS = 200

Progress = Callable[[float], None]


@dataclass(frozen=True)
class FieldShape:
    """A column: its name, its type as Polars names it, whether nulls occur, its position."""

    name: str
    type: str
    nullable: bool
    ordinal: int


@dataclass(frozen=True)
class FieldProfile:
    """What one column holds; counts are exact, texts are cut at 200 characters."""

    field: str
    count: int
    null_count: int
    distinct_count: int
    distinct_is_exact: bool
    min: str | None
    max: str | None
    mean: float | None
    stddev: float | None
    quantiles: list[tuple[float, float]]
    top_values: list[tuple[str | None, int, int]]
    histogram: list[tuple[float, float, int]]


@dataclass(frozen=True)
class Profile:
    """A dataset's rows, bytes, columns and their profiles."""

    row_count: int
    size_bytes: int
    fields: tuple[FieldShape, ...]
    field_profiles: tuple[FieldProfile, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"row_count": self.row_count, "size_bytes": self.size_bytes,
                "fields": [asdict(profile) for profile in self.field_profiles]}  # fmt: skip


@dataclass(frozen=True)
class ScannedDataset:
    """A profile with the fingerprint of the content it describes."""

    profile: Profile
    fingerprint: str


def _sniff(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise BrokenFile(f"{path.name} is empty", reason="EMPTY")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise BrokenFile(f"{path.name} is not UTF-8 text (UTF-16 or binary); convert it to UTF-8", reason="ENCODING")


def read_frame(candidate: Candidate) -> pl.DataFrame:
    """Read a candidate's columns; CSV is typed over the whole file, so that a late text cannot break a number column."""
    if candidate.format == "parquet":
        if len(candidate.files) == 1:
            return pl.read_parquet(candidate.files[0])
        return pl.read_parquet(list(candidate.files), hive_partitioning=True, missing_columns="insert")
    path = candidate.files[0]
    _sniff(path)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return pl.read_csv(path, separator=separator, infer_schema_length=None)


def scan_candidate(candidate: Candidate, on_progress: Progress | None = None) -> ScannedDataset:
    """Read, profile and fingerprint; whatever a broken file makes the readers raise becomes BrokenFile."""
    try:
        frame = read_frame(candidate)
        schema = canonical_schema(frame.schema)
        content = fingerprint(schema, slices(frame))
        return ScannedDataset(profile(candidate, frame, on_progress), content)
    except (BrokenFile, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - a Polars panic is a BaseException
        words = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        reason = "PANIC" if type(error).__name__ == "PanicException" else "UNREADABLE"
        raise BrokenFile(f"{candidate.files[0].name} cannot be read: {words}", reason=reason) from error


def profile(candidate: Candidate, frame: pl.DataFrame, on_progress: Progress | None = None) -> Profile:
    """Profile every column of a frame."""
    profiles = []
    for position, column in enumerate(frame.get_columns()):
        profiles.append(profile_column(column))
        if on_progress is not None:
            on_progress((position + 1) / frame.width)
    shapes = tuple(
        FieldShape(column.name, str(column.dtype), column.null_count() > 0, ordinal)
        for ordinal, column in enumerate(frame.get_columns())
    )
    return Profile(frame.height, candidate.size_bytes, shapes, tuple(profiles))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    shown = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return shown[:SHOWN_CHARS]


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def profile_column(column: pl.Series) -> FieldProfile:
    """Return the profile of one column: nested ones are counted, not ranged."""
    dtype = column.dtype
    present = column.drop_nulls()
    nested = dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Null)
    numeric = dtype.is_numeric()
    numbers = present.cast(pl.Float64) if numeric else None
    if numbers is not None:
        numbers = numbers.filter(numbers.is_finite())
    counts = None if nested or not len(present) else present.value_counts(sort=False, name="count")
    ranged = None if nested else present.filter(present.is_finite()) if dtype.is_float() else present
    top: list[tuple[str | None, int, int]] = []
    if counts is not None:
        # Ties by value, so that two scans of the same content show the same.
        order = counts.sort("count", column.name, descending=[True, False]).head(TOP_VALUES)
        top = [(_text(value), int(count), 0) for value, count in order.iter_rows()]
    has_numbers = numbers is not None and len(numbers) > 0
    return FieldProfile(
        field=column.name,
        count=len(column),
        null_count=column.null_count(),
        distinct_count=0 if counts is None else counts.height,
        distinct_is_exact=not nested,
        min=_text(ranged.min()) if ranged is not None and len(ranged) else None,
        max=_text(ranged.max()) if ranged is not None and len(ranged) else None,
        mean=_finite(numbers.mean()) if has_numbers and numbers is not None else None,
        stddev=_finite(numbers.std()) if has_numbers and numbers is not None and len(numbers) > 1 else None,
        quantiles=_quantiles(numbers) if has_numbers and numbers is not None else [],
        top_values=top,
        histogram=_histogram(numbers) if has_numbers and numbers is not None else [],
    )


def _quantiles(numbers: pl.Series) -> list[tuple[float, float]]:
    ordered = numbers.sort()
    last = len(ordered) - 1
    return [(q, float(ordered[round(q * last)])) for q in QUANTILES]


def _histogram(numbers: pl.Series) -> list[tuple[float, float, int]]:
    """Return equal-width bins over the range; one bin when all values are equal."""
    low, high = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    width = (high - low) / BINS
    if width <= 0 or not math.isfinite(width):
        return [(low, high, len(numbers))]
    bins = ((numbers - low) / width).floor().clip(0, BINS - 1).cast(pl.Int32)
    counts = dict(bins.value_counts(name="count").iter_rows())
    return [(low + i * width, low + (i + 1) * width, int(counts.get(i, 0))) for i in range(BINS)]


def quality_metrics(profiled: Profile) -> list[tuple[str, str | None, float, bool]]:
    """Return (name, field, value, is exact): volume of the whole, completeness and uniqueness of each field."""
    found: list[tuple[str, str | None, float, bool]] = [
        ("row_count", None, float(profiled.row_count), True),
        ("size_bytes", None, float(profiled.size_bytes), True),
    ]
    cells = sum(one.count for one in profiled.field_profiles)
    if cells:
        nulls = sum(one.null_count for one in profiled.field_profiles)
        found.append(("completeness", None, 1 - nulls / cells, True))
    for one in profiled.field_profiles:
        if one.count:
            found.append(("completeness", one.field, 1 - one.null_count / one.count, True))
        if one.count > one.null_count and one.distinct_is_exact:
            found.append(("uniqueness", one.field, one.distinct_count / (one.count - one.null_count), True))
    return found
