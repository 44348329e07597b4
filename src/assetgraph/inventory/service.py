"""Scans: from a source's files to datasets, versions, fields, profiles and metrics, in short transactions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.grouping import rules_of
from assetgraph.catalog.service import FieldSpec, RegisterVersion
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import checking, memory
from assetgraph.inventory import scan_queries as memory_queries
from assetgraph.inventory.classification import classify_version
from assetgraph.inventory.discover import BrokenFile, Candidate
from assetgraph.inventory.formats import parts_of
from assetgraph.inventory.kept import Kept, KeptPart
from assetgraph.inventory.leftovers import scratch_of, sweep
from assetgraph.inventory.places import candidates_at, check_path
from assetgraph.inventory.profile import ScannedDataset, quality_metrics, scan_candidate
from assetgraph.inventory.reading import unchanged
from assetgraph.inventory.sketch.packing import Damaged
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import edges
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType
from assetgraph.quality import service as quality
from assetgraph.quality.service import MetricSpec
from assetgraph.settings import Settings

_GONE = "a scan found it before, and it is not there any more; retire the dataset, or put its files back"


@dataclass(frozen=True)
class StartScan:
    """Scan a source, or what lies under a path of it."""

    source_id: int
    path: str | None = None
    idempotency_key: str | None = None
    #: When it was planned for, where a schedule starts it.
    nominal_at: datetime | None = None


def start_scan(session: Session, settings: Settings, command: StartScan) -> tuple[int, bool]:
    """Queue a scan and return (run, created)."""
    source = catalog.sources_by_ids(session, [command.source_id]).get(command.source_id)
    if source is None:
        raise NotFound("no source has this id; register one with registerSource", path=("source",))
    check_path(settings, str(source.location), command.path)
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


def launch_scan(session: Session, settings: Settings, schedule: Any, planned: datetime) -> int:
    """Queue the scan that a schedule planned for a time."""
    command = StartScan(int(schedule.asset_id), (schedule.parameters or {}).get("path"), nominal_at=planned)
    return start_scan(session, settings, command)[0]


def run_scan(context: JobContext) -> None:
    """Scan, one short transaction per dataset; done again after a kill it adds nothing that is there."""
    parameters = context.claim.parameters
    listed_ns = time.time_ns()
    with context.database.reading() as session:
        source = catalog.sources_by_ids(session, [int(parameters["source_id"])])[int(parameters["source_id"])]
        sweep(session, context.settings.home, context.claim.run_id)
        seen = memory.seen_of(session, int(source.id))
    scratch = scratch_of(context.settings.home, context.claim.run_id)
    location, rules = str(source.location), rules_of(source.grouping)
    findings: list[dict[str, Any]] = []
    found = candidates_at(context.settings, location, parameters.get("path"), rules, scratch)
    candidates = _listed(found, findings)
    broken = len(findings)
    same = [seen[one.name] for one in candidates if one.name in seen and seen[one.name].is_same(one)]
    findings += [_noticed(one.name, reason, message) for one in same for _, reason, message in one.notices]
    known = {one.name for one in same}
    with context.database.reading() as session:
        changed = [one for one in candidates if one.name not in known]
        changed = checking.in_order(session, str(source.namespace), changed)
    scan = _Scan(context, source, seen, listed_ns, sum(one.size_bytes for one in changed))
    blamed = context.blamed()
    for candidate in changed:
        if candidate.name not in blamed:
            findings += scan.take(candidate)
    context.idle()
    # Whose sheets cannot be listed is broken, not gone.
    gone = memory.gone(seen, candidates) if not parameters.get("path") and not broken else []
    findings += [_noticed(one.name, "GONE", _GONE) for one in gone]
    counts = {
        "datasets": scan.done + len(same), "datasets_unchanged": len(same) + scan.unread,
        "findings": len(findings) + len(blamed),
    }  # fmt: skip
    with context.completing(message=f"{counts['datasets']} datasets, {counts['findings']} findings") as session:
        memory_queries.forget(session, [one.id for one in gone])
        edges.contain_all(session, int(source.id), [one.dataset_id for one in same])
        _conclude(session, context, source, findings, counts)


def _conclude(
    session: Session, context: JobContext, source: Any, findings: list[dict[str, Any]], counts: dict[str, int]
) -> None:
    run = context.claim.run_id
    lineage_queries.insert_findings(session, [{"run_id": run, **finding} for finding in findings])
    lineage.consumed(session, run, [int(source.id)], definitions=[int(source.id)])
    quality.record_metrics(session, run, [MetricSpec(name, float(value)) for name, value in counts.items()])
    for finding in findings:
        changes.record_asset(session, AssetKind.RUN, run, "finding", None, finding)


class _Scan:
    """Goes through the datasets of a source whose files are not all what they were."""

    def __init__(
        self, context: JobContext, source: Any, seen: Mapping[str, memory.Seen], listed_ns: int, size_bytes: int
    ) -> None:
        self._context, self._source, self._seen, self._listed_ns = context, source, seen, listed_ns
        self._total, self._passed = max(size_bytes, 1), 0
        #: Datasets that were registered, and those of them of which nothing was read.
        self.done = self.unread = 0

    def take(self, candidate: Candidate) -> list[dict[str, Any]]:
        """Scan and register a dataset; returns the findings."""
        settings = self._context.settings
        self._context.doing(candidate.name, settings.scan_memory_bytes, settings.scan_stall_seconds)
        self._show(candidate, 0.0)
        seen = self._seen.get(candidate.name)
        try:
            kept = None if seen is None else memory.kept_of(self._context.database, seen)
            if seen is not None and kept is not None and seen.stands:
                parts = unchanged(candidate, kept, self._listed_ns)
                if parts is not None:
                    return self._touched(candidate, seen, parts)
            try:
                scanned, judged = self._scan(candidate, kept)
            except Damaged:
                # Else every scan that follows would meet the same bytes.
                scanned, judged = self._scan(candidate, None)
        except (BrokenFile, Invalid) as error:
            return [_finding(candidate.name, error)]
        finally:
            self._passed += candidate.size_bytes
        self.done += 1
        self.unread += not scanned.reading.read_parts
        findings = [_finding(candidate.name, notice) for notice in scanned.notices]
        for one in judged.unanswered:
            said = f"check '{one.check.name}' has no verdict: {one.message}"
            findings.append(_noticed(candidate.name, "NO_VERDICT", said))
        return findings

    def _show(self, candidate: Candidate, share: float) -> None:
        settings = self._context.settings
        self._context.doing(candidate.name, settings.scan_memory_bytes, settings.scan_stall_seconds)
        done = self._passed + share * candidate.size_bytes
        amount = f"{done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB"
        self._context.progress(done / self._total, f"{candidate.name} ({amount})")

    def _touched(self, candidate: Candidate, seen: memory.Seen, parts: list[KeptPart]) -> list[dict[str, Any]]:
        with self._context.transaction() as session:
            memory.touch(session, seen, candidate, parts)
            edges.contain(session, int(self._source.id), seen.dataset_id)
        self.done, self.unread = self.done + 1, self.unread + 1
        return [_noticed(candidate.name, reason, message) for _, reason, message in seen.notices]

    def _scan(self, candidate: Candidate, kept: Kept | None) -> tuple[ScannedDataset, checking.Judged]:
        context, namespace = self._context, str(self._source.namespace)
        with checking.watch(context.database, context.settings, namespace, candidate.name) as watched:
            scanned = scan_candidate(
                candidate, partial(self._show, candidate), kept=kept, listed_ns=self._listed_ns,
                parallel=context.settings.scan_parallel, on_rows=watched.add if watched.looks else None,
            )  # fmt: skip
            judged = checking.judge(context.database, context.settings, namespace, candidate, scanned, watched)
        with context.transaction() as session:
            version = _register(session, context, self._source, candidate, scanned, judged)
            memory.keep(session, int(self._source.id), version, candidate, scanned)
        return scanned, judged


def _listed(found: list[Candidate], findings: list[dict[str, Any]]) -> list[Candidate]:
    """Return the datasets of what was found, the sheets of workbooks one by one."""
    listed = []
    for candidate in found:
        try:
            listed += parts_of(candidate)
        except BrokenFile as error:
            findings.append(_finding(candidate.name, error))
    return listed


def _finding(subject: str, error: AssetgraphError) -> dict[str, Any]:
    return _noticed(subject, str(getattr(error, "reason", error.code)), error.message)


def _noticed(subject: str, code: str, message: str) -> dict[str, Any]:
    return {"subject": subject, "code": code, "message": message, "found_at": now()}


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
    classify_version(session, version, scanned.found, fresh=created)
    return version, created


def _register(
    session: Session, context: JobContext, source: Any, candidate: Candidate, scanned: ScannedDataset,
    judged: checking.Judged,
) -> int:  # fmt: skip
    command = version_command(str(source.namespace), candidate.name, candidate.location, scanned)
    version, created = register_scanned(session, command, scanned)
    dataset = int(catalog.versions_by_ids(session, [version])[version].dataset_id)
    edges.contain(session, int(source.id), dataset)
    if created:
        lineage.produced(session, context.claim.run_id, [version], definitions=[dataset])
    checking.conclude(session, context.claim.run_id, version, judged, created=created)
    return version
