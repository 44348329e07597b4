"""SQL of the import: what is there already, and what is not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Row, and_, bindparam, cast, func, insert, select, type_coerce, update

from assetgraph.catalog.tables import ASSET, VERSION
from assetgraph.changes.tables import CHANGE
from assetgraph.clock import as_utc
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.table import UtcDateTime
from assetgraph.factorization.tables import MODEL_VERSION, ModelStage
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, EDGE_RUN, RUN
from assetgraph.openlineage.rows import ENTITIES, Relation
from assetgraph.openlineage.tables import RAW_EVENT


def is_empty(session: Session) -> bool:
    """Tell whether nothing was ever recorded."""
    return not any(
        session.execute(select(table.c.id).limit(1)).first() for table in (ASSET, RAW_EVENT)
    )  # fmt: skip


def began(session: Session, export: str) -> dict[str, Any] | None:
    """Return what the log says of the beginning of an import of this export."""
    mine = and_(CHANGE.c.entity_type == "Import", CHANGE.c.entity_key == export, CHANGE.c.action == "began")
    row = session.execute(select(CHANGE.c.after).where(mine).order_by(CHANGE.c.sequence).limit(1)).first()
    return None if row is None else row.after


def insert_entities(
    session: Session, kind: AssetKind, new: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> list[int]:
    """Insert (asset's own row, typed row) pairs of one kind; returns ids in order."""
    statement = insert(ASSET).returning(ASSET.c.id, sort_by_parameter_order=True)
    made = [int(row.id) for row in session.execute(statement, [asset for asset, _ in new]).all()]
    session.execute(insert(ENTITIES[kind]), [{**typed, "id": id_} for id_, (_, typed) in zip(made, new, strict=True)])
    return made


def versions_of(session: Session, datasets: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the versions of datasets."""
    return session.execute(select(VERSION).where(VERSION.c.dataset_id.in_(list(datasets)))).all()


def model_versions_of(session: Session, models: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the versions of models with the time they were made."""
    joined = select(MODEL_VERSION, ASSET.c.created_at).join(ASSET, ASSET.c.id == MODEL_VERSION.c.id)
    return session.execute(joined.where(MODEL_VERSION.c.model_id.in_(list(models)))).all()


def in_production(session: Session, model: int) -> bool:
    """Tell whether a model has a version in production."""
    mine = and_(MODEL_VERSION.c.model_id == model, MODEL_VERSION.c.stage == ModelStage.PRODUCTION)
    return session.execute(select(MODEL_VERSION.c.id).where(mine).limit(1)).first() is not None


def newest_number(session: Session, kind: AssetKind, owner: int) -> int:
    """Return the highest number of a dataset's or model's versions."""
    table, column = (
        (VERSION, VERSION.c.dataset_id)
        if kind is AssetKind.DATASET_VERSION
        else (MODEL_VERSION, MODEL_VERSION.c.model_id)
    )
    return int(session.execute(select(func.max(table.c.number)).where(column == owner)).scalar_one() or 0)


def there(
    session: Session, relation: Relation, lookup: Sequence[str], wanted: Sequence[Mapping[str, Any]]
) -> Sequence[Row[Any]]:
    """Return the rows of a relation that an index finds by the lookup columns of rows, by their primary keys."""
    columns = [relation.table.c[name] for name in lookup]
    kinds = [int if isinstance(column.type, BigInteger) else str for column in columns]
    given_ = given(session.dialect, *kinds)
    same = and_(*(
        column == _typed(given_.c[f"k{place}"], column, session.dialect) for place, column in enumerate(columns)
    ))  # fmt: skip
    statement = select(relation.table).select_from(given_.join(relation.table, same))
    told = sorted({tuple(_text(row[name], session.dialect) for name in lookup) for row in wanted})
    return session.execute(statement.order_by(*relation.table.primary_key), {"given": rows(told)}).all()


def _typed(value: Any, column: Any, dialect: str) -> Any:
    moment = isinstance(column.type, UtcDateTime) and dialect == "postgresql"
    return cast(value, DateTime(timezone=True)) if moment else type_coerce(value, column.type)


def _text(value: Any, dialect: str) -> Any:
    """Return a moment as the database compares it."""
    if not isinstance(value, datetime):
        return value
    text = as_utc(value).isoformat(" ", "microseconds")
    return text if dialect == "postgresql" else text[:26]


def insert_related(session: Session, relation: Relation, new: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows; returns their numbers in order when they have one."""
    if not relation.surrogate:
        session.execute(insert(relation.table), list(new))
        return []
    statement = insert(relation.table).returning(relation.table.c.id, sort_by_parameter_order=True)
    return [int(row.id) for row in session.execute(statement, list(new)).all()]


def set_above(session: Session, told: Sequence[dict[str, Any]]) -> None:
    """Set which runs started others, where nobody said so yet: run, parent, root."""
    wanted: dict[str, Any] = {"parent_id": bindparam("parent"), "root_id": bindparam("root")}
    mine = and_(RUN.c.id == bindparam("run"), RUN.c.parent_id.is_(None), RUN.c.root_id.is_(None))
    session.execute(update(RUN).where(mine).values(wanted), list(told))


def runs_among(session: Session, assets: Sequence[int]) -> set[int]:
    """Return which assets are runs."""
    wanted = given(session.dialect, int)
    joined = select(RUN.c.id).select_from(wanted.join(RUN, RUN.c.id == wanted.c.k0))
    return {int(row.id) for row in session.execute(joined, {"given": ids(assets)}).all()}


def widen(session: Session, told: Sequence[dict[str, Any]]) -> None:
    """Let open edges that are there have begun, and been seen, when either side says: edge, first, last."""
    least, greatest = (func.min, func.max) if session.dialect == "sqlite" else (func.least, func.greatest)
    values: dict[str, Any] = {
        "valid_from": least(EDGE.c.valid_from, bindparam("first", type_=EDGE.c.valid_from.type)),
        "last_seen": greatest(EDGE.c.last_seen, bindparam("last", type_=EDGE.c.last_seen.type)),
    }
    session.execute(update(EDGE).where(EDGE.c.id == bindparam("edge")).values(values), list(told))


def recount(session: Session, edges: Sequence[int]) -> None:
    """Count the runs that support edges."""
    runs = select(func.count()).select_from(EDGE_RUN.join(RUN, RUN.c.id == EDGE_RUN.c.run_id))
    counted = runs.where(EDGE_RUN.c.edge_id == EDGE.c.id).correlate(EDGE).scalar_subquery()
    session.execute(update(EDGE).where(EDGE.c.id.in_(list(edges))).values(run_count=counted))
