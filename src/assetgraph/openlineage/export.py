"""The whole graph as OpenLineage events: those that came, as they came, and what the graph holds by now.

A header says how many raw events follow it; after these, each thing is an event with standard facets for everyone, and
`assetgraph_rows` with what an import puts back exactly. An end marks that nothing is missing.
"""

import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from assetgraph.catalog.tables import Lifecycle
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries as lineage
from assetgraph.lineage.tables import RunState, RunType
from assetgraph.openlineage import export_queries as queries
from assetgraph.openlineage.outward import data_source, event, facet, named, run_uuid
from assetgraph.openlineage.own_runs import column_lineage, parent_facet, run_facets, version_facets
from assetgraph.openlineage.rows import (
    ABOVE,
    ASSET_COLUMNS,
    CHILDREN,
    ENTITIES,
    ONLY_CHILDREN,
    RELATIONS,
    Copies,
    Relation,
    encoded,
    refs_of,
)

#: Things and rows that are read at once; a line holds at most this many rows.
THINGS, ROWS = 100, 500
FORMAT = 1
JOB = {"namespace": "assetgraph", "name": "lineage export"}
EVENT_TYPES = {
    RunState.QUEUED: "OTHER", RunState.RUNNING: "RUNNING", RunState.SUCCEEDED: "COMPLETE", RunState.FAILED: "FAIL",
    RunState.CANCELLED: "ABORT",
}  # fmt: skip


def export_lines(session: Session, *, events_only: bool = False) -> Iterator[bytes]:
    """Yield the lines of an export, each a JSON object with its line end; the session's snapshot is what they show."""
    at = now()
    said: dict[str, Any] = {"format": FORMAT, "id": str(uuid.uuid4()), "graph": not events_only}
    said["events"] = queries.count_events(session)
    yield _line(_about(at, "export", **said))
    for packed in queries.raw_events(session):
        raw = zlib.decompress(packed)
        # Its digest does not depend on space: an event that came on several lines is written on one.
        yield raw.strip() + b"\n" if b"\n" not in raw.strip() else _line(orjson.loads(raw))
    if not events_only:
        for kind in ENTITIES:
            for things in queries.entities(session, kind, THINGS):
                yield from map(_line, _things(session, at, kind, things))
        for relation in RELATIONS:
            if relation.name not in ONLY_CHILDREN:
                yield from map(_line, _related(session, at, relation))
        for runs in queries.runs_above(session, ROWS):
            above: list[_Row] = [("above", row._mapping, ("id", *ABOVE), ("id", *ABOVE), None) for row in runs]
            yield _line(_rows(session, at, above))
    yield _line(_about(at, "end", id=said["id"]))


def _line(said: Any) -> bytes:
    return orjson.dumps(said) + b"\n"


def _about(at: datetime, name: str, **said: Any) -> dict[str, Any]:
    return event("JobEvent", at, job={**JOB, "facets": {f"assetgraph_{name}": facet(name, **said)}})


class _Places:
    """The assets of a line and their places in its list; those that were deleted have none."""

    def __init__(self, session: Session, assets: set[int]) -> None:
        self._names = queries.names(session, assets)
        self._places: dict[int, int] = {}
        self.listed: list[tuple[str, str, str]] = []

    def known(self, asset: int) -> bool:
        return asset in self._names

    def __call__(self, asset: int) -> int:
        if asset not in self._places:
            self._places[asset] = len(self.listed)
            self.listed.append(self._names[asset])
        return self._places[asset]


#: Table, values, columns, which of them name assets, place of the parent in the line.
_Row = tuple[str, Any, Sequence[str], Sequence[str], int | None]


def _packed(session: Session, rows: Sequence[_Row]) -> dict[str, Any]:
    """Return the facet that holds rows."""
    mentioned = {
        int(values[name]) for _, values, columns, refs, _ in rows for name in columns
        if name in refs and values[name] is not None
    } | {
        int(one) for _, values, columns, _, _ in rows if "parameters" in columns
        for one in (values["parameters"] or {}).values() if isinstance(one, int)
    }  # fmt: skip
    places = _Places(session, mentioned)
    found: list[Any] = []
    moved: dict[int, int] = {}
    for position, (table, values, columns, refs, parent) in enumerate(rows):
        # A row about an asset that was deleted is no part of the graph; what only mentions one goes without.
        shown = dict(values)
        lost = [name for name in columns if name in refs and shown[name] is not None and not places.known(shown[name])]
        if set(lost) - _MAY_LACK.get(table, set()) or (parent is not None and parent not in moved):
            continue
        shown |= dict.fromkeys(lost)
        if isinstance(shown.get("parameters"), dict):
            shown["parameters"] = {
                name: None if name.endswith("_id") and isinstance(one, int) and not places.known(one) else one
                for name, one in shown["parameters"].items()
            }
        moved[position] = len(found)
        body = encoded(shown, tuple(columns), frozenset(refs), places)
        found.append([table, body] if parent is None else [table, body, moved[parent]])
    return facet("rows", assets=places.listed, rows=found)


#: References that a row can do without: the run that said an edge last, the version that a reading came to.
_MAY_LACK = {
    "edge": {"run_id"}, "run_dataset": {"version_id"}, "check_result": {"version_id"}, "above": {*ABOVE},
    "incident": {"version_id", "closing_version_id"}, "quality_check": {"refers_to"},
}  # fmt: skip


def _rows(session: Session, at: datetime, rows: Sequence[_Row]) -> dict[str, Any]:
    return event("JobEvent", at, job={**JOB, "facets": {"assetgraph_rows": _packed(session, rows)}})


def _related(session: Session, at: datetime, relation: Relation) -> Iterator[dict[str, Any]]:
    child, copies = CHILDREN.get(relation.name), Copies()
    for page in queries.pages(session, relation, ROWS, queries.roots(relation)):
        rows = [_row(relation, one, None, copies) for one in page]
        yield _rows(session, at, rows)
        if child is None:
            continue
        by_id = {int(one.id): row for one, row in zip(page, rows, strict=True)}
        for below in queries.pages(session, child, ROWS, queries.children_of(child, list(by_id))):
            # Parents are told again in the line of their children, so that a line says all that it needs.
            assert child.parent is not None  # noqa: S101 - children have one
            parents = list(dict.fromkeys(int(one._mapping[child.parent]) for one in below))
            first = [by_id[parent] for parent in parents]
            rest = [_row(child, one, parents.index(int(one._mapping[child.parent]))) for one in below]
            yield _rows(session, at, [*first, *rest])


def _row(relation: Relation, row: Row[Any], parent: int | None, copies: Copies | None = None) -> _Row:
    values, columns = dict(row._mapping), relation.columns
    if relation.copies and copies is not None:
        values["copy"] = copies.number(relation, values) or None
        columns = (*columns, "copy")
    return relation.name, values, columns, sorted(relation.refs), parent


def _things(session: Session, at: datetime, kind: AssetKind, things: Sequence[Row[Any]]) -> Iterator[dict[str, Any]]:
    """Yield an event for each thing; columns of datasets, which nothing else needs, share events."""
    if kind is AssetKind.FIELD:
        yield _rows(session, at, [_entity(kind, row) for row in things])
        return
    describe = _DESCRIBED[kind](session, things)
    for row in things:
        rows = _packed(session, [_entity(kind, row)])
        yield describe(row, {"assetgraph_rows": rows})


def _entity(kind: AssetKind, row: Row[Any]) -> _Row:
    table = ENTITIES[kind]
    own = tuple(one.name for one in table.columns if one.name not in ABOVE)
    values = {**row._mapping, **{f"asset.{name}": row._mapping[f"asset_{name}"] for name in ASSET_COLUMNS}}
    columns = (*own, *(f"asset.{name}" for name in ASSET_COLUMNS))
    return kind.value, values, columns, sorted(refs_of(table) | {"id"}), None


_Describe = Callable[[Row[Any], dict[str, Any]], dict[str, Any]]


def _dataset_event(row: Row[Any], name: dict[str, Any], facets: dict[str, Any], at: datetime | None = None) -> Any:
    return event("DatasetEvent", at or row.asset_created_at, dataset={**name, "facets": facets})


def _sources(_session: Session, _things: Sequence[Row[Any]]) -> _Describe:
    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        facets |= data_source(str(row.asset_name), row.location)
        facets["datasetType"] = facet("datasetType", datasetType="SOURCE")
        return _dataset_event(row, named(AssetKind.SOURCE, row.asset_namespace, row.asset_key), facets)

    return describe


def _datasets(session: Session, things: Sequence[Row[Any]]) -> _Describe:
    tags, owners = queries.labels(session, [int(row.id) for row in things])

    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        text = row.description or row.documented
        if text:
            facets["documentation"] = facet("documentation", description=text)
        if row.id in tags:
            said = [{"key": name, "value": "true"} for name in sorted(set(tags[row.id]))]
            facets["tags"] = facet("tags", tags=said)
        if row.id in owners:
            who = [{"name": name, "type": role} for name, role in sorted(set(owners[row.id]))]
            facets["ownership"] = facet("ownership", owners=who)
        if row.lifecycle is Lifecycle.RETIRED:
            facets["lifecycleStateChange"] = facet("lifecycleStateChange", lifecycleStateChange="DROP")
        return _dataset_event(row, named(AssetKind.DATASET, row.asset_namespace, row.asset_key), facets)

    return describe


def _versions(session: Session, things: Sequence[Row[Any]]) -> _Describe:
    shapes = queries.shapes(session, [int(row.id) for row in things])
    names = queries.names(session, (int(row.dataset_id) for row in things))

    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        _, namespace, key = names[int(row.dataset_id)]
        facets |= version_facets(row, namespace, shapes[int(row.id)])
        return _dataset_event(row, named(AssetKind.DATASET, namespace, key), facets, row.effective_at)

    return describe


def _models(_session: Session, _things: Sequence[Row[Any]]) -> _Describe:
    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        facets["datasetType"] = facet("datasetType", datasetType="MODEL")
        if row.description:
            facets["documentation"] = facet("documentation", description=row.description)
        return _dataset_event(row, named(AssetKind.MODEL, row.asset_namespace, row.asset_key), facets)

    return describe


def _model_versions(session: Session, things: Sequence[Row[Any]]) -> _Describe:
    names = queries.names(session, (int(row.model_id) for row in things))

    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        facets["datasetType"] = facet("datasetType", datasetType="MODEL")
        facets["version"] = facet("version", datasetVersion=str(row.number))
        return _dataset_event(row, named(AssetKind.MODEL, *names[int(row.model_id)][1:]), facets)

    return describe


def _jobs(_session: Session, _things: Sequence[Row[Any]]) -> _Describe:
    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        if row.description:
            facets["documentation"] = facet("jobDocumentation", description=row.description)
        name = {"namespace": row.asset_namespace, "name": row.asset_key}
        return event("JobEvent", row.asset_created_at, job={**name, "facets": facets})

    return describe


def _runs(session: Session, things: Sequence[Row[Any]]) -> _Describe:
    ids = [int(row.id) for row in things]
    ends = queries.read_and_made(session, ids)
    jobs = lineage.jobs_by_ids(session, sorted({int(row.job_id) for row in things}))
    names = queries.names(session, (int(row.asset) for row in ends))
    with_columns = queries.runs_with_columns(session, ids)

    def describe(row: Row[Any], facets: dict[str, Any]) -> Any:
        job = jobs[int(row.job_id)]
        columns = column_lineage(session, int(row.id)) if row.id in with_columns else {}
        if row.type is not RunType.EXTERNAL:
            facets |= run_facets(session, row)
        elif row.parent_id is not None:
            facets["parent"] = parent_facet(session, int(row.parent_id), row.root_id)
        if row.error:
            facets["errorMessage"] = facet("errorMessage", message=row.error, programmingLanguage="UNKNOWN")
        here = [end for end in ends if end.run == row.id and int(end.asset) in names]
        mine = [(names[int(end.asset)], bool(end.made)) for end in here]
        return event(
            "RunEvent", row.ended_at or row.started_at or row.first_at or row.asset_created_at,
            eventType=EVENT_TYPES[row.state],
            run={"runId": run_uuid(str(job.namespace), str(job.key), str(row.run_id)), "facets": facets},
            job={"namespace": str(job.namespace), "name": str(job.key)},
            inputs=[_end(*name, {}) for name, made in mine if not made],
            outputs=[_end(*name, columns) for name, made in mine if made],
        )  # fmt: skip

    return describe


def _end(kind: str, namespace: str, key: str, columns: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Return a version (or a source) as what a run reads or writes."""
    if kind == AssetKind.SOURCE.value:
        return named(AssetKind.SOURCE, namespace, key)
    name, _, number = key.rpartition("@")
    facets = {"version": facet("version", datasetVersion=number)}
    if kind == AssetKind.DATASET_VERSION.value and (namespace, name) in columns:
        facets["columnLineage"] = facet("columnLineage", fields=columns[(namespace, name)])
    return {**named(AssetKind(kind), namespace, name), "facets": facets}


_DESCRIBED: dict[AssetKind, Callable[[Session, Sequence[Row[Any]]], _Describe]] = {
    AssetKind.SOURCE: _sources, AssetKind.DATASET: _datasets, AssetKind.JOB: _jobs, AssetKind.MODEL: _models,
    AssetKind.DATASET_VERSION: _versions, AssetKind.MODEL_VERSION: _model_versions, AssetKind.RUN: _runs,
}  # fmt: skip
