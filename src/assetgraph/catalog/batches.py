"""Names that come in batches, as ids: what is known is read once, and what is new is written once."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from assetgraph.catalog import batch_queries
from assetgraph.catalog.batch_queries import Key
from assetgraph.catalog.service import AssetRef, Identity
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import AssetgraphError, Invalid, NotFound
from assetgraph.ids import AssetKind, field_key

#: What a reference means, or why it means nothing.
Found = dict[AssetRef, int | AssetgraphError]


def at(found: Found, ref: AssetRef, path: tuple[str, ...]) -> int:
    """Return what a reference means; raises why it means nothing, with the place of the reference."""
    one = found[ref]
    if isinstance(one, int):
        return one
    error = copy(one)
    error.path = path
    raise error


def make_assets(session: Session, kind: AssetKind, names: Mapping[Key, str], more: dict[str, Any]) -> dict[Key, int]:
    """Insert assets that are new by (namespace, key) with the name that people see, and log them."""
    moment = now()
    made = batch_queries.insert_assets(session, [
        {"kind": kind, "namespace": space, "key": key, "name": name, "created_at": moment}
        for (space, key), name in names.items()
    ])  # fmt: skip
    for (space, key), id_ in made.items():
        named = {"namespace": space, "name": names[(space, key)]}
        changes.record_asset(session, kind, id_, "created", None, {**named, **more})
    return made


def ensure_fields(session: Session, wanted: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Return ids of columns by (dataset, path); those that nothing named yet are made, without a version."""
    found = batch_queries.fields_named(session, wanted)
    missing = [one for one in wanted if one not in found]
    if not missing:
        return found
    keys = batch_queries.asset_keys(session, sorted({dataset for dataset, _ in missing}))
    moment = now()
    places: dict[Key, tuple[int, str]] = {}
    new = []
    for dataset, path in missing:
        space, key = keys[dataset]
        full = field_key(key, path)
        places[(space, full)] = (dataset, path)
        new.append({"kind": AssetKind.FIELD, "namespace": space, "key": full, "name": path, "created_at": moment})
    made = {places[key]: id_ for key, id_ in batch_queries.insert_assets(session, new).items()}
    batch_queries.insert_fields(
        session, [{"id": id_, "dataset_id": dataset, "path": path} for (dataset, path), id_ in made.items()]
    )
    return found | made


def resolve_datasets(session: Session, refs: Iterable[AssetRef]) -> Found:
    """Return the datasets that references mean; one by a version means its dataset."""
    asked = list(dict.fromkeys(refs))
    known = batch_queries.kinds(session, sorted({ref.id for ref in asked if ref.id is not None}))
    numbers = [one for one, kind in known.items() if kind is AssetKind.DATASET_VERSION]
    owners = {one: int(row.dataset_id) for one, row in batch_queries.versions(session, numbers).items()}
    found: Found = {}
    keys: dict[AssetRef, Key] = {}
    for ref in asked:
        if ref.id is not None:
            kind = known.get(ref.id)
            dataset = ref.id if kind is AssetKind.DATASET else owners.get(ref.id)
            missing = NotFound("no dataset or dataset version has this id")
            found[ref] = missing if dataset is None else dataset
        elif ref.namespace is None or ref.name is None:
            found[ref] = Invalid("name an asset by id, or a dataset by namespace and name")
        else:
            try:
                identity = Identity.of(AssetKind.DATASET, ref.namespace, ref.name)
                keys[ref] = (identity.namespace, identity.key)
            except AssetgraphError as error:
                found[ref] = error
    named = batch_queries.assets_named(session, AssetKind.DATASET, list(dict.fromkeys(keys.values())))
    unknown = sorted({space for space, key in keys.values() if (space, key) not in named})
    near, every = batch_queries.known_names(session, unknown) if unknown else ({}, [])
    for ref, key in keys.items():
        helpful = near.get(key[0]) or every
        message = f"no dataset '{ref.name}' in namespace '{ref.namespace}'"
        found[ref] = named[key] if key in named else NotFound(message, known=helpful)
    return found


def resolve_versions(session: Session, refs: Iterable[AssetRef]) -> Found:
    """Return the dataset versions that references mean: the latest of a dataset, or the numbered one."""
    asked = list(dict.fromkeys(refs))
    found = resolve_datasets(session, asked)
    # Of a reference by a version's id the dataset has another id.
    datasets = {
        ref: one for ref, one in found.items() if isinstance(one, int) and (ref.id is None or ref.id == one)
    }  # fmt: skip
    latest = batch_queries.latest(session, sorted(set(datasets.values())))
    places = sorted({(dataset, ref.version) for ref, dataset in datasets.items() if ref.version is not None})
    numbered = batch_queries.numbered(session, places)
    for ref, dataset in datasets.items():
        newest = latest.get(dataset)
        if newest is None:
            found[ref] = NotFound("the dataset has no version yet; register or scan one first")
        elif ref.version is None:
            found[ref] = int(newest.id)
        else:
            message = f"the dataset has no version {ref.version}; its versions are 1 to {newest.number}"
            found[ref] = numbered.get((dataset, ref.version)) or NotFound(message)
    by_version = [ref for ref, one in found.items() if isinstance(one, int) and ref not in datasets]
    return found | {ref: ref.id for ref in by_version if ref.id is not None}
