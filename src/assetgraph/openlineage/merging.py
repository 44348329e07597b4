"""Names that mean one dataset: symlinks and renames, also when both names were known apart before.

All names of a dataset hang together by what producers said; which of them it is shown under follows from that alone:
the newest name after renames, else the first of those that call the others their symlinks. So the order in which the
words come does not matter, and no edge is lost: what belonged to one name moves to the one that stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from assetgraph.catalog import batch_queries, history
from assetgraph.changes import service as changes
from assetgraph.db.engine import Session
from assetgraph.ids import AssetKind, field_key
from assetgraph.lineage import edge_queries as lineage
from assetgraph.lineage.edge_log import Place, log_opened, retract
from assetgraph.lineage.edges import Transformation
from assetgraph.lineage.span_queries import insert_spans, supporters_of
from assetgraph.lineage.support import Claims, write_claims
from assetgraph.openlineage import facet_past, merging_queries, queries
from assetgraph.openlineage.facets import Bodies, Winner, digest_of
from assetgraph.openlineage.facts import Facts, Key
from assetgraph.openlineage.names import datasets
from assetgraph.openlineage.versions import delete_versions

Naming = tuple[Key, Key, str]


def join_names(session: Session, batch: Sequence[Facts]) -> set[int]:
    """Join the names that a batch says mean the same; returns the datasets that took over something from another."""
    said = dict.fromkeys(naming for one in batch for naming in one.names)
    rows = [
        {
            "digest": digest_of([stays, other, at]), "namespace": stays[0], "key": stays[1],
            "other_namespace": other[0], "other_key": other[1], "renamed_at": at,
        }
        for stays, other, at in said
    ]  # fmt: skip
    if not rows or not queries.add_namings(session, rows):
        return set()
    grown: set[int] = set()
    done: set[Key] = set()
    for stays, _, _ in said:
        if stays not in done:
            namings = _together(session, stays)
            names = sorted({name for naming in namings for name in naming[:2]})
            done.update(names)
            grown |= _unite(session, names, namings)
    return grown


def _together(session: Session, name: Key) -> list[Naming]:
    """Return all that was said of names that hang together with one."""
    met, frontier, found = {name}, [name], set()
    while frontier:
        namings = merging_queries.namings_of(session, frontier)
        found.update(namings)
        around = {one for naming in namings for one in naming[:2]}
        frontier = sorted(around - met)
        met |= around
    return sorted(found)


def _shown(namings: Sequence[Naming]) -> Key:
    renames = [(at, stays) for stays, _, at in namings if at]
    if renames:
        return max(renames)[1]
    first = {stays for stays, _, _ in namings} - {other for _, other, _ in namings}
    return min(first or {stays for stays, _, _ in namings})


def _called(namings: Sequence[Naming]) -> list[tuple[datetime, str, str]]:
    """Return which name was shown since when, of names of which some are renames of others."""
    renames = sorted((at, stays, other) for stays, other, at in namings if at)
    if not renames:
        return []
    earliest = renames[0][0]
    first = max(other for at, _, other in renames if at == earliest)
    # Of two at one time the greater name counts, as it does now.
    since = {datetime.fromisoformat(at): stays for at, stays, _ in renames}
    return [(history.ALWAYS, *first), *((at, *name) for at, name in since.items())]


def _unite(session: Session, names: Sequence[Key], namings: Sequence[Naming]) -> set[int]:
    shown = _shown(namings)
    known = batch_queries.assets_named(session, AssetKind.DATASET, names)
    known |= queries.aliases_named(session, [name for name in names if name not in known])
    ids = sorted(set(known.values())) or [datasets(session, [shown])[shown]]
    stays, *others = ids
    for other in others:
        _take_over(session, stays, other)
    _rename(session, stays, shown)
    if any(at for _, _, at in namings):
        history.named(session, stays, _called(namings))
    merging_queries.set_aliases(session, stays, [name for name in names if name != shown])
    changes.record_asset(session, AssetKind.DATASET, stays, "named", None, {"names": [list(name) for name in names]})
    return {stays} if others else set()


def _rename(session: Session, dataset: int, name: Key) -> None:
    had = batch_queries.asset_keys(session, [dataset])[dataset]
    if had != name:
        merging_queries.remove_alias(session, name)
        merging_queries.rename(session, [(dataset, name[0], name[1], name[1])])
        before, after = {"namespace": had[0], "name": had[1]}, {"namespace": name[0], "name": name[1]}
        changes.record_asset(session, AssetKind.DATASET, dataset, "renamed", before, after)
    merging_queries.rename(session, [
        (field, name[0], field_key(name[1], path), path) for field, path in merging_queries.fields_of(session, dataset)
    ] + [
        (version, name[0], f"{name[1]}@{number}", f"{name[1]}@{number}")
        for version, number in merging_queries.versions_of(session, dataset)
    ])  # fmt: skip


def _take_over(session: Session, stays: int, goes: int) -> None:
    """Move all that belongs to one dataset to another, and delete it."""
    _versions(session, stays, goes)
    moved = _fields(session, stays, goes)
    _edges(session, {goes: stays, **moved})
    _past_edges(session, {goes: stays, **moved}, stays)
    facets = facet_past.both(session, stays, goes)
    merging_queries.move_facets(session, stays, goes)
    facet_past.write(session, facets)
    merging_queries.move_run_datasets(session, stays, goes)
    merging_queries.move_checks(session, stays, goes)
    merging_queries.move_incidents(session, stays, goes)
    history.merge(session, {goes: stays, **moved})
    merging_queries.move_labels(session, {goes: stays, **moved})
    merging_queries.move_classifications(session, moved)
    merging_queries.move_description_proposals(session, {goes: stays, **moved})
    merging_queries.delete_fields(session, sorted(moved))
    merging_queries.delete_dataset(session, goes, stays)
    changes.record_asset(session, AssetKind.DATASET, stays, "merged", None, {"merged": goes})
    changes.record_asset(session, AssetKind.DATASET, goes, "deleted", {}, None)


def _versions(session: Session, stays: int, goes: int) -> None:
    """Move the versions that more than runs speak for; the others are worked out anew."""
    merging_queries.forget_versions(session, goes)
    known = {str(row.origin): int(row.id) for row in merging_queries.event_versions(session, stays)}
    gone = []
    for row in merging_queries.event_versions(session, goes):
        shown = merging_queries.is_shown(session, int(row.id))
        if shown and str(row.origin) not in known:
            continue
        if shown:
            merging_queries.move_shown(session, int(row.id), known[str(row.origin)])
        gone.append(int(row.id))
    delete_versions(session, gone)
    merging_queries.renumber(session, stays, goes)


def _fields(session: Session, stays: int, goes: int) -> dict[int, int]:
    """Move columns; returns those that are there twice, with the one that stays."""
    there = {path: field for field, path in merging_queries.fields_of(session, stays)}
    moved, alone = {}, []
    for field, path in merging_queries.fields_of(session, goes):
        if path in there:
            moved[field] = there[path]
        else:
            alone.append(field)
    merging_queries.adopt_fields(session, stays, alone, moved)
    return moved


def _edges(session: Session, moved: dict[int, int]) -> None:
    """Say every edge of the assets that go again, of those that stay; then take the old ones back."""
    rows = merging_queries.edges_at_assets(session, sorted(moved))
    supporters: dict[int, list[Any]] = defaultdict(list)
    for row in supporters_of(session, [int(row.id) for row in rows]):
        supporters[int(row.edge_id)].append(row)
    claims = Claims()
    bare: dict[str, dict[Place, list[Any]]] = {}
    for row in rows:
        source, target = (moved.get(int(end), int(end)) for end in (row.source_id, row.target_id))
        if source == target:
            continue
        place = Place(source, target, row.kind, row.level)
        for one in supporters[int(row.id)]:
            by = moved.get(int(one.run_id), int(one.run_id))
            done = [Transformation(**said) for said in row.transformations or ()]
            for at in (one.first_at or row.valid_from, one.last_at or row.last_seen):
                claims.add(place, by, at, counts=bool(one.is_run), transformations=done)
        if not supporters[int(row.id)]:
            bare.setdefault(str(row.producer), {}).setdefault(place, []).append(row)
    retract(session, [int(row.id) for row in rows], min(moved), AssetKind.DATASET)
    write_claims(session, claims)
    _again(session, bare)


def _past_edges(session: Session, moved: dict[int, int], dataset: int) -> None:
    """Let the closed edges of the assets that go have been those of the ones that stay, between the same times.

    One that was closed there too, between the same times, is that one: who supported either, supported it.
    """
    rows = merging_queries.past_edges_at_assets(session, sorted({*moved, *moved.values()}))
    # Those first that are where they belong.
    rows = sorted(rows, key=lambda row: (row.source_id in moved or row.target_id in moved, row.id))
    supporters: dict[int, dict[int, Any]] = defaultdict(dict)
    for one in merging_queries.supporters_of(session, [int(row.id) for row in rows]):
        supporters[int(one.edge_id)][int(one.run_id)] = one
    same: dict[tuple[Any, ...], list[Any]] = {}
    gone = []
    for row in rows:
        source, target = (moved.get(int(end), int(end)) for end in (row.source_id, row.target_id))
        if source == target:
            gone.append(int(row.id))
            continue
        place = (source, target, row.kind, row.level, row.producer, row.valid_from, row.valid_to)
        same.setdefault(place, []).append(row)
    changed, fresh = [], []
    for (source, target, *_), found in same.items():
        stays, *others = found
        told = [one for row in found for one in supporters[int(row.id)].values()]
        if not others and (source, target) == (stays.source_id, stays.target_id):
            continue
        gone += [int(row.id) for row in others]
        changed.append(_joined(found, source, target, told))
        fresh += _supporters(int(stays.id), told, moved)
    merging_queries.replace_past_edges(session, changed, fresh)
    retract(session, gone, dataset, AssetKind.DATASET)


def _joined(found: Sequence[Any], source: int, target: int, told: Sequence[Any]) -> dict[str, Any]:
    """Return what one edge is that several were."""
    done = {Transformation(**said) for row in found for said in row.transformations or ()}
    count = len({int(one.run_id) for one in told if one.is_run}) if len(found) > 1 else int(found[0].run_count)
    return {
        "edge": int(found[0].id), "source": source, "target": target, "last": max(row.last_seen for row in found),
        "count": count, "done": [asdict(one) for one in sorted(done)] or None,
    }  # fmt: skip


def _supporters(edge: int, told: Sequence[Any], moved: dict[int, int]) -> list[dict[str, Any]]:
    """Return who supports an edge that several supporters' edges became, each once."""
    found: dict[int, dict[str, Any]] = {}
    for one in told:
        by = moved.get(int(one.run_id), int(one.run_id))
        had = found.setdefault(by, {"edge_id": edge, "run_id": by, "first_at": one.first_at, "last_at": one.last_at})
        for name, better in (("first_at", min), ("last_at", max)):
            had[name] = better((value for value in (had[name], one._mapping[name]) if value is not None), default=None)
    return list(found.values())


def _again(session: Session, bare: dict[str, dict[Place, list[Any]]]) -> None:
    """Have edges that no run supports (a source that contains the dataset, declared ones) between the new ends."""
    named = ("valid_from", "valid_to", "ending", "last_seen", "run_count", "transformations")
    for producer, places in bare.items():
        there = lineage.edges_at(session, list(places), producer)
        again = [(place, row) for place, rows in places.items() if place not in there for row in rows]
        opened = lineage.insert_edges(session, {
            place: {name: row._mapping[name] for name in named} for place, row in again if row.valid_to is None
        }, producer)  # fmt: skip
        insert_spans(session, [
            {
                "source_id": place.source, "target_id": place.target, "kind": place.kind, "level": place.level,
                "producer": producer, **{name: row._mapping[name] for name in named},
            }
            for place, row in again if row.valid_to is not None
        ])  # fmt: skip
        log_opened(session, [(edge, place) for place, edge in opened.items()])


def told_again(session: Session, grown: Iterable[int], bodies: Bodies) -> list[int]:
    """Have all facets of merged datasets land anew; returns the runs whose readings and writings must be worked out."""
    datasets = sorted(grown)
    if not datasets:
        return []
    for row in merging_queries.facets_of(session, datasets):
        place = (int(row.asset_id), int(row.by_id), str(row.scope), str(row.name))
        body = None if row.body is None else orjson.loads(row.body)
        bodies.take(place, Winner(int(row.id), row.event_time, str(row.digest), body))
    return merging_queries.runs_at(session, datasets)
