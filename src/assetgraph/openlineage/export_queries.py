"""SQL of the export: whole tables, a page at a time, in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, and_, func, literal, or_, select, true, tuple_

from assetgraph.catalog.tables import ASSET, FIELD, OWNER, TAG, VERSION_FIELD
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, EDGE_RUN, RUN, EdgeKind, Level
from assetgraph.openlineage.rows import ENTITIES, Relation, asset_columns
from assetgraph.openlineage.tables import RAW_EVENT
from assetgraph.quality.tables import METRIC


def count_events(session: Session) -> int:
    """Return how many raw events are kept."""
    return int(session.execute(select(func.count()).select_from(RAW_EVENT)).scalar_one())


def raw_events(session: Session, most: int = 100) -> Iterator[bytes]:
    """Yield the deflated text of raw events in the order they came."""
    after = 0
    while rows := session.execute(
        select(RAW_EVENT.c.id, RAW_EVENT.c.body).where(RAW_EVENT.c.id > after).order_by(RAW_EVENT.c.id).limit(most)
    ).all():
        yield from (row.body for row in rows)
        after = int(rows[-1].id)


def entities(session: Session, kind: AssetKind, most: int) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of one kind of asset: its typed row and asset_ kind, namespace, key, name, created_at."""
    table, after = ENTITIES[kind], 0
    while rows := session.execute(
        select(table, *asset_columns()).join(ASSET, ASSET.c.id == table.c.id)
        .where(table.c.id > after).order_by(table.c.id).limit(most)
    ).all():  # fmt: skip
        yield rows
        after = int(rows[-1].id)


def pages(session: Session, relation: Relation, most: int, within: Any = None) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of a relation, by its primary key; `within` may narrow them."""
    key = list(relation.table.primary_key.columns)
    wanted = select(relation.table).where(true() if within is None else within).order_by(*key).limit(most)
    rows = session.execute(wanted).all()
    while rows:
        yield rows
        last = [literal(rows[-1]._mapping[column.name], column.type) for column in key]
        rows = session.execute(wanted.where(tuple_(*key) > tuple_(*last))).all()


def roots(relation: Relation) -> Any:
    """Return what of a relation stands by itself: edges that were taken back do not count, nor metrics of facets."""
    if relation.name == "edge":
        return or_(EDGE.c.valid_to.is_(None), EDGE.c.valid_to != EDGE.c.valid_from)
    return METRIC.c.facet_id.is_(None) if relation.name == "metric" else None


def children_of(relation: Relation, parents: Sequence[int]) -> Any:
    """Return what narrows a relation to the children of some rows."""
    assert relation.parent is not None  # noqa: S101 - asked of children only
    return relation.table.c[relation.parent].in_(list(parents))


def runs_above(session: Session, most: int) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of runs that another run started."""
    after = 0
    while rows := session.execute(
        select(RUN.c.id, RUN.c.parent_id, RUN.c.root_id)
        .where(RUN.c.id > after, or_(RUN.c.parent_id.is_not(None), RUN.c.root_id.is_not(None)))
        .order_by(RUN.c.id).limit(most)
    ).all():  # fmt: skip
        yield rows
        after = int(rows[-1].id)


@cache
def _names(dialect: str) -> Any:
    wanted = given(dialect, int)
    columns = (ASSET.c.id, ASSET.c.kind, ASSET.c.namespace, ASSET.c.key)
    return select(*columns).select_from(wanted.join(ASSET, ASSET.c.id == wanted.c.k0)).where(ASSET.c.namespace != "")


def names(session: Session, assets: Iterable[int]) -> dict[int, tuple[str, str, str]]:
    """Return (kind, namespace, key) of assets; those that were deleted have none."""
    found = session.execute(_names(session.dialect), {"given": ids(sorted(set(assets)))}).all()
    return {int(row.id): (row.kind.value, str(row.namespace), str(row.key)) for row in found}


def labels(session: Session, assets: Sequence[int]) -> tuple[dict[int, list[str]], dict[int, list[tuple[str, str]]]]:
    """Return tags, and owners with their role, by asset."""
    tags: dict[int, list[str]] = {}
    owners: dict[int, list[tuple[str, str]]] = {}
    for row in session.execute(select(TAG.c.asset_id, TAG.c.name).where(TAG.c.asset_id.in_(list(assets)))).all():
        tags.setdefault(int(row.asset_id), []).append(str(row.name))
    columns = (OWNER.c.asset_id, OWNER.c.principal, OWNER.c.role)
    for row in session.execute(select(*columns).where(OWNER.c.asset_id.in_(list(assets)))).all():
        owners.setdefault(int(row.asset_id), []).append((str(row.principal), str(row.role)))
    return tags, owners


def shapes(session: Session, versions: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the columns of versions without their profiles: path, ordinal, type, description."""
    columns = (
        VERSION_FIELD.c.version_id, VERSION_FIELD.c.ordinal, VERSION_FIELD.c.type, VERSION_FIELD.c.description,
        FIELD.c.path,
    )  # fmt: skip
    joined = select(*columns).join(FIELD, FIELD.c.id == VERSION_FIELD.c.field_id)
    wanted = joined.where(VERSION_FIELD.c.version_id.in_(list(versions)))
    found: dict[int, list[Row[Any]]] = {version: [] for version in versions}
    for row in session.execute(wanted.order_by(VERSION_FIELD.c.version_id, VERSION_FIELD.c.ordinal)).all():
        found[int(row.version_id)].append(row)
    return found


def read_and_made(session: Session, runs: Sequence[int]) -> Sequence[Row[Any]]:
    """Return what runs read and made: run, asset, whether it was made."""
    mine = list(runs)
    open_ones = and_(EDGE.c.level == Level.VERSION, EDGE.c.valid_to.is_(None))
    read = select(EDGE.c.target_id.label("run"), EDGE.c.source_id.label("asset"), literal(0).label("made")).where(
        EDGE.c.target_id.in_(mine), EDGE.c.kind == EdgeKind.CONSUMED, open_ones
    )
    made = select(EDGE.c.source_id.label("run"), EDGE.c.target_id.label("asset"), literal(1).label("made")).where(
        EDGE.c.source_id.in_(mine), EDGE.c.kind == EdgeKind.PRODUCED, open_ones
    )
    return session.execute(read.union_all(made).order_by("run", "asset")).all()


def runs_with_columns(session: Session, runs: Sequence[int]) -> set[int]:
    """Return which runs say something of columns."""
    joined = select(EDGE_RUN.c.run_id).join(EDGE, EDGE.c.id == EDGE_RUN.c.edge_id)
    mine = joined.where(EDGE_RUN.c.run_id.in_(list(runs)), EDGE.c.level == Level.FIELD).distinct()
    return {int(row.run_id) for row in session.execute(mine).all()}
