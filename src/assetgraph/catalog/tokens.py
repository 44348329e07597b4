"""API tokens: 256 random bits, shown once, stored as SHA-256, expiring and revocable."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from assetgraph.catalog import token_queries as queries
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import Invalid, NotFound
from assetgraph.ids import normalised

PREFIX = "ag_"


class Role(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    STEWARD = "steward"
    PRODUCER = "producer"
    FRONTEND = "frontend"
    READER = "reader"


def digest(token: str) -> str:
    """Return what is stored of a token: a fast hash is right for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create(session: Session, name: str, role: Role, *, expires_at: datetime | None = None) -> tuple[int, str]:
    """Make a token and return (id, the token itself); it can never be read again."""
    named = normalised(name, what="token name", path=("name",), most=200)
    moment = now()
    if expires_at is not None and expires_at <= moment:
        raise Invalid("the expiry lies in the past", path=("expiresAt",))
    token = PREFIX + secrets.token_urlsafe(32)
    columns: dict[str, Any] = {"name": named, "role": role.value, "expires_at": expires_at}
    token_id = queries.insert_token(session, {**columns, "hash": digest(token), "created_at": moment})
    changes.record(session, "Token", token_id, "created", None, columns)
    return token_id, token


def authenticate(session: Session, token: str) -> Row[Any] | None:
    """Return the row of a valid token: known, not revoked, not expired."""
    row = queries.token_by_hash(session, digest(token))
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now():
        return None
    return row


def every(session: Session) -> Sequence[Row[Any]]:
    """Return all tokens, without what would let anyone use them."""
    return queries.tokens(session)


def revoke(session: Session, token_id: int) -> None:
    """End a token at once; NotFound when there is none to end."""
    moment = now()
    if not queries.revoke_token(session, token_id, moment):
        raise NotFound(f"no valid token has id {token_id}; `assetgraph token list` shows them")
    changes.record(session, "Token", token_id, "revoked", {"revoked_at": None}, {"revoked_at": moment})
