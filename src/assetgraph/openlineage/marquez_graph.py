"""Graphs as Marquez shows them: lineage of datasets and jobs, of columns, and what a run's inputs were made by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assetgraph.catalog import batch_queries
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, NotFound
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import ALL_OPEN
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import (
    MAX_DEPTH,
    MAX_FRONTIER_EDGES,
    NodeRef,
    WalkEdge,
    WalkRequest,
    WalkResult,
    stored_steps,
    walk,
)
from assetgraph.openlineage import marquez_body_queries as bodies
from assetgraph.openlineage import marquez_queries
from assetgraph.openlineage import queries as names
from assetgraph.openlineage.marquez import MAX_JOB_VERSIONS, run_row, version_id
from assetgraph.openlineage.marquez_bodies import (
    STATES,
    Body,
    dataset_bodies,
    input_field,
    io_version,
    job_bodies,
    transformation,
)
from assetgraph.openlineage.marquez_ids import (
    DATASET_VERSION,
    cuts,
    io_tokens,
    job_version,
    moment,
    named,
    node_id,
    row_uuid,
    run_uuid,
    version_suffix,
)
from assetgraph.openlineage.marquez_queries import Slice

#: A graph has at most so many nodes; a larger one is cut, nearest nodes first, and says so.
MAX_NODES = 2000
MAX_NODE_ID = 4000
MAX_COLONS = 40
SHALLOW = 2
_SHOWN = frozenset({AssetKind.DATASET, AssetKind.JOB})


@dataclass(frozen=True)
class Root:
    """What a node id names: an asset, and the version behind `#`."""

    ref: NodeRef
    version: str | None = None


def resolve(session: Session, text: str) -> Root:
    """Return what a node id names.

    Names may hold the `:` that separates them, and nothing is escaped: of the ways to cut the id, the one that names
    something known stands, with the longest namespace that does.
    """
    kind, separator, rest = text.partition(":")
    if not separator or kind not in ("dataset", "datasetField", "job", "run"):
        raise Invalid(
            f"'{text[:80]}' is no node id: it begins with dataset:, datasetField:, job: or run:", path=("nodeId",)
        )
    if len(text) > MAX_NODE_ID or rest.count(":") > MAX_COLONS:
        raise Invalid(f"a node id has at most {MAX_NODE_ID} characters and {MAX_COLONS} colons", path=("nodeId",))
    if kind == "run":
        return Root(NodeRef(AssetKind.RUN, str(run_row(session, rest))))
    head, version = version_suffix(rest)
    found = _known(session, kind, [rest] if version is None else [rest, head])
    if found is None:
        raise NotFound(f"node '{text}' not found", path=("nodeId",))
    whole, ref = found
    return Root(ref, None if whole == rest else version)


def _known(session: Session, kind: str, texts: Sequence[str]) -> tuple[str, NodeRef] | None:
    ways = [(text, cut) for text in texts for cut in cuts(text, 3 if kind == "datasetField" else 2)]
    keys = list(dict.fromkeys((cut[0], cut[1]) for _, cut in ways))
    if kind == "job":
        found = batch_queries.assets_named(session, AssetKind.JOB, keys)
    else:
        found = {**names.aliases_named(session, keys), **batch_queries.assets_named(session, AssetKind.DATASET, keys)}
    ways = [(text, cut) for text, cut in ways if (cut[0], cut[1]) in found]
    if kind != "datasetField":
        asset = AssetKind.JOB if kind == "job" else AssetKind.DATASET
        return next(((text, NodeRef(asset, str(found[(cut[0], cut[1])]))) for text, cut in ways), None)
    places = [(text, (found[(cut[0], cut[1])], cut[2])) for text, cut in ways]
    fields = batch_queries.fields_named(session, list(dict.fromkeys(place for _, place in places)))
    return next(((text, _column(fields[place])) for text, place in places if place in fields), None)


def check_depth(depth: int) -> None:
    """Refuse a depth that is out of range."""
    if not 0 <= depth <= MAX_DEPTH:
        raise Invalid(f"depth must be from 0 to {MAX_DEPTH}, not {depth}", path=("depth",))


def lineage(session: Session, text: str, depth: int, index: GraphIndex | None = None) -> Body:
    """Return what lies up- and downstream of a dataset or job (or of a run's job) within a depth."""
    check_depth(depth)
    root = resolve(session, text).ref
    if root.kind is AssetKind.RUN:
        row = bodies.runs(session, [int(root.key)])[int(root.key)]
        root = NodeRef(AssetKind.JOB, str(row.job_id))
    if root.kind not in _SHOWN:
        raise Invalid("lineage begins at a dataset, a job or a run; ask /column-lineage for a column", path=("nodeId",))
    found = _walk(session, WalkRequest(root, depth=depth, first=MAX_NODES, filter=ALL_OPEN), index)
    shown = _node_bodies(session, [node.ref for node in found.nodes if node.ref.kind in _SHOWN])
    into: dict[NodeRef, list[NodeRef]] = {}
    out: dict[NodeRef, list[NodeRef]] = {}
    for edge in found.edges:
        if edge.source in shown and edge.target in shown:
            into.setdefault(edge.target, []).append(edge.source)
            out.setdefault(edge.source, []).append(edge.target)
    ids = {ref: node_id(ref.kind.value.lower(), body["namespace"], body["name"]) for ref, body in shown.items()}
    graph = []
    for ref, body in shown.items():
        above, below = into.get(ref, []), out.get(ref, [])
        if ref.kind is AssetKind.JOB:
            body["inputs"], body["outputs"] = (
                sorted(
                    (shown[one]["id"] for one in side if one.kind is AssetKind.DATASET),
                    key=lambda id_: list(id_.values()),
                )
                for side in (above, below)
            )
        graph.append({
            "id": ids[ref], "type": ref.kind.value, "data": body,
            "inEdges": _edges((ids[one], ids[ref]) for one in above),
            "outEdges": _edges((ids[ref], ids[one]) for one in below),
        })  # fmt: skip
    return _graph(graph, found.reason)


def _walk(session: Session, request: WalkRequest, index: GraphIndex | None) -> WalkResult:
    """Walk in memory where it can answer; where a path leads through something that Marquez does not know, in SQL."""
    if index is not None:
        found = walk_in_memory(session, request, index, follow=request.depth > SHALLOW)
        if found is not None and all(node.ref.kind in (*_SHOWN, AssetKind.SOURCE) for node in found.nodes):
            return found
    return walk(session, replace(request, kinds=_SHOWN))


def _node_bodies(session: Session, refs: Sequence[NodeRef]) -> dict[NodeRef, Body]:
    datasets = dataset_bodies(session, [int(one.key) for one in refs if one.kind is AssetKind.DATASET], whole=False)
    jobs = job_bodies(session, [int(one.key) for one in refs if one.kind is AssetKind.JOB], whole=False)
    of = {AssetKind.DATASET: datasets, AssetKind.JOB: jobs}
    return {ref: of[ref.kind][int(ref.key)] for ref in refs}


def _datasets(refs: Sequence[NodeRef], shown: dict[NodeRef, Body]) -> list[Body]:
    pairs = {(shown[one]["namespace"], shown[one]["name"]) for one in refs if one.kind is AssetKind.DATASET}
    return [named(*pair) for pair in sorted(pairs)]


def _edges(pairs: Iterable[tuple[str, str]]) -> list[Body]:
    return [{"origin": origin, "destination": end} for origin, end in sorted(set(pairs))]


def _graph(nodes: list[Body], reason: str | None) -> Body:
    answer: Body = {"graph": sorted(nodes, key=lambda node: node["id"])}
    return answer if reason is None else {**answer, "truncated": True, "reason": reason}


@dataclass
class _Columns:
    """Columns met by a walk, and the edges between them."""

    met: dict[NodeRef, None] = field(default_factory=dict)
    edges: dict[tuple[NodeRef, NodeRef], WalkEdge] = field(default_factory=dict)
    cut: bool = False

    def go(self, session: Session, roots: Sequence[NodeRef], depth: int, at: datetime, *, upstream: bool) -> None:
        """Walk one way from several columns at once: a statement a level."""
        seen, frontier = set(roots), list(roots)
        for _ in range(depth):
            if not frontier:
                return
            steps = stored_steps(session, frontier, Level.FIELD, upstream=upstream, at=at)
            self.cut = self.cut or len(steps) >= MAX_FRONTIER_EDGES
            frontier = []
            for edge in steps:
                far = edge.source if upstream else edge.target
                if far not in seen and len(self.met) >= MAX_NODES and far not in self.met:
                    self.cut = True
                    continue
                self.edges[(edge.source, edge.target)] = edge
                self.met[far] = None
                if far not in seen:
                    seen.add(far)
                    frontier.append(far)


def column_lineage(session: Session, text: str, depth: int, *, downstream: bool) -> Body:
    """Return what a column, a dataset's columns, or the columns that a job writes are made of.

    With a version in the node id it is as it was then, and the nodes carry the versions that their datasets were in.
    """
    check_depth(depth)
    root = resolve(session, text)
    roots, at = _column_roots(session, root)
    cut = len(roots) > MAX_NODES
    roots = roots[:MAX_NODES]
    found = _Columns(dict.fromkeys(roots))
    for upstream in (True, False) if downstream else (True,):
        found.go(session, roots, depth, at, upstream=upstream)
    reason = f"budget: {MAX_NODES} columns" if cut or found.cut else None
    return _graph(_column_nodes(session, found, at, versioned=root.version is not None), reason)


def _column_roots(session: Session, root: Root) -> tuple[list[NodeRef], datetime]:
    ref, at = root.ref, now()
    if ref.kind is AssetKind.RUN:
        raise Invalid("column lineage begins at a dataset, a column or a job", path=("nodeId",))
    if ref.kind is AssetKind.JOB:
        job = int(ref.key)
        outputs = _outputs(session, job, root.version)
        fields = bodies.fields_of(session, outputs)
        return [_column(one.id) for dataset in outputs for one in fields.get(dataset, ())], at
    if ref.kind is AssetKind.FIELD:
        dataset = int(bodies.fields(session, [int(ref.key)])[int(ref.key)].dataset_id)
    else:
        dataset = int(ref.key)
    version = None if root.version is None else version_id(session, dataset, root.version)
    if version is not None:
        at = marquez_queries.version_time(session, version)
    if ref.kind is AssetKind.FIELD:
        return [ref], at
    columns = bodies.columns(session, [version]).get(version, []) if version is not None else []
    shown = columns or bodies.fields_of(session, [dataset]).get(dataset, [])
    return [_column(one.id) for one in shown], at


def _outputs(session: Session, job: int, version: str | None) -> list[int]:
    if version is None:
        rows = bodies.job_io(session, [job])
        return sorted({int(row.id) for row in rows if row.kind is EdgeKind.PRODUCED})
    for row in marquez_queries.job_versions(session, job, Slice(MAX_JOB_VERSIONS, 0)).rows:
        tokens = io_tokens(row.io)
        if job_version(job, tokens) == version.lower():
            return sorted(int(one.removeprefix("OUT")) for one in tokens if one.startswith("OUT"))
    raise NotFound(f"the job has no version '{version}'", path=("nodeId",))


def _column(field: int) -> NodeRef:
    return NodeRef(AssetKind.FIELD, str(int(field)))


def _column_nodes(session: Session, found: _Columns, at: datetime, *, versioned: bool) -> list[Body]:
    rows = bodies.fields(session, [int(ref.key) for ref in found.met])
    versions = bodies.versions_at(session, sorted({int(row.dataset_id) for row in rows.values()}), at)
    types = {
        int(one.id): one.type for some in bodies.columns(session, sorted(versions.values())).values() for one in some
    }
    uuids = {dataset: row_uuid(DATASET_VERSION, version) for dataset, version in versions.items()}
    ids = {}
    for ref in found.met:
        row = rows[int(ref.key)]
        shown = uuids.get(int(row.dataset_id)) if versioned else None
        ids[ref] = node_id("datasetField", row.namespace, row.key, row.path, version=shown)
    into: dict[NodeRef, list[WalkEdge]] = {}
    out: dict[NodeRef, list[WalkEdge]] = {}
    for edge in found.edges.values():
        into.setdefault(edge.target, []).append(edge)
        out.setdefault(edge.source, []).append(edge)
    nodes = []
    for ref in found.met:
        row = rows[int(ref.key)]
        above = sorted(into.get(ref, []), key=lambda edge: ids[edge.source])
        description, kind = transformation(above[0].transformations) if above else (None, None)
        data = {
            "namespace": row.namespace, "dataset": row.key, "datasetVersion": uuids.get(int(row.dataset_id)),
            "field": row.path, "fieldType": types.get(int(row.id), ""), "transformationDescription": description,
            "transformationType": kind,
            "inputFields": [_input(rows[int(edge.source.key)], edge, uuids) for edge in above],
        }  # fmt: skip
        # Marquez writes the node itself as the origin of both, and its page reads them so.
        nodes.append({
            "id": ids[ref], "type": "DATASET_FIELD", "data": data,
            "inEdges": _edges((ids[ref], ids[edge.source]) for edge in above),
            "outEdges": _edges((ids[ref], ids[edge.target]) for edge in out.get(ref, ())),
        })  # fmt: skip
    return nodes


def _input(row: Any, edge: WalkEdge, versions: dict[int, str]) -> Body:
    return {**input_field(row, edge.transformations), "datasetVersion": versions.get(int(row.dataset_id))}


def upstream_runs(session: Session, text: str, depth: int) -> Body:
    """Return a run and, level by level, the runs that wrote the versions which it read."""
    check_depth(depth)
    root = run_row(session, text)
    at = now()
    order: dict[int, None] = {root: None}
    inputs: dict[int, list[int]] = {}
    makers: dict[int, int] = {}
    frontier = [root]
    for level in range(depth + 1):
        read = _into(session, frontier, AssetKind.RUN, EdgeKind.CONSUMED, at)
        for version, run in read:
            inputs.setdefault(run, []).append(version)
        written = _into(session, sorted({one for one, _ in read}), AssetKind.DATASET_VERSION, EdgeKind.PRODUCED, at)
        for run, version in written:
            makers.setdefault(version, run)
        fresh = list(dict.fromkeys(run for run, _ in written if run not in order))
        if level == depth or not fresh:
            break
        frontier = fresh[: MAX_NODES - len(order)]
        order.update(dict.fromkeys(frontier))
    return {"runs": _upstream_bodies(session, list(order), inputs, makers)}


def _into(
    session: Session, ends: Sequence[int], kind: AssetKind, edge: EdgeKind, at: datetime
) -> list[tuple[int, int]]:
    """Return (source, end) of the edges of a kind into assets."""
    refs = [NodeRef(kind, str(one)) for one in ends]
    other = AssetKind.DATASET_VERSION if kind is AssetKind.RUN else AssetKind.RUN
    steps = stored_steps(session, refs, Level.VERSION, upstream=True, at=at)
    return [(int(one.source.key), int(one.target.key)) for one in steps
            if one.kind is edge and one.source.kind is other]  # fmt: skip


def _upstream_bodies(
    session: Session, order: Sequence[int], inputs: dict[int, list[int]], makers: dict[int, int]
) -> list[Body]:
    versions = bodies.versions(session, sorted({one for some in inputs.values() for one in some}))
    keys = bodies.datasets(session, sorted({int(row.dataset_id) for row in versions.values()}))
    rows, io = bodies.runs(session, sorted({*order, *makers.values()})), bodies.io(session, order)
    found = []
    for run in order:
        row = rows[run]
        read = []
        for version in inputs.get(run, ()):
            dataset, maker = keys[int(versions[version].dataset_id)], makers.get(version)
            read.append({
                **named(dataset.namespace, dataset.key), "version": row_uuid(DATASET_VERSION, version),
                "producedByRunId": None if maker is None else run_uuid(maker, rows[maker].run_id),
            })  # fmt: skip
        found.append({
            "job": {**named(row.namespace, row.key), "version": io_version(int(row.job_id), io.get(run, ()))},
            "run": {"id": run_uuid(run, row.run_id), "start": moment(row.started_at), "end": moment(row.ended_at),
                    "status": STATES[row.state]},
            "inputs": read,
        })  # fmt: skip
    return found
