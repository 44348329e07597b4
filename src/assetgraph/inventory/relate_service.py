"""Relations as a job: sketches and keys of the versions that have none yet, then all pairs, from sketches alone."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.service import Identity
from assetgraph.catalog.tables import ProposalStatus
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, NotFound
from assetgraph.ids import AssetKind
from assetgraph.inventory import relation_queries as queries
from assetgraph.inventory.formats import FAILURES, broken
from assetgraph.inventory.located import open_for
from assetgraph.inventory.profile import OpenedDataset
from assetgraph.inventory.relate.candidates import Candidate, Column, relations
from assetgraph.inventory.relate.keys import candidate_keys
from assetgraph.inventory.relate.sketch import AsId, ColumnSketch, hashes_of, sketch_columns
from assetgraph.jobs import service as jobs
from assetgraph.jobs.context import JobContext
from assetgraph.lineage import queries as lineage_queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.tables import RunType

#: Datasets of a namespace that one run relates.
MOST_DATASETS = 500


@dataclass(frozen=True)
class StartRelating:
    """Look for keys and relations among the datasets of a namespace."""

    namespace: str
    idempotency_key: str | None = None


def start_relating(session: Session, command: StartRelating) -> tuple[int, bool]:
    """Queue the search and return (run, created)."""
    namespace = Identity.of(AssetKind.JOB, command.namespace, "relate").namespace
    if not queries.datasets_of(session, namespace, 1):
        raise NotFound(f"no dataset in namespace '{namespace}'", path=("namespace",))
    lineage.ensure_job(session, namespace, "relate datasets", "Looks for keys and relations among datasets.")
    return jobs.enqueue(
        session, kind="relate", type=RunType.OTHER, namespace=namespace, job="relate datasets",
        parameters={"namespace": namespace}, idempotency_key=command.idempotency_key,
    )  # fmt: skip


def run_relating(context: JobContext, as_id: AsId) -> None:
    """Read what is new, one transaction each, then compare; `as_id` tells values apart as training does."""
    namespace = str(context.claim.parameters["namespace"])
    with context.database.reading() as session:
        datasets = queries.datasets_of(session, namespace, MOST_DATASETS)
        latest = catalog.latest_versions(session, [int(row.id) for row in datasets])
        known = queries.looked_at(session, [int(row.id) for row in latest.values()])
    findings = []
    fresh = [row for row in latest.values() if int(row.id) not in known and row.location]
    for number, version in enumerate(fresh):
        context.progress(0.9 * number / len(fresh), f"reading {version.name}")
        try:
            _look_at(context, version, as_id)
        except AssetgraphError as error:
            code = str(getattr(error, "reason", error.code))
            findings.append({"subject": str(version.name), "code": code, "message": error.message, "found_at": now()})
    context.progress(0.9, "comparing columns")
    with context.database.reading() as session:
        columns = _columns(session, latest, {int(row.id): str(row.name) for row in datasets})
        found = relations(columns, _derived(queries.data_flows(session, list(latest))))
    with context.completing(message=f"{len(found)} relations among {len(latest)} datasets") as session:
        _keep(session, list(latest), found)
        lineage_queries.insert_findings(session, [{"run_id": context.claim.run_id, **one} for one in findings])


def _look_at(context: JobContext, version: Any, as_id: AsId) -> None:
    """Sketch a version's columns and look for its keys."""
    with open_for(context, str(version.location)) as table:
        _sketch(context, version, table, as_id)


def _sketch(context: JobContext, version: Any, table: OpenedDataset, as_id: AsId) -> None:
    with context.database.reading() as session:
        fields = catalog.fields_of_versions(session, [int(version.id)])[int(version.id)]
    profiles = {str(row.path): row.profile or {} for row in fields}
    work = context.settings.prepared / f".run-{context.claim.run_id}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        sketches = sketch_columns(table.frame, as_id)
        distinct = {
            name: int(profiles.get(name, {}).get("distinct_count") or one.distinct) for name, one in sketches.items()
        }
        rows = int(version.row_count or 0)
        nulls = {name: rows - one.values for name, one in sketches.items()}
        keys = candidate_keys(table.frame, rows, distinct, nulls, work)
    except FAILURES as error:
        raise broken(table.candidate, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    ids = {str(row.path): int(row.id) for row in fields}
    with context.transaction() as session:
        queries.insert_sketches(session, [
            {"version_id": int(version.id), "field_id": ids[name], "hashes": one.to_bytes(), "value_count": one.values,
             "whole": one.whole, "low": one.low, "high": one.high}
            for name, one in sketches.items() if name in ids
        ])  # fmt: skip
        rows_of_keys = [
            {"version_id": int(version.id), "ordinal": place, "fields": list(key)} for place, key in enumerate(keys)
        ]
        # Without keys one row says that they were looked for.
        queries.insert_keys(session, rows_of_keys or [{"version_id": int(version.id), "ordinal": -1, "fields": []}])


def _columns(session: Session, latest: dict[int, Any], names: dict[int, str]) -> list[Column]:
    versions = {int(row.id): (dataset, row) for dataset, row in latest.items()}
    keys = queries.keys_of(session, list(versions))
    fields = catalog.fields_of_versions(session, list(versions))
    paths = {(version, int(row.id)): str(row.path) for version, rows in fields.items() for row in rows}
    found = []
    for row in queries.sketches_of(session, list(versions)):
        dataset, version = versions[int(row.version_id)]
        path = paths[int(row.version_id), int(row.field_id)]
        sketch = ColumnSketch(hashes_of(row.hashes), int(row.value_count), bool(row.whole), int(row.low), int(row.high))
        is_key = [path] in keys[int(row.version_id)]
        rows = int(version.row_count or 0)
        found.append(Column(dataset, int(row.field_id), names[dataset], path, sketch, is_key, rows))
    return found


def _derived(flows: Sequence[tuple[int, int, bool]]) -> set[tuple[int, int]]:
    """Return pairs of datasets that a job read and made, or made together of a dataset."""
    by_job: dict[int, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for job, dataset, reads in flows:
        by_job[job][0 if reads else 1].add(dataset)
    return {
        (min(one, other), max(one, other))
        for read, made in by_job.values() if read
        for one in made for other in read | made if one != other
    }  # fmt: skip


def _keep(session: Session, datasets: Sequence[int], found: Sequence[Candidate]) -> None:
    """Store what is new, renew how sure the rest is; decisions stay, proposals that nothing speaks for go."""
    changes.lock(session)
    known = {
        (int(row.from_field_id), int(row.to_field_id), row.kind): row
        for row in queries.relations_among(session, datasets)
    }
    new, seen = [], set()
    for one in found:
        place = (one.source.field, one.target.field, one.kind)
        seen.add(place)
        row = known.get(place)
        if row is None:
            new.append({
                "kind": one.kind, "from_field_id": one.source.field, "to_field_id": one.target.field,
                "from_dataset_id": one.source.dataset, "to_dataset_id": one.target.dataset,
                "confidence": one.confidence, "status": ProposalStatus.PROPOSED, "found_at": now(),
            })  # fmt: skip
        elif row.confidence != one.confidence:
            queries.set_confidence(session, int(row.id), one.confidence)
    for row in queries.insert_relations(session, new):
        said = {"kind": row.kind, "from": int(row.from_field_id), "to": int(row.to_field_id)}
        changes.record(session, "Relation", int(row.id), "proposed", None, {**said, "confidence": row.confidence})
    gone = [row for place, row in known.items() if place not in seen and row.status is ProposalStatus.PROPOSED]
    queries.delete_relations(session, [int(row.id) for row in gone])
    for row in gone:
        changes.record(session, "Relation", int(row.id), "withdrawn", {"confidence": row.confidence}, None)


def decide(session: Session, relation: int, status: ProposalStatus) -> None:
    """Accept or reject a relation, or take that back; searches after it leave the decision alone."""
    row = queries.lock_relation(session, relation)
    if row is None:
        raise NotFound("no relation has this id", path=("relation",))
    if row.status is status:
        return
    queries.decide(session, relation, status, session.actor, now())
    changes.record(session, "Relation", relation, status.value.lower(), {"status": row.status}, {"status": status})
