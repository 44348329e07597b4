"""Tokens: shown once, stored as a hash, expiring, revocable."""

from datetime import timedelta

import pytest

from assetgraph.catalog import tokens
from assetgraph.catalog.tokens import Role
from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Database
from assetgraph.errors import Invalid, NotFound


def test_only_the_hash_is_stored(database: Database) -> None:
    """Neither the table nor the log holds what would let anyone in."""
    with database.transaction("admin") as session:
        token_id, token = tokens.create(session, "pipeline", Role.PRODUCER)
    assert len(token) >= 40
    with database.reading() as session:
        [row] = tokens.every(session)
        assert (row.id, row.hash) == (token_id, tokens.digest(token))
        log = changes.follow(session, 0)
        assert token not in f"{dict(row._mapping)} {[dict(entry._mapping) for entry in log]}"
        assert [(entry.actor, entry.entity_type, entry.action) for entry in log] == [("admin", "Token", "created")]


def test_a_token_is_valid_until_it_expires_or_is_revoked(database: Database) -> None:
    """At once, and only once."""
    with database.transaction("admin") as session:
        token_id, token = tokens.create(session, "a", Role.READER, expires_at=now() + timedelta(days=1))
        _, brief = tokens.create(session, "b", Role.READER, expires_at=now() + timedelta(milliseconds=1))
    with database.transaction("admin") as session:
        found = tokens.authenticate(session, token)
        assert found is not None
        assert (found.name, found.role) == ("a", "reader")
        assert tokens.authenticate(session, brief) is None
        assert tokens.authenticate(session, token + "x") is None
        tokens.revoke(session, token_id)
        assert tokens.authenticate(session, token) is None
        with pytest.raises(NotFound, match="token list"):
            tokens.revoke(session, token_id)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 201])
def test_a_name_must_be_one(database: Database, name: str) -> None:
    """It goes into the log as the actor."""
    with pytest.raises(Invalid), database.transaction("admin") as session:
        tokens.create(session, name, Role.READER)


def test_an_expiry_in_the_past_is_refused(database: Database) -> None:
    """Such a token would never work."""
    with pytest.raises(Invalid, match="past"), database.transaction("admin") as session:
        tokens.create(session, "a", Role.READER, expires_at=now() - timedelta(seconds=1))
