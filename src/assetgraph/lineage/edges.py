"""Edges: open them, see them again, count the runs that support them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage.tables import EdgeKind, Level

#: The levels that walk over an edge, as the log and the index write them; CONTAINS is walked at two.
MASKS = {Level.DATASET: 1, Level.VERSION: 2, Level.FIELD: 4}


@dataclass(frozen=True, order=True)
class Transformation:
    """What a column edge does to the values, in OpenLineage's terms: DIRECT or INDIRECT, and how."""

    type: str
    subtype: str = ""
    description: str = ""
    masking: bool = False


@dataclass(frozen=True)
class Link:
    """An edge to open; `run` is the run that says so."""

    source: int
    target: int
    kind: EdgeKind
    level: Level
    transformations: tuple[Transformation, ...] = ()


def connect(session: Session, links: Sequence[Link], *, run: int | None = None, at: datetime | None = None) -> None:
    """Open edges or see them again, set-wise; a run counts once for each, however often it says so."""
    moment = at or now()
    # At level VERSION a run is an end of its edges and supports them by being there.
    counted = run is not None and any(link.level is not Level.VERSION for link in links)
    said: dict[tuple[int, int, EdgeKind], set[Transformation]] = {}
    levels: dict[tuple[int, int, EdgeKind], Level] = {}
    for link in links:
        key = (link.source, link.target, link.kind)
        said.setdefault(key, set()).update(link.transformations)
        levels[key] = link.level
    rows = [
        {
            "source_id": source, "target_id": target, "kind": kind, "level": levels[(source, target, kind)],
            "valid_from": moment, "last_seen": moment, "run_count": 0 if counted else 1, "run_id": run, "producer": "",
            "transformations": [asdict(one) for one in sorted(said[(source, target, kind)])] or None,
        }
        for source, target, kind in sorted(said)
    ]  # fmt: skip
    if not rows:
        return
    newest = queries.newest_edge(session)
    ids = queries.upsert_edges(session, rows)
    _log(session, rows, ids, newest, run)
    if run is not None and counted:
        queries.support(session, run, sorted(ids.values()))


def _log(
    session: Session, rows: Sequence[dict[str, Any]], ids: dict[tuple[int, int, str], int], newest: int, run: int | None
) -> None:
    """Tell the log which edges opened: whoever keeps the graph elsewhere follows it by that."""
    opened = []
    for row in rows:
        edge = ids[(row["source_id"], row["target_id"], row["kind"].value)]
        if edge > newest:
            mask = 3 if row["kind"] is EdgeKind.CONTAINS else MASKS[row["level"]]
            opened.append([edge, row["source_id"], row["target_id"], mask])
    if opened:
        subject = run if run is not None else int(rows[0]["target_id"])
        kind = AssetKind.RUN if run is not None else queries.asset_kind(session, subject)
        assert kind is not None  # noqa: S101 - edges end at assets
        changes.record_asset(session, kind, subject, "linked", None, {"edges": opened})


def contain(session: Session, source: int, dataset: int) -> None:
    """Say that a source holds a dataset."""
    connect(session, [Link(source, dataset, EdgeKind.CONTAINS, Level.DATASET)])


def version_of(session: Session, definition: int, version: int) -> None:
    """Say that a version belongs to its dataset or model."""
    connect(session, [Link(definition, version, EdgeKind.VERSION_OF, Level.VERSION)])
