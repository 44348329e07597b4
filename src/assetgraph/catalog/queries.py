"""All SQL of the catalog."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog.tables import (
    ALIAS,
    ASSET,
    DATASET,
    FIELD,
    IDEMPOTENCY,
    OWNER,
    SOURCE,
    TAG,
    TOKEN,
    VERSION,
    VERSION_FIELD,
)  # fmt: skip
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
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
        other = and_(ALIAS.c.namespace == namespace, ALIAS.c.key == key)
        wanted = wanted.union_all(select(ALIAS.c.dataset_id).where(other))
    found = session.execute(wanted).scalar_one_or_none()
    return None if found is None else int(found)


def asset_kinds(session: Session, ids: Iterable[int]) -> dict[int, AssetKind]:
    """Return the kind of each id that exists."""
    rows = session.execute(select(ASSET.c.id, ASSET.c.kind).where(ASSET.c.id.in_(list(ids)))).all()
    return {int(row.id): row.kind for row in rows}


def lock_dataset(session: Session, dataset_id: int) -> None:
    """Make concurrent writers of one dataset's versions queue (SQLite has one writer anyway)."""
    session.execute(select(DATASET.c.id).where(DATASET.c.id == dataset_id).with_for_update())


def _sources() -> Select[Any]:
    return select(SOURCE, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == SOURCE.c.id)


def _datasets() -> Select[Any]:
    return select(DATASET, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == DATASET.c.id)


def _versions() -> Select[Any]:
    return select(VERSION, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == VERSION.c.id)


def _by_id(session: Session, statement: Select[Any], column: Any, ids: Sequence[int]) -> dict[int, Row[Any]]:
    return {int(row.id): row for row in session.execute(statement.where(column.in_(list(ids)))).all()}


def sources_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return sources by id."""
    return _by_id(session, _sources(), SOURCE.c.id, ids)


def source_locations(session: Session) -> list[str]:
    """Return where all sources lie."""
    return [str(row.location) for row in session.execute(select(SOURCE.c.location).order_by(SOURCE.c.id)).all()]


def datasets_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return datasets by id."""
    return _by_id(session, _datasets(), DATASET.c.id, ids)


def versions_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return dataset versions by id."""
    return _by_id(session, _versions(), VERSION.c.id, ids)


def latest_versions(session: Session, dataset_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the newest version of each dataset, by dataset id."""
    newest = (
        select(VERSION.c.dataset_id, func.max(VERSION.c.number).label("number"))
        .where(VERSION.c.dataset_id.in_(list(dataset_ids)))
        .group_by(VERSION.c.dataset_id)
        .subquery()
    )
    same = and_(VERSION.c.dataset_id == newest.c.dataset_id, VERSION.c.number == newest.c.number)
    return {int(row.dataset_id): row for row in session.execute(_versions().join(newest, same)).all()}


def version_by_number(session: Session, dataset_id: int, number: int) -> Row[Any] | None:
    """Return one version of a dataset."""
    same = and_(VERSION.c.dataset_id == dataset_id, VERSION.c.number == number)
    return session.execute(_versions().where(same)).one_or_none()


def version_by_fingerprint(session: Session, dataset_id: int, fingerprint: str) -> Row[Any] | None:
    """Return the newest version of a dataset with this content."""
    same = and_(VERSION.c.dataset_id == dataset_id, VERSION.c.fingerprint == fingerprint)
    return session.execute(_versions().where(same).order_by(VERSION.c.number.desc()).limit(1)).one_or_none()


def versions_page(session: Session, dataset_id: int, request: PageRequest) -> Page[Any]:
    """Return a dataset's versions, newest first."""
    mine = VERSION.c.dataset_id == dataset_id
    return keyset_page(
        session,
        _versions().where(mine),
        select(func.count()).select_from(VERSION).where(mine),
        columns=[VERSION.c.number],
        names=["number"],
        request=request,
        descending=True,
    )


def datasets_page(session: Session, filters: dict[str, Any], request: PageRequest) -> Page[Any]:
    """Return datasets by namespace and name; filters: namespace, role, lifecycle, tag, owner."""
    wanted: list[Any] = []
    if filters.get("namespace") is not None:
        wanted.append(ASSET.c.namespace == filters["namespace"])
    wanted += [DATASET.c[name] == filters[name] for name in ("role", "lifecycle") if filters.get(name) is not None]
    if filters.get("tag") is not None:
        wanted.append(DATASET.c.id.in_(select(TAG.c.asset_id).where(TAG.c.name == filters["tag"])))
    if filters.get("owner") is not None:
        wanted.append(DATASET.c.id.in_(select(OWNER.c.asset_id).where(OWNER.c.principal == filters["owner"])))
    count = select(func.count()).select_from(DATASET).join(ASSET, ASSET.c.id == DATASET.c.id)
    return keyset_page(
        session,
        _datasets().where(*wanted),
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


def fields_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return fields by id, each as it is in the newest version that has it, or without a shape when none has."""
    newest = (
        select(VERSION_FIELD.c.field_id, func.max(VERSION_FIELD.c.version_id).label("version_id"))
        .where(VERSION_FIELD.c.field_id.in_(list(ids)))
        .group_by(VERSION_FIELD.c.field_id)
        .subquery()
    )
    joined = (
        _shapes()
        .outerjoin(newest, newest.c.field_id == FIELD.c.id)
        .outerjoin(VERSION_FIELD, and_(VERSION_FIELD.c.field_id == FIELD.c.id,
                                       VERSION_FIELD.c.version_id == newest.c.version_id))
    )  # fmt: skip
    return {int(row.id): row for row in session.execute(joined.where(FIELD.c.id.in_(list(ids)))).all()}


def current_fields(session: Session, dataset_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids of the fields that datasets have now: the latest version's, then those without a version."""
    latest = latest_versions(session, dataset_ids)
    shown = fields_of_versions(session, [int(row.id) for row in latest.values()])
    loose = unversioned_fields(session, dataset_ids)
    return {
        dataset: [int(row.id) for row in (*shown.get(_id_of(latest.get(dataset)), ()), *loose[dataset])]
        for dataset in dataset_ids
    }


def _id_of(row: Row[Any] | None) -> int:
    return 0 if row is None else int(row.id)


def unversioned_fields(session: Session, dataset_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the fields of datasets that no version has: those that only column lineage names, by path."""
    found: dict[int, list[Row[Any]]] = {dataset: [] for dataset in dataset_ids}
    joined = _shapes().outerjoin(VERSION_FIELD, VERSION_FIELD.c.field_id == FIELD.c.id)
    mine = joined.where(FIELD.c.dataset_id.in_(list(dataset_ids)), VERSION_FIELD.c.field_id.is_(None))
    for row in session.execute(mine.order_by(FIELD.c.dataset_id, FIELD.c.path)).all():
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


def tags_of(session: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return own tags by asset id, sorted: a steward's and those that producers say, each once."""
    found: dict[int, list[str]] = {asset: [] for asset in ids}
    wanted = select(TAG.c.asset_id, TAG.c.name).where(TAG.c.asset_id.in_(list(ids))).distinct().order_by(TAG.c.name)
    for row in session.execute(wanted).all():
        found[int(row.asset_id)].append(str(row.name))
    return found


def stewards_tags(session: Session, asset: int) -> list[str]:
    """Return the tags of an asset that people set, sorted."""
    mine = and_(TAG.c.asset_id == asset, TAG.c.origin == "")
    return [str(row.name) for row in session.execute(select(TAG.c.name).where(mine).order_by(TAG.c.name)).all()]


def stewards_owners(session: Session, asset: int) -> list[str]:
    """Return the owners of an asset that people named, sorted."""
    mine = and_(OWNER.c.asset_id == asset, OWNER.c.origin == "")
    wanted = select(OWNER.c.principal).where(mine).order_by(OWNER.c.principal)
    return [str(row.principal) for row in session.execute(wanted).all()]


def owners_of(session: Session, ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Return (principal, role) of owners by asset id, sorted; what a steward says of someone wins over producers."""
    found: dict[int, dict[str, str]] = {asset: {} for asset in ids}
    wanted = select(OWNER).where(OWNER.c.asset_id.in_(list(ids))).order_by(OWNER.c.principal, OWNER.c.origin)
    for row in session.execute(wanted).all():
        found[int(row.asset_id)].setdefault(str(row.principal), str(row.role))
    return {asset: list(owners.items()) for asset, owners in found.items()}


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


def idempotency(session: Session, principal: str, key: str) -> Row[Any] | None:
    """Return what a key was used for."""
    same = and_(IDEMPOTENCY.c.principal == principal, IDEMPOTENCY.c.key == key)
    return session.execute(select(IDEMPOTENCY).where(same)).one_or_none()


def insert_idempotency(session: Session, row: dict[str, Any]) -> None:
    """Remember a key; a concurrent request with the same key fails here and is rolled back whole."""
    session.execute(insert(IDEMPOTENCY).values(row))


def insert_token(session: Session, row: dict[str, Any]) -> int:
    """Store a token's hash and return its id."""
    return int(session.execute(insert(TOKEN).values(row).returning(TOKEN.c.id)).scalar_one())


def token_by_hash(session: Session, digest: str) -> Row[Any] | None:
    """Return the token with this SHA-256."""
    return session.execute(select(TOKEN).where(TOKEN.c.hash == digest)).one_or_none()


def tokens(session: Session) -> Sequence[Row[Any]]:
    """Return all tokens, oldest first."""
    return session.execute(select(TOKEN).order_by(TOKEN.c.id)).all()


def revoke_token(session: Session, token_id: int, at: datetime) -> int:
    """Revoke a token that is not revoked yet; returns how many rows changed."""
    open_one = and_(TOKEN.c.id == token_id, TOKEN.c.revoked_at.is_(None))
    return int(session.execute(update(TOKEN).where(open_one).values(revoked_at=at)).rowcount)


def created_at(session: Session, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (id, created_at) of assets."""
    return session.execute(select(ASSET.c.id, ASSET.c.created_at).where(ASSET.c.id.in_(list(ids)))).all()
