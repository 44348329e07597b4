"""What columns hold and how they change: views of profiles and schema diffs."""

import dataclasses
from typing import Any

import strawberry

from assetgraph.catalog import queries, service
from assetgraph.catalog.schema_diff import Compatibility, SchemaChangeKind, SchemaDiff, compare
from assetgraph.db.engine import Session
from assetgraph.errors import NotFound
from assetgraph_server.schema.base import BigInt


def _plain(description: str) -> Any:
    """Return a field that profiles of earlier scans do not have."""
    return strawberry.field(default=None, description=description)


@strawberry.type(description="A value below which a share of the values lies.")
class Quantile:
    """A quantile."""

    q: float
    value: float


@strawberry.type(description="A frequent value.")
class TopValue:
    """A frequent value."""

    value: str | None
    count: BigInt
    count_error_bound: BigInt


@strawberry.type(description="One bin of a histogram.")
class HistogramBin:
    """A bin."""

    low: float
    high: float
    count: BigInt


@strawberry.type(description="A form of texts: A for a capital, a for another letter, 9 for a digit, others as such.")
class TextPattern:
    """A pattern."""

    pattern: str = strawberry.field(description="The form.")
    share: float = strawberry.field(description="Share of the texts that have it.")


@strawberry.type(description="The longest time without a value between two that have one, in the type's own unit.")
class LargestGap:
    """A gap."""

    at_least: BigInt = strawberry.field(description="It lasts no less.")
    at_most: BigInt = strawberry.field(description="It lasts no more.")


@strawberry.type(
    description="What one column of a version holds. What is null does not apply to the type, or was not measured when "
    "the version was scanned."
)
class FieldProfile:
    """A field's profile."""

    field: str
    count: BigInt
    null_count: BigInt
    distinct_count: BigInt
    distinct_is_exact: bool
    min: str | None
    max: str | None
    mean: float | None
    stddev: float | None
    quantiles: list[Quantile]
    top_values: list[TopValue]
    histogram: list[HistogramBin]
    distinct_error: float | None = _plain("Relative standard error of distinctCount; 0 when exact.")
    quantile_rank_error: float | None = _plain("By how much a quantile's rank may be off (99 of 100 times); 0: exact.")
    zero_count: BigInt | None = _plain("Values that are zero.")
    negative_count: BigInt | None = _plain("Values below zero.")
    nan_count: BigInt | None = _plain("Values that are not a number.")
    positive_infinity_count: BigInt | None = _plain("Values that are infinite.")
    negative_infinity_count: BigInt | None = _plain("Values that are minus infinite.")
    empty_count: BigInt | None = _plain("Texts or lists without content.")
    min_length: BigInt | None = _plain("Shortest text in bytes, or list in elements.")
    mean_length: float | None = _plain("Mean length.")
    max_length: BigInt | None = _plain("Longest text in bytes, or list in elements.")
    patterns: list[TextPattern] = strawberry.field(default_factory=list, description="The most frequent forms.")
    patterns_are_exact: bool | None = _plain("Whether patterns are of all values, not of a sample.")
    order: str | None = _plain(
        "How values follow each other: constant, increasing, strictly_increasing, decreasing ..."
    )
    largest_gap: LargestGap | None = _plain("Of points in time: the longest time without a value.")
    nested: list["FieldProfile"] = strawberry.field(
        default_factory=list, description="What a struct or list nests, by dotted path; [] stands for elements."
    )

    @staticmethod
    def of(stored: dict[str, Any]) -> "FieldProfile":
        """View a stored profile."""
        parts: dict[str, Any] = {
            name: [view(**one) for one in stored.get(name) or ()]
            for name, view in (
                ("quantiles", Quantile), ("top_values", TopValue), ("histogram", HistogramBin),
                ("patterns", TextPattern),
            )
        }  # fmt: skip
        gap = stored.get("largest_gap")
        parts["largest_gap"] = None if gap is None else LargestGap(**gap)
        parts["nested"] = [FieldProfile.of(one) for one in stored.get("nested") or ()]
        return FieldProfile(**{**stored, **parts})


@strawberry.type(name="SchemaChange", description="One difference between two versions' fields.")
class SchemaChangeView:
    """A difference."""

    kind: SchemaChangeKind
    field: str
    before: str | None
    after: str | None


@strawberry.type(name="SchemaDiff", description="What changed between two versions' fields, with a verdict.")
class SchemaDiffView:
    """A schema diff."""

    compatibility: Compatibility
    changes: list[SchemaChangeView]

    @staticmethod
    def of(diff: SchemaDiff) -> "SchemaDiffView":
        """View a comparison."""
        changes = [SchemaChangeView(**dataclasses.asdict(change)) for change in diff.changes]
        return SchemaDiffView(compatibility=diff.compatibility, changes=changes)


def diff_of(session: Session, version: int, against: int | None) -> SchemaDiff:
    """Compare a version with another, or with the one before it; the first version with nothing."""
    row = queries.versions_by_ids(session, [version])[version]
    if against is None:
        before = queries.version_by_number(session, int(row.dataset_id), int(row.number) - 1)
        against = None if before is None else int(before.id)
    elif against not in queries.versions_by_ids(session, [against]):
        raise NotFound("no dataset version has this id", path=("against",))
    fields = queries.fields_of_versions(session, [version, *([against] if against else [])])

    def specs(one: int) -> list[service.FieldSpec]:
        return [service.FieldSpec(field.path, field.type, field.nullable) for field in fields[one]]

    return compare(specs(against) if against else specs(version), specs(version))
