"""The index on disk: processes map one copy, and whatever is wrong with it, answers are those of SQL."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assetgraph.catalog import service as catalog
from assetgraph.db.engine import Database
from assetgraph.ids import AssetKind
from assetgraph.lineage import index as index_module
from assetgraph.lineage.edge_log import retract
from assetgraph.lineage.edges import Link, connect
from assetgraph.lineage.index import GraphIndex, Snapshot
from assetgraph.lineage.index_files import MANIFEST, IndexFiles
from assetgraph.lineage.indexed import walk_in_memory
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.lineage.walk import Direction, NodeRef, WalkRequest, walk


class Graph:
    """A chain of datasets, and a folder of index files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.files = database, IndexFiles(folder, least_edges=1)
        with database.transaction("test") as session:
            self.ids = [catalog.ensure_dataset(session, "ns", f"d{number}")[0] for number in range(30)]
        self.chain(0, 20)

    def chain(self, start: int, end: int) -> None:
        """Connect datasets one after the other."""
        pairs = zip(self.ids[start:end], self.ids[start + 1 : end + 1], strict=True)
        with self.database.transaction("test") as session:
            connect(session, [Link(a, b, EdgeKind.DERIVED, Level.DATASET) for a, b in pairs])

    def loaded(self) -> Snapshot:
        """Return the graph of a process that starts, which answers as SQL does."""
        index = GraphIndex(self.files)
        self.check(index)
        assert index._snapshot is not None
        return index._snapshot

    def check(self, index: GraphIndex) -> None:
        """Walk both ways from both ends and the middle."""
        with self.database.reading() as session:
            for place in (0, 10, 29):
                root = NodeRef(AssetKind.DATASET, str(self.ids[place]))
                request = WalkRequest(root, Direction.BOTH, 50, Level.DATASET)
                found = walk_in_memory(session, request, index)
                assert found is not None
                expected = walk(session, request)
                assert (found.nodes, {*map(repr, found.edges)}) == (expected.nodes, {*map(repr, expected.edges)})

    @property
    def folders(self) -> list[Path]:
        """What lies in the folder."""
        return sorted(self.files.folder.iterdir())


@pytest.fixture
def graph(database: Database, tmp_path: Path) -> Graph:
    """A graph."""
    return Graph(database, tmp_path / "index")


def is_mapped(array: np.ndarray) -> bool:
    """Tell whether an array lies in a mapped file that cannot be written."""
    return isinstance(array.base, np.memmap) and not array.flags.writeable


def test_the_first_writes_and_the_next_maps(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking the database for its edges again."""
    first = graph.loaded()
    assert is_mapped(first.levels[Level.DATASET].out.neighbours)
    [folder] = graph.folders
    monkeypatch.setattr(index_module, "load", None)
    second = graph.loaded()
    assert is_mapped(second.levels[Level.DATASET].into.edges)
    assert graph.folders == [folder]


def test_who_maps_catches_up_with_the_log(graph: Graph) -> None:
    """New assets, new edges and closed ones."""
    graph.loaded()
    graph.chain(20, 29)
    with graph.database.transaction("test") as session:
        retract(session, [5], graph.ids[5], AssetKind.DATASET)
    mapped = graph.loaded()
    assert mapped.added.shape[1] == 9
    assert is_mapped(mapped.levels[Level.DATASET].out.edges)


def test_an_outgrown_base_is_written_anew_and_taken_by_others(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """One writes, the other maps what it wrote; the old one is gone."""
    one, other = GraphIndex(graph.files), GraphIndex(graph.files)
    graph.check(one)
    graph.check(other)
    before = graph.folders
    monkeypatch.setattr(index_module, "MERGE_EDGES", 3)
    graph.chain(20, 29)
    graph.check(one)
    [after] = graph.folders
    assert [after] != before
    graph.check(other)
    assert graph.folders == [after]
    for index in (one, other):
        assert index._snapshot is not None
        assert is_mapped(index._snapshot.levels[Level.DATASET].out.edges)


def truncate(folder: Path) -> None:
    """Cut a file."""
    path = folder / "DATASET-out-neighbours.npy"
    path.write_bytes(path.read_bytes()[:-8])


def flip(folder: Path) -> None:
    """Change a byte."""
    path = folder / "DATASET-into-edges.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def lose(folder: Path) -> None:
    """Remove a file."""
    (folder / "kinds.npy").unlink()


def garble(folder: Path) -> None:
    """Break the manifest."""
    (folder / MANIFEST).write_text("{")


def date(folder: Path) -> None:
    """Let it be of another version."""
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"format":1', '"format":0'))


@pytest.mark.parametrize("spoil", [truncate, flip, lose, garble, date])
def test_what_is_damaged_is_built_anew(graph: Graph, spoil: Callable[[Path], None]) -> None:
    """And is whole again for the next."""
    graph.loaded()
    [folder] = graph.folders
    spoil(folder)
    graph.loaded()
    with graph.database.reading() as session:
        assert graph.files.open(session) is not None


def test_files_of_another_or_a_restored_database_are_not_used(graph: Graph) -> None:
    """Their hash is another, or they are of the future."""
    graph.loaded()
    [folder] = graph.folders
    sequence, _, digest = folder.name.partition("-")
    foreign = folder.with_name(f"{sequence}-{digest[::-1]}")
    folder.rename(foreign)
    shutil.copytree(foreign, folder.with_name(f"{int(sequence) + 1}-{digest}"))
    with graph.database.reading() as session:
        assert graph.files.open(session) is None
    graph.loaded()
    assert [path.name for path in graph.folders] == [f"{sequence}-{digest}"]


def test_a_home_that_cannot_be_written_costs_only_memory(graph: Graph) -> None:
    """As when a file stands in its place."""
    graph.files.folder.write_text("in the way")
    assert not is_mapped(graph.loaded().levels[Level.DATASET].out.edges)


PROCESS = """
import sys
from pathlib import Path
from assetgraph.db.engine import Database
from assetgraph.lineage.index import GraphIndex
from assetgraph.lineage.index_files import IndexFiles
from assetgraph.lineage.tables import Level
index, database = GraphIndex(IndexFiles(Path(sys.argv[2]), least_edges=1)), Database(sys.argv[1])
with database.reading() as session:
    edges = index.at(session).levels[Level.DATASET].out.edges
lines = [line.split() for line in open("/proc/self/maps")]
inodes = {line[4] for line in lines if line[-1].endswith("DATASET-out-edges.npy") and line[1] == "r--s"}
print(int(edges.sum()), *inodes, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_two_processes_map_the_same_file(graph: Graph) -> None:
    """Both at once, the same inode, read-only and shared."""
    graph.loaded()
    command = [sys.executable, "-c", PROCESS, graph.database.url, str(graph.files.folder)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]  # fmt: skip
    said = []
    for process in started:
        assert process.stdout is not None
        said.append(process.stdout.readline().split())
    for process in started:
        process.communicate()
    assert said[0] == said[1]
    assert len(said[0]) == 2
