"""Ways over what a filter shows: by definition, from SQL and from memory alike, as walks contract and close."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_filters import FILTERS, SORTS, Plain, make, retire

from assetgraph.catalog import service as catalog
from assetgraph.catalog.roles import DatasetRole
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion, ensure_dataset
from assetgraph.catalog.tables import Lifecycle
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import Limit
from assetgraph.feedback.walk import paths_between
from assetgraph.ids import AssetKind
from assetgraph.lineage import contraction, looks, queries
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.filters import ALL_OPEN, Filter
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.paths import FindPaths, FoundWay, find_paths
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import RunState
from assetgraph.lineage.walk import NodeRef, WalkRequest, walk


def same(database: Database, command: FindPaths, index: GraphIndex) -> list[FoundWay]:
    """Assert that SQL and memory give one answer, and return it."""
    with database.reading() as session:
        found = find_paths(session, command)
        assert find_paths(session, command, index) == found
    return found


def fewest_hidden(plain: Plain, near: int, far: int) -> int | None:
    """Return over how few hidden nodes a step leads, trying all orders; None when it is no step."""
    hidden = [node for node in range(len(plain.sorts)) if plain.look(node) == "hidden"]
    for count in range(len(hidden) + 1):
        for between in itertools.permutations(hidden, count):
            if all(step in plain.edges for step in itertools.pairwise((near, *between, far))):
                return count
    return None


class Between(Plain):
    """The definition for ways: both ends are shown."""

    target = 0

    def look(self, node: int) -> str:
        """Return how a node looks."""
        return "shown" if node == self.target else super().look(node)

    def ways(self, longest: int) -> list[tuple[list[int], int]]:
        """Enumerate simple ways over shown nodes plainly."""
        if self.root == self.target:
            return [([self.root], 0)]
        shown = [node for node in range(len(self.sorts)) if self.look(node) == "shown"]
        steps = {(a, b): fewest_hidden(self, a, b) for a in shown for b in shown if a != b}
        inner = [node for node in shown if node not in (self.root, self.target)]
        found = []
        for count in range(longest):
            for between in itertools.permutations(inner, count):
                way = [self.root, *between, self.target]
                over = [steps[step] for step in itertools.pairwise(way)]
                if None not in over:
                    found.append((way, sum(one or 0 for one in over)))
        return found


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sorts=st.text(SORTS, min_size=6, max_size=6), ends=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    edges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=18, unique=True),
    wanted=st.sampled_from(FILTERS), most=st.integers(1, 9), longest=st.integers(1, 5),
)  # fmt: skip
def test_ways_are_those_of_the_graph_that_a_filter_leaves(
    scratch: Database, shared: GraphIndex, sorts: str, ends: tuple[int, int], edges: list[tuple[int, int]],
    wanted: Filter, most: int, longest: int,
) -> None:  # fmt: skip
    """Contracted nodes join and cost no length, dropped ones do not; the ends are shown whatever they are."""
    refs = make(scratch, sorts, edges)
    plain = Between(sorts, edges, wanted, ends[0])
    plain.target = ends[1]
    order = {place: (ref.kind.value, int(ref.key)) for place, ref in enumerate(refs)}
    ways = sorted(plain.ways(longest), key=lambda way: (len(way[0]), [order[node] for node in way[0]]))
    command = FindPaths(refs[ends[0]], refs[ends[1]], most, longest, filter=wanted)
    expected = [FoundWay(tuple(refs[node] for node in way), hidden) for way, hidden in ways]
    assert same(scratch, command, shared) == expected[:most]


def test_lists_hide_and_ways_lead_on_through(database: Database) -> None:
    """By tag, owner, role, namespace and kind; the same nodes as `lineage` shows."""
    index = GraphIndex()
    with database.transaction("test") as session:
        names = ("raw", "clean", "mart", "report")
        for name in names:
            lineage.register_version(session, RegisterVersion("ns", name))
        catalog.register_dataset(session, RegisterDataset("ns", "clean", tags=("pii",)))
        catalog.register_dataset(session, RegisterDataset("ns", "mart", role=DatasetRole.FEATURE, owners=("ann",)))
        ends = [AssetRef(namespace="ns", name=name) for name in names]
        for place, job in enumerate(("wash", "load", "show")):
            made = RecordRun("etl", job, RunState.SUCCEEDED, job, (ends[place],), (ends[place + 1],))
            lineage.record_run(session, made)
        keys = [ensure_dataset(session, "ns", name)[0] for name in names]
    raw, report = (NodeRef(AssetKind.DATASET, str(keys[place])) for place in (0, 3))

    def shown(**lists: object) -> tuple[list[str], int]:
        wanted = Filter(**lists)  # type: ignore[arg-type]
        [way] = same(database, FindPaths(raw, report, filter=wanted), index)
        with database.reading() as session:
            rows = queries.assets_by_ids(session, [int(ref.key) for ref in way.refs])
            request = WalkRequest(raw, depth=99, filter=wanted)
            assert {*way.refs} == {report} | {node.ref for node in walk(session, request).nodes}
        return [str(rows[int(ref.key)].key) for ref in way.refs], way.hidden

    assert shown() == (["raw", "wash", "clean", "load", "mart", "show", "report"], 0)
    assert shown(tags=("pii",)) == (["raw", "clean", "report"], 4)
    assert shown(owners=("ann", "bob")) == (["raw", "mart", "report"], 4)
    assert shown(roles=(DatasetRole.FEATURE,)) == (["raw", "mart", "report"], 4)
    assert shown(namespaces=("etl",)) == (["raw", "wash", "load", "show", "report"], 2)
    assert shown(kinds=frozenset({AssetKind.DATASET}), tags=()) == (["raw", "report"], 5)
    # A way of one shown edge is short enough, whatever lies hidden on it.
    datasets = Filter(kinds=frozenset({AssetKind.DATASET}))
    assert len(same(database, FindPaths(raw, report, 1, 3, filter=datasets), index)) == 1
    assert same(database, FindPaths(raw, report, 1, 2, filter=datasets), index) == []


def test_columns_of_a_passing_dataset_are_contracted_and_of_a_dropped_one_end_ways(database: Database) -> None:
    """At level FIELD, now; the past knows no retirement."""
    index = GraphIndex()
    with database.transaction("test") as session:
        for name in "abc":
            lineage.register_version(session, RegisterVersion("ns", name, (FieldSpec("x", "int"),)))
        for job, source, target in (("one", "a", "b"), ("two", "b", "c")):
            edge = ColumnEdge(AssetRef(namespace="ns", name=source), "x", AssetRef(namespace="ns", name=target), "x")
            lineage.record_run(session, RecordRun("ns", job, RunState.SUCCEEDED, job, columns=(edge,)))
        middle = ensure_dataset(session, "ns", "b")[0]
        columns = [catalog.find_asset(session, AssetKind.FIELD, "ns", f"{name}#x") for name in "abc"]
    first, between, last = (NodeRef(AssetKind.FIELD, str(column)) for column in columns)
    command = FindPaths(first, last)
    assert same(database, command, index) == [FoundWay((first, between, last), 0)]
    with database.transaction("test") as session:
        catalog.register_dataset(session, RegisterDataset("ns", "b", transient=True))
    assert same(database, command, index) == [FoundWay((first, last), 1)]
    every = FindPaths(first, last, filter=ALL_OPEN)
    assert same(database, every, index) == [FoundWay((first, between, last), 0)]
    retire(database, middle)
    assert same(database, every, index) == same(database, command, index) == []
    retired = FindPaths(first, last, filter=Filter(include_retired=True))
    assert same(database, retired, index) == [FoundWay((first, last), 1)]
    past = FindPaths(first, last, as_of=now())
    assert same(database, past, index) == [FoundWay((first, last), 1)]
    retire(database, middle, Lifecycle.ACTIVE)
    assert same(database, command, index) == [FoundWay((first, last), 1)]


def test_versions_lead_on_through_hidden_runs(database: Database) -> None:
    """At level VERSION, through the whole graph as the server asks for it."""
    index = GraphIndex()
    with database.transaction("test") as session:
        versions = [lineage.register_version(session, RegisterVersion("ns", name))[0] for name in "ab"]
        ends = (AssetRef(id=versions[0]),), (AssetRef(id=versions[1]),)
        lineage.record_run(session, RecordRun("ns", "job", RunState.SUCCEEDED, "run", *ends))
    first, last = (NodeRef(AssetKind.DATASET_VERSION, str(version)) for version in versions)
    only = Filter(kinds=frozenset({AssetKind.DATASET_VERSION}))
    with database.reading() as session:
        for given_index in (None, index):
            assert paths_between(session, FindPaths(first, last, filter=only), given_index) == [
                FoundWay((first, last), 1)
            ]
            [way] = paths_between(session, FindPaths(first, last), given_index)
            assert ([ref.kind for ref in way.refs[1:-1]], way.hidden) == ([AssetKind.RUN], 0)


def test_hubs_are_searched_once_and_too_much_hidden_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand datasets before and behind a hidden hub; what more than the budget would cost names its filter."""
    index, side = GraphIndex(), 1000
    edges = [(0, i) for i in range(3, 3 + side)] + [(i, 2) for i in range(3, 3 + side)]
    edges += [(2, i) for i in range(3 + side, 3 + 2 * side)] + [(i, 1) for i in range(3 + side, 3 + 2 * side)]
    refs = make(database, "ddj" + "d" * side * 2, edges)
    command = FindPaths(refs[0], refs[1], 100, filter=Filter(kinds=frozenset({AssetKind.DATASET})))
    monkeypatch.setattr(contraction, "MAX_STEPS", side)
    found = same(database, command, index)
    assert [way.refs for way in found] == [(refs[0], refs[3], refs[3 + side + i], refs[1]) for i in range(100)]
    assert {way.hidden for way in found} == {1}
    monkeypatch.setattr(contraction, "MAX_STEPS", side - 1)
    for given_index in (None, index):
        with database.reading() as session, pytest.raises(Limit, match="999 steps through hidden nodes") as refused:
            find_paths(session, command, given_index)
        assert refused.value.path == ("filter",)


def test_what_more_match_than_memory_holds_is_asked_of_sql(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer stays."""
    refs = make(database, "dtjtd", [(i, i + 1) for i in range(4)])
    monkeypatch.setattr(looks, "MAX_MATCHING", 1)
    command = FindPaths(refs[0], refs[4], filter=Filter(tags=("pii",)))
    assert same(database, command, GraphIndex()) == [FoundWay((refs[0], refs[1], refs[3], refs[4]), 1)]
