"""Which version a run wrote and which it read, worked out from what is known; more knowledge moves it.

A run that completed (or streams) wrote one version of each of its outputs: the producer's own when it names one
(Iceberg snapshot, Delta version), else the run's. A reading without a name means the newest version that lay there at
the reader's start; before the first writing that is known it is what the reader saw, told apart by its columns.
Along every path of versions and runs the times only grow, so that versions have no cycles, whatever producers say.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from assetgraph.catalog import batch_queries
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind
from assetgraph.lineage import edge_queries as lineage
from assetgraph.lineage.edge_log import Place, log_opened, retract
from assetgraph.lineage.tables import EdgeKind, Level
from assetgraph.openlineage import queries, version_queries
from assetgraph.openlineage.facets import RunPlace, digest_of
from assetgraph.openlineage.facts import Facts
from assetgraph.openlineage.names import Names
from assetgraph.openlineage.shapes import VersionFacet, validated

#: Origins: a run's writing, a producer's label, columns that a dataset event showed, columns that a reader saw.
RUN, LABEL, SHOWN, SEEN = "run:", "label:", "shown:", "seen:"

#: (dataset, origin)
Origin = tuple[int, str]


@dataclass
class Wanted:
    """A version that must exist, and since when the dataset was like that."""

    at: datetime
    label: str | None = None


@dataclass
class Resolved:
    """Where readings and writings of a batch ended up."""

    version: dict[RunPlace, int | None] = field(default_factory=dict)
    #: Those whose version is another than before.
    moved: set[RunPlace] = field(default_factory=set)
    #: Versions that dataset events are about, with the facets they carry.
    shown: dict[int, list[tuple[datetime, str, dict[str, Any]]]] = field(default_factory=dict)
    #: Versions that a reading left, so that what it said of them must go.
    left: set[int] = field(default_factory=set)
    #: Datasets whose known versions are gone, or dated anew: what they drop must be worked out again.
    redated: set[int] = field(default_factory=set)


def origin_of(prefix: str, *parts: str) -> str:
    """Return the key of a version within its dataset: content alone, so that it is the same in every order."""
    return prefix + hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def resolve_versions(session: Session, batch: Sequence[Facts], names: Names, again: Sequence[int]) -> Resolved:
    """Make the versions that a batch proves, and point readings and writings at them; `again` are more runs to do."""
    resolved = Resolved()
    runs = sorted({*again, *(names.runs[by] for one in batch for by in one.runs)})
    rows = version_queries.places_of_runs(session, runs) if runs else []
    wanted: dict[Origin, Wanted] = {}
    writes: dict[RunPlace, Origin] = {}
    for row in rows:
        _want(row, wanted, writes)
    shown = _shown(batch, names, wanted)
    if not rows and not wanted:
        return resolved
    made = _Versions(session)
    made.ensure(wanted)
    for origin, facets in shown.items():
        resolved.shown[made.ids[origin]] = facets
    places = {(int(row.by_id), int(row.dataset_id), str(row.direction)): row for row in rows}
    for place, row in places.items():
        if place[2] == "OUT":
            _point(resolved, place, row, made.ids[writes[place]] if place in writes else None)
    _set(session, resolved, {place: row for place, row in places.items() if place[2] == "OUT"})
    reads = {place[:2] for place in places if place[2] == "IN"} | made.readings_to_move()
    for row in version_queries.readings(session, sorted(reads)):
        places[(int(row.by_id), int(row.dataset_id), "IN")] = row
    _resolve_readings(made, resolved, {place: row for place, row in places.items() if place[2] == "IN"})
    _set(session, resolved, {place: row for place, row in places.items() if place[2] == "IN"})
    _connect(session, resolved, places)
    made.settle(resolved)
    return resolved


def _want(row: Any, wanted: dict[Origin, Wanted], writes: dict[RunPlace, Origin]) -> None:
    dataset, label = int(row.dataset_id), row.label
    done = row.completed_at or (row.run_first_at if row.streaming else None)
    if row.direction == "OUT" and done is not None:
        origin = (
            origin_of(RUN, str(row.job_namespace), str(row.job_key), str(row.run_id)) if label is None
            else origin_of(LABEL, label)
        )  # fmt: skip
        writes[(int(row.by_id), dataset, "OUT")] = (dataset, origin)
        _earliest(wanted, (dataset, origin), done, label)
    elif row.direction == "IN" and label is not None:
        _earliest(wanted, (dataset, origin_of(LABEL, label)), row.first_at, label)


def _earliest(wanted: dict[Origin, Wanted], origin: Origin, at: datetime, label: str | None = None) -> None:
    known = wanted.get(origin)
    if known is None:
        wanted[origin] = Wanted(at, label)
    else:
        known.at = min(known.at, at)


def _shown(
    batch: Sequence[Facts], names: Names, wanted: dict[Origin, Wanted]
) -> dict[Origin, list[tuple[datetime, str, dict[str, Any]]]]:
    """Return the versions that dataset events show, with the facets that describe them."""
    found: dict[Origin, list[tuple[datetime, str, dict[str, Any]]]] = {}
    for one in batch:
        if one.kind != "DATASET":
            continue
        said = {fact.name: fact.body for fact in one.facets if fact.by is not None and fact.body is not None}
        label = validated(VersionFacet, said["version"], ()).label if "version" in said else None
        fields = said.get("schema", {}).get("fields")
        if label is None and not fields:
            continue
        origin = origin_of(SHOWN, digest_of(fields)) if label is None else origin_of(LABEL, label)
        place = (names.datasets[one.by.key], origin)
        _earliest(wanted, place, one.at, label)
        found.setdefault(place, []).extend((one.at, name, body) for name, body in said.items())
    return found


def _point(resolved: Resolved, place: RunPlace, row: Any, version: int | None) -> None:
    had = None if row.version_id is None else int(row.version_id)
    resolved.version[place] = version
    if had != version:
        resolved.moved.add(place)
        if had is not None:
            resolved.left.add(had)


def _resolve_readings(made: "_Versions", resolved: Resolved, rows: dict[RunPlace, Any]) -> None:
    seen: dict[Origin, Wanted] = {}
    origins: dict[RunPlace, Origin] = {}
    for place, row in rows.items():
        if row.label is not None:
            # What the reader names was there; unless it says that it read its own future, which nobody can.
            impossible = row.written and row.before is not None and row.label_at >= row.before
            _point(resolved, place, row, None if impossible else int(row.labelled))
        elif row.settled is not None:
            _point(resolved, place, row, int(row.settled))
        else:
            origins[place] = (place[1], SEEN + (row.schema_digest or ""))
            _earliest(seen, origins[place], row.first_at)
    made.ensure(seen, provisional=True)
    for place, origin in origins.items():
        _point(resolved, place, rows[place], made.ids[origin])


def _set(session: Session, resolved: Resolved, rows: dict[RunPlace, Any]) -> None:
    moved = [
        {"by": place[0], "dataset": place[1], "way": place[2], "version": resolved.version[place]}
        for place in rows if place in resolved.moved
    ]  # fmt: skip
    queries.set_versions(session, moved)


def _edge(place: RunPlace, version: int) -> Place:
    run, _, direction = place
    if direction == "IN":
        return Place(version, run, EdgeKind.CONSUMED, Level.VERSION)
    return Place(run, version, EdgeKind.PRODUCED, Level.VERSION)


def _connect(session: Session, resolved: Resolved, rows: dict[RunPlace, Any]) -> None:
    """Make the edges between runs and versions what the readings and writings are."""
    old = [
        _edge(place, int(rows[place].version_id)) for place in resolved.moved if rows[place].version_id is not None
    ]  # fmt: skip
    want = {
        _edge(place, version): rows[place].first_at
        for place, version in resolved.version.items() if version is not None
    }  # fmt: skip
    _exact(session, want, [one for one in old if one not in want])


def _exact(session: Session, want: dict[Place, datetime], gone: Sequence[Place]) -> None:
    """Make edges be there since exactly some moment, and others not at all."""
    known = lineage.edges_at(session, [*want, *gone]) if want or gone else {}
    wrong = [int(known[one].id) for one in gone if one in known]
    if wrong:
        end = gone[0]
        version = end.source if end.kind is EdgeKind.CONSUMED else end.target
        retract(session, wrong, version, AssetKind.DATASET_VERSION)
    opened = lineage.insert_edges(session, {
        one: {"valid_from": at, "last_seen": at, "run_count": 1, "transformations": None}
        for one, at in want.items() if one not in known
    })  # fmt: skip
    log_opened(session, [(edge, place) for place, edge in opened.items()], modelless=True)
    lineage.update_edges(session, [
        {"edge": int(row.id), "first": want[one], "last": want[one], "count": int(row.run_count), "done": None}
        for one, row in known.items()
        if one in want and (row.valid_from, row.last_seen) != (want[one], want[one])
    ])  # fmt: skip


class _Versions:
    """The versions of a batch: found by origin, made where they are new, deleted where nothing speaks for them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ids: dict[Origin, int] = {}
        self._earlier: list[int] = []
        self._redated: set[int] = set()

    def ensure(self, wanted: dict[Origin, Wanted], *, provisional: bool = False) -> None:
        """Have these versions, each effective no later than wanted."""
        if not wanted:
            return
        known = version_queries.versions_of_origins(self._session, list(wanted))
        earlier = {
            int(row.id): wanted[origin].at for origin, row in known.items() if wanted[origin].at < row.effective_at
        }
        self.ids.update({origin: int(row.id) for origin, row in known.items()})
        fresh = {origin: one for origin, one in wanted.items() if origin not in known}
        made = self._make(fresh)
        self.ids.update(made)
        version_queries.set_effective(self._session, earlier)
        if not provisional:
            self._earlier += [*made.values(), *earlier]
        self._redated |= {origin[0] for origin, row in known.items() if int(row.id) in earlier}
        since = {(origin[0], made[origin]): one.at for origin, one in fresh.items()}
        since |= {(origin[0], int(row.id)): earlier[int(row.id)]
                  for origin, row in known.items() if int(row.id) in earlier}  # fmt: skip
        _exact(self._session, {
            Place(dataset, version, EdgeKind.VERSION_OF, Level.VERSION): at for (dataset, version), at in since.items()
        }, [])  # fmt: skip

    def _make(self, fresh: dict[Origin, Wanted]) -> dict[Origin, int]:
        if not fresh:
            return {}
        session, at = self._session, now()
        datasets = sorted({dataset for dataset, _ in fresh})
        names, numbers = batch_queries.asset_keys(session, datasets), version_queries.newest_numbers(session, datasets)
        places: dict[tuple[str, str], Origin] = {}
        assets, rows = [], {}
        for origin in sorted(fresh, key=lambda one: (one[0], fresh[one].at, one[1])):
            dataset = origin[0]
            numbers[dataset] = numbers.get(dataset, 0) + 1
            space, key = names[dataset]
            name = f"{key}@{numbers[dataset]}"
            places[(space, name)] = origin
            kind = AssetKind.DATASET_VERSION
            assets.append({"kind": kind, "namespace": space, "key": name, "name": name, "created_at": at})
            rows[origin] = {
                "dataset_id": dataset, "number": numbers[dataset], "origin": origin[1],
                "external_version": fresh[origin].label, "effective_at": fresh[origin].at,
            }  # fmt: skip
        made = {places[key]: id_ for key, id_ in batch_queries.insert_assets(session, assets).items()}
        version_queries.insert_versions(session, [{"id": made[origin], **row} for origin, row in rows.items()])
        for origin, row in rows.items():
            changes.record_asset(session, AssetKind.DATASET_VERSION, made[origin], "created", None, row)
        return made

    def readings_to_move(self) -> set[tuple[int, int]]:
        """Return (run, dataset) of readings that versions that are new, or earlier than they were, may change."""
        if not self._earlier:
            return set()
        return {
            (int(row.by_id), int(row.dataset_id))
            for row in version_queries.readings_after(self._session, self._earlier)
        }

    def settle(self, resolved: Resolved) -> None:
        """Delete versions that nothing speaks for any more, and date those that only readers speak for."""
        if resolved.left:
            orphans = version_queries.orphans(self._session, sorted(resolved.left))
            delete_versions(self._session, [int(row.id) for row in orphans])
            _close_gaps(self._session, {int(row.dataset_id) for row in orphans})
            resolved.left -= {int(row.id) for row in orphans}
            self._redated |= {int(row.dataset_id) for row in orphans}
        resolved.redated |= self._redated
        again = sorted(resolved.left | set(self.ids.values()))
        dates = version_queries.seen_since(self._session, again)
        version_queries.set_effective(self._session, {int(row.id): row.first_at for row in dates})
        _exact(self._session, {
            Place(int(row.dataset_id), int(row.id), EdgeKind.VERSION_OF, Level.VERSION): row.first_at for row in dates
        }, [])  # fmt: skip


def delete_versions(session: Session, versions: Iterable[int]) -> None:
    """Delete versions with their edges, columns and numbers: it turned out that there never was such a version."""
    for version in versions:
        edges = version_queries.edges_of(session, version)
        retract(session, edges, version, AssetKind.DATASET_VERSION)
        version_queries.delete_version(session, version)
        changes.record_asset(session, AssetKind.DATASET_VERSION, version, "deleted", {}, None)


def _close_gaps(session: Session, datasets: Iterable[int]) -> None:
    """Let numbers go on without a gap where versions turned out not to exist; those that no event made keep theirs."""
    wanted = sorted(datasets)
    if not wanted:
        return
    moved: list[tuple[int, int, str]] = []
    for _, rows in groupby(version_queries.numbers_of(session, wanted), key=lambda row: int(row.dataset_id)):
        versions = list(rows)
        fixed = max((place for place, row in enumerate(versions) if row.origin is None), default=-1)
        number = 0 if fixed < 0 else int(versions[fixed].number)
        for row in versions[fixed + 1 :]:
            number += 1
            if int(row.number) != number:
                moved.append((int(row.id), number, f"{row.key}@{number}"))
    if moved:
        version_queries.set_numbers(session, moved)
