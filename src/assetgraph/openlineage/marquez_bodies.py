"""Datasets, versions, jobs and runs as Marquez shows them; what belongs to a page comes with the page, set-wise."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import orjson

from assetgraph.catalog.tables import Lifecycle
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EdgeKind, RunState
from assetgraph.openlineage import marquez_body_queries as queries
from assetgraph.openlineage.marquez_ids import (
    DATASET_VERSION,
    JOB,
    content_uuid,
    instant,
    job_version,
    moment,
    named,
    row_uuid,
    run_uuid,
)

STATES = {
    RunState.QUEUED: "NEW", RunState.RUNNING: "RUNNING", RunState.SUCCEEDED: "COMPLETED", RunState.FAILED: "FAILED",
    RunState.CANCELLED: "ABORTED",
}  # fmt: skip
JOB_TYPES = {"STREAMING": "STREAM", "SERVICE": "SERVICE"}
LATEST_RUNS = 10

Body = dict[str, Any]


def _facets(rows: Iterable[Any]) -> dict[str, orjson.Fragment]:
    """Return facets by name; of several with one name the newest stands."""
    best: dict[str, Any] = {}
    for row in rows:
        known = best.get(row.name)
        if known is None or (row.event_time, row.digest) > (known.event_time, known.digest):
            best[str(row.name)] = row
    return {name: orjson.Fragment(best[name].body) for name in sorted(best)}


def _by(rows: Iterable[Any], attribute: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(int(getattr(row, attribute)), []).append(row)
    return found


def _said(rows: Iterable[Any], name: str, key: str) -> str | None:
    """Return a text of a facet."""
    for row in rows:
        if row.name == name:
            value = orjson.loads(row.body).get(key)
            return value if isinstance(value, str) else None
    return None


def _field(name: str, kind: str | None, tags: list[str], description: str | None) -> Body:
    return {"name": name, "type": kind, "tags": tags, "description": description}


class _Fields:
    """Columns of versions, with the tags of the columns."""

    def __init__(self, session: Session, versions: Sequence[int]) -> None:
        self._columns = queries.columns(session, versions)
        self._tags = queries.tags(session, sorted({int(one.id) for some in self._columns.values() for one in some}))

    def of(self, version: int | None) -> list[Body]:
        """Return the columns of a version."""
        return [
            _field(row.path, row.type, self._tags.get(int(row.id), []), row.description)
            for row in self._columns.get(version or 0, ())
        ]


def transformation(transformations: Sequence[Body] | None) -> tuple[str | None, str | None]:
    """Return (description, type) in Marquez's older words, which have room for one transformation."""
    for one in transformations or ():
        kind = "MASKED" if one["masking"] else one["subtype"] or one["type"]
        return one["description"] or None, kind
    return None, None


def input_field(row: Any, transformations: Sequence[Body] | None) -> Body:
    """Return a column that another is made of; `transformations` says more than Marquez has words for."""
    description, kind = transformation(transformations)
    return {
        "namespace": row.namespace, "dataset": row.key, "field": row.path, "transformationDescription": description,
        "transformationType": kind, "transformations": list(transformations or ()),
    }  # fmt: skip


def _column_lineage(rows: Sequence[Any]) -> list[Body] | None:
    by_target: dict[str, list[Body]] = {}
    for row in rows:
        by_target.setdefault(str(row.target), []).append(input_field(row, row.transformations))
    return [
        {"name": target, "inputFields": inputs,
         "transformationDescription": inputs[0]["transformationDescription"],
         "transformationType": inputs[0]["transformationType"]}
        for target, inputs in by_target.items()
    ] or None  # fmt: skip


def _source(row: Any, own: Iterable[Any], containers: dict[int, str]) -> str:
    return _said(own, "dataSource", "name") or containers.get(int(row.id)) or str(row.namespace)


def dataset_bodies(session: Session, datasets: Sequence[int], *, whole: bool = True) -> dict[int, Body]:
    """Return datasets by id; those that are not wanted whole leave out facets and column lineage."""
    rows = queries.datasets(session, datasets)
    current = queries.current_versions(session, datasets)
    versions = queries.versions(session, sorted(current.values()))
    fields, tags = _Fields(session, sorted(current.values())), queries.tags(session, datasets)
    own, containers = _by(queries.own_facets(session, datasets), "asset_id"), queries.containers(session, datasets)
    changed = queries.changed(session, AssetKind.DATASET, datasets)
    written = _by(queries.version_facets(session, sorted(current.values())), "version_id") if whole else {}
    inputs = queries.column_inputs(session, datasets) if whole else {}
    bodies = {}
    for dataset, row in rows.items():
        facets, version = own.get(dataset, []), current.get(dataset)
        body = {
            "id": named(row.namespace, row.key), "type": "DB_TABLE", "name": row.key, "physicalName": row.key,
            "createdAt": moment(row.created_at), "updatedAt": moment(changed.get(dataset, row.created_at)),
            "namespace": row.namespace, "sourceName": _source(row, facets, containers), "fields": fields.of(version),
            "tags": tags.get(dataset, []),
            "lastModifiedAt": None if version is None else moment(versions[version].at),
            "lastLifecycleState": _said(facets, "lifecycleStateChange", "lifecycleStateChange"),
            "description": row.description or row.documented,
        }  # fmt: skip
        if whole:
            body |= {
                "currentVersion": None if version is None else row_uuid(DATASET_VERSION, version),
                "columnLineage": _column_lineage(inputs.get(dataset, ())),
                "facets": _facets([*facets, *written.get(version or 0, ())]),
                "deleted": row.lifecycle is Lifecycle.RETIRED,
            }  # fmt: skip
        bodies[dataset] = body
    return bodies


def version_bodies(session: Session, dataset: int, versions: Sequence[int]) -> dict[int, Body]:
    """Return versions of a dataset by id."""
    [row] = queries.datasets(session, [dataset]).values()
    found, fields = queries.versions(session, versions), _Fields(session, versions)
    own, containers = queries.own_facets(session, [dataset]), queries.containers(session, [dataset])
    facets = _by(queries.version_facets(session, versions), "version_id")
    writers = queries.writers(session, versions)
    runs = run_bodies(session, sorted(set(writers.values())))
    tags = queries.tags(session, [dataset]).get(dataset, [])
    bodies = {}
    for version, one in found.items():
        said, shown, uuid = facets.get(version, []), fields.of(version), row_uuid(DATASET_VERSION, version)
        bodies[version] = {
            "id": named(row.namespace, row.key), "type": "DB_TABLE", "name": row.key, "physicalName": row.key,
            "createdAt": moment(one.at), "version": uuid, "namespace": row.namespace,
            "sourceName": _source(row, own, containers), "fields": shown, "tags": tags,
            "lifecycleState": _said(said, "lifecycleStateChange", "lifecycleStateChange"),
            "description": row.description or row.documented,
            "currentSchemaVersion": content_uuid([(one["name"], one["type"]) for one in shown]) if shown else None,
            "createdByRun": runs.get(writers.get(version, 0)), "facets": _facets(said),
        }  # fmt: skip
    return bodies


def run_bodies(session: Session, runs: Sequence[int], whole: Sequence[int] | None = None) -> dict[int, Body]:
    """Return runs by id, with the versions that they read and wrote; facets of all, or of those wanted whole."""
    whole = runs if whole is None else whole
    rows, io = queries.runs(session, runs), queries.io(session, runs)
    changed = queries.changed(session, AssetKind.RUN, runs)
    planned = _by(queries.nominal_times(session, runs), "asset_id")
    own, of_io = (
        _by(queries.own_facets(session, whole), "asset_id"), _by(queries.io_facets(session, whole), "by_id")
    )  # fmt: skip
    bodies = {}
    for run, row in rows.items():
        mine, said, plan = io.get(run, []), own.get(run, []), planned.get(run, [])
        seconds = None if row.started_at is None or row.ended_at is None else row.ended_at - row.started_at
        bodies[run] = {
            "id": run_uuid(run, row.run_id), "createdAt": moment(row.created_at),
            "updatedAt": moment(changed.get(run, row.created_at)),
            "nominalStartTime": moment(row.nominal_at) or instant(_said(plan, "nominalTime", "nominalStartTime")),
            "nominalEndTime": instant(_said(plan, "nominalTime", "nominalEndTime")), "state": STATES[row.state],
            "startedAt": moment(row.started_at), "endedAt": moment(row.ended_at),
            "durationMs": None if seconds is None else seconds // timedelta(milliseconds=1), "args": {},
            "jobVersion": {**named(row.namespace, row.key), "version": io_version(int(row.job_id), mine)},
            "inputDatasetVersions": _io_versions(mine, "IN", of_io.get(run, [])),
            "outputDatasetVersions": _io_versions(mine, "OUT", of_io.get(run, [])),
            "facets": _facets(said),
        }  # fmt: skip
    return bodies


def io_version(job: int, io: Iterable[Any]) -> str:
    """Return the version of a job that reads and writes some datasets."""
    return job_version(job, (f"{one.direction}{one.dataset_id}" for one in io))


def _io_versions(io: Iterable[Any], direction: str, facets: Sequence[Any]) -> list[Body]:
    return [
        {
            "datasetVersionId": {
                **named(one.namespace, one.key), "version": row_uuid(DATASET_VERSION, int(one.version_id))
            },
            "facets": _facets(
                row for row in facets if row.scope == direction and row.asset_id == one.dataset_id
            ),
        }
        for one in io if one.direction == direction and one.version_id is not None
    ]  # fmt: skip


def job_bodies(session: Session, jobs: Sequence[int], *, whole: bool = True) -> dict[int, Body]:
    """Return jobs by id; those that are not wanted whole have what a lineage graph shows of a job."""
    rows, io = queries.jobs(session, jobs), _by(queries.job_io(session, jobs), "job_id") if whole else {}
    latest = queries.latest_runs(session, jobs, LATEST_RUNS if whole else 1)
    wanted = sorted({run for some in latest.values() for run in some})
    # Facets may be large (Spark's plans): the latest run alone comes with its own.
    runs = run_bodies(session, wanted, [some[0] for some in latest.values()] if whole else [])
    run_rows = queries.runs(session, wanted)
    changed, tags = queries.changed(session, AssetKind.JOB, jobs), queries.tags(session, jobs) if whole else {}
    own = _by(queries.own_facets(session, jobs), "asset_id")
    alone = queries.io(session, [job for job in jobs if job not in latest]) if whole else {}
    bodies = {}
    for job, row in rows.items():
        mine, said = latest.get(job, []), own.get(job, [])
        newest = runs[mine[0]] if mine else None
        body = _job_body(row, said, run_rows[mine[0]] if mine else None)
        body |= {"updatedAt": moment(changed.get(job, row.created_at)), "latestRun": newest}
        if whole:
            told = newest["jobVersion"]["version"] if newest else None
            if newest is None and job in alone:
                told = io_version(job, alone[job])
            body |= {
                "inputs": _io_names(io.get(job, ()), EdgeKind.CONSUMED),
                "outputs": _io_names(io.get(job, ()), EdgeKind.PRODUCED),
                "latestRuns": [runs[run] for run in mine], "facets": _facets(said), "currentVersion": told,
                "labels": [], "tags": tags.get(job, []),
            }  # fmt: skip
        else:
            body |= {"inputs": [], "outputs": [], "currentRunUuid": newest["id"] if newest else None}
        bodies[job] = body
    return bodies


def _io_names(io: Iterable[Any], kind: EdgeKind) -> list[Body]:
    return [named(space, key) for space, key in sorted((one.namespace, one.key) for one in io if one.kind is kind)]


def _job_body(row: Any, facets: Sequence[Any], latest: Any) -> Body:
    """Return what says which job it is."""
    parent = latest.parent_key if latest is not None else None
    simple = row.key.removeprefix(f"{parent}.") if parent else row.key
    kind = (_said(facets, "jobType", "processingType") or "").upper()
    return {
        "id": named(row.namespace, row.key), "type": JOB_TYPES.get(kind, "BATCH"), "name": row.key,
        "simpleName": simple or row.key, "parentJobName": parent,
        "parentJobUuid": row_uuid(JOB, int(latest.parent_job)) if parent else None,
        "createdAt": moment(row.created_at), "namespace": row.namespace,
        "location": _said(facets, "sourceCodeLocation", "url"), "description": row.description,
    }  # fmt: skip
