"""What a change breaks: affected columns, datasets, jobs, models, runs and owners, each with the shortest way to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import impact_queries, queries
from assetgraph.lineage.closure import Closure, downstream
from assetgraph.lineage.filters import EVERYTHING, Filter
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.request import NodeRef, WalkRequest
from assetgraph.lineage.sight import Look, Sight
from assetgraph.lineage.tables import EdgeKind, Level

#: Parameters of this service's trainings that name columns of their dataset.
COLUMN_PARAMETERS = ("user_field", "item_field", "value_field", "time_field")
#: Assets of each kind that are listed; all are counted.
LISTED = 100
#: Jobs of one statement when the nearest runs are looked for, and statements of them.
JOBS, JOB_STATEMENTS = 100, 20
#: Runs behind column edges that are looked at.
MAX_COLUMN_RUNS = 100_000
OWNERS, RUNS = "owners", "runs"


class ImpactChange(StrEnum):
    """What is about to happen to the root: a column goes or changes its type, or a dataset retires."""

    COLUMN_REMOVED = "COLUMN_REMOVED"
    COLUMN_TYPE_CHANGED = "COLUMN_TYPE_CHANGED"
    DATASET_RETIRED = "DATASET_RETIRED"


@dataclass(frozen=True)
class Impacted:
    """An affected asset; the way leads from the root to it, both included, over what the filter shows."""

    ref: NodeRef
    way: tuple[NodeRef, ...]

    @property
    def distance(self) -> int:
        """Steps from the root."""
        return len(self.way) - 1


@dataclass(frozen=True)
class Affected:
    """How many assets of a kind are affected, and the nearest of them."""

    total: int
    nearest: tuple[Impacted, ...]


@dataclass
class Impact:
    """All that a change affects, by kind; `reason` when there may be more."""

    root: NodeRef
    change: ImpactChange
    reason: str | None = None
    affected: dict[AssetKind, Affected] = field(default_factory=dict)
    #: The past that it was asked of.
    as_of: datetime | None = None
    #: Who answers for the affected datasets and models: principal to number of assets.
    owners: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class AskImpact:
    """What is about to change, what to show of what it affects, and whether owners and runs are asked for."""

    root: NodeRef
    change: ImpactChange
    filter: Filter = EVERYTHING
    parts: frozenset[str] = frozenset({OWNERS, RUNS})
    as_of: datetime | None = None


def impact_of(session: Session, command: AskImpact, index: GraphIndex | None = None) -> Impact:
    """Walk everything downstream; raises Invalid when the change is none of this kind of root."""
    root, change = command.root, command.change
    columns = change is not ImpactChange.DATASET_RETIRED
    wanted = (AssetKind.FIELD,) if columns else (AssetKind.DATASET, AssetKind.SOURCE)
    if root.kind not in wanted:
        names = " or ".join(kind.value for kind in wanted)
        raise Invalid(f"{change.value} is a change of a {names}; this root is a {root.kind.value}", path=("change",))
    level = Level.FIELD if columns else Level.DATASET
    at = command.as_of
    closure = downstream(session, WalkRequest(root, level=level, as_of=at, filter=command.filter), index)
    impact = Impact(root, change, closure.reason, as_of=at)
    found = _Found(session, command, closure)
    for kind in (AssetKind.SOURCE, AssetKind.DATASET, AssetKind.JOB, AssetKind.MODEL, AssetKind.FIELD):
        found.nodes[kind] = closure.of(kind)
    if columns:
        found.go_beyond_columns()
    if RUNS in command.parts and not found.add_runs(columns=columns):
        impact.reason = impact.reason or f"budget: {MAX_COLUMN_RUNS} runs behind columns"
    impact.affected = found.listed()
    if OWNERS in command.parts:
        impact.owners = impact_queries.owner_counts(
            session, found.nodes[AssetKind.DATASET] + found.nodes[AssetKind.MODEL], at
        )
    return impact


class _Found:
    """What is affected: nodes of the closure, and what hangs on them, nearest first."""

    def __init__(self, session: Session, command: AskImpact, closure: Closure) -> None:
        self._session, self._filter, self._at, self._closure = session, command.filter, command.as_of, closure
        self.nodes: dict[AssetKind, list[int]] = {}
        self._more = 0
        #: What lies beyond the closure: its reference, what it hangs on, and whether the filter shows it.
        self._beyond: dict[int, tuple[NodeRef, int, bool]] = {}

    def listed(self) -> dict[AssetKind, Affected]:
        """Return counts, and the nearest with their ways."""
        found = {}
        for kind, nodes in self.nodes.items():
            more = self._more if kind is AssetKind.RUN else 0
            if nodes:
                nearest = tuple(Impacted(way[-1], way) for way in self._ways(nodes[:LISTED]))
                found[kind] = Affected(len(nodes) + more, nearest)
        return found

    def _ways(self, nodes: Sequence[int]) -> list[tuple[NodeRef, ...]]:
        chains = []
        for node in nodes:
            chain = [node]
            while chain[-1] in self._beyond:
                chain.append(self._beyond[chain[-1]][1])
            chains.append(chain[::-1])
        ways = self._closure.ways([chain[0] for chain in chains])
        return [
            (*ways[chain[0]], *(ref for ref, _, shown in (self._beyond[one] for one in chain[1:]) if shown))
            for chain in chains
        ]

    def _hang(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Add definitions that hang on nodes met before, the nearest first; those that are known stay."""
        fresh: dict[int, int] = {}
        for node, near in pairs:
            if node not in self._beyond:
                fresh.setdefault(node, near)
        kinds = impact_queries.kinds_of(self._session, list(fresh))
        refs = {node: NodeRef(kinds[node], str(node)) for node in fresh if node in kinds}
        # The root is a column: no definition is it.
        sight = Sight(
            self._session, WalkRequest(self._closure.root, level=Level.DATASET, as_of=self._at, filter=self._filter)
        )
        sight.ask(refs.values())
        for node, ref in refs.items():
            look = sight.of(ref)
            if look is not Look.CLOSED:
                self._beyond[node] = (ref, fresh[node], look is Look.SHOWN)
                if look is Look.SHOWN:
                    self.nodes[ref.kind].append(node)

    def go_beyond_columns(self) -> None:
        """Go on from affected columns to their datasets, and to the models whose training names such a column."""
        root = int(self._closure.root.key)
        met = [root, *self._closure.of(AssetKind.FIELD, hidden=True)]
        places = impact_queries.columns(self._session, met)
        own = places[root][0]
        named: dict[int, dict[str, int]] = {}
        for column in met:
            dataset, path = places[column]
            named.setdefault(dataset, {})[path] = column
        self._hang((places[column][0], column) for column in met if places[column][0] != own)
        order = {column: place for place, column in enumerate(met)}
        jobs: list[tuple[int, int]] = []
        for row in impact_queries.trainings_on(self._session, sorted(named), self._at):
            used = [named[int(row.dataset_id)].get(str((row.parameters or {}).get(name))) for name in COLUMN_PARAMETERS]
            jobs += [(int(row.job_id), column) for column in used if column is not None]
        jobs.sort(key=lambda pair: (order[pair[1]], pair[0]))
        self._hang(jobs)
        makers = sorted({job for job, _ in jobs})
        made = queries.neighbours_by_kind(
            self._session, makers, [EdgeKind.PRODUCED], upstream=False, level=Level.DATASET, at=self._at
        )  # fmt: skip
        self._hang((output, job) for job in dict.fromkeys(job for job, _ in jobs) for output in made[job])

    def add_runs(self, *, columns: bool) -> bool:
        """Add the runs of affected jobs, and those behind affected column edges; tells whether none is missing."""
        self.nodes[AssetKind.RUN] = []
        if self._filter.kinds is not None and AssetKind.RUN not in self._filter.kinds:
            return True
        shown = self._filter.kinds is None
        jobs = self.nodes[AssetKind.JOB] if shown else self._closure.of(AssetKind.JOB, hidden=True)
        found: dict[int, int] = {}
        whole = True
        if columns:
            jobs = [node for node, (ref, _, _) in self._beyond.items() if ref.kind is AssetKind.JOB]
            met = [int(self._closure.root.key), *self._closure.of(AssetKind.FIELD, hidden=not shown)]
            order = {column: place for place, column in enumerate(met)}
            pairs = impact_queries.runs_of_column_edges(self._session, met, MAX_COLUMN_RUNS, self._at)
            whole = len(pairs) < MAX_COLUMN_RUNS
            for column, run in sorted(pairs, key=lambda pair: (order[pair[0]], -pair[1])):
                found.setdefault(run, column)
        counted = impact_queries.run_count(self._session, jobs, self._at)
        for start in range(0, min(len(jobs), JOBS * JOB_STATEMENTS), JOBS):
            if len(found) >= LISTED and not columns:
                break
            some = {job: place for place, job in enumerate(jobs[start : start + JOBS])}
            newest = impact_queries.newest_runs(self._session, list(some), LISTED, self._at)
            for job, run in sorted(newest, key=lambda pair: (some[pair[0]], -pair[1])):
                found.setdefault(run, job)
        self.nodes[AssetKind.RUN] = list(found)
        self._beyond |= {run: (NodeRef(AssetKind.RUN, str(run)), near, True) for run, near in found.items()}
        # Runs of jobs that are counted and not listed; trainings support no column edges, so that none counts twice.
        of_jobs = set(jobs)
        self._more = counted - sum(near in of_jobs for near in found.values())
        return whole
