"""Declared lineage: "these are all the upstream edges of X, according to producer P"; told again, it replaces."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assetgraph.catalog import batches
from assetgraph.catalog.service import AssetRef
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid
from assetgraph.ids import AssetKind, normalised
from assetgraph.lineage import edge_queries
from assetgraph.lineage.columns import ColumnEdge
from assetgraph.lineage.edge_log import Place, log_closed, log_opened
from assetgraph.lineage.recording import MAX_RUN_ASSETS, MAX_RUN_COLUMNS
from assetgraph.lineage.settling import settle
from assetgraph.lineage.support import Transformation
from assetgraph.lineage.tables import EdgeKind, Ending, Level

MAX_PRODUCER_BYTES = 200


@dataclass(frozen=True)
class DeclareLineage:
    """All that a producer says lies upstream of a dataset; with columns, all that it says of them."""

    target: AssetRef
    producer: str
    upstream: tuple[AssetRef, ...] = ()
    columns: tuple[ColumnEdge, ...] = ()


@dataclass(frozen=True)
class Declared:
    """What a declaration changed: how many edges it opened, kept and closed."""

    dataset: int
    opened: int
    kept: int
    closed: int


def declare(session: Session, command: DeclareLineage) -> Declared:
    """Make the open edges of a producer into a dataset what it says now; all others stay as they are."""
    producer = normalised(command.producer, what="producer", path=("producer",), most=MAX_PRODUCER_BYTES)
    for name, many, most in (
        ("upstream", command.upstream, MAX_RUN_ASSETS), ("columns", command.columns, MAX_RUN_COLUMNS)
    ):  # fmt: skip
        if len(many) > most:
            raise Invalid(f"{len(many)} {name}; at most {most} are allowed", path=(name,))
    # The log's lock, early: of two declarations of one producer the later must see the earlier.
    changes.lock(session)
    target, said = _said(session, command)
    known: dict[Place, list[Any]] = defaultdict(list)
    for row in edge_queries.declared_edges(session, target, producer):
        known[Place(int(row.source_id), int(row.target_id), row.kind, row.level)].append(row)
    kept = {place: row for place, rows in known.items() for row in rows if place in said and row.valid_to is None}
    moment = now()
    fresh = {place: done for place, done in said.items() if place not in kept}
    opened = edge_queries.insert_edges(session, {
        place: {"valid_from": moment, "last_seen": moment, "run_count": 0, "transformations": _plain(done)}
        for place, done in fresh.items()
    }, producer)  # fmt: skip
    edge_queries.update_edges(session, [
        {"edge": int(row.id), "first": row.valid_from, "last": moment, "count": 0, "done": _plain(said[place])}
        for place, row in kept.items()
    ])  # fmt: skip
    gone = {place: rows for place, rows in known.items() if place not in said}
    edge_queries.end_edges(session, [
        {"edge": int(row.id), "until": row.valid_to or moment, "why": Ending.UNDECLARED}
        for rows in gone.values() for row in rows
    ])  # fmt: skip
    log_opened(session, [(opened[place], place) for place in fresh])
    log_closed(session, [
        (int(row.id), place) for place, rows in gone.items() for row in rows if row.valid_to is None
    ])  # fmt: skip
    # A version that lies ahead may drop what was dropped before and is said again.
    settle(session, sorted(opened[place] for place in fresh if place in known))
    if fresh or gone:
        after = {"producer": producer, "upstream": sorted({one.source for one in said if one.level is Level.DATASET})}
        changes.record_asset(session, AssetKind.DATASET, target, "declared", None, after)
    return Declared(target, len(fresh), len(kept), len(gone))


def _said(session: Session, command: DeclareLineage) -> tuple[int, dict[Place, set[Transformation]]]:
    """Return the dataset, and the edges that are declared with what is done to values."""
    ends = [end for edge in command.columns for end in (edge.source, edge.target)]
    found = batches.resolve_datasets(session, [command.target, *command.upstream, *ends])
    target = batches.at(found, command.target, ("target",))
    said: dict[Place, set[Transformation]] = {}
    for position, ref in enumerate(command.upstream):
        source = batches.at(found, ref, ("upstream", str(position)))
        if source == target:
            raise Invalid("a dataset does not lie upstream of itself", path=("upstream", str(position)))
        said[Place(source, target, EdgeKind.DECLARED, Level.DATASET)] = set()
    datasets = {place.source for place in said}
    columns = []
    for position, edge in enumerate(command.columns):
        path = ("columns", str(position))
        source = batches.at(found, edge.source, (*path, "from"))
        if source not in datasets:
            raise Invalid("the column's dataset is not among upstream; add it there", path=(*path, "from"))
        if batches.at(found, edge.target, (*path, "to")) != target:
            raise Invalid("the column is none of the target's", path=(*path, "to"))
        paths = edge.paths(position)
        columns.append(((source, paths[0]), (target, paths[1]), edge.transformation))
    named = dict.fromkeys(end for column in columns for end in column[:2])
    fields = batches.ensure_fields(session, list(named)) if named else {}
    for one, other, done in columns:
        place = Place(fields[one], fields[other], EdgeKind.DECLARED, Level.FIELD)
        said.setdefault(place, set()).update([] if done is None else [done])
    return target, said


def _plain(done: set[Transformation]) -> Sequence[dict[str, Any]] | None:
    return [asdict(one) for one in sorted(done)] or None
