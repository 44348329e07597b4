"""What a change breaks: affected columns, datasets, jobs, models, runs and owners, each with the shortest way to it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import queries
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import MAX_DEPTH, MAX_FIRST, Direction, NodeRef, WalkRequest, WalkResult, walk

#: Parameters of this service's trainings that name columns of their dataset.
COLUMN_PARAMETERS = ("user_field", "item_field", "value_field", "time_field")


class ImpactChange(StrEnum):
    """What is about to happen to the root: a column goes or changes its type, or a dataset retires."""

    COLUMN_REMOVED = "COLUMN_REMOVED"
    COLUMN_TYPE_CHANGED = "COLUMN_TYPE_CHANGED"
    DATASET_RETIRED = "DATASET_RETIRED"


@dataclass(frozen=True)
class Impacted:
    """An affected asset; the way leads from the root to it, both included."""

    ref: NodeRef
    way: tuple[NodeRef, ...]

    @property
    def distance(self) -> int:
        """Steps from the root."""
        return len(self.way) - 1


@dataclass
class Impact:
    """All that a change affects, by kind, nearest first; `truncated` when the walk had to stop."""

    root: NodeRef
    change: ImpactChange
    truncated: bool
    affected: dict[AssetKind, list[Impacted]] = field(default_factory=dict)
    #: The past that it was asked of.
    as_of: datetime | None = None
    #: Who answers for the affected datasets and models: principal to number of assets.
    owners: dict[str, int] = field(default_factory=dict)


def impact_of(
    session: Session, root: NodeRef, change: ImpactChange, index: GraphIndex | None = None,
    *, at: datetime | None = None,
) -> Impact:  # fmt: skip
    """Walk everything downstream; raises Invalid when the change is none of this kind of root."""
    columns = change is not ImpactChange.DATASET_RETIRED
    wanted = (AssetKind.FIELD,) if columns else (AssetKind.DATASET, AssetKind.SOURCE)
    if root.kind not in wanted:
        names = " or ".join(kind.value for kind in wanted)
        raise Invalid(f"{change.value} is a change of a {names}; this root is a {root.kind.value}", path=("change",))
    found = _downstream(session, root, Level.FIELD if columns else Level.DATASET, index, at)
    ways = _ways(found)
    if columns:
        _add_beyond_columns(session, ways, at)
    _add_runs(session, ways, at, columns=columns)
    impact = Impact(root, change, found.truncated, as_of=at)
    own = _own_dataset(session, root) if columns else root
    for ref, way in sorted(ways.items(), key=lambda item: (len(item[1]), item[0].kind.value, int(item[0].key))):
        if ref not in (root, own):
            impact.affected.setdefault(ref.kind, []).append(Impacted(ref, way))
    _add_owners(session, impact)
    return impact


def _downstream(
    session: Session, root: NodeRef, level: Level, index: GraphIndex | None, at: datetime | None
) -> WalkResult:
    request = WalkRequest(root, Direction.DOWNSTREAM, MAX_DEPTH, level, as_of=at, first=MAX_FIRST)
    found = None if index is None else walk_in_memory(session, request, index)
    return walk(session, request) if found is None else found


def _ways(found: WalkResult) -> dict[NodeRef, tuple[NodeRef, ...]]:
    """Return the shortest way to each node of a walk."""
    below: dict[NodeRef, list[NodeRef]] = {}
    for edge in found.edges:
        below.setdefault(edge.source, []).append(edge.target)
    ways: dict[NodeRef, tuple[NodeRef, ...]] = {found.root: (found.root,)}
    queue = deque([found.root])
    while queue:
        near = queue.popleft()
        for far in sorted(below.get(near, ())):
            if far not in ways:
                ways[far] = (*ways[near], far)
                queue.append(far)
    return ways


def _own_dataset(session: Session, root: NodeRef) -> NodeRef:
    row = catalog.fields_by_ids(session, [int(root.key)])[int(root.key)]
    return NodeRef(AssetKind.DATASET, str(row.dataset_id))


def _extend(ways: dict[NodeRef, tuple[NodeRef, ...]], near: NodeRef, far: NodeRef) -> None:
    way = (*ways[near], far)
    if far not in ways or len(way) < len(ways[far]):
        ways[far] = way


def _add_beyond_columns(session: Session, ways: dict[NodeRef, tuple[NodeRef, ...]], at: datetime | None) -> None:
    """Go on from affected columns to their datasets, and to the models whose training names such a column."""
    fields = catalog.fields_by_ids(session, [int(ref.key) for ref in ways])
    named: dict[int, dict[str, NodeRef]] = {}
    for ref in list(ways):
        row = fields[int(ref.key)]
        named.setdefault(int(row.dataset_id), {}).setdefault(str(row.path), ref)
        _extend(ways, ref, NodeRef(AssetKind.DATASET, str(row.dataset_id)))
    jobs: dict[int, NodeRef] = {}
    for row in queries.trainings_on(session, sorted(named), at):
        used = [named[int(row.dataset_id)].get(str((row.parameters or {}).get(name))) for name in COLUMN_PARAMETERS]
        for ref in (one for one in used if one is not None):
            job = NodeRef(AssetKind.JOB, str(row.job_id))
            _extend(ways, ref, job)
            jobs[int(row.job_id)] = job
    made = queries.neighbours_by_kind(
        session, sorted(jobs), [EdgeKind.PRODUCED], upstream=False, level=Level.DATASET, at=at
    )
    kinds = queries.kinds_of(session, [output for outputs in made.values() for output in outputs])
    for maker, outputs in made.items():
        for output in outputs:
            _extend(ways, jobs[maker], NodeRef(kinds[output], str(output)))


def _add_runs(
    session: Session, ways: dict[NodeRef, tuple[NodeRef, ...]], at: datetime | None, *, columns: bool
) -> None:
    """Add the runs that read or made what is affected: of affected jobs, or that support affected column edges."""
    jobs = [int(ref.key) for ref in ways if ref.kind is AssetKind.JOB]
    for job, runs in queries.runs_of_jobs(session, jobs, at=at).items():
        for run in runs:
            _extend(ways, NodeRef(AssetKind.JOB, str(job)), NodeRef(AssetKind.RUN, str(run)))
    if columns:
        fields = {int(ref.key): ref for ref in ways if ref.kind is AssetKind.FIELD}
        for field_id, run in queries.runs_of_column_edges(session, sorted(fields), at):
            _extend(ways, fields[field_id], NodeRef(AssetKind.RUN, str(run)))


def _add_owners(session: Session, impact: Impact) -> None:
    owned: Iterable[Impacted] = (
        *impact.affected.get(AssetKind.DATASET, ()), *impact.affected.get(AssetKind.MODEL, ())
    )  # fmt: skip
    for principals in catalog.owners_of(session, [int(one.ref.key) for one in owned], impact.as_of).values():
        for principal, _ in principals:
            impact.owners[principal] = impact.owners.get(principal, 0) + 1
