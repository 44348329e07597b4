"""Versions have no cycles: data cannot come from its own future, however many runs together would say so."""

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from assetgraph.db.engine import Session
from assetgraph.lineage import run_queries

#: A version, a run that is stored, or the key of one that is not yet.
Node = int | tuple[str, str]


class Downstream:
    """What lies below some versions and runs, in memory, with the edges that a batch adds."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.below: dict[Node, set[Node]] = {}

    def load(self, session: Session, roots: Iterable[int]) -> None:
        """Read all that lies below: one statement per level."""
        met = set(roots)
        frontier = sorted(met)
        while frontier:
            edges = run_queries.data_edges(session, frontier, upstream=False)
            for source, target in edges:
                self.below.setdefault(source, set()).add(target)
            frontier = sorted({target for _, target in edges} - met)
            met.update(frontier)

    def add(self, run: Node, inputs: Iterable[int], outputs: Iterable[int]) -> None:
        """Add what a run read and wrote."""
        for version in inputs:
            self.below.setdefault(version, set()).add(run)
        self.below.setdefault(run, set()).update(outputs)

    def closes(self, adding: Iterable[tuple[Node, Sequence[int], Sequence[int]]]) -> bool:
        """Tell whether runs with inputs and outputs would close a cycle if all were added."""
        joined: dict[Node, set[Node]] = {node: set(below) for node, below in self.below.items()}
        for run, inputs, outputs in adding:
            for version in inputs:
                joined.setdefault(version, set()).add(run)
            joined.setdefault(run, set()).update(outputs)
        try:
            TopologicalSorter(joined).prepare()
        except CycleError:
            return True
        return False

    def reached(self, roots: Iterable[int]) -> set[Node]:
        """Return all that lies below, with the roots."""
        met: set[Node] = set(roots)
        stack = list(met)
        while stack:
            further = self.below.get(stack.pop(), set()) - met
            met |= further
            stack += further
        return met
