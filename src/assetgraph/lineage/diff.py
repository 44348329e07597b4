"""What changed upstream of a node between two moments: nodes, edges, and the columns of datasets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assetgraph.catalog import queries as catalog
from assetgraph.catalog.schema_diff import SchemaDiff, compare
from assetgraph.catalog.service import FieldSpec
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage.contraction import Way
from assetgraph.lineage.filters import ALL_OPEN
from assetgraph.lineage.sight import Sight
from assetgraph.lineage.tables import Level
from assetgraph.lineage.walk import (
    MAX_VISITED,
    NodeRef,
    Steps,
    WalkEdge,
    WalkNode,
    WalkRequest,
    check,
    one_way,
    stored_steps,
)  # fmt: skip

#: Columns of so many datasets are compared; the nearest to the root.
MAX_COMPARED = 1000


@dataclass(frozen=True)
class DiffRequest:
    """Ask what changed upstream of a root."""

    root: NodeRef
    start: datetime
    end: datetime
    level: Level = Level.DATASET
    depth: int = 20


@dataclass(frozen=True)
class SchemaChanged:
    """A dataset that was another version at the end than at the start; None where it had none yet."""

    dataset: int
    before: int | None
    after: int | None
    diff: SchemaDiff


@dataclass
class LineageDiff:
    """All differences, nearest first."""

    request: DiffRequest
    nodes_added: list[WalkNode] = field(default_factory=list)
    nodes_removed: list[WalkNode] = field(default_factory=list)
    edges_added: list[WalkEdge] = field(default_factory=list)
    edges_removed: list[WalkEdge] = field(default_factory=list)
    schema_changes: list[SchemaChanged] = field(default_factory=list)
    #: Nodes of either moment, nearest first.
    nodes: list[NodeRef] = field(default_factory=list)
    #: Version of each dataset at the start and at the end.
    versions: dict[int, tuple[int | None, int | None]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def diff_lineage(session: Session, request: DiffRequest, steps: Steps = stored_steps) -> LineageDiff:
    """Walk upstream at both moments and compare; raises Invalid when the end lies before the start."""
    if request.end < request.start:
        raise Invalid("`to` lies before `from`", path=("to",))
    walked = WalkRequest(request.root, depth=request.depth, level=request.level, filter=ALL_OPEN)
    check(walked)
    old, new = (_upstream(session, replace(walked, as_of=at), at, steps) for at in (request.start, request.end))
    found = LineageDiff(request)
    found.nodes_added, found.nodes_removed = _nodes(new, old), _nodes(old, new)
    found.edges_added, found.edges_removed = _edges(new, old), _edges(old, new)
    distance = {**old.distance, **new.distance}
    found.nodes = sorted(distance, key=lambda ref: _order(ref, distance))
    if not (old.exhausted and new.exhausted):
        found.reasons.append(f"budget: {MAX_VISITED} nodes visited")
    _compare_datasets(session, found)
    return found


def _upstream(session: Session, request: WalkRequest, at: datetime, steps: Steps) -> Way:
    return one_way(session, request, at, steps, Sight(session, request), upstream=True)


def _order(ref: NodeRef, distance: Mapping[NodeRef, int]) -> tuple[int, str, str]:
    return distance[ref], ref.kind.value, ref.key.rjust(20, "0")


def _nodes(these: Way, those: Way) -> list[WalkNode]:
    """Return the nodes of one walk that the other has not."""
    mine = sorted(these.distance.keys() - those.distance.keys(), key=lambda ref: _order(ref, these.distance))
    return [WalkNode(ref, these.distance[ref]) for ref in mine]


def _edges(these: Way, those: Way) -> list[WalkEdge]:
    """Return the edges of one walk that the other has not, nearest to the root first."""
    mine = these.edges.keys() - those.edges.keys()
    near = sorted(mine, key=lambda key: (_order(key[1], these.distance), _order(key[0], these.distance), key[2].value))
    return [these.edges[key] for key in near]


def _datasets(session: Session, found: LineageDiff) -> list[int]:
    """Return the datasets among the nodes, and those of columns and versions."""
    of: dict[int, int] = {}
    for kind, query in ((AssetKind.FIELD, catalog.datasets_of_fields), (AssetKind.DATASET_VERSION, _of_versions)):
        ids = [int(ref.key) for ref in found.nodes if ref.kind is kind]
        of |= query(session, ids) if ids else {}
    kinds = (AssetKind.DATASET, AssetKind.FIELD, AssetKind.DATASET_VERSION)
    keys = [int(ref.key) for ref in found.nodes if ref.kind in kinds]
    return list(dict.fromkeys(of.get(key, key) for key in keys))


def _of_versions(session: Session, versions: list[int]) -> dict[int, int]:
    return {one: int(row.dataset_id) for one, row in catalog.versions_by_ids(session, versions).items()}


def _compare_datasets(session: Session, found: LineageDiff) -> None:
    """Compare the columns of each dataset's version then with those of its version now, set-wise."""
    datasets = _datasets(session, found)
    if len(datasets) > MAX_COMPARED:
        found.reasons.append(f"columns of the nearest {MAX_COMPARED} datasets of {len(datasets)} are compared")
        datasets = datasets[:MAX_COMPARED]
    old, new = (
        {dataset: int(row.id) for dataset, row in catalog.latest_versions(session, datasets, at).items()}
        for at in (found.request.start, found.request.end)
    )
    found.versions = {dataset: (old.get(dataset), new.get(dataset)) for dataset in datasets}
    moved = {dataset: pair for dataset, pair in found.versions.items() if pair[0] != pair[1]}
    wanted = sorted({version for pair in moved.values() for version in pair if version is not None})
    fields = catalog.fields_of_versions(session, wanted) if wanted else {}
    for dataset, (before, after) in moved.items():
        diff = compare(_specs(fields, before), _specs(fields, after))
        if diff.changes:
            found.schema_changes.append(SchemaChanged(dataset, before, after, diff))


def _specs(fields: Mapping[int, list[Any]], version: int | None) -> list[FieldSpec]:
    rows = [] if version is None else fields[version]
    return [FieldSpec(row.path, row.type, row.nullable) for row in rows]
