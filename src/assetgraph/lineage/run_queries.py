"""SQL of outside runs that come in batches: each statement once, whatever their number."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, Text, and_, bindparam, insert, select, type_coerce, update

from assetgraph.catalog.tables import ASSET
from assetgraph.db.engine import Session
from assetgraph.db.given import given, ids, rows
from assetgraph.db.prepared import Prepared
from assetgraph.ids import AssetKind
from assetgraph.lineage.tables import EDGE, JOB, RUN, EdgeKind, Level

Pair = tuple[int, int]

#: The columns of a run that pipelines say.
SAID = ("state", "started_at", "ended_at")


@cache
def _runs_named(dialect: str) -> Any:
    # The kind comes with each row: a constant would let SQLite scan all runs first.
    wanted = given(dialect, str, str, str)
    is_kind = type_coerce(ASSET.c.kind, Text()) == wanted.c.k0
    same = and_(is_kind, ASSET.c.namespace == wanted.c.k1, ASSET.c.key == wanted.c.k2)
    named = (RUN.c.id, RUN.c.job_id, RUN.c.type, *(RUN.c[name] for name in SAID))
    columns = (*named, ASSET.c.namespace, ASSET.c.key, ASSET.c.created_at)
    return select(*columns).select_from(wanted.join(ASSET, same).join(RUN, RUN.c.id == ASSET.c.id))


def runs_named(session: Session, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """Return runs by namespace and run id, with when they were registered."""
    found = session.execute(
        _runs_named(session.dialect), {"given": rows((AssetKind.RUN.value, *key) for key in keys)}
    ).all()
    return {(str(row.namespace), str(row.key)): row for row in found}


_INSERT_JOBS, _INSERT_RUNS = insert(JOB), insert(RUN)


def insert_jobs(session: Session, new: Sequence[dict[str, Any]]) -> None:
    """Insert the typed rows of jobs."""
    if new:
        session.execute(_INSERT_JOBS, list(new))


def insert_runs(session: Session, new: Sequence[dict[str, Any]]) -> None:
    """Insert the typed rows of runs."""
    if new:
        session.execute(_INSERT_RUNS, list(new))


_UPDATE_RUNS = (
    update(RUN).where(RUN.c.id == bindparam("run")).values({RUN.c[name]: bindparam(f"new_{name}") for name in SAID})
)


def update_runs(session: Session, changed: Sequence[dict[str, Any]]) -> None:
    """Set what pipelines say of runs: id as `run`, and new_ before each column of SAID."""
    if changed:
        session.execute(_UPDATE_RUNS, list(changed))


@cache
def _data_edges(dialect: str, upstream: bool) -> Any:
    wanted = given(dialect, int)
    mine = EDGE.c.target_id if upstream else EDGE.c.source_id
    kinds = (EDGE.c.kind == EdgeKind.CONSUMED) if upstream else EDGE.c.kind.in_([EdgeKind.CONSUMED, EdgeKind.PRODUCED])
    here = and_(mine == wanted.c.k0, EDGE.c.level == Level.VERSION, kinds, EDGE.c.valid_to.is_(None))
    return select(EDGE.c.source_id, EDGE.c.target_id).select_from(wanted.join(EDGE, here))


def data_edges(session: Session, assets: Sequence[int], *, upstream: bool) -> list[Pair]:
    """Return (source, target) of what runs read and wrote: below runs and versions, or what runs read."""
    found = session.execute(_data_edges(session.dialect, upstream), {"given": ids(assets)}).all() if assets else []
    return [(int(row.source_id), int(row.target_id)) for row in found]


@Prepared
def _version_names(dialect: str) -> Any:
    wanted = given(dialect, int)
    return select(ASSET.c.id, ASSET.c.name).select_from(wanted.join(ASSET, ASSET.c.id == wanted.c.k0))


def names(session: Session, assets: Sequence[int]) -> dict[int, str]:
    """Return the names of assets."""
    found = _version_names.rows(session, given=ids(assets)) if assets else []
    return {int(row.id): str(row.name) for row in found}
