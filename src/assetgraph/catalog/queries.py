"""All SQL of the catalog."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, false, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog import history_queries as past
from assetgraph.catalog.tables import (
    ALIAS,
    ASSET,
    DATASET,
    FIELD,
    OWNER,
    SOURCE,
    TAG,
    VERSION,
    VERSION_FIELD,
    Aspect,
)  # fmt: skip
from assetgraph.catalog.texts import pairs_of
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.db.prepared import Prepared, among, by_id
from assetgraph.ids import AssetKind

#: The columns of `asset` that every asset's row carries.
ASSET_COLUMNS = (ASSET.c.kind, ASSET.c.namespace, ASSET.c.key, ASSET.c.name, ASSET.c.created_at)


def insert_ignoring(session: Session, table: Any, rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows, leaving out those that break a unique constraint; returns how many went in."""
    if not rows:
        return 0
    dialect = postgresql if session.dialect == "postgresql" else sqlite
    statement = dialect.insert(table).values(list(rows)).on_conflict_do_nothing()
    return int(session.execute(statement).rowcount)


def insert_asset(session: Session, kind: AssetKind, namespace: str, key: str, name: str, at: datetime) -> int | None:
    """Insert an asset and return its id, or None when its identity exists (also by a concurrent writer)."""
    dialect = postgresql if session.dialect == "postgresql" else sqlite
    row = {"kind": kind, "namespace": namespace, "key": key, "name": name, "created_at": at}
    statement = dialect.insert(ASSET).values(row).on_conflict_do_nothing().returning(ASSET.c.id)
    found = session.execute(statement).scalar_one_or_none()
    return None if found is None else int(found)


def insert_row(session: Session, table: Any, row: dict[str, Any]) -> None:
    """Insert one typed row."""
    session.execute(insert(table).values(row))


def asset_id(session: Session, kind: AssetKind, namespace: str, key: str) -> int | None:
    """Return the id of an identity; a dataset is found by its other names too."""
    same = and_(ASSET.c.kind == kind, ASSET.c.namespace == namespace, ASSET.c.key == key)
    wanted: Any = select(ASSET.c.id).where(same)
    if kind is AssetKind.DATASET:
        wanted = wanted.union(select(ALIAS.c.dataset_id).where(ALIAS.c.namespace == namespace, ALIAS.c.key == key))
    found = session.execute(wanted).scalar_one_or_none()
    return None if found is None else int(found)


def asset_kinds(session: Session, ids: Iterable[int]) -> dict[int, AssetKind]:
    """Return the kind of each id that exists."""
    rows = session.execute(select(ASSET.c.id, ASSET.c.kind).where(ASSET.c.id.in_(list(ids)))).all()
    return {int(row.id): row.kind for row in rows}


def lock_dataset(session: Session, dataset_id: int) -> None:
    """Make concurrent writers of one dataset's versions queue (SQLite has one writer anyway)."""
    session.execute(select(DATASET.c.id).where(DATASET.c.id == dataset_id).with_for_update())


def _datasets(at: datetime | None = None) -> Select[Any]:
    joined = DATASET.join(ASSET, ASSET.c.id == DATASET.c.id)
    return select(*past.dataset_columns(at), *_called(DATASET.c.id, at)).select_from(joined)


def _versions(at: datetime | None = None) -> Select[Any]:
    joined = VERSION.join(ASSET, ASSET.c.id == VERSION.c.id)
    return select(*past.version_columns(at), *_called(VERSION.c.dataset_id, at, VERSION.c.number)).select_from(joined)


def _called(dataset: Any, at: datetime | None, number: Any = None) -> tuple[Any, ...]:
    """Return the columns of `asset` with the names of a moment, and beside them `called_in`; the key is that of now."""
    names = past.named_at(dataset, at, number)
    return *(column for column in ASSET_COLUMNS if column.name != "name"), *names


_JOINED = SOURCE.join(ASSET, ASSET.c.id == SOURCE.c.id)
_SOURCES = Prepared(lambda on: select(SOURCE, *ASSET_COLUMNS).select_from(_JOINED).where(among(on, SOURCE.c.id)))
_DATASETS_NOW = Prepared(lambda on: _datasets().where(among(on, DATASET.c.id)))
_VERSIONS_NOW = Prepared(lambda on: _versions().where(among(on, VERSION.c.id)))


def _then(session: Session, statement: Select[Any], column: Any, ids: Sequence[int]) -> dict[int, Any]:
    return {row.id: row for row in session.execute(statement.where(column.in_(list(ids)))).all()}


def sources_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return sources by id."""
    return by_id(session, _SOURCES, ids)


def source_locations(session: Session) -> list[str]:
    """Return where all sources lie."""
    return [str(row.location) for row in session.execute(select(SOURCE.c.location).order_by(SOURCE.c.id)).all()]


def datasets_by_ids(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return datasets by id."""
    return by_id(session, _DATASETS_NOW, ids) if at is None else _then(session, _datasets(at), DATASET.c.id, ids)


def versions_by_ids(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return dataset versions by id."""
    return by_id(session, _VERSIONS_NOW, ids) if at is None else _then(session, _versions(at), VERSION.c.id, ids)


def latest_versions(session: Session, dataset_ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return the version that each dataset is, or was at a moment, by dataset id.

    That is the one since the latest time by the producer's clock: versions may become known in any order.
    """
    one = VERSION.alias("one")
    known = one.c.effective_at.is_not(None) if at is None else one.c.effective_at <= at
    newest = (
        select(one.c.id)
        .where(one.c.dataset_id == DATASET.c.id, known)
        .order_by(one.c.effective_at.desc(), one.c.number.desc())
        .limit(1)
        .correlate(DATASET)
        .scalar_subquery()
    )
    wanted = _versions(at).join(DATASET, DATASET.c.id == VERSION.c.dataset_id).where(VERSION.c.id == newest)
    rows = session.execute(wanted.where(DATASET.c.id.in_(list(dataset_ids)))).all()
    return {int(row.dataset_id): row for row in rows}


def newest_number(session: Session, dataset_id: int) -> int:
    """Return the highest version number of a dataset, 0 when it has none."""
    highest = select(func.max(VERSION.c.number)).where(VERSION.c.dataset_id == dataset_id)
    return int(session.execute(highest).scalar_one() or 0)


def version_by_number(session: Session, dataset_id: int, number: int, at: datetime | None = None) -> Row[Any] | None:
    """Return one version of a dataset, if it was one by a moment."""
    same = and_(VERSION.c.dataset_id == dataset_id, VERSION.c.number == number)
    if at is not None:
        same = and_(same, VERSION.c.effective_at <= at)
    return session.execute(_versions(at).where(same)).one_or_none()


def version_by_fingerprint(session: Session, dataset_id: int, fingerprint: str) -> Row[Any] | None:
    """Return the newest version of a dataset with this content."""
    same = and_(VERSION.c.dataset_id == dataset_id, VERSION.c.fingerprint == fingerprint)
    return session.execute(_versions().where(same).order_by(VERSION.c.number.desc()).limit(1)).one_or_none()


def versions_page(session: Session, dataset_id: int, request: PageRequest, at: datetime | None = None) -> Page[Any]:
    """Return a dataset's versions, newest first; with a moment, those up to then."""
    mine = VERSION.c.dataset_id == dataset_id
    if at is not None:
        mine = and_(mine, VERSION.c.effective_at <= at)
    return keyset_page(
        session,
        _versions(at).where(mine),
        select(func.count()).select_from(VERSION).where(mine),
        columns=[VERSION.c.number],
        names=["number"],
        request=request,
        descending=True,
    )


def datasets_page(
    session: Session, filters: dict[str, Any], request: PageRequest, at: datetime | None = None, there: Any = None
) -> Page[Any]:
    """Return datasets by namespace and name; filters: namespace, role, lifecycle, tag, owner.

    With a moment the filters are about what was said then, of those that were `there` (a predicate on `asset`).
    """
    wanted: list[Any] = [] if there is None else [there]
    if filters.get("namespace") is not None:
        wanted.append(past.named_at(DATASET.c.id, at)[1].element == filters["namespace"])
    wanted += [
        past.dataset_column(name, at) == filters[name] for name in ("role", "lifecycle")
        if filters.get(name) is not None
    ]  # fmt: skip
    if filters.get("tag") is not None:
        wanted.append(past.labelled(session.dialect, Aspect.TAGS, filters["tag"], at))
    if filters.get("owner") is not None:
        wanted.append(past.labelled(session.dialect, Aspect.OWNERS, filters["owner"], at))
    count = select(func.count()).select_from(DATASET).join(ASSET, ASSET.c.id == DATASET.c.id)
    return keyset_page(
        session,
        _datasets(at).where(*wanted),
        count.where(*wanted),
        columns=[ASSET.c.namespace, ASSET.c.key],
        names=["namespace", "key"],
        request=request,
    )


def dataset_names(session: Session, namespace: str, most: int = 20) -> list[str]:
    """Return some names that exist, for an error that helps: the namespace's, or any with their namespace."""
    named = _datasets().where(ASSET.c.namespace == namespace).order_by(ASSET.c.key).limit(most)
    found = [str(row.name) for row in session.execute(named).all()]
    if found:
        return found
    every = session.execute(_datasets().order_by(ASSET.c.namespace, ASSET.c.key).limit(most)).all()
    return [f"{row.namespace}/{row.name}" for row in every]


def _fields() -> Select[Any]:
    columns = (VERSION_FIELD, FIELD.c.id, FIELD.c.dataset_id, FIELD.c.path, *ASSET_COLUMNS)
    joined = select(*columns).join(FIELD, FIELD.c.id == VERSION_FIELD.c.field_id)
    return joined.join(ASSET, ASSET.c.id == FIELD.c.id)


def fields_of_versions(session: Session, version_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the fields of versions in their order, by version id."""
    found: dict[int, list[Row[Any]]] = {version_id: [] for version_id in version_ids}
    wanted = _fields().where(VERSION_FIELD.c.version_id.in_(list(version_ids)))
    for row in session.execute(wanted.order_by(VERSION_FIELD.c.version_id, VERSION_FIELD.c.ordinal)).all():
        found[int(row.version_id)].append(row)
    return found


#: What a field shows that no version has described: only column lineage names it.
UNKNOWN_TYPE = "unknown"


def fields_by_ids(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return fields by id, each as it is in the latest version that has it, or without a shape when none has."""
    newest = past.newest_with(ids, at)
    joined = (
        _shapes()
        .outerjoin(newest, newest.c.field_id == FIELD.c.id)
        .outerjoin(VERSION_FIELD, and_(VERSION_FIELD.c.field_id == FIELD.c.id,
                                       VERSION_FIELD.c.version_id == newest.c.version_id))
    )  # fmt: skip
    return {int(row.id): row for row in session.execute(joined.where(FIELD.c.id.in_(list(ids)))).all()}


def current_fields(
    session: Session, dataset_ids: Sequence[int], at: datetime | None = None, there: Any = None
) -> dict[int, list[int]]:
    """Return the ids of the fields that datasets have: the latest version's, then those without a version."""
    latest = latest_versions(session, dataset_ids, at)
    shown = fields_of_versions(session, [int(row.id) for row in latest.values()])
    loose = unversioned_fields(session, dataset_ids, at, there)
    return {
        dataset: [int(row.id) for row in (*shown.get(_id_of(latest.get(dataset)), ()), *loose[dataset])]
        for dataset in dataset_ids
    }


def _id_of(row: Row[Any] | None) -> int:
    return 0 if row is None else int(row.id)


def unversioned_fields(
    session: Session, dataset_ids: Sequence[int], at: datetime | None = None, there: Any = None
) -> dict[int, list[Row[Any]]]:
    """Return the fields of datasets that no version has, by path: those that only column lineage names.

    With a moment: that no version had by then, of those that were `there` (a predicate on `asset`).
    """
    found: dict[int, list[Row[Any]]] = {dataset: [] for dataset in dataset_ids}
    mine = FIELD.c.dataset_id.in_(list(dataset_ids))
    if at is None:
        joined = _shapes().outerjoin(VERSION_FIELD, VERSION_FIELD.c.field_id == FIELD.c.id)
        wanted = joined.where(mine, VERSION_FIELD.c.field_id.is_(None))
    else:
        wanted = _shapes().outerjoin(VERSION_FIELD, false()).where(mine, ~past.versioned(at), there)
    for row in session.execute(wanted.order_by(FIELD.c.dataset_id, FIELD.c.path)).all():
        found[int(row.dataset_id)].append(row)
    return found


def _shapes() -> Select[Any]:
    shape = (
        func.coalesce(VERSION_FIELD.c.type, UNKNOWN_TYPE).label("type"), VERSION_FIELD.c.nullable,
        func.coalesce(VERSION_FIELD.c.ordinal, 0).label("ordinal"), VERSION_FIELD.c.description,
        VERSION_FIELD.c.profile,
    )  # fmt: skip
    columns = (*shape, FIELD.c.id, FIELD.c.dataset_id, FIELD.c.path, *ASSET_COLUMNS)
    return select(*columns).select_from(FIELD).join(ASSET, ASSET.c.id == FIELD.c.id)


def datasets_of_fields(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """Return the dataset of each field."""
    rows = session.execute(select(FIELD.c.id, FIELD.c.dataset_id).where(FIELD.c.id.in_(list(ids)))).all()
    return {int(row.id): int(row.dataset_id) for row in rows}


def field_ids(session: Session, dataset_id: int) -> dict[str, int]:
    """Return the ids of all fields that a dataset ever had, by path."""
    rows = session.execute(select(FIELD.c.id, FIELD.c.path).where(FIELD.c.dataset_id == dataset_id)).all()
    return {str(row.path): int(row.id) for row in rows}


def insert_fields(
    session: Session, dataset_id: int, namespace: str, keys: dict[str, str], at: datetime
) -> dict[str, int]:
    """Insert new fields of a dataset set-wise and return their ids by path; `keys` maps path to asset key."""
    rows = [
        {"kind": AssetKind.FIELD, "namespace": namespace, "key": key, "name": path, "created_at": at}
        for path, key in keys.items()
    ]
    inserted = session.execute(insert(ASSET).returning(ASSET.c.id, ASSET.c.name), rows).all()
    ids = {str(row.name): int(row.id) for row in inserted}
    session.execute(insert(FIELD), [{"id": ids[path], "dataset_id": dataset_id, "path": path} for path in keys])
    return ids


def insert_version_fields(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert what each field is in a version."""
    if rows:
        session.execute(insert(VERSION_FIELD), list(rows))


def update_dataset(session: Session, dataset_id: int, columns: dict[str, Any]) -> None:
    """Change columns of a dataset."""
    session.execute(update(DATASET).where(DATASET.c.id == dataset_id).values(columns))


def update_version(session: Session, version_id: int, columns: dict[str, Any]) -> None:
    """Change where a version lies; what it is never changes."""
    session.execute(update(VERSION).where(VERSION.c.id == version_id).values(columns))


def tags_of(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, list[str]]:
    """Return own tags by asset id, sorted: a steward's and those that producers say, each once."""
    found: dict[int, set[str]] = {asset: set() for asset in ids}
    rows = session.execute(select(TAG).where(TAG.c.asset_id.in_(list(ids)))).all()
    said = None if at is None else past.tags_said(session, ids, at)
    for row in rows:
        if said is None or (int(row.asset_id), str(row.origin)) not in said:
            found[int(row.asset_id)].add(str(row.name))
    for (asset, _), names in (said or {}).items():
        found[asset].update(names)
    return {asset: sorted(names) for asset, names in found.items()}


def stewards_tags(session: Session, asset: int) -> list[str]:
    """Return the tags of an asset that people set, sorted."""
    mine = and_(TAG.c.asset_id == asset, TAG.c.origin == "")
    return [str(row.name) for row in session.execute(select(TAG.c.name).where(mine).order_by(TAG.c.name)).all()]


def stewards_owners(session: Session, asset: int) -> list[str]:
    """Return the owners of an asset that people named, sorted."""
    mine = and_(OWNER.c.asset_id == asset, OWNER.c.origin == "")
    wanted = select(OWNER.c.principal).where(mine).order_by(OWNER.c.principal)
    return [str(row.principal) for row in session.execute(wanted).all()]


def owners_of(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, list[tuple[str, str]]]:
    """Return (principal, role) of owners by asset id, sorted; what a steward says of someone wins over producers."""
    wanted = select(OWNER).where(OWNER.c.asset_id.in_(list(ids)))
    said = {} if at is None else past.said_at(session, ids, Aspect.OWNERS, at)
    owners = [
        (int(row.asset_id), str(row.principal), str(row.origin), str(row.role))
        for row in session.execute(wanted).all() if (int(row.asset_id), str(row.origin)) not in said
    ]  # fmt: skip
    for (asset, origin), text in said.items():
        owners += [(asset, principal, origin, role) for principal, role in pairs_of(text)]
    found: dict[int, dict[str, str]] = {asset: {} for asset in ids}
    for asset, principal, _, role in sorted(owners):
        found[asset].setdefault(principal, role)
    return {asset: list(named.items()) for asset, named in found.items()}


def replace_tags(session: Session, asset: int, names: Iterable[str]) -> None:
    """Set an asset's own tags; those that producers say stay."""
    session.execute(delete(TAG).where(TAG.c.asset_id == asset, TAG.c.origin == ""))
    insert_ignoring(session, TAG, [{"asset_id": asset, "name": name} for name in names])


def add_tags(session: Session, asset_tags: Sequence[tuple[int, str]]) -> None:
    """Add tags to assets; those that are there stay."""
    insert_ignoring(session, TAG, [{"asset_id": asset, "name": name} for asset, name in asset_tags])


def replace_owners(session: Session, asset: int, principals: Iterable[str]) -> None:
    """Set an asset's owners; those that producers say stay."""
    session.execute(delete(OWNER).where(OWNER.c.asset_id == asset, OWNER.c.origin == ""))
    insert_ignoring(
        session, OWNER, [{"asset_id": asset, "principal": principal, "role": "OWNER"} for principal in principals]
    )


def created_at(session: Session, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (id, created_at) of assets."""
    return session.execute(select(ASSET.c.id, ASSET.c.created_at).where(ASSET.c.id.in_(list(ids)))).all()
