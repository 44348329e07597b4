"""What columns hold and how they change: views of profiles and schema diffs."""

import dataclasses
from typing import Any

import strawberry

from assetgraph.catalog import queries, service
from assetgraph.catalog.schema_diff import Compatibility, SchemaChangeKind, SchemaDiff, compare
from assetgraph.db.engine import Session
from assetgraph.errors import NotFound
from assetgraph_server.schema.base import BigInt


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


@strawberry.type(description="How many texts have the same classes of characters at the same places.")
class TextPattern:
    """A pattern of texts."""

    pattern: str
    share: float


@strawberry.type(description="The longest time without a value between two that have one, in the column's own unit.")
class LargestGap:
    """A gap between times."""

    at_least: BigInt
    at_most: BigInt


@strawberry.type(description="What one column of a version holds.")
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
    distinct_error: float | None
    quantile_rank_error: float | None
    zero_count: BigInt | None
    negative_count: BigInt | None
    nan_count: BigInt | None
    positive_infinity_count: BigInt | None
    negative_infinity_count: BigInt | None
    empty_count: BigInt | None
    min_length: BigInt | None
    mean_length: float | None
    max_length: BigInt | None
    patterns: list[TextPattern]
    patterns_are_exact: bool | None
    order: str | None
    largest_gap: LargestGap | None

    @staticmethod
    def of(stored: dict[str, Any]) -> "FieldProfile":
        """View a stored profile."""
        plain: dict[str, Any] = {one.name: stored.get(one.name) for one in dataclasses.fields(FieldProfile)}
        gap = plain["largest_gap"]
        plain |= {
            "quantiles": [Quantile(**one) for one in stored["quantiles"]],
            "top_values": [TopValue(**one) for one in stored["top_values"]],
            "histogram": [HistogramBin(**one) for one in stored["histogram"]],
            # Profiles that an earlier release stored know nothing of what follows.
            "patterns": [TextPattern(**one) for one in stored.get("patterns", ())],
            "largest_gap": None if gap is None else LargestGap(**gap),
        }
        return FieldProfile(**plain)


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
