"""All SQL of feedback."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.db.engine import Session
from assetgraph.feedback.tables import FEEDBACK, FEEDBACK_EXPORT


def insert_feedback(session: Session, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert events set-wise, leaving out those whose key is there; returns the new ids in order."""
    dialect = postgresql if session.dialect == "postgresql" else sqlite
    statement = dialect.insert(FEEDBACK).values(list(rows)).on_conflict_do_nothing().returning(FEEDBACK.c.id)
    return sorted(int(row.id) for row in session.execute(statement).all())


def feedback_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return events by id."""
    rows = session.execute(select(FEEDBACK).where(FEEDBACK.c.id.in_(list(ids)))).all()
    return {int(row.id): row for row in rows}


def newest_feedback(session: Session, model_id: int) -> int:
    """Return the highest feedback id of a model, 0 when it has none."""
    wanted = select(func.max(FEEDBACK.c.id)).where(FEEDBACK.c.model_id == model_id)
    return int(session.execute(wanted).scalar_one() or 0)


def count_feedback(session: Session, model_id: int, upto: int) -> int:
    """Return how many events of a model there are up to an id."""
    mine = (FEEDBACK.c.model_id == model_id, FEEDBACK.c.id <= upto)
    return int(session.execute(select(func.count()).select_from(FEEDBACK).where(*mine)).scalar_one())


def feedback_batch(session: Session, model_id: int, after: int, upto: int, most: int) -> Sequence[Row[Any]]:
    """Return a model's events after an id and up to another, in id order."""
    mine = (FEEDBACK.c.model_id == model_id, FEEDBACK.c.id > after, FEEDBACK.c.id <= upto)
    return session.execute(select(FEEDBACK).where(*mine).order_by(FEEDBACK.c.id).limit(most)).all()


def insert_export(session: Session, row: dict[str, Any]) -> None:
    """Note which feedback an export took."""
    session.execute(insert(FEEDBACK_EXPORT).values(row))


def exports_by_run(session: Session, runs: Sequence[int]) -> dict[int, Row[Any]]:
    """Return what export runs took, by run."""
    wanted = select(FEEDBACK_EXPORT).where(FEEDBACK_EXPORT.c.run_id.in_(list(runs)))
    return {int(row.run_id): row for row in session.execute(wanted).all()}


def exports_of_models(session: Session, models: Sequence[int], since: int) -> Sequence[Row[Any]]:
    """Return the exports of models that took feedback from an id on, oldest first."""
    mine = (FEEDBACK_EXPORT.c.model_id.in_(list(models)), FEEDBACK_EXPORT.c.last_feedback_id >= since)
    return session.execute(select(FEEDBACK_EXPORT).where(*mine).order_by(FEEDBACK_EXPORT.c.run_id)).all()


def taken_by(session: Session, export: Row[Any], most: int) -> Sequence[Row[Any]]:
    """Return the first events that an export took."""
    return feedback_batch(session, int(export.model_id), 0, int(export.last_feedback_id), most)


def of_model_versions(session: Session, versions: Sequence[int], most: int) -> Sequence[Row[Any]]:
    """Return the first events that answer recommendations of some model versions."""
    mine = (FEEDBACK.c.model_version_id.in_(list(versions)), FEEDBACK.c.recommendation.is_not(None))
    return session.execute(select(FEEDBACK).where(*mine).order_by(FEEDBACK.c.id).limit(most)).all()


def of_recommendations(session: Session, keys: Sequence[str], most: int) -> Sequence[Row[Any]]:
    """Return the first events that answer some recommendations."""
    mine = FEEDBACK.c.recommendation.in_(list(keys))
    return session.execute(select(FEEDBACK).where(mine).order_by(FEEDBACK.c.id).limit(most)).all()


def export_runs(session: Session) -> list[int]:
    """Return all runs that exported feedback."""
    return [int(row.run_id) for row in session.execute(select(FEEDBACK_EXPORT.c.run_id)).all()]


def answered(session: Session, versions: Sequence[int]) -> bool:
    """Tell whether any recommendation of some model versions was answered."""
    for start in range(0, len(versions), 10_000):
        mine = FEEDBACK.c.model_version_id.in_(list(versions[start : start + 10_000]))
        if session.execute(select(FEEDBACK.c.id).where(mine).limit(1)).first() is not None:
            return True
    return False
