"""SQL of tokens, and of what requests with an idempotency key made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, update

from assetgraph.catalog.tables import IDEMPOTENCY, TOKEN
from assetgraph.db.engine import Session


def idempotency(session: Session, principal: str, key: str) -> Row[Any] | None:
    """Return what a key was used for."""
    same = and_(IDEMPOTENCY.c.principal == principal, IDEMPOTENCY.c.key == key)
    return session.execute(select(IDEMPOTENCY).where(same)).one_or_none()


def insert_idempotency(session: Session, row: dict[str, Any]) -> None:
    """Remember a key; a concurrent request with the same key fails here and is rolled back whole."""
    session.execute(insert(IDEMPOTENCY).values(row))


def insert_token(session: Session, row: dict[str, Any]) -> int:
    """Store a token's hash and return its id."""
    return int(session.execute(insert(TOKEN).values(row).returning(TOKEN.c.id)).scalar_one())


def token_by_hash(session: Session, digest: str) -> Row[Any] | None:
    """Return the token with this SHA-256."""
    return session.execute(select(TOKEN).where(TOKEN.c.hash == digest)).one_or_none()


def tokens(session: Session) -> Sequence[Row[Any]]:
    """Return all tokens, oldest first."""
    return session.execute(select(TOKEN).order_by(TOKEN.c.id)).all()


def revoke_token(session: Session, token_id: int, at: datetime) -> int:
    """Revoke a token that is not revoked yet; returns how many rows changed."""
    open_one = and_(TOKEN.c.id == token_id, TOKEN.c.revoked_at.is_(None))
    return int(session.execute(update(TOKEN).where(open_one).values(revoked_at=at)).rowcount)
