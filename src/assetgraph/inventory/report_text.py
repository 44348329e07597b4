"""The inventory report for programs (JSON, Parquet) and in text for people (Markdown); numbers as people read them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Any

import polars as pl

from assetgraph.ids import AssetKind, urn
from assetgraph.inventory.report_gaps import age_in_days
from assetgraph.inventory.report_shapes import WORDS, Coverage, InventoryReport

#: Datasets that Markdown and HTML list; JSON and Parquet have all.
LISTED = 500
ROLE_COLUMNS = ("part of the loop", "datasets", "rows", "bytes", "newest", "quality", "checks", "owned", "personal",
                "models")  # fmt: skip
DATASET_COLUMNS = ("dataset", "role", "version", "rows", "bytes", "newest", "quality", "owners", "personal", "models")
#: Columns of the report's rows that are of use only in here.
INNER = ("id", "key")


def count_text(count: int | None) -> str:
    """Return a whole number with its thousands apart; a dash where there is none."""
    return "-" if count is None else f"{count:,}"


def bytes_text(size: int | None) -> str:
    """Return a size in bytes with three digits or so and a decimal unit."""
    if size is None:
        return "-"
    value, units = float(size), iter(("B", "kB", "MB", "GB", "TB", "PB", "EB"))
    unit = next(units)
    while value >= 999.5 and unit != "EB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"


def share_text(share: float | None) -> str:
    """Return a share in percent, never rounded up to all or down to nothing."""
    if share is None:
        return "-"
    percent = share * 100
    whole = percent in (0, 100) or 1 <= percent < 99.5
    return f"{percent:.0f} %" if whole else f"{min(max(percent, 0.01), 99.99):.2f} %"


def age_text(days: int | None) -> str:
    """Return an age in days."""
    if days is None:
        return "-"
    return "today" if days == 0 else f"{days:,} day{'s' if days > 1 else ''} ago"


def role_rows(report: InventoryReport) -> list[tuple[str, ...]]:
    """Return the table of roles as texts: each role, what has none if there is any, and all."""
    groups: list[tuple[str, Coverage]] = [(WORDS[one.role], one) for one in report.roles]
    if report.unassigned.dataset_count:
        groups.append(("without a role", report.unassigned))
    return [_role_row(report, *group) for group in (*groups, ("all", report.total))]


def _role_row(report: InventoryReport, name: str, one: Coverage) -> tuple[str, ...]:
    if not one.dataset_count:
        return (name, "0", *("" for _ in ROLE_COLUMNS[2:]))
    ran = f"{one.checks_passed:,} of {one.checks_evaluated:,} pass" if one.checks_evaluated else "-"
    return (
        # Nobody said, or there are none.
        name, count_text(one.dataset_count), count_text(one.row_count or None), bytes_text(one.size_bytes or None),
        age_text(age_in_days(one, report.generated_at)), share_text(one.mean_quality), ran,
        f"{one.owned_datasets:,} of {one.dataset_count:,}", count_text(one.personal_data_fields),
        count_text(one.used_by_models),
    )  # fmt: skip


def dataset_rows(report: InventoryReport) -> list[tuple[str, ...]]:
    """Return the first datasets as texts, those of most bytes first."""
    largest = report.datasets.sort("size_bytes", "row_count", descending=True, nulls_last=True, maintain_order=True)
    rows: list[tuple[str, ...]] = []
    for one in largest.head(LISTED).iter_rows(named=True):
        newest = one["newest_event_at"] or one["updated_at"]
        age = None if newest is None else max((report.generated_at - newest).days, 0)
        role = "" if one["role"] is None else WORDS[one["role"]]
        rows.append((
            f"{one['namespace']}/{one['name']}", role, "" if one["version"] is None else str(one["version"]),
            count_text(one["row_count"]), bytes_text(one["size_bytes"]), age_text(age), share_text(one["quality"]),
            ", ".join(one["owners"]), ", ".join(one["personal_data_tags"]), count_text(one["model_count"]),
        ))  # fmt: skip
    return rows


def model_text(report: InventoryReport) -> str:
    """Return what there is of models as one line."""
    models = report.models
    if not models.model_count:
        return "no models"
    age = None if models.newest_version_at is None else (report.generated_at - models.newest_version_at).days
    return (
        f"{models.model_count:,} model{'s' if models.model_count > 1 else ''} with {models.version_count:,} "
        f"version{'s' if models.version_count != 1 else ''}, the newest {age_text(age)}; "
        f"the data of {models.models_with_lineage:,} is known, {models.owned_models:,} "
        f"{'has' if models.owned_models == 1 else 'have'} owners"
    )


def left_out_text(report: InventoryReport) -> str:
    """Return what the report leaves out as one line; empty when that is nothing."""
    parts = [
        f"{count:,} {what}"
        for count, what in ((report.retired_datasets, "retired"), (report.transient_datasets, "passing through"))
        if count
    ]
    return f"Left out: {' and '.join(parts)}." if parts else ""


def title_of(report: InventoryReport) -> str:
    """Return the report's title."""
    return "Inventory" if report.namespace is None else f"Inventory of {report.namespace}"


def table_of(report: InventoryReport) -> pl.DataFrame:
    """Return one row per dataset for programs: the urn first."""
    keys = report.datasets.select("namespace", "key").iter_rows()
    urns = pl.Series("urn", [urn(AssetKind.DATASET, space, key) for space, key in keys], dtype=pl.String)
    rest = report.datasets.drop(INNER)
    return rest.select(urns, pl.all())


def as_parquet(report: InventoryReport) -> bytes:
    """Return a Parquet file with one row per dataset."""
    into = BytesIO()
    table_of(report).write_parquet(into)
    return into.getvalue()


def as_json(report: InventoryReport) -> dict[str, Any]:
    """Return all of the report as values that JSON holds, moments in ISO 8601 apart."""
    parts = {name: getattr(report, name) for name in report.__dataclass_fields__ if name != "datasets"}
    return {**_plain(parts), "datasets": table_of(report).to_dicts()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if name != "dataset_ids"}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _plain(asdict(value)) if hasattr(value, "__dataclass_fields__") else value


def as_markdown(report: InventoryReport) -> str:
    """Return the report as a page of Markdown; names are escaped."""
    parts = [f"# {_escaped(title_of(report))}", f"As of {report.generated_at:%Y-%m-%d %H:%M} UTC."]
    parts.append(_table(ROLE_COLUMNS, role_rows(report), right=range(1, len(ROLE_COLUMNS))))
    parts.append(f"Models: {model_text(report)}. {left_out_text(report)}".rstrip())
    if report.gaps:
        lines = [
            f"- **{gap.severity}** `{gap.code}` {_escaped(gap.message)}"
            + (f" ({', '.join(map(_escaped, gap.examples))}{' ...' if gap.count > len(gap.examples) else ''})"
               if gap.examples else "")
            for gap in report.gaps
        ]  # fmt: skip
        parts += ["## Gaps", "\n".join(lines)]
    if report.personal_data:
        kinds = [(one.tag, count_text(one.field_count), count_text(one.dataset_count)) for one in report.personal_data]
        parts += ["## Personal data", _table(("tag", "columns", "datasets"), kinds, right=(1, 2))]
    if report.datasets.height:
        parts += ["## Datasets", _table(DATASET_COLUMNS, dataset_rows(report), right=(2, 3, 4, 5, 6, 9))]
        if report.datasets.height > LISTED:
            parts.append(f"The {LISTED} largest of {report.datasets.height:,}; Parquet and JSON have all.")
    return "\n\n".join(parts) + "\n"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int]) -> str:
    aligned = set(right)
    rule = ["---:" if place in aligned else "---" for place in range(len(names))]
    cells = [list(names), rule, *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#~&$])", r"\\\1", " ".join(text.split()))
