"""Ways between assets: shortest first, simple, bounded, the same from SQL and from memory; and what a change breaks."""

import itertools
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assetgraph.catalog import service as catalog
from assetgraph.catalog.service import AssetRef, FieldSpec, RegisterDataset, RegisterVersion, ensure_dataset
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage import service as lineage
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.filters import EVERYTHING, Filter
from assetgraph.lineage.impact import Affected, AskImpact, Impact, ImpactChange, impact_of
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.paths import FindPaths, find_paths
from assetgraph.lineage.service import RecordRun
from assetgraph.lineage.tables import EdgeKind, Level, RunState
from assetgraph.lineage.walk import NodeRef


def dataset(key: int) -> NodeRef:
    """Return the node of a dataset."""
    return NodeRef(AssetKind.DATASET, str(key))


def all_ways(edges: list[tuple[int, int]], source: int, target: int, longest: int) -> list[list[int]]:
    """Enumerate simple ways plainly."""
    if source == target:
        return [[source]]
    nodes = sorted({node for edge in edges for node in edge} - {source, target})
    found = []
    for count in range(longest):
        for between in itertools.permutations(nodes, count):
            way = [source, *between, target]
            if all(step in edges for step in itertools.pairwise(way)):
                found.append(way)
    return sorted(found, key=lambda way: (len(way), way))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=14, unique=True),
    ends=st.tuples(st.integers(0, 5), st.integers(0, 5)), most=st.integers(1, 8), longest=st.integers(1, 5),
)  # fmt: skip
def test_ways_are_those_that_plain_enumeration_finds(
    scratch: Database, shared: GraphIndex, edges: list[tuple[int, int]], ends: tuple[int, int], most: int, longest: int
) -> None:
    """Shortest first, equal ones by their nodes, from SQL and from memory."""
    namespace = str(uuid.uuid4())
    with scratch.transaction("test") as session:
        ids = [ensure_dataset(session, namespace, str(i))[0] for i in range(6)]
        connect(session, [Link(ids[a], ids[b], EdgeKind.DERIVED, Level.DATASET) for a, b in edges])
    command = FindPaths(dataset(ids[ends[0]]), dataset(ids[ends[1]]), most, longest)
    expected = [[dataset(ids[node]) for node in way] for way in all_ways(edges, *ends, longest)][:most]
    with scratch.reading() as session:
        assert [list(way.refs) for way in find_paths(session, command)] == expected
        assert find_paths(session, command, shared) == find_paths(session, command)


def test_bounds_and_levels_are_checked(database: Database) -> None:
    """A way between a column and a dataset is none; numbers out of range are named."""
    field = NodeRef(AssetKind.FIELD, "2")
    with database.reading() as session:
        for command, path in (
            (FindPaths(dataset(1), dataset(1), 0), "maxPaths"),
            (FindPaths(dataset(1), dataset(1), 1, 101), "maxLength"),
            (FindPaths(dataset(1), field), "to"),
            (FindPaths(dataset(1), dataset(1), filter=Filter(owners=("x",) * 101)), "filter.owners"),
        ):  # fmt: skip
            with pytest.raises(Invalid) as refused:
                find_paths(session, command)
            assert ".".join(refused.value.path) == path


class Lake:
    """raw.mail -> clean.contact -> mart.address, with owners, and a run for each step."""

    def __init__(self, database: Database) -> None:
        self.database = database
        for name, fields in (("raw", ("mail", "city")), ("clean", ("contact", "town")), ("mart", ("address",))):
            specs = tuple(FieldSpec(one, "String") for one in fields)
            with database.transaction("test") as session:
                lineage.register_version(session, RegisterVersion("ns", name, specs))
                catalog.register_dataset(session, RegisterDataset("ns", name, owners=("ann",)))
        with database.transaction("test") as session:
            catalog.register_dataset(session, RegisterDataset("ns", "mart", owners=("ann", "bob")))
        self.step("wash", "raw.mail", "clean.contact")
        self.step("load", "clean.contact", "mart.address")

    def step(self, job: str, source: str, target: str) -> None:
        """Record a run of a job from one column to another."""
        (left, column), (right, made) = source.split("."), target.split(".")
        edge = ColumnEdge(AssetRef(namespace="ns", name=left), column, AssetRef(namespace="ns", name=right), made)
        with self.database.transaction("test") as session:
            lineage.record_run(session, RecordRun("ns", job, RunState.SUCCEEDED, f"run {job}", columns=(edge,)))

    def ref(self, kind: AssetKind, name: str) -> NodeRef:
        """Return a node by its key."""
        with self.database.reading() as session:
            found = catalog.find_asset(session, kind, "ns", name)
        assert found is not None
        return NodeRef(kind, str(found))

    def impact(self, ref: NodeRef, change: ImpactChange, wanted: Filter = EVERYTHING) -> Impact:
        """Ask SQL and the index, which agree."""
        with self.database.reading() as session:
            found = impact_of(session, AskImpact(ref, change, wanted))
            assert impact_of(session, AskImpact(ref, change, wanted), GraphIndex()) == found
        return found

    def names(self, found: Impact) -> dict[str, list[str]]:
        """Return affected assets by kind, each with its way, as names."""
        from assetgraph.lineage import queries

        with self.database.reading() as session:
            refs = {ref for many in found.affected.values() for one in many.nearest for ref in one.way}
            rows = queries.assets_by_ids(session, [int(ref.key) for ref in refs])
        named = {ref: rows[int(ref.key)].key for ref in refs}
        return {
            kind.value: [" > ".join(named[ref] for ref in one.way) for one in many.nearest]
            for kind, many in found.affected.items()
        }


def test_a_column_that_goes_breaks_what_was_made_of_it(database: Database) -> None:
    """Columns, their datasets, the runs behind, the owners; nearest first, with the way."""
    lake = Lake(database)
    found = lake.impact(lake.ref(AssetKind.FIELD, "raw#mail"), ImpactChange.COLUMN_REMOVED)
    assert lake.names(found) == {
        "FIELD": ["raw#mail > clean#contact", "raw#mail > clean#contact > mart#address"],
        "DATASET": [
            "raw#mail > clean#contact > clean", "raw#mail > clean#contact > mart#address > mart"
        ],
        "RUN": ["raw#mail > run wash", "raw#mail > clean#contact > run load"],
    }  # fmt: skip
    assert (found.owners, found.reason) == ({"ann": 2, "bob": 1}, None)
    assert lake.impact(lake.ref(AssetKind.FIELD, "raw#city"), ImpactChange.COLUMN_TYPE_CHANGED).affected == {}


def test_a_dataset_that_retires_breaks_jobs_datasets_and_runs(database: Database) -> None:
    """Along definitions."""
    lake = Lake(database)
    found = lake.impact(lake.ref(AssetKind.DATASET, "raw"), ImpactChange.DATASET_RETIRED)
    assert lake.names(found) == {
        "JOB": ["raw > wash", "raw > wash > clean > load"],
        "DATASET": ["raw > wash > clean", "raw > wash > clean > load > mart"],
        "RUN": ["raw > wash > run wash", "raw > wash > clean > load > run load"],
    }
    with pytest.raises(Invalid, match="COLUMN_REMOVED is a change of a FIELD; this root is a DATASET"):
        lake.impact(lake.ref(AssetKind.DATASET, "raw"), ImpactChange.COLUMN_REMOVED)


def test_impact_is_filtered_and_its_ways_are_too(database: Database) -> None:
    """What does not match is not counted, and ways lead on through it; runs come with the kinds that are shown."""
    lake = Lake(database)
    raw = lake.ref(AssetKind.DATASET, "raw")
    datasets = Filter(kinds=frozenset({AssetKind.DATASET}))
    found = lake.impact(raw, ImpactChange.DATASET_RETIRED, datasets)
    assert lake.names(found) == {"DATASET": ["raw > clean", "raw > clean > mart"]}
    assert found.owners == {"ann": 2, "bob": 1}
    found = lake.impact(raw, ImpactChange.DATASET_RETIRED, Filter(owners=("bob",)))
    assert lake.names(found) == {"DATASET": ["raw > mart"]}
    column = lake.ref(AssetKind.FIELD, "raw#mail")
    found = lake.impact(column, ImpactChange.COLUMN_REMOVED, datasets)
    assert lake.names(found) == {"DATASET": ["raw#mail > clean", "raw#mail > mart"]}
    with database.transaction("test") as session:
        catalog.register_dataset(session, RegisterDataset("ns", "clean", transient=True))
    found = lake.impact(column, ImpactChange.COLUMN_REMOVED)
    assert lake.names(found)["DATASET"] == ["raw#mail > mart#address > mart"]
    assert lake.names(found)["FIELD"] == ["raw#mail > mart#address"]


def test_impact_of_a_hub_counts_all_and_lists_the_nearest(database: Database) -> None:
    """More than a walk's page."""
    with database.transaction("test") as session:
        root = ensure_dataset(session, "hub", "root")[0]
        below = [ensure_dataset(session, "hub", str(i))[0] for i in range(150)]
        connect(session, [Link(root, one, EdgeKind.DERIVED, Level.DATASET) for one in below])
    with database.reading() as session:
        command = AskImpact(dataset(root), ImpactChange.DATASET_RETIRED)
        for index in (None, GraphIndex()):
            found = impact_of(session, command, index).affected
            assert list(found) == [AssetKind.DATASET]
            many: Affected = found[AssetKind.DATASET]
            assert (many.total, [int(one.ref.key) for one in many.nearest]) == (150, below[:100])
