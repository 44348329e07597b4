"""Preparations as jobs: from a dataset version to `<name>/clean`, its parts and its mappings, with lineage."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import xxhash

from assetgraph.catalog import queries as catalog
from assetgraph.catalog import service as catalog_service
from assetgraph.catalog.contents import require_content
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import AssetRef, Identity, RegisterDataset
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict, Invalid
from assetgraph.ids import AssetKind
from assetgraph.inventory.discover import Candidate
from assetgraph.inventory.fingerprint import content_fingerprint
from assetgraph.inventory.formats import Opened, broken, told_as_findings
from assetgraph.inventory.located import check_readable, located, open_version
from assetgraph.inventory.prepare.derivation import columns_of
from assetgraph.inventory.prepare.engine import Prepared, prepare
from assetgraph.inventory.prepare.passes import Pieces
from assetgraph.inventory.prepare.plan import AsId
from assetgraph.inventory.prepare.rules import Rules, check_fields, check_rules
from assetgraph.inventory.profile import ScannedDataset, scan_candidate
from assetgraph.inventory.reading import row_groups
from assetgraph.inventory.service import register_scanned, version_command
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec
from assetgraph.settings import Settings

#: Shares of the whole at which the engine starts, and at which what it wrote is described.
ENGINE_FROM, ENGINE_TO = 0.1, 0.8
#: What is written, beside `train`, `validation` and `test`: everything that stays, and the ids behind the indexes.
DESCRIBED = {
    "clean": "The rows that the rules of a preparation let stay.",
    "train": "The part to learn from.", "validation": "The part to choose parameters by.",
    "test": "The part to judge by, unseen until then.",
    "users": "Which user each user_index is.", "items": "Which item each item_index is.",
}  # fmt: skip


@dataclass(frozen=True)
class StartPreparation:
    """Clean a dataset version by rules; what is made is named after the dataset unless said otherwise."""

    dataset: AssetRef
    rules: Rules
    namespace: str | None = None
    name: str | None = None
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


@dataclass(frozen=True)
class _Part:
    """A file that was written, described as a scan describes it."""

    name: str
    path: Path
    scanned: ScannedDataset


def start_preparation(session: Session, settings: Settings, command: StartPreparation) -> tuple[int, bool]:
    """Check the rules against the version's fields, queue the preparation and return (run, created)."""
    check_rules(command.rules)
    version = catalog_service.resolve_version(session, command.dataset, path=("dataset",))
    types = {str(row.path): str(row.type) for row in catalog.fields_of_versions(session, [version])[version]}
    check_fields(command.rules, types)
    row = catalog.versions_by_ids(session, [version])[version]
    if not row.location:
        raise Invalid("this dataset version has no location to read from; scan it first", path=("dataset",))
    check_readable(settings, str(row.location), path=("dataset",))
    dataset = catalog.datasets_by_ids(session, [int(row.dataset_id)])[int(row.dataset_id)]
    namespace, name = command.namespace or str(dataset.namespace), command.name or str(dataset.name)
    for part in DESCRIBED:
        Identity.of(AssetKind.DATASET, namespace, f"{name}/{part}")
    job = f"prepare {name}"
    lineage.ensure_job(session, namespace, job, "Cleans a dataset version by rules, maps its ids and splits it.")
    return jobs.enqueue(
        session,
        kind="prepare",
        type=RunType.OTHER,
        namespace=namespace,
        job=job,
        parameters={"version_id": version, "target": [namespace, name], "rules": command.rules.plain()},
        idempotency_key=command.idempotency_key,
        nominal_at=command.nominal_at,
    )


def run_preparation(context: JobContext, as_id: AsId) -> None:
    """Prepare into a folder of this run, rename the files into place, then register all in one transaction.

    `as_id` tells users and items apart as training does. Done again after a kill, it starts over.
    """
    asked = context.claim.parameters
    rules, name = Rules.of(asked["rules"]), str(asked["target"][1])
    with context.database.reading() as session:
        row = catalog.versions_by_ids(session, [int(asked["version_id"])])[int(asked["version_id"])]
        _remove_leftovers(session, context.settings)
    work = _work_folder(context)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        context.progress(0.0, f"reading {row.name}")
        with open_version(context.settings, str(row.location), work / "scratch").opened as opened:
            pieces = _pieces(opened, work)
            found = _fingerprint(opened.candidate, pieces)
            with context.database.reading() as session:
                require_content(session, row, found, what="prepare")
            done = _prepared(context, opened.candidate, pieces, rules, work, as_id)
            _require_unchanged(context.settings, row, opened.candidate, work)
        parts = list(_parts(context, done, _folder(context.settings, asked, found)))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with context.completing(message=f"{done.kept} of {done.rows} rows of {name} stay") as session:
        _register(session, context, row, rules, done, parts)


def _work_folder(context: JobContext) -> Path:
    return context.settings.prepared / f".run-{context.claim.run_id}"


def _remove_leftovers(session: Session, settings: Settings) -> None:
    """Remove the folders of runs that were killed and are over."""
    left = {path.name.removeprefix(".run-"): path for path in settings.prepared.glob(".run-*")}
    known = lineage_queries.runs_by_ids(session, [int(name) for name in left if name.isdigit()])
    for name, path in left.items():
        run = known.get(int(name)) if name.isdigit() else None
        if run is None or run.state.final:
            shutil.rmtree(path, ignore_errors=True)


def _folder(settings: Settings, asked: dict[str, Any], fingerprint: str) -> Path:
    """Return where results go: the same place for the same content, rules and name."""
    said = json.dumps([asked["target"], asked["rules"], fingerprint], sort_keys=True)
    return settings.prepared / f"{quote(asked['target'][1], safe='')[:80]}-{xxhash.xxh3_128_hexdigest(said.encode())}"


def _pieces(opened: Opened, work: Path) -> Pieces:
    """Return the data in pieces; what is not one Parquet file on this machine is copied first, and read once."""
    with told_as_findings(opened.candidate):
        return Pieces.of(opened.frame, row_groups(opened.candidate), work)


def _fingerprint(candidate: Candidate, pieces: Pieces) -> str:
    with told_as_findings(candidate):
        return content_fingerprint(pieces.frame, [rows for _, rows in pieces.spans])


def _require_unchanged(settings: Settings, row: Any, candidate: Candidate, work: Path) -> None:
    """Refuse what was read of files that changed meanwhile."""
    again = located(settings, str(row.location), work / "scratch")
    if again is None or again.modified != candidate.modified:
        raise Conflict(f"the data of {row.name} changed while it was read; scan it again", path=("dataset",))


def _prepared(
    context: JobContext, candidate: Candidate, pieces: Pieces, rules: Rules, work: Path, as_id: AsId
) -> Prepared:  # fmt: skip
    def on_progress(share: float, message: str) -> None:
        context.progress(ENGINE_FROM + (ENGINE_TO - ENGINE_FROM) * share, message)

    try:
        return prepare(pieces, rules, work, as_id, on_progress)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise broken(candidate, error) from error


def _parts(context: JobContext, done: Prepared, folder: Path) -> Iterator[_Part]:
    """Move the files into place and describe them as scans do."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, written) in enumerate(done.files.items()):
        share = ENGINE_TO + (1 - ENGINE_TO) * number / len(done.files)
        context.progress(share, f"describing {name}")
        path = folder / written.name
        written.replace(path)
        yield _Part(name, path, scan_candidate(Candidate.of_file(path, name=name)))


def _register(
    session: Session, context: JobContext, source: Any, rules: Rules, done: Prepared, parts: list[_Part]
) -> None:
    """Register the versions with their edges, columns and metrics; equal content gives the versions that exist."""
    run, origin = context.claim.run_id, int(source.dataset_id)
    namespace, name = context.claim.parameters["target"]
    role = catalog.datasets_by_ids(session, [origin])[origin].role
    lineage.consumed(session, run, [int(source.id)], definitions=[origin])
    metrics = [MetricSpec("rows_in", float(done.rows)), MetricSpec("rows_kept", float(done.kept))]
    metrics += [MetricSpec(one.name, float(one.value), field=one.field) for one in done.counts]
    for part in parts:
        full = f"{name}/{part.name}"
        dataset, fresh = catalog_service.ensure_dataset(session, namespace, full)
        if fresh:
            mapping = part.name in ("users", "items")
            described = RegisterDataset(
                namespace, full, DESCRIBED[part.name], role=DatasetRole.OTHER if mapping else role
            )
            catalog_service.register_dataset(session, described)
        command = version_command(namespace, full, str(part.path), part.scanned)
        version, created = register_scanned(session, command, part.scanned)
        lineage.produced(session, run, [version] if created else [], definitions=[dataset])
        columns = [field.name for field in part.scanned.profile.fields]
        lineage.derived(session, run, origin, dataset, columns_of(rules, part.name, columns))
        if created and part.name == "clean":
            quality.record_metrics(session, version, metrics)
    quality.record_metrics(session, run, metrics)
