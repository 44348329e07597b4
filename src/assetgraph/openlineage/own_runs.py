"""Changes of the service's own runs as events.

An event says only what the change and what cannot change later say, so that an event that is sent again is the same.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from assetgraph import __version__
from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.factorization import queries as models
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import EdgeKind, Level, RunType
from assetgraph.openlineage import emission_queries
from assetgraph.openlineage.outward import data_source, event, facet, moment, named, run_uuid
from assetgraph.quality import queries as quality

#: More outputs than these are told by several events: they add up.
MOST_OUTPUTS = 100
#: Parts of its progress after each of which a run says that it goes on.
PARTS = 4
FINAL = {"succeeded": "COMPLETE", "failed": "FAIL", "cancelled": "ABORT"}
SAID = {
    RunType.SCAN: "Scans a source for datasets and profiles them.",
    RunType.TRAINING: "Trains a version of a model on a dataset version.",
    RunType.FEEDBACK_EXPORT: "Writes the feedback on a model as a dataset version.",
    RunType.EVALUATION: "Evaluates a model version.",
}
#: Parameters of runs that are ids of assets, by name.
ASSET_PARAMETERS = ("source_id", "dataset_id", "version_id", "model_id")


def events_of(session: Session, change: Row[Any], run: Row[Any]) -> list[dict[str, Any]]:
    """Return the events that a change of an own run means, in their order; often none."""
    after, before = change.after or {}, change.before or {}
    if change.action == "started":
        return [_event(session, run, "START" if "started_at" in after else "RUNNING", change.at)]
    if change.action == "progressed":
        parts = [math.floor((one.get("progress") or 0.0) * PARTS) for one in (before, after)]
        if "progress" not in after or parts[0] == parts[1]:
            return []
        progress = {"assetgraph_progress": facet("progress", fraction=after["progress"])}
        return [_event(session, run, "RUNNING", change.at, progress)]
    events = []
    if run.started_at is None:
        # It ended while it waited; every run must have started for those who listen.
        events.append(_event(session, run, "START", change.at))
    outputs = _outputs(session, run, change.at)
    more = range(0, max(len(outputs) - MOST_OUTPUTS, 0), MOST_OUTPUTS)
    for start in more:
        part = _event(session, run, "RUNNING", change.at)
        events.append({**part, "outputs": outputs[start : start + MOST_OUTPUTS]})
    error = after.get("error")
    failed = {"errorMessage": facet("errorMessage", message=error, programmingLanguage="PYTHON")} if error else {}
    last = _event(session, run, FINAL[change.action], change.at, failed)
    return [*events, {**last, "outputs": outputs[len(more) * MOST_OUTPUTS :]}]


def _event(
    session: Session, run: Row[Any], kind: str, at: datetime, facets: dict[str, Any] | None = None
) -> dict[str, Any]:
    job = lineage.jobs_by_ids(session, [int(run.job_id)])[int(run.job_id)]
    about = {
        "jobType": facet("jobType", processingType="BATCH", integration="ASSETGRAPH", jobType=run.type.value),
        "documentation": facet("jobDocumentation", description=job.description or SAID.get(run.type, "Runs a job.")),
    }
    return event(
        "RunEvent", at, eventType=kind,
        run={"runId": run_uuid(str(job.namespace), str(job.key), str(run.run_id)),
             "facets": {**run_facets(session, run), **(facets or {})}},
        job={"namespace": str(job.namespace), "name": str(job.key), "facets": about},
        inputs=_inputs(session, run), outputs=[],
    )  # fmt: skip


def run_facets(session: Session, run: Row[Any]) -> dict[str, Any]:
    """Return what is known of an own run from its beginning: the engine, its parameters, its parent."""
    engine = facet("processing_engine", name="assetgraph", version=__version__, openlineageAdapterVersion=__version__)
    found = {"processing_engine": engine}
    given = [
        {"key": name, "value": _text(value)}
        for name, value in sorted(_flat(run.parameters or {})) if name not in ASSET_PARAMETERS
    ]  # fmt: skip
    if given:
        found["executionParameters"] = facet("executionParameters", parameters=given)
    if run.nominal_at is not None:
        found["nominalTime"] = facet("nominalTime", nominalStartTime=moment(run.nominal_at))
    if run.parent_id is not None:
        found["parent"] = parent_facet(session, int(run.parent_id), run.root_id)
    return found


def parent_facet(session: Session, parent: int, root: int | None) -> dict[str, Any]:
    """Return the facet that names the run above and the outermost one."""
    above = [parent] if root is None else [parent, int(root)]
    rows = lineage.runs_by_ids(session, above)
    jobs = lineage.jobs_by_ids(session, [int(row.job_id) for row in rows.values()])
    said = []
    for one in above:
        job = jobs[int(rows[one].job_id)]
        key = (str(job.namespace), str(job.key))
        said.append({
            "run": {"runId": run_uuid(*key, str(rows[one].run_id))}, "job": {"namespace": key[0], "name": key[1]}
        })  # fmt: skip
    return facet("parent", **said[0], **({} if root is None else {"root": said[1]}))


def _flat(parameters: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value


def _text(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _inputs(session: Session, run: Row[Any]) -> list[dict[str, Any]]:
    """Return what a run was asked to read: known from its beginning."""
    wanted = [
        value for name in ASSET_PARAMETERS if isinstance(value := (run.parameters or {}).get(name), int)
    ]  # fmt: skip
    found = []
    sources, versions = catalog.sources_by_ids(session, wanted), catalog.versions_by_ids(session, wanted)
    datasets = catalog.datasets_by_ids(session, [*wanted, *(int(row.dataset_id) for row in versions.values())])
    for row in sources.values():
        facets = {**data_source(str(row.name), row.location), "datasetType": facet("datasetType", datasetType="SOURCE")}
        found.append({**named(AssetKind.SOURCE, str(row.namespace), str(row.key)), "facets": facets})
    for row in versions.values():
        dataset = datasets[int(row.dataset_id)]
        fields = catalog.fields_of_versions(session, [int(row.id)])[int(row.id)]
        facets = version_facets(row, str(row.namespace), fields)
        found.append({**named(AssetKind.DATASET, str(dataset.namespace), str(dataset.key)), "facets": facets})
    found += [
        named(AssetKind.DATASET, str(datasets[one].namespace), str(datasets[one].key))
        for one in wanted if one in datasets
    ]  # fmt: skip
    for row in models.models_by_ids(session, wanted).values():
        facets = {"datasetType": facet("datasetType", datasetType="MODEL")}
        found.append({**named(AssetKind.MODEL, str(row.namespace), str(row.key)), "facets": facets})
    return found


def version_facets(version: Row[Any], namespace: str, fields: Sequence[Row[Any]]) -> dict[str, Any]:
    """Return facets that describe a dataset version: its name, columns and place."""
    label = version.external_version or str(version.number)
    found = {"version": facet("version", datasetVersion=label), **data_source(namespace, version.location)}
    if fields:
        columns = [
            {"name": str(one.path), "type": str(one.type), "ordinal_position": int(one.ordinal) + 1,
             **({} if one.description is None else {"description": str(one.description)})}
            for one in fields
        ]  # fmt: skip
        found["schema"] = facet("schema", fields=columns)
    return found


def _outputs(session: Session, run: Row[Any], at: datetime) -> list[dict[str, Any]]:
    made = lineage.neighbours_by_kind(
        session, [int(run.id)], [EdgeKind.PRODUCED], upstream=False, level=Level.VERSION
    )[int(run.id)]  # fmt: skip
    versions = catalog.versions_by_ids(session, made)
    datasets = catalog.datasets_by_ids(session, [int(row.dataset_id) for row in versions.values()])
    columns = column_lineage(session, int(run.id)) if versions else {}
    found = []
    for id_, row in sorted(versions.items()):
        dataset = datasets[int(row.dataset_id)]
        fields = catalog.fields_of_versions(session, [id_])[id_]
        facets = {**version_facets(row, str(row.namespace), fields), **_profile(row, fields)}
        key = (str(dataset.namespace), str(dataset.key))
        if key in columns:
            facets["columnLineage"] = facet("columnLineage", fields=columns[key])
        counts = {name: value for name, value in (("rowCount", row.row_count), ("size", row.size_bytes)) if value}
        outputs = {"outputStatistics": facet("outputStatistics", **counts)} if counts else {}
        found.append({**named(AssetKind.DATASET, *key), "facets": facets, "outputFacets": outputs})
    return found + _model_outputs(session, [one for one in made if one not in versions], at)


def _profile(version: Row[Any], fields: Sequence[Row[Any]]) -> dict[str, Any]:
    """Return the numbers of a scanned version as a dataQualityMetrics facet by itself."""
    columns = {str(one.path): _measured(one.profile) for one in fields if one.profile}
    if not columns:
        return {}
    whole = {"rowCount": version.row_count, "bytes": version.size_bytes}
    counts = {name: value for name, value in whole.items() if value is not None}
    return {"dataQualityMetrics": facet("dataQualityMetrics", **counts, columnMetrics=columns)}


def _measured(profile: dict[str, Any]) -> dict[str, Any]:
    named_ = {"count": "count", "null_count": "nullCount", "distinct_count": "distinctCount"}
    found = {name: profile[key] for key, name in named_.items() if profile.get(key) is not None}
    if profile.get("quantiles"):
        found["quantiles"] = {f"{one['q']:g}": one["value"] for one in profile["quantiles"]}
        for name in ("min", "max"):
            try:
                number = float(profile[name])
            except (KeyError, TypeError, ValueError):
                continue
            if math.isfinite(number):
                found[name] = number
    return found


def column_lineage(session: Session, run: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what a run said of columns, as the fields of columnLineage facets by dataset."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in emission_queries.columns_of_run(session, run):
        output = found.setdefault((str(row.target_namespace), str(row.target_key)), {})
        target = output.setdefault(str(row.path), {"inputFields": []})
        done = [{name: value for name, value in one.items() if value != ""} for one in row.transformations or ()]
        source = {"namespace": str(row.namespace), "name": str(row.key), "field": str(row.source_path)}
        target["inputFields"].append({**source, "transformations": done} if done else source)
    return found


def _model_outputs(session: Session, made: Sequence[int], at: datetime) -> list[dict[str, Any]]:
    """Return model versions as outputs; their stage is left out because it changes."""
    found = []
    versions = models.model_versions_by_ids(session, made)
    of = models.models_by_ids(session, [int(row.model_id) for row in versions.values()])
    for id_, row in sorted(versions.items()):
        numbers = {
            str(one.name): one.value for one in quality.metrics_of(session, [id_])[id_] if one.measured_at <= at
        }  # fmt: skip
        facets = {
            "version": facet("version", datasetVersion=str(row.number)),
            "datasetType": facet("datasetType", datasetType="MODEL"),
            "assetgraph_model": facet(
                "model", parameters=row.parameters, userCount=row.user_count, itemCount=row.item_count,
                interactionCount=row.interaction_count, metrics=dict(sorted(numbers.items())),
            ),
        }  # fmt: skip
        model = of[int(row.model_id)]
        found.append({**named(AssetKind.MODEL, str(model.namespace), str(model.key)), "facets": facets})
    return found


def is_own(run: Row[Any]) -> bool:
    """Tell whether this service executes a run itself."""
    return run.type is not RunType.EXTERNAL
