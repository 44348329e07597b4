"""What the Marquez read API answers: lists and single things by name, as plain JSON values."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from assetgraph.catalog import batch_queries
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, Limit, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import RunState
from assetgraph.openlineage import marquez_body_queries, marquez_queries
from assetgraph.openlineage import queries as names
from assetgraph.openlineage.marquez_bodies import (
    STATES,
    Body,
    dataset_bodies,
    job_bodies,
    run_bodies,
    version_bodies,
)
from assetgraph.openlineage.marquez_ids import (
    DATASET_VERSION,
    RUN,
    io_tokens,
    job_version,
    moment,
    named,
    node_id,
    row_of,
    run_uuid,
)
from assetgraph.openlineage.marquez_queries import Listed, Slice, Sought, Window

MOST = 1000
MAX_OFFSET = 1_000_000_000
#: Of a job with more different sets of datasets than this only the latest are found as versions.
MAX_JOB_VERSIONS = 10_000
#: An answer with events is not larger than this.
MAX_EVENTS_BYTES = 64 * 1024 * 1024
OWNER = "anonymous"
EPOCH, FAR = datetime(1970, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
#: Types of sources whose URIs have another word for it.
SOURCE_TYPES = {"POSTGRES": "POSTGRESQL", "": "OTHER"}


@dataclass(frozen=True)
class Part:
    """Which part of a list is asked for."""

    limit: int = 100
    offset: int = 0

    def checked(self) -> Slice:
        """Refuse what is out of range."""
        if not 0 <= self.limit <= MOST:
            raise Invalid(f"limit must be from 0 to {MOST}, not {self.limit}", path=("limit",))
        if not 0 <= self.offset <= MAX_OFFSET:
            raise Invalid(f"offset must be from 0 to {MAX_OFFSET}, not {self.offset}", path=("offset",))
        return Slice(self.limit, self.offset)


def dataset_id(session: Session, namespace: str, name: str) -> int:
    """Return a dataset by any of its names."""
    key = (namespace, name)
    found = batch_queries.assets_named(session, AssetKind.DATASET, [key]) or names.aliases_named(session, [key])
    if key not in found:
        raise NotFound(f"dataset '{name}' not found in namespace '{namespace}'", path=("dataset",))
    return found[key]


def job_id(session: Session, namespace: str, name: str) -> int:
    """Return a job by name."""
    found = batch_queries.assets_named(session, AssetKind.JOB, [(namespace, name)])
    if not found:
        raise NotFound(f"job '{name}' not found in namespace '{namespace}'", path=("job",))
    return found[(namespace, name)]


def run_row(session: Session, text: str) -> int:
    """Return a run by the producer's id, or by the UUID that stands for it."""
    run = marquez_queries.run_named(session, sorted({text, text.lower()}), row_of(RUN, text))
    if run is None:
        raise NotFound(f"run '{text}' not found", path=("runId",))
    return run


def _page(
    name: str, listed: Listed, bodies: Callable[[Sequence[int]], dict[int, Body]]
) -> Body:  # fmt: skip
    ids = [int(row.id) for row in listed.rows]
    found = bodies(ids)
    return {name: [found[one] for one in ids], "totalCount": listed.total}


def _namespace(row: Any) -> Body:
    return {
        "name": row.namespace, "createdAt": moment(row.first), "updatedAt": moment(row.last), "ownerName": OWNER,
        "description": None, "isHidden": False,
    }  # fmt: skip


def namespaces(session: Session, part: Part) -> Body:
    """List the namespaces of datasets and jobs."""
    listed = marquez_queries.namespaces(session, part.checked())
    return {"namespaces": [_namespace(row) for row in listed.rows], "totalCount": listed.total}


def namespace(session: Session, name: str) -> Body:
    """Return a namespace."""
    listed = marquez_queries.namespaces(session, Slice(1, 0), name)
    if not listed.rows:
        raise NotFound(f"namespace '{name}' not found", path=("namespace",))
    return _namespace(listed.rows[0])


def _know(session: Session, namespace: str) -> None:
    if not marquez_queries.has_namespace(session, namespace):
        raise NotFound(f"namespace '{namespace}' not found", path=("namespace",))


def datasets(session: Session, namespace: str, part: Part) -> Body:
    """List a namespace's datasets."""
    _know(session, namespace)
    listed = marquez_queries.datasets(session, namespace, part.checked())
    return _page("datasets", listed, lambda ids: dataset_bodies(session, ids))


def dataset(session: Session, namespace: str, name: str) -> Body:
    """Return a dataset by any of its names."""
    found = dataset_id(session, namespace, name)
    return dataset_bodies(session, [found])[found]


def dataset_versions(session: Session, namespace: str, name: str, part: Part) -> Body:
    """List a dataset's versions, newest first."""
    found = dataset_id(session, namespace, name)
    listed = marquez_queries.versions(session, found, part.checked())
    return _page("versions", listed, lambda ids: version_bodies(session, found, ids))


def version_id(session: Session, dataset: int, version: str) -> int:
    """Return a dataset's version by its UUID."""
    found = row_of(DATASET_VERSION, version)
    if found is None or not marquez_queries.is_version(session, dataset, found):
        raise NotFound(f"the dataset has no version '{version}'", path=("version",))
    return found


def dataset_version(session: Session, namespace: str, name: str, version: str) -> Body:
    """Return a version of a dataset."""
    dataset = dataset_id(session, namespace, name)
    found = version_id(session, dataset, version)
    return version_bodies(session, dataset, [found])[found]


def jobs(session: Session, namespace: str | None, states: Sequence[str], part: Part) -> Body:
    """List jobs, of one namespace or of all; `states` keeps those whose latest run is in one of them."""
    wanted = {shown: state for state, shown in STATES.items()}
    unknown = [one for one in states if one.upper() not in wanted]
    if unknown:
        raise Invalid(f"'{unknown[0][:40]}' is no state of a run", path=("lastRunStates",), known=wanted)
    if namespace is not None:
        _know(session, namespace)
    last: list[RunState] = [wanted[one.upper()] for one in states]
    listed = marquez_queries.jobs(session, namespace, last, part.checked())
    return _page("jobs", listed, lambda ids: job_bodies(session, ids))


def job(session: Session, namespace: str, name: str) -> Body:
    """Return a job."""
    found = job_id(session, namespace, name)
    return job_bodies(session, [found])[found]


def job_versions(session: Session, namespace: str, name: str, part: Part) -> Body:
    """List a job's versions, the latest first: each is a set of datasets that its runs read and wrote."""
    found = job_id(session, namespace, name)
    listed = marquez_queries.job_versions(session, found, part.checked())
    return {"versions": _job_versions(session, found, listed.rows), "totalCount": listed.total}


def job_version_of(session: Session, namespace: str, name: str, version: str) -> Body:
    """Return one version of a job."""
    found = job_id(session, namespace, name)
    listed = marquez_queries.job_versions(session, found, Slice(MAX_JOB_VERSIONS, 0))
    rows = [row for row in listed.rows if job_version(found, io_tokens(row.io)) == version.lower()]
    if not rows:
        raise NotFound(f"the job has no version '{version}'", path=("version",))
    return _job_versions(session, found, rows[:1])[0]


def _job_versions(session: Session, job: int, rows: Sequence[Any]) -> list[Body]:
    [shown] = job_bodies(session, [job], whole=False).values()
    runs = run_bodies(session, [int(row.run) for row in rows if row.run is not None])
    tokens = [io_tokens(row.io) for row in rows]
    datasets = sorted({int(one.lstrip("INOUT")) for some in tokens for one in some})
    keys = batch_queries.asset_keys(session, datasets) if datasets else {}
    found = []
    for row, some in zip(rows, tokens, strict=True):
        version = job_version(job, some)
        inputs, outputs = (
            [named(*key) for key in sorted(keys[int(one.removeprefix(way))] for one in some if one.startswith(way))]
            for way in ("IN", "OUT")
        )
        found.append({
            "id": {**shown["id"], "version": version}, "name": shown["name"], "createdAt": moment(row.first),
            "version": version, "namespace": shown["namespace"], "location": shown["location"], "inputs": inputs,
            "outputs": outputs, "latestRun": None if row.run is None else runs[int(row.run)],
        })  # fmt: skip
    return found


def job_runs(session: Session, namespace: str, name: str, part: Part) -> Body:
    """List a job's runs, newest first."""
    listed = marquez_queries.runs(session, job_id(session, namespace, name), part.checked())
    return _page("runs", listed, lambda ids: run_bodies(session, ids))


def run(session: Session, text: str) -> Body:
    """Return a run."""
    found = run_row(session, text)
    return run_bodies(session, [found])[found]


def run_facets(session: Session, text: str, about: str | None) -> Body:
    """Return the facets of a run, or those of its job."""
    if about not in ("run", "job"):
        raise Invalid("type must be `run` or `job`", path=("type",))
    found = run_row(session, text)
    row = marquez_body_queries.runs(session, [found])[found]
    facets = marquez_body_queries.own_facets(session, [found if about == "run" else int(row.job_id)])
    shown = {str(one.name): orjson.Fragment(one.body) for one in facets}
    return {"runId": run_uuid(found, row.run_id), "facets": shown}


def events(session: Session, window: Window, part: Part) -> Body:
    """List run events as they were sent."""
    listed = marquez_queries.events(session, window, part.checked())
    shown: list[orjson.Fragment] = []
    size = 0
    for row in listed.rows:
        body = zlib.decompress(row.body)
        size += len(body)
        if size > MAX_EVENTS_BYTES:
            raise Limit(f"these events have more than {MAX_EVENTS_BYTES} bytes; ask with a limit of {len(shown)}")
        shown.append(orjson.Fragment(body))
    return {"events": shown, "totalCount": listed.total}


def search(session: Session, sought: Sought, part: Part) -> Body:
    """Find datasets and jobs whose name holds a text."""
    if not sought.text.strip():
        raise Invalid("q must not be empty", path=("q",))
    listed = marquez_queries.search(session, sought, part.checked())
    results = [
        {"type": row.kind.value, "name": row.key, "updatedAt": moment(row.at), "namespace": row.namespace,
         "nodeId": node_id(row.kind.value.lower(), row.namespace, row.key)}
        for row in listed.rows
    ]  # fmt: skip
    return {"totalCount": listed.total, "results": results}


def tags(session: Session, part: Part) -> Body:
    """List all tags."""
    listed = marquez_queries.tags(session, part.checked())
    return {"tags": [{"name": row.name, "description": None} for row in listed.rows], "totalCount": listed.total}


def _source(row: Any) -> Body:
    location = row.location or row.name
    try:
        scheme = urlsplit(location).scheme.upper()
    except ValueError:  # an address that is none: a broken IPv6 host
        scheme = ""
    return {
        "type": SOURCE_TYPES.get(scheme, scheme), "name": row.name, "createdAt": moment(row.first),
        "updatedAt": moment(row.last), "connectionUrl": location, "description": None,
    }  # fmt: skip


def sources(session: Session, part: Part) -> Body:
    """List where data lies."""
    listed = marquez_queries.sources(session, part.checked())
    return {"sources": [_source(row) for row in listed.rows], "totalCount": listed.total}


def source(session: Session, name: str) -> Body:
    """Return a source."""
    listed = marquez_queries.sources(session, Slice(1, 0), name)
    if not listed.rows:
        raise NotFound(f"source '{name}' not found", path=("source",))
    return _source(listed.rows[0])
