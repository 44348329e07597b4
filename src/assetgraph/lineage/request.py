"""What a walk is asked for and what it answers: nodes, edges, bounds, and the cursors between pages."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import EVERYTHING, Filter
from assetgraph.lineage.tables import EdgeKind, Level

MAX_DEPTH = 100
MAX_FIRST = 10_000
#: A walk stops here and says so; the nodes found so far are returned, with a cursor to go on.
MAX_VISITED = 50_000
MAX_FRONTIER_EDGES = 200_000
#: A statement binds at most 32,766 values on SQLite, 65,535 on PostgreSQL.
FRONTIER_IDS = 10_000

DEFINITIONS = (AssetKind.SOURCE, AssetKind.DATASET, AssetKind.JOB, AssetKind.MODEL)


class Direction(StrEnum):
    """Which way a walk goes; BOTH is the way up and the way down, not sideways to siblings."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"
    BOTH = "BOTH"


class NodeRef(NamedTuple):
    """A node of the graph: row id as text for stored assets, the encoded key for computed ones."""

    kind: AssetKind
    key: str


@dataclass(frozen=True)
class WalkEdge:
    """A relation met by a walk; it points the way data flows."""

    source: NodeRef
    target: NodeRef
    kind: EdgeKind
    first_seen: datetime
    last_seen: datetime
    run_count: int
    via: NodeRef | None = None
    #: What is done to the values, at level FIELD: type, subtype, description, masking.
    transformations: tuple[dict[str, Any], ...] = ()

    def onward(self, further: "WalkEdge") -> "WalkEdge":
        """Return the two as one relation: there since both are, seen as long as both were, by runs of the rarer."""
        return replace(
            self, kind=EdgeKind.DERIVED, first_seen=max(self.first_seen, further.first_seen), transformations=(),
            last_seen=min(self.last_seen, further.last_seen), run_count=min(self.run_count, further.run_count),
        )  # fmt: skip


def edge_of(row: Any, source: NodeRef, target: NodeRef) -> WalkEdge:
    """View a row of `edge` between its ends."""
    seen = (row.valid_from, row.last_seen, int(row.run_count))
    return WalkEdge(source, target, row.kind, *seen, transformations=tuple(row.transformations or ()))


def said_once(edges: Iterable[WalkEdge]) -> list[WalkEdge]:
    """Join what several rows say of one relation: producers that declare the same, or times that overlap."""
    joined: dict[tuple[NodeRef, NodeRef, EdgeKind], WalkEdge] = {}
    for edge in edges:
        place = (edge.source, edge.target, edge.kind)
        known = joined.setdefault(place, edge)
        if known is not edge:
            done = {tuple(sorted(one.items())): one for one in (*known.transformations, *edge.transformations)}
            joined[place] = replace(
                known, first_seen=min(known.first_seen, edge.first_seen),
                last_seen=max(known.last_seen, edge.last_seen), run_count=known.run_count + edge.run_count,
                transformations=tuple(done[key] for key in sorted(done)),
            )  # fmt: skip
    return list(joined.values())


@dataclass(frozen=True)
class WalkNode:
    """A node met by a walk, with its distance from the root in shown edges."""

    ref: NodeRef
    distance: int
    hidden_neighbours: int = 0


@dataclass(frozen=True)
class WalkResult:
    """What a walk found; `truncated` with a reason and a cursor whenever anything was left out."""

    root: NodeRef
    nodes: list[WalkNode]
    edges: list[WalkEdge]
    truncated: bool
    reason: str | None
    end_cursor: str | None
    visited: int
    as_of: datetime


@dataclass(frozen=True)
class WalkRequest:
    """What a walk is asked for."""

    root: NodeRef
    direction: Direction = Direction.BOTH
    depth: int = 1
    level: Level = Level.DATASET
    kinds: frozenset[AssetKind] | None = None
    as_of: datetime | None = None
    first: int = 1000
    after: str | None = None
    filter: Filter = EVERYTHING

    @property
    def kinds_shown(self) -> frozenset[AssetKind] | None:
        """The kinds that both `kinds` and the filter let through; None for all."""
        if self.kinds is None or self.filter.kinds is None:
            return self.kinds if self.filter.kinds is None else self.filter.kinds
        return self.kinds & self.filter.kinds


def cursor_at(distance: int, ref: NodeRef) -> str:
    """Return the place of a node in a walk's order, opaque to callers."""
    packed = json.dumps([distance, ref.kind.value, ref.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode("ascii")


def position_of(cursor: str | None) -> tuple[int, str, str] | None:
    """Return (distance, kind, key) of a cursor; raises Invalid for what is none."""
    if cursor is None:
        return None
    try:
        distance, kind, key = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, TypeError) as error:
        raise Invalid(
            "the cursor is not one that lineage gave out; start again without `after`", path=("after",)
        ) from error
    if not isinstance(distance, int) or not isinstance(kind, str) or not isinstance(key, str):
        raise Invalid("the cursor is not one that lineage gave out; start again without `after`", path=("after",))
    return distance, kind, key


def check(request: WalkRequest) -> None:
    """Refuse what is out of range, and a root that is not of the level."""
    if not 0 <= request.depth <= MAX_DEPTH:
        raise Invalid(f"depth must be from 0 to {MAX_DEPTH}, not {request.depth}", path=("depth",))
    if not 1 <= request.first <= MAX_FIRST:
        raise Invalid(f"first must be from 1 to {MAX_FIRST}, not {request.first}", path=("first",))
    request.filter.check()
    _check_root(request)


def _check_root(request: WalkRequest) -> None:
    kind = request.root.kind
    message = None
    if request.level is Level.FIELD and kind is not AssetKind.FIELD:
        message = f"level FIELD walks columns and begins at one; this root is a {kind.value}"
    elif request.level is not Level.FIELD and kind is AssetKind.FIELD:
        message = "a column is walked at level FIELD"
    elif request.level is Level.DATASET and kind not in DEFINITIONS:
        message = f"level DATASET walks definitions; this root is a {kind.value}: ask for level VERSION"
    if message is not None:
        raise Invalid(message, path=("level",))


def reason_of(more: bool, exhausted: bool, whole: bool, first: int, visited: int, steps: int) -> str | None:
    """Say why an answer is not all there is; None when it is."""
    if not exhausted:
        return f"budget: {visited} nodes visited"
    if not whole:
        return f"budget: {steps} steps through hidden nodes; edges are missing, ask for fewer nodes"
    return f"first: {first} nodes" if more else None
