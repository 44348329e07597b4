"""What was read at one sequence of the change log, kept for the next walk that sees the same sequence."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from assetgraph.lineage.request import NodeRef, WalkEdge

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: How many edges, and how many assets, are kept: about a kilobyte each.
MOST = 20_000


class Kept(Generic[K, V]):
    """Values by key, bounded; used by many threads without a lock."""

    def __init__(self, most: int = MOST) -> None:
        """Start with none."""
        self._found: dict[K, V] = {}
        self._most = most

    def all_of(self, keys: Iterable[K], read: Callable[[list[K]], Mapping[K, V]]) -> dict[K, V]:
        """Return values by key, in the order of the keys; `read` is asked for those that are not kept."""
        known = self._found
        found = {key: known.get(key) for key in keys}
        missing = [key for key, value in found.items() if value is None]
        if missing:
            more = read(missing)
            found.update(more)
            if len(known) + len(more) > self._most:
                # Others may be reading the old ones: they are left, not emptied.
                known = self._found = {}
            if len(more) <= self._most:
                known.update(more)
        return {key: value for key, value in found.items() if value is not None}


class Readings:
    """What walks read of the graph as it is at a sequence: its edges, and its assets as they are shown."""

    def __init__(self) -> None:
        """Start with none."""
        #: An edge with its end: None where it is open.
        self.edges: Kept[int, tuple[WalkEdge, datetime | None]] = Kept()
        #: Of whatever class they are shown as: whoever shows them says it.
        self.assets: Kept[NodeRef, Any] = Kept()
