"""SQL of declared checks, their results, baselines, and the keys that foreign keys are held to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from assetgraph.catalog.tables import ASSET, FIELD, VERSION
from assetgraph.db.engine import Session
from assetgraph.quality.tables import BASELINE, CHECK, KEY_SET, METRIC, RESULT

_IN_FORCE = and_(CHECK.c.declared, CHECK.c.removed_at.is_(None))


def _inserting(session: Session, table: Any) -> Any:
    return (postgresql if session.dialect == "postgresql" else sqlite).insert(table)


def in_force(session: Session, dataset: int) -> Sequence[Row[Any]]:
    """Return the declared checks of a dataset that were not removed, oldest first."""
    return session.execute(select(CHECK).where(CHECK.c.dataset_id == dataset, _IN_FORCE).order_by(CHECK.c.id)).all()


def judged_at_scans(session: Session) -> set[int]:
    """Return the datasets that have declared checks in force, or columns that such checks refer to."""
    mine = select(CHECK.c.dataset_id).where(_IN_FORCE)
    others = select(FIELD.c.dataset_id).join(CHECK, CHECK.c.refers_to == FIELD.c.id).where(_IN_FORCE)
    return set(session.execute(mine.union(others)).scalars())


def referring(session: Session, namespace: str) -> set[str]:
    """Return the keys of a namespace's datasets that have foreign keys to others."""
    joined = select(ASSET.c.key).distinct().join(CHECK, CHECK.c.dataset_id == ASSET.c.id)
    wanted = joined.where(ASSET.c.namespace == namespace, _IN_FORCE, CHECK.c.refers_to.is_not(None))
    return {str(row.key) for row in session.execute(wanted).all()}


def referred(session: Session, dataset: int) -> dict[str, int]:
    """Return the columns of a dataset that checks of others refer to, with their ids."""
    joined = select(FIELD.c.id, FIELD.c.path).distinct().join(CHECK, CHECK.c.refers_to == FIELD.c.id)
    rows = session.execute(joined.where(FIELD.c.dataset_id == dataset, _IN_FORCE)).all()
    return {str(row.path): int(row.id) for row in rows}


def declare(session: Session, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert declared checks of one dataset, or let those that were removed hold again; returns ids by key."""
    statement = _inserting(session, CHECK)
    named = ("severity", "removed_at", "said_at", "refers_to")
    statement = statement.on_conflict_do_update(
        index_elements=["dataset_id", "key"], set_={name: statement.excluded[name] for name in named}
    )
    session.execute(statement, list(rows))
    wanted = and_(CHECK.c.dataset_id == rows[0]["dataset_id"], CHECK.c.key.in_([row["key"] for row in rows]))
    return {str(row.key): int(row.id) for row in session.execute(select(CHECK.c.key, CHECK.c.id).where(wanted)).all()}


def remove(session: Session, checks: Sequence[int], at: datetime) -> None:
    """Let checks hold no longer; their results stay."""
    if checks:
        session.execute(update(CHECK).where(CHECK.c.id.in_(list(checks))).values(removed_at=at))


def checks_by_keys(session: Session, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Row[Any]]:
    """Return checks by dataset and key."""
    wanted = tuple_(CHECK.c.dataset_id, CHECK.c.key).in_(list(keys))
    return {(int(row.dataset_id), str(row.key)): row for row in session.execute(select(CHECK).where(wanted)).all()}


def observed_of(session: Session, version: int) -> dict[int, dict[str, Any]]:
    """Return what was seen last of each check with a result for a version, by check."""
    newest = (RESULT.c.checked_at.desc(), RESULT.c.id.desc())
    rank = func.row_number().over(partition_by=RESULT.c.check_id, order_by=newest).label("rank")
    mine = and_(RESULT.c.version_id == version, RESULT.c.counted)
    ranked = select(RESULT.c.check_id, RESULT.c.observed, rank).where(mine).subquery()
    rows = session.execute(select(ranked).where(ranked.c.rank == 1)).all()
    return {int(row.check_id): row.observed or {} for row in rows}


def record_results(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert results; a run that is done again says its own anew."""
    if not rows:
        return
    statement = _inserting(session, RESULT)
    named = ("version_id", "passed", "observed", "message", "checked_at")
    statement = statement.on_conflict_do_update(
        index_elements=["check_id", "run_id"], set_={name: statement.excluded[name] for name in named}
    )
    session.execute(statement, list(rows))


def pin(session: Session, row: Mapping[str, Any]) -> None:
    """Set the baseline of a dataset."""
    statement = _inserting(session, BASELINE).values(dict(row))
    named = ("version_id", "pinned_at", "pinned_by")
    session.execute(statement.on_conflict_do_update(
        index_elements=["dataset_id"], set_={name: statement.excluded[name] for name in named}
    ))  # fmt: skip


def unpin(session: Session, dataset: int) -> None:
    """Let a dataset have no baseline."""
    session.execute(delete(BASELINE).where(BASELINE.c.dataset_id == dataset))


def baselines(session: Session, datasets: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the baselines of datasets that have one."""
    rows = session.execute(select(BASELINE).where(BASELINE.c.dataset_id.in_(list(datasets)))).all()
    return {int(row.dataset_id): row for row in rows}


def version_before(session: Session, version: int) -> int | None:
    """Return the version of the same dataset with the next lower number."""
    mine, other = VERSION.alias("mine"), VERSION.alias("other")
    same = and_(other.c.dataset_id == mine.c.dataset_id, other.c.number < mine.c.number)
    wanted = select(other.c.id).select_from(mine.join(other, same)).where(mine.c.id == version)
    found = session.execute(wanted.order_by(other.c.number.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)


def keys_of(session: Session, fields: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the stored keys of columns."""
    rows = session.execute(select(KEY_SET).where(KEY_SET.c.field_id.in_(list(fields)))).all()
    return {int(row.field_id): row for row in rows}


def keep_keys(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store keys of columns in the place of what was stored of them."""
    if rows:
        session.execute(delete(KEY_SET).where(KEY_SET.c.field_id.in_([row["field_id"] for row in rows])))
        session.execute(insert(KEY_SET), list(rows))


def history(session: Session, dataset: int, version: int, names: Sequence[str], most: int) -> list[Row[Any]]:
    """Return metrics of a version and of those before it by their numbers, oldest first: one for each version."""
    number = select(VERSION.c.number).where(VERSION.c.id == version).scalar_subquery()
    newest = (
        select(VERSION.c.id, VERSION.c.number).where(VERSION.c.dataset_id == dataset, VERSION.c.number <= number)
        .order_by(VERSION.c.number.desc()).limit(most).subquery()
    )  # fmt: skip
    last = (METRIC.c.measured_at.desc(), METRIC.c.id.desc())
    of = (METRIC.c.asset_id, METRIC.c.name, METRIC.c.field)
    rank = func.row_number().over(partition_by=of, order_by=last).label("rank")
    columns = (newest.c.number, METRIC.c.asset_id, METRIC.c.name, METRIC.c.field, METRIC.c.value, METRIC.c.measured_at)
    joined = newest.join(METRIC, METRIC.c.asset_id == newest.c.id)
    ranked = select(*columns, rank).select_from(joined).where(METRIC.c.name.in_(list(names))).subquery()
    return [*session.execute(select(ranked).where(ranked.c.rank == 1).order_by(ranked.c.number)).all()]
