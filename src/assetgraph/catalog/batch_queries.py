"""SQL of names that come in batches: each statement once, whatever their number."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, Text, and_, bindparam, func, insert, select, type_coerce

from assetgraph.catalog.tables import ASSET, DATASET, FIELD, VERSION
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.ids import AssetKind

#: (namespace, key)
Key = tuple[str, str]


@Prepared
def _assets_named(dialect: str) -> Any:
    # The kind comes with each row: a constant would let SQLite scan all assets of the kind first.
    wanted = given(dialect, str, str, str)
    is_kind = type_coerce(ASSET.c.kind, Text()) == wanted.c.k0
    same = and_(is_kind, ASSET.c.namespace == wanted.c.k1, ASSET.c.key == wanted.c.k2)
    return select(ASSET.c.id, ASSET.c.namespace, ASSET.c.key).select_from(wanted.join(ASSET, same))


def assets_named(session: Session, kind: AssetKind, keys: Sequence[Key]) -> dict[Key, int]:
    """Return ids of one kind of asset by (namespace, key)."""
    if not keys:
        return {}
    found = _assets_named.rows(session, given=rows((kind.value, *key) for key in keys))
    return {(str(row.namespace), str(row.key)): int(row.id) for row in found}


#: One statement for as many rows as the database binds.
_INSERT_ASSETS = (
    insert(ASSET).returning(ASSET.c.id, ASSET.c.namespace, ASSET.c.key)
    .execution_options(insertmanyvalues_page_size=10_000)
)  # fmt: skip


def insert_assets(session: Session, assets: Sequence[dict[str, Any]]) -> dict[Key, int]:
    """Insert new assets of one kind and return their ids by (namespace, key)."""
    if not assets:
        return {}
    made = session.execute(_INSERT_ASSETS, list(assets)).all()
    found = {(str(row.namespace), str(row.key)): int(row.id) for row in made}
    return {key: found[key] for row in assets if (key := (row["namespace"], row["key"])) in found}


@Prepared
def _asset_keys(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(ASSET.c.id, ASSET.c.namespace, ASSET.c.key).select_from(wanted.join(ASSET, ASSET.c.id == wanted.c.k0))


def asset_keys(session: Session, assets: Sequence[int]) -> dict[int, Key]:
    """Return (namespace, key) of assets."""
    found = _asset_keys.rows(session, given=ids(assets))
    return {int(row.id): (str(row.namespace), str(row.key)) for row in found}


@Prepared
def _fields_named(dialect: str) -> Any:
    wanted = given(dialect, int, str)
    same = and_(FIELD.c.dataset_id == wanted.c.k0, FIELD.c.path == wanted.c.k1)
    return select(FIELD).select_from(wanted.join(FIELD, same))


def fields_named(session: Session, places: Sequence[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Return ids of columns by (dataset, path)."""
    if not places:
        return {}
    found = _fields_named.rows(session, given=rows(places))
    return {(int(row.dataset_id), str(row.path)): int(row.id) for row in found}


_INSERT_FIELDS = insert(FIELD)


def insert_fields(session: Session, new: Sequence[dict[str, Any]]) -> None:
    """Insert the typed rows of columns."""
    session.execute(_INSERT_FIELDS, list(new))


@Prepared
def _kinds(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(ASSET.c.id, ASSET.c.kind).select_from(wanted.join(ASSET, ASSET.c.id == wanted.c.k0))


def kinds(session: Session, assets: Sequence[int]) -> dict[int, AssetKind]:
    """Return the kind of each id that exists."""
    found = _kinds.rows(session, given=ids(assets)) if assets else []
    return {int(row.id): row.kind for row in found}


_VERSION = (VERSION.c.id, VERSION.c.dataset_id, VERSION.c.number)


@Prepared
def _versions(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(*_VERSION).select_from(wanted.join(VERSION, VERSION.c.id == wanted.c.k0))


def versions(session: Session, asked: Sequence[int]) -> dict[int, Row[Any]]:
    """Return (id, dataset_id, number) of versions by id."""
    found = _versions.rows(session, given=ids(asked)) if asked else []
    return {int(row.id): row for row in found}


@Prepared
def _latest(dialect: str) -> Any:
    wanted = given(dialect, int)
    all_of = VERSION.alias()
    newest = select(func.max(all_of.c.number)).where(all_of.c.dataset_id == wanted.c.k0).scalar_subquery()
    same = and_(VERSION.c.dataset_id == wanted.c.k0, VERSION.c.number == newest)
    return select(*_VERSION).select_from(wanted.join(VERSION, same))


def latest(session: Session, datasets: Sequence[int]) -> dict[int, Row[Any]]:
    """Return (id, dataset_id, number) of the newest versions by dataset."""
    found = _latest.rows(session, given=ids(datasets)) if datasets else []
    return {int(row.dataset_id): row for row in found}


@Prepared
def _numbered(dialect: str) -> Any:
    wanted = given(dialect, int, int)
    same = and_(VERSION.c.dataset_id == wanted.c.k0, VERSION.c.number == wanted.c.k1)
    return select(*_VERSION).select_from(wanted.join(VERSION, same))


def numbered(session: Session, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return ids of versions by (dataset, number)."""
    found = _numbered.rows(session, given=rows(places)) if places else []
    return {(int(row.dataset_id), int(row.number)): int(row.id) for row in found}


@cache
def _known_names(dialect: str) -> Any:
    # The kind comes with each row, as in _assets_named.
    wanted = given(dialect, str, str)
    is_kind = type_coerce(ASSET.c.kind, Text()) == wanted.c.k0
    rank = func.row_number().over(partition_by=ASSET.c.namespace, order_by=ASSET.c.key).label("rank")
    joined = wanted.join(ASSET, and_(is_kind, ASSET.c.namespace == wanted.c.k1))
    ranked = select(ASSET.c.namespace, ASSET.c.name, rank).select_from(joined).subquery()
    return select(ranked).where(ranked.c.rank <= bindparam("most")).order_by(ranked.c.namespace, ranked.c.rank)


def known_names(session: Session, namespaces: Sequence[str], most: int = 20) -> tuple[dict[str, list[str]], list[str]]:
    """Return names of datasets for errors that help: some of each namespace, and some of any with their namespace."""
    found: dict[str, list[str]] = {}
    said = {"given": rows((AssetKind.DATASET.value, one) for one in namespaces), "most": most}
    for row in session.execute(_known_names(session.dialect), said).all():
        found.setdefault(str(row.namespace), []).append(str(row.name))
    every = select(ASSET.c.namespace, ASSET.c.name).select_from(DATASET.join(ASSET, ASSET.c.id == DATASET.c.id))
    named = session.execute(every.order_by(ASSET.c.namespace, ASSET.c.key).limit(most)).all()
    return found, [f"{row.namespace}/{row.name}" for row in named]
