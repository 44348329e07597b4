"""The inventory report: what data there is for search and recommendation, how good it is, and what is missing.

It is made of what is stored, in a fixed number of statements; no data is read. Of each dataset the latest version
counts. Retired datasets and those that only pass through are counted and otherwise left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from assetgraph.catalog.service import INT64_MAX
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.ids import MAX_NAMESPACE_BYTES, normalised
from assetgraph.inventory import report_queries as queries
from assetgraph.inventory.report_gaps import gaps_of
from assetgraph.inventory.report_shapes import (
    EVENT_ROLES,
    WORDS,
    Coverage,
    InventoryReport,
    ModelCoverage,
    PersonalDataKind,
    RoleCoverage,
)  # fmt: skip
from assetgraph.inventory.report_usage import members, reaching, union

#: A greatest time further ahead than this is no event: validity ends, placeholders such as 9999-12-31.
AHEAD = timedelta(days=1)

_MOMENT = pl.Datetime("us", "UTC")
#: One row per dataset, as Parquet holds it. Rows and bytes are those of the latest version, and null where nobody said.
DATASETS: dict[str, Any] = {
    "id": pl.Int64, "namespace": pl.String, "key": pl.String, "name": pl.String, "role": pl.String,
    "lifecycle": pl.String, "transient": pl.Boolean, "version": pl.Int64, "row_count": pl.Int64, "size_bytes": pl.Int64,
    "updated_at": _MOMENT, "completeness": pl.Float64,
}  # fmt: skip
#: Names of models that a dataset's row lists; `model_count` counts all.
MODEL_NAMES = 20
#: Tags of personal data that the report lists.
PERSONAL_KINDS = 100


def inventory_report(session: Session, namespace: str | None = None) -> InventoryReport:
    """Return the report of all namespaces or of one; raises Invalid for a namespace that can be none."""
    if namespace is not None:
        namespace = normalised(namespace, what="namespace", path=("namespace",), most=MAX_NAMESPACE_BYTES)
    moment = now()
    every = _frame(queries.datasets(session, namespace), **DATASETS)
    retired, passing = pl.col("lifecycle") == "RETIRED", pl.col("transient")
    shown = every.filter(~retired, ~passing).drop("transient")
    models = queries.models(session, namespace)
    usage = _usage(session, [int(row.id) for row in models])
    personal = _frame(queries.personal_data(session, namespace), dataset=pl.Int64, field=pl.Int64, tag=pl.String)
    owners = _frame(queries.owners(session, namespace), id=pl.Int64, principal=pl.String)
    owned = set(owners.get_column("id").to_list())
    names = [f"{row.namespace}/{row.name}" for row in models]
    frame = _described(session, namespace, shown, moment)
    frame = _with_lists(frame, personal, owners, usage, names).sort("namespace", "key")
    roles = tuple(
        RoleCoverage(**_coverage(frame.filter(role=role.value), usage, events=role in EVENT_ROLES), role=role)
        for role in WORDS
    )
    nameless = Coverage(**_coverage(frame.filter(pl.col("role").is_null()), usage, events=True))
    total = Coverage(**_coverage(frame, usage, events=False))
    events = [one.newest_event_at for one in (*roles, nameless) if one.newest_event_at is not None]
    learnt = union(usage.values())
    unowned = [name for row, name in zip(models, names, strict=True) if row.mine and int(row.id) not in owned]
    unexplained = [
        name
        for place, (row, name) in enumerate(zip(models, names, strict=True))
        if row.mine and not learnt >> place & 1
    ]
    report = InventoryReport(
        moment, namespace, replace(total, newest_event_at=max(events, default=None)), roles, nameless,
        _models([row for row in models if row.mine], len(unowned), len(unexplained)), _kinds(personal),
        every.filter(retired).height, every.filter(passing, ~retired).height, (), frame,
    )  # fmt: skip
    return replace(report, gaps=gaps_of(report, unowned, unexplained))


def _models(mine: Sequence[Any], unowned: int, unexplained: int) -> ModelCoverage:
    newest = max((row.newest_at for row in mine if row.newest_at is not None), default=None)
    versions = sum(int(row.versions) for row in mine)
    return ModelCoverage(len(mine), versions, newest, len(mine) - unowned, len(mine) - unexplained)


def _usage(session: Session, models: Sequence[int]) -> dict[int, int]:
    """Return the set of models that the data of each dataset reached, of all namespaces."""
    if not models:
        return {}
    edges = queries.edges_to_models(session)
    found = reaching(((int(row.source), int(row.target)) for row in edges), models)
    return {dataset: found[dataset] for dataset in {int(row.source) for row in edges if row.of_dataset}}


def _frame(rows: Iterable[Sequence[Any]], **schema: Any) -> pl.DataFrame:
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")


def _described(session: Session, namespace: str | None, shown: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Return the datasets with what is measured of them."""
    counts = _frame(queries.field_counts(session, namespace), id=pl.Int64, field_count=pl.Int64)
    moments = _newest_events(queries.newest_moments(session, namespace), moment + AHEAD)
    newest = _frame(moments, id=pl.Int64, newest_event_at=_MOMENT, newest_event_field=pl.String)
    named = ("check_count", "checks_evaluated", "checks_passed", "checks_failing_error", "checks_failing_warning")
    # Sums are decimals on PostgreSQL.
    results = ((row.dataset_id, *map(int, row[1:])) for row in queries.checks(session, namespace))
    checks = _frame(results, id=pl.Int64, **dict.fromkeys(named, pl.Int64))
    for part in (counts, newest, checks):
        shown = shown.join(part, on="id", how="left")
    # A producer's number may be a percentage, or anything.
    share = pl.when(pl.col("completeness").is_between(0, 1)).then(pl.col("completeness"))
    shown = shown.with_columns(pl.col("field_count", *named).fill_null(0), share.alias("completeness"))
    ran = pl.col("checks_evaluated") > 0
    passed = pl.col("checks_passed") / pl.col("checks_evaluated")
    return shown.with_columns(pl.when(ran).then(passed).otherwise(pl.col("completeness")).alias("quality"))


def _newest_events(rows: Sequence[Any], latest: datetime) -> list[tuple[int, datetime, str]]:
    """Return (dataset, newest time, its column), of times that can be events."""
    best: dict[int, tuple[datetime, str]] = {}
    for row in rows:
        try:
            at = as_utc(datetime.fromisoformat(row.newest or ""))
        except (ValueError, OverflowError):
            continue  # no value, or a year that has more or less than four digits
        known = best.get(row.dataset_id)
        if at <= latest and (known is None or (at, row.path) > known):
            best[row.dataset_id] = (at, row.path)
    return [(dataset, *found) for dataset, found in best.items()]


def _with_lists(
    frame: pl.DataFrame, personal: pl.DataFrame, owners: pl.DataFrame, usage: Mapping[int, int], models: Sequence[str]
) -> pl.DataFrame:
    """Return the datasets with who answers for them, their personal data, and the models that learnt from them."""
    # Most datasets reach the same few sets of models, and a list made here costs Polars more than a join.
    places = {mask: place for place, mask in enumerate(dict.fromkeys(usage.values()))}
    listed = ((place, mask.bit_count(), [models[one] for one in members(mask, MODEL_NAMES)])
              for mask, place in places.items())  # fmt: skip
    sets = _frame(listed, set=pl.Int64, model_count=pl.Int64, models=pl.List(pl.String))
    used = _frame(((one, places[mask]) for one, mask in usage.items()), id=pl.Int64, set=pl.Int64)
    of_people = (pl.col("field").drop_nulls().n_unique(), pl.col("tag").unique().sort())
    tagged = personal.rename({"dataset": "id"}).group_by("id").agg(*of_people)
    named = {"field": "personal_data_fields", "tag": "personal_data_tags", "principal": "owners"}
    for part in (tagged, owners.group_by("id").agg(pl.col("principal").sort()), used.join(sets, on="set").drop("set")):
        frame = frame.join(part, on="id", how="left")
    frame = frame.rename(named)
    return frame.with_columns(
        pl.col("personal_data_fields", "model_count").fill_null(0).cast(pl.Int64),
        pl.col("personal_data_tags", "owners", "models").fill_null(pl.lit([], dtype=pl.List(pl.String))),
    )


def _coverage(frame: pl.DataFrame, usage: Mapping[int, int], *, events: bool) -> dict[str, Any]:
    """Return the parts of a Coverage; the newest event only where the data tells of events."""
    some = {name: pl.col(name).list.len() > 0 for name in ("personal_data_tags", "owners")}
    used = pl.col("model_count") > 0
    sums = ("row_count", "size_bytes", "check_count", "checks_evaluated", "checks_passed", "personal_data_fields")
    found = frame.select(
        # What producers say may be the greatest number that a row holds: sums are wider, and stop there.
        *(pl.col(name).cast(pl.Int128).sum().clip(upper_bound=INT64_MAX) for name in sums),
        pl.len().alias("dataset_count"),
        pl.col("updated_at").max().alias("freshest_at"),
        (pl.col("newest_event_at").max() if events else pl.lit(None)).alias("newest_event_at"),
        pl.col("quality").mean().alias("mean_quality"), pl.col("completeness").mean().alias("mean_completeness"),
        used.sum().alias("used_datasets"), some["owners"].sum().alias("owned_datasets"),
        some["personal_data_tags"].sum().alias("personal_data_datasets"),
    ).row(0, named=True)  # fmt: skip
    ids = frame.filter(used).get_column("id").to_list()
    return {**found, "used_by_models": union(usage[one] for one in ids).bit_count()}


def _kinds(personal: pl.DataFrame) -> tuple[PersonalDataKind, ...]:
    """Return the tags of personal data, those of most columns first."""
    counted = personal.group_by("tag").agg(pl.col("field").drop_nulls().n_unique(), pl.col("dataset").n_unique())
    ranked = counted.sort("field", "tag", descending=[True, False]).head(PERSONAL_KINDS)
    return tuple(PersonalDataKind(*row) for row in ranked.rows())
