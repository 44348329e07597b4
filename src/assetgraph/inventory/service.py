"""Scans: from a source's files to datasets, versions, fields, profiles and metrics, in short transactions."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.db.paths import allowed_path
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import checking
from assetgraph.inventory.discover import Candidate, discover
from assetgraph.inventory.profile import ScannedDataset, quality_metrics, scan_candidate
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import edges
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec
from assetgraph.settings import Settings


@dataclass(frozen=True)
class StartScan:
    """Scan a source, or what lies under a path of it."""

    source_id: int
    path: str | None = None
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


def check_location(settings: Settings, location: str) -> str:
    """Return the real path of a source's folder; refuses what is outside the allow-list or not there."""
    found = allowed_path(location, settings.scan_roots)
    if not found.exists():
        raise NotFound(f"'{location}' does not exist", path=("location",))
    return str(found)


def folder_of(settings: Settings, location: str, path: str | None) -> Path:
    """Return the folder or file to scan: below the source, which is below an allow-listed root."""
    root = allowed_path(location, settings.scan_roots)
    if not path:
        return root
    if Path(path).is_absolute():
        raise Invalid("path is relative to the source; write it without a leading '/'", path=("path",))
    wanted = allowed_path(str(root / path), [root])
    if not wanted.exists():
        names = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
        raise NotFound(f"'{path}' does not exist in the source", path=("path",), known=names)
    return wanted


def start_scan(session: Session, settings: Settings, command: StartScan) -> tuple[int, bool]:
    """Queue a scan and return (run, created)."""
    source = catalog.sources_by_ids(session, [command.source_id]).get(command.source_id)
    if source is None:
        raise NotFound("no source has this id; register one with registerSource", path=("source",))
    folder_of(settings, str(source.location), command.path)
    return jobs.enqueue(
        session,
        kind="scan",
        type=RunType.SCAN,
        namespace=str(source.namespace),
        job=f"scan {source.name}",
        parameters={"source_id": int(source.id), "path": command.path},
        idempotency_key=command.idempotency_key,
        nominal_at=command.nominal_at,
    )


def run_scan(context: JobContext) -> None:
    """Scan, one short transaction per dataset; done again after a kill it adds nothing that is there."""
    parameters = context.claim.parameters
    with context.database.reading() as session:
        source = catalog.sources_by_ids(session, [int(parameters["source_id"])])[int(parameters["source_id"])]
    folder = folder_of(context.settings, str(source.location), parameters.get("path"))
    root = allowed_path(str(source.location), context.settings.scan_roots)
    with context.database.reading() as session:
        candidates = checking.in_order(session, str(source.namespace), discover(folder, root))
    findings: list[dict[str, Any]] = []
    seen = 0
    for position, candidate in enumerate(candidates):
        share = position / len(candidates)
        context.progress(share, f"{candidate.name} ({position + 1} of {len(candidates)})")
        try:
            scanned = scan_candidate(candidate)
            judged = checking.judge(context.database, context.settings, str(source.namespace), candidate, scanned)
        except AssetgraphError as error:
            code = getattr(error, "reason", error.code)
            findings.append({"subject": candidate.name, "code": str(code), "message": error.message, "found_at": now()})
            continue
        for one in judged.unanswered:
            said = f"check '{one.check.name}' has no verdict: {one.message}"
            findings.append({"subject": candidate.name, "code": "NO_VERDICT", "message": said, "found_at": now()})
        with context.transaction() as session:
            _register(session, context, source, candidate, scanned, judged)
        seen += 1
    with context.completing(message=f"{seen} datasets, {len(findings)} findings") as session:
        run = context.claim.run_id
        lineage_queries.insert_findings(session, [{"run_id": run, **finding} for finding in findings])
        lineage.consumed(session, run, [int(source.id)], definitions=[int(source.id)])
        counts = [MetricSpec("datasets", float(seen)), MetricSpec("findings", float(len(findings)))]
        quality.record_metrics(session, run, counts)
        for finding in findings:
            changes.record_asset(session, AssetKind.RUN, run, "finding", None, finding)


def version_command(namespace: str, name: str, location: str, scanned: ScannedDataset) -> RegisterVersion:
    """Return the command that registers what a scan saw of a dataset."""
    profiles = {str(profile["field"]): profile for profile in scanned.profile.as_json()["fields"]}
    fields = tuple(
        FieldSpec(shape.name, shape.type, shape.nullable, profile=profiles.get(shape.name))
        for shape in scanned.profile.fields
    )
    return RegisterVersion(
        namespace=namespace, name=name, fields=fields, location=location, fingerprint=scanned.fingerprint,
        row_count=scanned.profile.row_count, size_bytes=scanned.profile.size_bytes,
    )  # fmt: skip


def register_scanned(session: Session, command: RegisterVersion, scanned: ScannedDataset) -> tuple[int, bool]:
    """Register a scanned version with its metrics; equal content gives the version that exists."""
    version, created = lineage.register_version(session, command)
    if created:
        metrics = [
            MetricSpec(name, value, field=field, is_exact=exact)
            for name, field, value, exact in quality_metrics(scanned.profile)
        ]
        quality.record_metrics(session, version, metrics)
    return version, created


def _register(
    session: Session, context: JobContext, source: Any, candidate: Candidate, scanned: ScannedDataset,
    judged: checking.Judged,
) -> None:  # fmt: skip
    location = str(candidate.location)
    command = version_command(str(source.namespace), candidate.name, location, scanned)
    version, created = register_scanned(session, command, scanned)
    dataset = int(catalog.versions_by_ids(session, [version])[version].dataset_id)
    edges.contain(session, int(source.id), dataset)
    if created:
        lineage.produced(session, context.claim.run_id, [version], definitions=[dataset])
    checking.conclude(session, context.claim.run_id, version, judged, created=created)
