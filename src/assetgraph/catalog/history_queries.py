"""SQL of what was said of assets over time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, case, cast, delete, exists, false, func, or_, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog.tables import (
    ASSET,
    DATASET,
    EVENTS,
    FIELD,
    HISTORY,
    ORIGINS,
    OWNER,
    PEOPLE,
    TAG,
    VERSION,
    VERSION_FIELD,
    Aspect,
    Lifecycle,
)  # fmt: skip
from assetgraph.catalog.texts import owners_needle, pairs_of, tags_text
from assetgraph.db.engine import Session


@cache
def _note(dialect: str) -> Any:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(HISTORY)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["asset_id", "aspect", "origin", "at"], where=new.digest > HISTORY.c.digest,
        set_={"digest": new.digest, "value": new.value},
    )  # fmt: skip


def note(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what was said, set-wise; of two words at one time the greater digest stays."""
    if rows:
        session.execute(_note(session.dialect), list(rows))


def _said(asset: Any, aspect: Aspect, origin: Any) -> Any:
    return and_(HISTORY.c.asset_id == asset, HISTORY.c.aspect == aspect, HISTORY.c.origin == origin)


def value_at(asset: Any, aspect: Aspect, origin: Any, at: datetime) -> Any:
    """Return what was in force of an aspect at a moment, as an expression; null when nothing was said yet."""
    said = and_(_said(asset, aspect, origin), HISTORY.c.at <= at)
    return (
        select(HISTORY.c.value)
        .where(said)
        .order_by(HISTORY.c.at.desc())
        .limit(1)
        .correlate_except(HISTORY)
        .scalar_subquery()
    )


def has_history(asset: Any, aspect: Aspect, origin: str) -> ColumnElement[bool]:
    """Tell whether an aspect ever changed; when not, what the asset's row says holds for all times."""
    return exists(select(HISTORY.c.asset_id).where(_said(asset, aspect, origin)).correlate_except(HISTORY))


def column_at(column: Any, aspect: Aspect, at: datetime, origin: str = PEOPLE, default: str | None = None) -> Any:
    """Return a column of an asset's typed row as it was at a moment; `default` where nothing was said yet."""
    asset = column.table.c.id
    then: Any = value_at(asset, aspect, origin, at)
    if default is not None:
        then = func.coalesce(then, default)
    return type_coerce(case((has_history(asset, aspect, origin), then), else_=column), column.type).label(column.name)


def named_at(dataset: Any, at: datetime | None, number: Any = None) -> tuple[Any, Any]:
    """Return what a dataset is called, or was at a moment, as columns `name` and `called_in` (its namespace).

    `dataset` is the column with its id; with a `number` the name is that of its version of this number. A row of
    `asset` is joined.
    """
    if at is None:
        return ASSET.c.name, ASSET.c.namespace.label("called_in")
    name, space = (value_at(dataset, aspect, EVENTS, at) for aspect in (Aspect.NAME, Aspect.NAMESPACE))
    if number is not None:
        name = name + "@" + cast(number, Text)
    called = func.coalesce(name, ASSET.c.name).label("name")
    return called, func.coalesce(space, ASSET.c.namespace).label("called_in")


def columns_at(table: Any, at: datetime | None, changing: Mapping[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return all columns of a table as they were at a moment; `changing` maps some to aspect, origin and default."""
    if at is None:
        return (table,)
    return tuple(
        column_at(column, changing[column.name][0], at, *changing[column.name][1:])
        if column.name in changing else column
        for column in table.c
    )  # fmt: skip


#: Columns of datasets and versions that change over time: aspect, who says it, and what holds before that.
DATASET_ASPECTS: dict[str, tuple[Any, ...]] = {
    "description": (Aspect.DESCRIPTION,),
    "documented": (Aspect.DESCRIPTION, EVENTS),
    "role": (Aspect.ROLE,),
    "lifecycle": (Aspect.LIFECYCLE, EVENTS, Lifecycle.ACTIVE.value),
}
VERSION_ASPECTS: dict[str, tuple[Any, ...]] = {"location": (Aspect.LOCATION,)}


def dataset_columns(at: datetime | None) -> tuple[Any, ...]:
    """Return the columns of datasets as they were at a moment."""
    return columns_at(DATASET, at, DATASET_ASPECTS)


def dataset_column(name: str, at: datetime | None) -> Any:
    """Return one column of datasets as it was at a moment."""
    column = DATASET.c[name]
    return column if at is None else column_at(column, DATASET_ASPECTS[name][0], at, *DATASET_ASPECTS[name][1:])


def version_columns(at: datetime | None) -> tuple[Any, ...]:
    """Return the columns of dataset versions as they were at a moment."""
    return columns_at(VERSION, at, VERSION_ASPECTS)


def said_at(session: Session, assets: Sequence[int], aspect: Aspect, at: datetime) -> dict[tuple[int, str], str | None]:
    """Return what was in force of an aspect by (asset, origin), of those that ever changed; one statement."""
    mine = and_(HISTORY.c.asset_id.in_(list(assets)), HISTORY.c.aspect == aspect)
    ever = select(HISTORY.c.asset_id, HISTORY.c.origin).where(mine).distinct().subquery()
    value = value_at(ever.c.asset_id, aspect, ever.c.origin, at).label("value")
    rows = session.execute(select(ever.c.asset_id, ever.c.origin, value)).all()
    return {(int(row.asset_id), str(row.origin)): row.value for row in rows}


def tags_said(session: Session, assets: Sequence[int], at: datetime) -> dict[tuple[int, str], list[str]]:
    """Return the tags in force by (asset, origin) of assets whose tags ever changed.

    Events say the tags of columns with those of their dataset.
    """
    mine = select(FIELD.c.id, FIELD.c.dataset_id, FIELD.c.path).where(FIELD.c.id.in_(list(assets)))
    columns = {int(row.id): (int(row.dataset_id), str(row.path)) for row in session.execute(mine).all()}
    said = said_at(session, [*assets, *{dataset for dataset, _ in columns.values()}], Aspect.TAGS, at)
    found = {}
    for asset in assets:
        for origin in ORIGINS:
            of, path = columns.get(asset, (asset, "")) if origin == EVENTS else (asset, "")
            if (of, origin) in said:
                found[(asset, origin)] = [tag for column, tag in pairs_of(said[(of, origin)]) if column == path]
    return found


def _within(dialect: str, value: Any, text: str) -> ColumnElement[bool]:
    """Tell whether a text holds another, by case (LIKE of SQLite does not look at it)."""
    found: ColumnElement[bool] = (func.strpos if dialect == "postgresql" else func.instr)(value, text) > 0
    return found


def labelled(dialect: str, aspect: Aspect, name: str, at: datetime | None) -> ColumnElement[bool]:
    """Tell whether a dataset has a tag or an owner, or had it at a moment."""
    if aspect is Aspect.TAGS:
        table, column, text = TAG, TAG.c.name, tags_text([name])[1:-1]
    else:
        table, column, text = OWNER, OWNER.c.principal, owners_needle(name)
    if at is None:
        return DATASET.c.id.in_(select(table.c.asset_id).where(column == name))
    parts = []
    for origin in ORIGINS:
        then = _within(dialect, value_at(DATASET.c.id, aspect, origin, at), text)
        mine = and_(table.c.asset_id == DATASET.c.id, table.c.origin == origin, column == name)
        now = exists(select(table.c.asset_id).where(mine).correlate_except(table))
        parts.append(case((has_history(DATASET.c.id, aspect, origin), func.coalesce(then, false())), else_=now))
    return or_(*parts)


def versioned(at: datetime) -> ColumnElement[bool]:
    """Tell whether any version up to a moment has a field."""
    had = VERSION_FIELD.alias("had")
    by_then = and_(had.c.field_id == FIELD.c.id, VERSION.c.effective_at <= at)
    known = select(had.c.field_id).join(VERSION, VERSION.c.id == had.c.version_id).where(by_then)
    return known.correlate(FIELD).exists()


def newest_with(fields: Sequence[int], at: datetime | None) -> Any:
    """Return (field_id, version_id) of the version that each field is last in, or was by a moment, as a subquery."""
    known = VERSION.c.effective_at.is_not(None) if at is None else VERSION.c.effective_at <= at
    order = (VERSION.c.effective_at.desc(), VERSION.c.number.desc())
    rank = func.row_number().over(partition_by=VERSION_FIELD.c.field_id, order_by=order).label("rank")
    joined = VERSION_FIELD.join(VERSION, VERSION.c.id == VERSION_FIELD.c.version_id)
    ranked = (
        select(VERSION_FIELD.c.field_id, VERSION_FIELD.c.version_id, rank)
        .select_from(joined)
        .where(VERSION_FIELD.c.field_id.in_(list(fields)), known)
        .subquery()
    )
    return select(ranked).where(ranked.c.rank == 1).subquery()


def histories(session: Session, assets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return all that was ever said of assets, oldest first."""
    mine = select(HISTORY).where(HISTORY.c.asset_id.in_(list(assets)))
    return session.execute(mine.order_by(HISTORY.c.aspect, HISTORY.c.origin, HISTORY.c.at)).all()


def labels_of(
    session: Session, assets: Sequence[int], origin: str = PEOPLE
) -> dict[tuple[int, Aspect], list[tuple[str, str]]]:
    """Return the tags and owners that someone gave assets, as their history writes them."""
    wanted = list(assets)
    tags = select(TAG.c.asset_id, TAG.c.name).where(TAG.c.asset_id.in_(wanted), TAG.c.origin == origin)
    owners = select(OWNER.c.asset_id, OWNER.c.principal, OWNER.c.role).where(
        OWNER.c.asset_id.in_(wanted), OWNER.c.origin == origin
    )
    found: dict[tuple[int, Aspect], list[tuple[str, str]]] = {}
    for row in session.execute(tags).all():
        found.setdefault((int(row.asset_id), Aspect.TAGS), []).append(("", str(row.name)))
    for row in session.execute(owners).all():
        found.setdefault((int(row.asset_id), Aspect.OWNERS), []).append((str(row.principal), str(row.role)))
    return found


def forget(session: Session, gone: Sequence[int], aspects: Sequence[Aspect], others: Sequence[int]) -> None:
    """Drop what was said of assets that are no more, and what was said of some aspects of others, but by events."""
    rewritten = and_(HISTORY.c.asset_id.in_(list(others)), HISTORY.c.aspect.in_(list(aspects)),
                     HISTORY.c.origin != EVENTS)  # fmt: skip
    session.execute(delete(HISTORY).where(or_(HISTORY.c.asset_id.in_(list(gone)), rewritten)))


def rename(session: Session, dataset: int, rows: Sequence[dict[str, Any]]) -> None:
    """Replace what a dataset was called over time."""
    names = HISTORY.c.aspect.in_([Aspect.NAME, Aspect.NAMESPACE])
    session.execute(delete(HISTORY).where(HISTORY.c.asset_id == dataset, names))
    note(session, rows)


def peoples_tags(session: Session, assets: Sequence[int]) -> dict[int, set[str]]:
    """Return the tags that people set on assets."""
    found: dict[int, set[str]] = {asset: set() for asset in assets}
    for (asset, aspect), pairs in labels_of(session, assets).items():
        if aspect is Aspect.TAGS:
            found[asset] = {name for _, name in pairs}
    return found
