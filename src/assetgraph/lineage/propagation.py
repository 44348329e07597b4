"""Tags flow along column edges when they are read, stop where values are masked, and show the way they came."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assetgraph.catalog import queries as catalog
from assetgraph.db.engine import Session
from assetgraph.lineage import queries
from assetgraph.lineage.past_queries import current_fields

#: A tag is looked for in at most this many columns upstream of those asked for.
MAX_FIELDS = 10_000


@dataclass(frozen=True)
class SeenTag:
    """A tag of an asset: its own, or that of a column upstream with the fields between, origin first."""

    name: str
    origin: int | None = None
    path: tuple[int, ...] = ()


def tags_of_fields(session: Session, fields: Sequence[int], at: datetime | None = None) -> dict[int, list[SeenTag]]:
    """Return own tags first, then those inherited over the shortest way, by name; each name once."""
    wanted = list(dict.fromkeys(fields))
    upstream = _sources(session, wanted, at)
    tagged = catalog.tags_of(
        session, sorted({*wanted, *upstream, *(one for many in upstream.values() for one in many)}), at
    )
    found = {field: {name: SeenTag(name) for name in tagged[field]} for field in wanted}
    for field in wanted:
        for path in _ways_up(field, upstream):
            for name in tagged[path[0]]:
                found[field].setdefault(name, SeenTag(name, path[0], path))
    return {field: [tags[name] for name in _own_first(tags)] for field, tags in found.items()}


def tags_of_datasets(session: Session, datasets: Sequence[int], at: datetime | None = None) -> dict[int, list[SeenTag]]:
    """Return own tags, then those of each dataset's columns, own or inherited; each name once."""
    own = catalog.tags_of(session, datasets, at)
    fields = current_fields(session, datasets, at)
    of_fields = tags_of_fields(session, [field for many in fields.values() for field in many], at)
    result = {}
    for dataset in datasets:
        tags = {name: SeenTag(name) for name in own[dataset]}
        ways = [
            SeenTag(tag.name, tag.origin or field, tag.path or (field,))
            for field in fields[dataset]
            for tag in of_fields[field]
        ]
        for tag in sorted(ways, key=lambda tag: len(tag.path)):
            tags.setdefault(tag.name, tag)
        result[dataset] = [tags[name] for name in _own_first(tags)]
    return result


def _own_first(tags: dict[str, SeenTag]) -> list[str]:
    return sorted(tags, key=lambda name: (tags[name].origin is not None, name))


def _sources(session: Session, fields: Sequence[int], at: datetime | None) -> dict[int, list[int]]:
    """Return the columns whose values flow into each column upstream of some, one statement per level."""
    above: dict[int, list[int]] = {}
    met, frontier = set(fields), list(fields)
    while frontier and len(met) <= MAX_FIELDS:
        following: list[int] = []
        for source, target in queries.value_edges_into(session, frontier, at):
            above.setdefault(target, []).append(source)
            if source not in met:
                met.add(source)
                following.append(source)
        frontier = following
    return above


def _ways_up(field: int, above: dict[int, list[int]]) -> list[tuple[int, ...]]:
    """Return the shortest way from each column upstream down to a column, nearest first."""
    ways: dict[int, tuple[int, ...]] = {field: (field,)}
    queue = deque([field])
    while queue:
        near = queue.popleft()
        for source in above.get(near, ()):
            if source not in ways:
                ways[source] = (source, *ways[near])
                queue.append(source)
    return [way for source, way in ways.items() if source != field]
