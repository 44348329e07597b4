"""Commands of quality: record what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assetgraph.catalog import queries as catalog
from assetgraph.changes import service as changes
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, NotFound
from assetgraph.ids import TYPE_NAMES, AssetKind, normalised
from assetgraph.quality import queries

MAX_METRICS = 10_000
MEASURED_KINDS = (AssetKind.DATASET_VERSION, AssetKind.MODEL_VERSION, AssetKind.RUN)


@dataclass(frozen=True)
class MetricSpec:
    """A number that was measured, maybe of one field."""

    name: str
    value: float
    field: str | None = None
    measured_at: datetime | None = None
    is_exact: bool = True


def record_metrics(session: Session, asset: int, metrics: Sequence[MetricSpec]) -> list[int]:
    """Store metrics of a version, model version or run; returns their ids in order."""
    kind = catalog.asset_kinds(session, [asset]).get(asset)
    if kind not in MEASURED_KINDS:
        raise NotFound("metrics belong to a dataset version, a model version or a run; no such asset", path=("target",))
    if len(metrics) > MAX_METRICS:
        raise Invalid(f"{len(metrics)} metrics; at most {MAX_METRICS} are allowed at once", path=("metrics",))
    moment = now()
    rows = []
    for position, metric in enumerate(metrics):
        at = ("metrics", str(position))
        if not math.isfinite(metric.value):
            raise Invalid("a metric's value must be a finite number", path=(*at, "value"))
        name = normalised(metric.name, what="metric name", path=(*at, "name"), most=200)
        measured = as_utc(metric.measured_at) if metric.measured_at else moment
        row = {"asset_id": asset, "name": name, "field": metric.field, "value": float(metric.value)}
        rows.append({**row, "is_exact": metric.is_exact, "measured_at": measured})
    ids = queries.insert_metrics(session, rows)
    if ids:
        after = {"count": len(ids), "names": sorted({str(row["name"]) for row in rows})}
        changes.record(session, TYPE_NAMES[kind], asset, "measured", None, after)
    return ids
