"""SQL of what walks fold away."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update

from assetgraph.catalog.tables import ASSET, DATASET
from assetgraph.db.engine import Session
from assetgraph.lineage.tables import JOB, RUN


def datasets(session: Session, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (id, key, temporary) of datasets."""
    joined = select(DATASET.c.id, ASSET.c.key, DATASET.c.temporary).join(ASSET, ASSET.c.id == DATASET.c.id)
    return session.execute(joined.where(DATASET.c.id.in_(list(ids))).order_by(DATASET.c.id)).all()


def set_temporary(session: Session, dataset: int, temporary: bool) -> None:
    """Say whether a dataset only passes through."""
    session.execute(update(DATASET).where(DATASET.c.id == dataset).values(temporary=temporary))


def jobs_and_parents(session: Session, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return (id, key, statement, parent) of jobs: a row for each name of a job that started runs of theirs."""
    caller, above, mine = RUN.alias("caller"), ASSET.alias("above"), ASSET.alias("mine")
    joined = (
        select(JOB.c.id, mine.c.key, JOB.c.statement, above.c.key.label("parent"))
        .join(mine, mine.c.id == JOB.c.id)
        .outerjoin(RUN, RUN.c.job_id == JOB.c.id)
        .outerjoin(caller, caller.c.id == RUN.c.parent_id)
        .outerjoin(above, (above.c.id == caller.c.job_id) & (above.c.namespace == mine.c.namespace))
    )
    return session.execute(joined.where(JOB.c.id.in_(list(ids))).distinct().order_by(JOB.c.id)).all()


def set_statement(session: Session, job: int, statement: bool) -> None:
    """Say whether a job is one statement of another."""
    session.execute(update(JOB).where(JOB.c.id == job).values(statement=statement))
