"""All SQL of models and their versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, insert, select, true, update

from assetgraph.catalog.history_queries import column_at, columns_at
from assetgraph.catalog.queries import ASSET_COLUMNS
from assetgraph.catalog.tables import ASSET, Aspect
from assetgraph.db.engine import Session
from assetgraph.db.page import Page, PageRequest, keyset_page
from assetgraph.factorization.tables import MODEL, MODEL_VERSION, ModelStage


def _models() -> Select[Any]:
    return select(MODEL, *ASSET_COLUMNS).join(ASSET, ASSET.c.id == MODEL.c.id)


#: Columns of model versions that change over time.
ASPECTS: dict[str, tuple[Any, ...]] = {"stage": (Aspect.STAGE,)}


def _versions(at: datetime | None = None) -> Select[Any]:
    joined = MODEL_VERSION.join(ASSET, ASSET.c.id == MODEL_VERSION.c.id)
    return select(*columns_at(MODEL_VERSION, at, ASPECTS), *ASSET_COLUMNS).select_from(joined)


def insert_model(session: Session, row: dict[str, Any]) -> None:
    """Insert a model's typed row."""
    session.execute(insert(MODEL).values(row))


def lock_model(session: Session, model_id: int) -> None:
    """Make concurrent writers of one model's versions queue."""
    session.execute(select(MODEL.c.id).where(MODEL.c.id == model_id).with_for_update())


def models_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return models by id."""
    return {int(row.id): row for row in session.execute(_models().where(MODEL.c.id.in_(list(ids)))).all()}


def model_names(session: Session, namespace: str, most: int = 20) -> list[str]:
    """Return names of a namespace's models, for an error that helps."""
    wanted = _models().where(ASSET.c.namespace == namespace).order_by(ASSET.c.key).limit(most)
    return [str(row.name) for row in session.execute(wanted).all()]


def insert_version(session: Session, row: dict[str, Any]) -> None:
    """Insert a model version's typed row."""
    session.execute(insert(MODEL_VERSION).values(row))


def model_versions_by_ids(session: Session, ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return model versions by id."""
    wanted = _versions(at).where(MODEL_VERSION.c.id.in_(list(ids)))
    return {int(row.id): row for row in session.execute(wanted).all()}


def model_versions_page(session: Session, model_id: int, request: PageRequest, at: datetime | None = None) -> Page[Any]:
    """Return a model's versions, newest first."""
    mine = (MODEL_VERSION.c.model_id == model_id, _made(at))
    counted = select(func.count()).select_from(MODEL_VERSION.join(ASSET, ASSET.c.id == MODEL_VERSION.c.id))
    return keyset_page(
        session,
        _versions(at).where(*mine),
        counted.where(*mine),
        columns=[MODEL_VERSION.c.number],
        names=["number"],
        request=request,
        descending=True,
    )


def _made(at: datetime | None) -> ColumnElement[bool]:
    return true() if at is None else ASSET.c.created_at <= at


def newest_number(session: Session, model_id: int) -> int:
    """Return the highest version number of a model, 0 when it has none."""
    wanted = select(func.max(MODEL_VERSION.c.number)).where(MODEL_VERSION.c.model_id == model_id)
    return int(session.execute(wanted).scalar_one() or 0)


def production_of(session: Session, model_ids: Sequence[int], at: datetime | None = None) -> dict[int, Row[Any]]:
    """Return the version in production of each model that has one, or had one at a moment, by model."""
    stage = MODEL_VERSION.c.stage if at is None else column_at(MODEL_VERSION.c.stage, Aspect.STAGE, at)
    serving = and_(MODEL_VERSION.c.model_id.in_(list(model_ids)), stage == ModelStage.PRODUCTION)
    return {int(row.model_id): row for row in session.execute(_versions(at).where(serving, _made(at))).all()}


def set_stage(session: Session, version_id: int, stage: ModelStage) -> None:
    """Change the stage of a version."""
    session.execute(update(MODEL_VERSION).where(MODEL_VERSION.c.id == version_id).values(stage=stage))
