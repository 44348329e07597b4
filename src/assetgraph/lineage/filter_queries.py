"""SQL of filters: how nodes stand, and which ones match."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select, union_all
from sqlalchemy.sql.selectable import CompoundSelect, Select

from assetgraph.catalog.tables import ASSET, DATASET, FIELD, OWNER, TAG, VERSION, Lifecycle
from assetgraph.changes.tables import CHANGE
from assetgraph.db.bulk import integer_columns
from assetgraph.db.engine import Session
from assetgraph.db.given import given
from assetgraph.db.given import ids as packed
from assetgraph.ids import AssetKind
from assetgraph.lineage.filters import Filter, Standing
from assetgraph.lineage.tables import EDGE, JOB, RUN, EdgeKind, Level

_DEFINITIONS = (AssetKind.SOURCE, AssetKind.DATASET, AssetKind.JOB, AssetKind.MODEL)
#: Actions of the log after which a node may stand otherwise than before.
STANDING_ACTIONS = ("folded", "retired", "restored", "deleted")


def _standing(dataset: Any, job: Any) -> ColumnElement[int]:
    """Return the standing of a row that joins its asset, and its dataset or job where it has one."""
    passing = func.coalesce(dataset.c.transient, dataset.c.temporary)
    parts = (
        (passing, Standing.TRANSIENT), (job.c.statement, Standing.STATEMENT),
        (dataset.c.lifecycle == Lifecycle.RETIRED, Standing.RETIRED), (ASSET.c.namespace == "", Standing.DELETED),
    )  # fmt: skip
    first, *rest = (case((condition, int(flag)), else_=0) for condition, flag in parts)
    return sum(rest, start=first)


def _joined(wanted: Any) -> Select[Any]:
    """Return (id, standing) of the ids k0 of a subquery."""
    dataset_id = func.coalesce(VERSION.c.dataset_id, FIELD.c.dataset_id, ASSET.c.id)
    joined = (
        wanted.join(ASSET, ASSET.c.id == wanted.c.k0)
        .outerjoin(VERSION, VERSION.c.id == ASSET.c.id)
        .outerjoin(FIELD, FIELD.c.id == ASSET.c.id)
        .outerjoin(RUN, RUN.c.id == ASSET.c.id)
        .outerjoin(DATASET, DATASET.c.id == dataset_id)
        .outerjoin(JOB, JOB.c.id == func.coalesce(RUN.c.job_id, ASSET.c.id))
    )
    return select(ASSET.c.id, _standing(DATASET, JOB).label("standing")).select_from(joined)


def standings(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """Return how nodes stand, those of which there is nothing to say left out: one statement."""
    found = session.execute(_joined(given(session.dialect, int)), {"given": packed(ids)}).all()
    return {int(row.id): int(row.standing) for row in found if row.standing}


def standings_changed(session: Session, after: int) -> set[int]:
    """Return the datasets, jobs and deleted nodes that may stand otherwise since a sequence of the log."""
    wanted = select(CHANGE.c.entity_key).where(CHANGE.c.sequence > after, CHANGE.c.action.in_(STANDING_ACTIONS))
    return {int(row.entity_key) for row in session.execute(wanted.distinct()).all()}


def with_parts(session: Session, ids: Sequence[int]) -> list[int]:
    """Return assets with the versions and columns of the datasets, and the runs of the jobs among them."""
    wanted = given(session.dialect, int)
    parts = union_all(
        *(select(table.c.id).select_from(wanted.join(table, column == wanted.c.k0))
          for table, column in ((VERSION, VERSION.c.dataset_id), (FIELD, FIELD.c.dataset_id), (RUN, RUN.c.job_id)))
    )  # fmt: skip
    found = session.execute(parts, {"given": packed(ids)}).all()
    return sorted({*ids, *(int(row.id) for row in found)})


def all_standings(session: Session) -> NDArray[np.int64]:
    """Return (id, standing) of every node of which there is anything to say: (2, n)."""
    dataset = (
        f"CASE WHEN coalesce(transient, temporary) THEN {int(Standing.TRANSIENT)} ELSE 0 END "
        f"+ CASE WHEN lifecycle = 'RETIRED' THEN {int(Standing.RETIRED)} ELSE 0 END"
    )
    special = "coalesce(transient, temporary) OR lifecycle = 'RETIRED'"
    of_part = f"(SELECT {dataset} FROM dataset WHERE dataset.id = dataset_id)"
    of_those = f"dataset_id IN (SELECT dataset.id FROM dataset WHERE {special})"
    statement = str(int(Standing.STATEMENT))
    parts = (
        (dataset, f"dataset WHERE {special}"), (of_part, f"dataset_version WHERE {of_those}"),
        (of_part, f"field WHERE {of_those}"), (statement, "job WHERE statement"),
        (statement, "run WHERE job_id IN (SELECT job.id FROM job WHERE statement)"),
        (str(int(Standing.DELETED)), "asset WHERE namespace = ''"),
    )  # fmt: skip
    found = [integer_columns(session, [f"CAST(id AS BIGINT) * 16 + {value}"], source) for value, source in parts]
    rows = np.concatenate(found, axis=1)[0]
    return np.stack([rows >> 4, rows & 15])


def matching(session: Session, wanted: Filter, level: Level, ids: Sequence[int]) -> set[int]:
    """Return those of some nodes that match a filter's lists: one statement."""
    some = _matches(wanted, level).subquery()
    asked = given(session.dialect, int)
    joined = select(asked.c.k0).where(asked.c.k0.in_(select(some.c.id)))
    return {int(row.k0) for row in session.execute(joined, {"given": packed(ids)}).all()}


def all_matching(session: Session, wanted: Filter, level: Level, most: int) -> Sequence[Row[Any]]:
    """Return up to `most` nodes of a level that match a filter's lists."""
    some = _matches(wanted, level).subquery()
    return session.execute(select(some.c.id).limit(most)).all()


def _matches(wanted: Filter, level: Level) -> Select[Any] | CompoundSelect[Any]:
    """Return the ids of a level's nodes that match: versions and runs do when their definition does."""
    if level is Level.FIELD:
        return _columns(wanted)
    definitions = _definitions(wanted)
    if level is Level.DATASET:
        return definitions
    some = definitions.subquery()
    made = and_(EDGE.c.kind == EdgeKind.VERSION_OF, EDGE.c.valid_to.is_(None))
    # A definition stands at level VERSION too: a version's way back leads through what contains it.
    return union_all(
        select(some.c.id),
        select(EDGE.c.target_id.label("id")).where(made, EDGE.c.source_id.in_(select(some.c.id))),
        select(RUN.c.id).where(RUN.c.job_id.in_(select(some.c.id))),
    )


def _definitions(wanted: Filter) -> Select[Any]:
    """A dataset bears its columns' tags."""
    found = select(ASSET.c.id).where(ASSET.c.kind.in_(_DEFINITIONS))
    if wanted.namespaces is not None:
        found = found.where(ASSET.c.namespace.in_(wanted.namespaces))
    if wanted.tags is not None:
        tagged = select(TAG.c.asset_id).where(TAG.c.name.in_(wanted.tags))
        of_columns = select(FIELD.c.dataset_id).where(FIELD.c.id.in_(tagged))
        found = found.where(or_(ASSET.c.id.in_(tagged), ASSET.c.id.in_(of_columns)))
    if wanted.owners is not None:
        found = found.where(ASSET.c.id.in_(_owned(wanted.owners)))
    if wanted.roles is not None:
        found = found.where(ASSET.c.id.in_(select(DATASET.c.id).where(DATASET.c.role.in_(wanted.roles))))
    return found


def _columns(wanted: Filter) -> Select[Any]:
    """A column bears its own tags and its dataset's."""
    found = select(FIELD.c.id)
    if wanted.namespaces is not None:
        found = found.join(ASSET, ASSET.c.id == FIELD.c.id).where(ASSET.c.namespace.in_(wanted.namespaces))
    if wanted.tags is not None:
        tagged = select(TAG.c.asset_id).where(TAG.c.name.in_(wanted.tags))
        found = found.where(or_(FIELD.c.id.in_(tagged), FIELD.c.dataset_id.in_(tagged)))
    if wanted.owners is not None:
        found = found.where(FIELD.c.dataset_id.in_(_owned(wanted.owners)))
    if wanted.roles is not None:
        role = select(DATASET.c.id).where(DATASET.c.role.in_(wanted.roles))
        found = found.where(FIELD.c.dataset_id.in_(role))
    return found


def _owned(owners: Sequence[str]) -> Select[Any]:
    return select(OWNER.c.asset_id).where(OWNER.c.principal.in_(owners))
