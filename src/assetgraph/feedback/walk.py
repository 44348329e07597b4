"""The whole graph: stored edges, and those that follow from feedback rows and recommendation ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from assetgraph.catalog import queries as catalog
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.feedback import queries
from assetgraph.ids import AssetKind, parse_recommendation_key
from assetgraph.lineage.index import RANK, GraphIndex, Ids
from assetgraph.lineage.indexed import LeadsOn, walk_in_memory
from assetgraph.lineage.paths import FindPaths, FoundWay, find_paths, level_between
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import NodeRef, WalkEdge, WalkRequest, WalkResult, stored_steps, walk

#: Of a million events a walk shows the first so many per step; the rest are counted, not shown.
MOST_PER_STEP = 1000


#: Walks that go no further than this are answered from SQL when the index would have to follow the log first.
SHALLOW = 2


def walk_graph(session: Session, request: WalkRequest, index: GraphIndex | None = None) -> WalkResult:
    """Walk through stored and computed nodes alike, in memory where the index can answer, else in SQL."""
    if index is not None:
        leads_on = _leads_on(session, request.level)
        found = walk_in_memory(session, request, index, leads_on, follow=request.depth > SHALLOW)
        if found is not None:
            return found
    return walk(session, request, steps=steps_of_all)


def paths_between(session: Session, command: FindPaths, index: GraphIndex | None = None) -> list[FoundWay]:
    """Find ways through stored and computed nodes alike."""
    level = level_between(command.source.kind, command.target.kind)
    return find_paths(session, command, index, steps=steps_of_all, leads_on=_leads_on(session, level))


def _leads_on(session: Session, level: Level) -> LeadsOn:
    """Tell whether a walk goes on through feedback, whose edges are computed: SQL walks those."""

    def leads_on(nodes: Ids, ranks: NDArray[np.int8], upstream: bool) -> bool:
        if level is not Level.VERSION:
            return False
        if upstream:
            return bool(np.isin(queries.export_runs(session), nodes).any())
        versions = nodes[ranks == RANK[AssetKind.MODEL_VERSION]]
        return queries.answered(session, versions.tolist())

    return leads_on


def steps_of_all(
    session: Session, frontier: Sequence[NodeRef], level: Level, *, upstream: bool, at: datetime
) -> list[WalkEdge]:
    """Return the edges next to a frontier, stored and computed ones."""
    edges = stored_steps(session, frontier, level, upstream=upstream, at=at)
    if level is not Level.VERSION:
        return edges
    by_kind: dict[AssetKind, list[str]] = {}
    for ref in frontier:
        by_kind.setdefault(ref.kind, []).append(ref.key)
    computed = _upstream(session, by_kind) if upstream else _downstream(session, by_kind)
    return edges + [edge for edge in computed if edge.first_seen <= at]


def _upstream(session: Session, frontier: dict[AssetKind, list[str]]) -> list[WalkEdge]:
    edges: list[WalkEdge] = []
    runs = [int(key) for key in frontier.get(AssetKind.RUN, ())]
    for run, export in (queries.exports_by_run(session, runs) if runs else {}).items():
        edges += [_consumed(row, run) for row in queries.taken_by(session, export, MOST_PER_STEP)]
    events = [int(key) for key in frontier.get(AssetKind.FEEDBACK, ())]
    for row in (queries.feedback_by_ids(session, events) if events else {}).values():
        if row.recommendation:
            edges.append(_received(row))
    edges += _recommended(session, frontier.get(AssetKind.RECOMMENDATION, ()))
    return edges


def _downstream(session: Session, frontier: dict[AssetKind, list[str]]) -> list[WalkEdge]:
    edges: list[WalkEdge] = []
    versions = [int(key) for key in frontier.get(AssetKind.MODEL_VERSION, ())]
    if versions:
        rows = queries.of_model_versions(session, versions, MOST_PER_STEP)
        edges += _recommended(session, list(dict.fromkeys(str(row.recommendation) for row in rows)))
    keys = frontier.get(AssetKind.RECOMMENDATION, ())
    if keys:
        edges += [_received(row) for row in queries.of_recommendations(session, keys, MOST_PER_STEP)]
    events = [int(key) for key in frontier.get(AssetKind.FEEDBACK, ())]
    if events:
        rows_by_id = queries.feedback_by_ids(session, events)
        models = sorted({int(row.model_id) for row in rows_by_id.values() if row.model_id is not None})
        for export in queries.exports_of_models(session, models, min(rows_by_id, default=0)):
            edges += [
                _consumed(row, int(export.run_id))
                for row in rows_by_id.values()
                if row.model_id == export.model_id and row.id <= export.last_feedback_id
            ]
    return edges


def _consumed(row: Row[Any], run: int) -> WalkEdge:
    event = NodeRef(AssetKind.FEEDBACK, str(row.id))
    return WalkEdge(event, NodeRef(AssetKind.RUN, str(run)), EdgeKind.CONSUMED, row.created_at, row.created_at, 1)


def _received(row: Row[Any]) -> WalkEdge:
    answer = NodeRef(AssetKind.FEEDBACK, str(row.id))
    shown = NodeRef(AssetKind.RECOMMENDATION, str(row.recommendation))
    seen = min(row.occurred_at, row.created_at)  # a sender's clock may be ahead
    return WalkEdge(shown, answer, EdgeKind.RECEIVED, seen, seen, 1)


def _recommended(session: Session, keys: Sequence[str]) -> list[WalkEdge]:
    parsed = {key: parse_recommendation_key(key) for key in keys}
    versions = sorted({value[0] for value in parsed.values() if value is not None})
    if not versions:
        return []
    made = {asset: row.created_at for asset, row in _created(session, versions).items()}
    edges = []
    for key, value in parsed.items():
        if value is not None and value[0] in made:
            version = NodeRef(AssetKind.MODEL_VERSION, str(value[0]))
            moment = made[value[0]]
            shown = NodeRef(AssetKind.RECOMMENDATION, key)
            edges.append(WalkEdge(version, shown, EdgeKind.RECOMMENDED, moment, now(), 1))
    return edges


def _created(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    return {int(row.id): row for row in catalog.created_at(session, ids)}
