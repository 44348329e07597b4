"""All SQL of the queue."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, select, update

from assetgraph.db.engine import Session
from assetgraph.jobs.tables import LEASE


def insert_lease(session: Session, row: dict[str, Any]) -> None:
    """Put a run in the queue."""
    session.execute(insert(LEASE).values(row))


def claim(session: Session, worker: str, *, at: datetime, until: datetime, gpu: bool, most: int) -> Sequence[Row[Any]]:
    """Take up to `most` runs that wait or whose lease ran out, oldest first, in one statement."""
    free = LEASE.c.expires_at <= at
    if not gpu:
        free = and_(free, LEASE.c.needs_gpu.is_(False))
    chosen = select(LEASE.c.run_id).where(free).order_by(LEASE.c.run_id).limit(most)
    if session.dialect == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    taken = {
        "worker": worker, "token": LEASE.c.token + 1, "expires_at": until, "attempts": LEASE.c.attempts + 1,
    }  # fmt: skip
    statement = update(LEASE).where(LEASE.c.run_id.in_(chosen)).values(taken).returning(*LEASE.c)
    return session.execute(statement).all()


def held(session: Session, run: int, token: int) -> Row[Any] | None:
    """Return the lease if this token still holds it, locked against a takeover until the commit."""
    mine = and_(LEASE.c.run_id == run, LEASE.c.token == token, LEASE.c.worker.is_not(None))
    return session.execute(select(LEASE).where(mine).with_for_update()).one_or_none()


def extend(session: Session, run: int, token: int, until: datetime) -> Row[Any] | None:
    """Keep a lease longer; None when it was lost."""
    mine = and_(LEASE.c.run_id == run, LEASE.c.token == token, LEASE.c.worker.is_not(None))
    return session.execute(update(LEASE).where(mine).values(expires_at=until).returning(*LEASE.c)).one_or_none()


def lease_of(session: Session, run: int) -> Row[Any] | None:
    """Return a run's lease, locked."""
    return session.execute(select(LEASE).where(LEASE.c.run_id == run).with_for_update()).one_or_none()


def release(session: Session, run: int, token: int, at: datetime) -> None:
    """Put a run back in the queue; the attempt does not count."""
    mine = and_(LEASE.c.run_id == run, LEASE.c.token == token)
    back = {"worker": None, "token": LEASE.c.token + 1, "expires_at": at, "attempts": LEASE.c.attempts - 1}
    session.execute(update(LEASE).where(mine).values(back))


def request_cancel(session: Session, run: int) -> None:
    """Ask the worker that holds a run to end it."""
    session.execute(update(LEASE).where(LEASE.c.run_id == run).values(cancel_requested=True))


def delete_lease(session: Session, run: int) -> None:
    """Take a run out of the queue: it is final."""
    session.execute(delete(LEASE).where(LEASE.c.run_id == run))


def waiting(session: Session) -> int:
    """Return how many runs are queued or running."""
    return int(session.execute(select(func.count()).select_from(LEASE)).scalar_one())


def held_unlocked(session: Session, run: int) -> Row[Any] | None:
    """Return a run's lease without locking it."""
    return session.execute(select(LEASE).where(LEASE.c.run_id == run)).one_or_none()
