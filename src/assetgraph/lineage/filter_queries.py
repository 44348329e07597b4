"""SQL of filters: how nodes stand, and which ones match."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Row, Text, and_, case, func, or_, select, type_coerce, union_all
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
    """Return those of some nodes that match a filter's lists: one statement, which looks at no others."""
    found = session.execute(_those_matching(session.dialect, wanted, level), {"given": packed(ids)}).all()
    return {int(row.k0) for row in found}


def all_matching(session: Session, wanted: Filter, level: Level, most: int) -> Sequence[Row[Any]]:
    """Return up to `most` nodes of a level that match a filter's lists."""
    some = _matches(wanted, level).subquery()
    return session.execute(select(some.c.id).limit(most)).all()


def _matches(wanted: Filter, level: Level) -> Select[Any] | CompoundSelect[Any]:
    """Return the ids of a level's nodes that match: versions and runs do when their definition does."""
    if level is Level.FIELD:
        return select(FIELD.c.id).where(*_of_columns(wanted, probe=False))
    definitions = select(ASSET.c.id).where(ASSET.c.kind.in_(_DEFINITIONS), *_of_definitions(wanted, probe=False))
    if level is Level.DATASET:
        return definitions
    some = definitions.subquery()
    # A definition stands at level VERSION too: a version's way back leads through what contains it.
    return union_all(
        select(some.c.id),
        select(EDGE.c.target_id.label("id")).where(_MADE, EDGE.c.source_id.in_(select(some.c.id))),
        select(RUN.c.id).where(RUN.c.job_id.in_(select(some.c.id))),
    )


_MADE = and_(EDGE.c.kind == EdgeKind.VERSION_OF, EDGE.c.valid_to.is_(None))


def _those_matching(dialect: str, wanted: Filter, level: Level) -> Select[Any] | CompoundSelect[Any]:
    """Return k0, the given ids that `_matches` has too, found from them: its lists may be of half of the catalog."""
    asked = given(dialect, int)
    if level is Level.FIELD:
        mine = asked.join(FIELD, FIELD.c.id == asked.c.k0)
        return select(asked.c.k0).select_from(mine).where(*_of_columns(wanted, probe=True))
    # Concatenated, for no index to have it: SQLite would go through all assets of these kinds.
    is_kind = type_coerce(ASSET.c.kind, Text()).concat("").in_([kind.value for kind in _DEFINITIONS])
    matches = (is_kind, *_of_definitions(wanted, probe=True))
    own = select(asked.c.k0).select_from(asked.join(ASSET, ASSET.c.id == asked.c.k0)).where(*matches)
    if level is Level.DATASET:
        return own
    made, run = given(dialect, int), given(dialect, int)
    versions = made.join(EDGE, EDGE.c.target_id == made.c.k0).join(ASSET, ASSET.c.id == EDGE.c.source_id)
    runs = run.join(RUN, RUN.c.id == run.c.k0).join(ASSET, ASSET.c.id == RUN.c.job_id)
    return union_all(
        own, select(made.c.k0).select_from(versions).where(_MADE, *matches),
        select(run.c.k0).select_from(runs).where(*matches),
    )  # fmt: skip


def _has(node: Any, column: Any, *conditions: ColumnElement[bool], probe: bool) -> ColumnElement[bool]:
    """Tell whether a node is in a table's column: asked for each node, or of a list of them all."""
    found = select(column).where(*conditions)
    return found.where(column == node).exists() if probe else node.in_(found)


def _of_definitions(wanted: Filter, *, probe: bool) -> list[ColumnElement[bool]]:
    """Return what an asset must be; a dataset bears its columns' tags."""
    found: list[ColumnElement[bool]] = []
    if wanted.namespaces is not None:
        found.append(ASSET.c.namespace.in_(wanted.namespaces))
    if wanted.tags is not None:
        named = TAG.c.name.in_(wanted.tags)
        tagged = _has(FIELD.c.id, TAG.c.asset_id, named, probe=probe)
        found.append(or_(
            _has(ASSET.c.id, TAG.c.asset_id, named, probe=probe),
            _has(ASSET.c.id, FIELD.c.dataset_id, tagged, probe=probe),
        ))  # fmt: skip
    if wanted.owners is not None:
        found.append(_has(ASSET.c.id, OWNER.c.asset_id, OWNER.c.principal.in_(wanted.owners), probe=probe))
    if wanted.roles is not None:
        found.append(_has(ASSET.c.id, DATASET.c.id, DATASET.c.role.in_(wanted.roles), probe=probe))
    return found


def _of_columns(wanted: Filter, *, probe: bool) -> list[ColumnElement[bool]]:
    """Return what a column must be; it bears its own tags and its dataset's."""
    found: list[ColumnElement[bool]] = []
    if wanted.namespaces is not None:
        found.append(_has(FIELD.c.id, ASSET.c.id, ASSET.c.namespace.in_(wanted.namespaces), probe=probe))
    if wanted.tags is not None:
        named = TAG.c.name.in_(wanted.tags)
        found.append(
            or_(*(_has(node, TAG.c.asset_id, named, probe=probe) for node in (FIELD.c.id, FIELD.c.dataset_id)))
        )
    if wanted.owners is not None:
        found.append(_has(FIELD.c.dataset_id, OWNER.c.asset_id, OWNER.c.principal.in_(wanted.owners), probe=probe))
    if wanted.roles is not None:
        found.append(_has(FIELD.c.dataset_id, DATASET.c.id, DATASET.c.role.in_(wanted.roles), probe=probe))
    return found
