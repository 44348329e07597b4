"""Export: a model's feedback becomes a dataset version, and the loop closes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Row

from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import Identity, RegisterDataset, register_dataset
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid, NotFound
from assetgraph.factorization import queries as models
from assetgraph.feedback import queries
from assetgraph.ids import AssetKind, asset_global_id
from assetgraph.inventory.discover import Candidate
from assetgraph.inventory.profile import scan_candidate
from assetgraph.inventory.service import register_scanned, version_command
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType

BATCH_ROWS = 50_000

_COLUMNS: dict[str, Any] = {
    "user": pl.String, "item": pl.String, "event": pl.String, "value": pl.Float64,
    "occurred_at": pl.Datetime("us", "UTC"), "recommendation": pl.String, "model_version": pl.String,
}  # fmt: skip
SCHEMA = pl.Schema(_COLUMNS)


@dataclass(frozen=True)
class StartExport:
    """Write all feedback of a model as the next version of a dataset."""

    model_id: int
    namespace: str
    name: str
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


def start_export(session: Session, command: StartExport) -> tuple[int, bool]:
    """Queue an export and return (run, created)."""
    model = models.models_by_ids(session, [command.model_id]).get(command.model_id)
    if model is None:
        raise NotFound("no model has this id", path=("model",))
    Identity.of(AssetKind.DATASET, command.namespace, command.name)
    if not queries.newest_feedback(session, command.model_id):
        raise Conflict(f"model '{model.name}' has no feedback yet; send some with recordFeedback", path=("model",))
    return jobs.enqueue(
        session,
        kind="export_feedback",
        type=RunType.FEEDBACK_EXPORT,
        namespace=str(model.namespace),
        job=f"export feedback of {model.name}",
        parameters={"model_id": command.model_id, "dataset": [command.namespace, command.name]},
        idempotency_key=command.idempotency_key,
        nominal_at=command.nominal_at,
    )


def run_export(context: JobContext) -> None:
    """Write the Parquet file, then register it with its lineage in one transaction."""
    model = int(context.claim.parameters["model_id"])
    namespace, name = context.claim.parameters["dataset"]
    with context.database.reading() as session:
        last = queries.newest_feedback(session, model)
        count = queries.count_feedback(session, model, last)
    if not count:
        raise Invalid("the model has no feedback to export")
    path = context.settings.exports / f"run-{context.claim.run_id}" / f"{quote(name, safe='')[:200]}.parquet"
    _write(context, path, model, last, count)
    scanned = scan_candidate(Candidate.of_file(path, name=name))
    with context.completing(message=f"{count} events") as session:
        described = RegisterDataset(namespace, name, role=DatasetRole.FEEDBACK)
        dataset, _ = register_dataset(session, described)
        version, created = register_scanned(session, version_command(namespace, name, str(path), scanned), scanned)
        if created:
            queries.insert_export(
                session, {"run_id": context.claim.run_id, "model_id": model, "last_feedback_id": last}
            )
            lineage.consumed(session, context.claim.run_id, [], definitions=[model])
            lineage.produced(session, context.claim.run_id, [version], definitions=[dataset])


def _write(context: JobContext, path: Path, model: int, last: int, count: int) -> None:
    """Write to a temporary name in bounded memory, then rename: a killed export leaves nothing half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".parquet.tmp")
    written, after = 0, 0
    schema: pa.Schema = pl.DataFrame(schema=SCHEMA).to_arrow().schema
    with pq.ParquetWriter(temporary, schema) as writer:
        while written < count:
            with context.database.reading() as session:
                rows = queries.feedback_batch(session, model, after, last, BATCH_ROWS)
                names = _version_names(session, rows)
            if not rows:
                break
            frame = pl.DataFrame([_record(row, names) for row in rows], schema=SCHEMA)
            writer.write_table(frame.to_arrow().cast(schema))
            written, after = written + len(rows), int(rows[-1].id)
            context.progress(0.9 * written / count, f"{written} of {count} events")
    temporary.replace(path)


def _version_names(session: Session, rows: Sequence[Row[Any]]) -> dict[int, str]:
    ids = sorted({int(row.model_version_id) for row in rows if row.model_version_id is not None})
    return {key: str(row.name) for key, row in models.model_versions_by_ids(session, ids).items()}


def _record(row: Row[Any], names: dict[int, str]) -> dict[str, Any]:
    answered = row.recommendation
    return {
        "user": row.user, "item": row.item, "event": row.event.value, "value": row.value,
        "occurred_at": row.occurred_at,
        "recommendation": None if answered is None else asset_global_id(AssetKind.RECOMMENDATION, str(answered)),
        "model_version": names.get(int(row.model_version_id or 0)),
    }  # fmt: skip
