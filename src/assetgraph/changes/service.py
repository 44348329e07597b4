"""The change log: record in the writer's transaction, follow in commit order, verify the chain."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Row

from assetgraph.changes import queries
from assetgraph.clock import as_utc, now
from assetgraph.db.engine import Session, before_commit
from assetgraph.ids import TYPE_NAMES, AssetKind

#: What an entry is about that says no more than that rows of the graph are others now.
GRAPH = "Graph"


@dataclass(frozen=True)
class Verification:
    """What a check of the chain found: how many changes hold, and the first that does not."""

    checked: int
    broken_at: int | None
    reason: str | None
    head: str


_PLAIN = frozenset({str, int, float, bool})
_packed = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: moments as ISO text in UTC, enumerations as their value."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return as_utc(value).isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return value


def record(
    session: Session,
    entity_type: str,
    entity_key: int | str,
    action: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    """Note a change; it is written last in this transaction, and not at all when the transaction fails."""
    session.pending.append((entity_type, str(entity_key), action, plain(before), plain(after)))


def record_asset(
    session: Session,
    kind: AssetKind,
    key: int,
    action: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    """Note a change of an asset."""
    record(session, TYPE_NAMES[kind], key, action, before, after)


def digest(previous: str, row: dict[str, Any]) -> str:
    """Return SHA-256 over the hash before and the row's canonical JSON (sorted keys, no space)."""
    return hashlib.sha256(f"{previous}\n{_packed(row)}".encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(row: dict[str, Any]) -> dict[str, Any]:
    named = ("sequence", "at", "actor", "entity_type", "entity_key", "action", "before", "after")
    return {name: plain(row[name]) for name in named}


def _append(session: Session) -> None:
    if session.written and not session.pending:
        # Times seen again, numbers worked out anew: not worth a word, but what is kept of a sequence must end with it.
        record(session, GRAPH, "rows", "touched", None, {"tables": sorted(session.written)})
    if not session.pending:
        return
    # Under the lock, and last: so sequences follow commits, and a follower needs no more than the last one it saw.
    queries.lock(session)
    sequence, previous = queries.tail(session)
    at = now()
    written_at, rows = plain(at), []
    for entity_type, entity_key, action, before, after in session.pending:
        sequence += 1
        row = {
            "sequence": sequence, "at": at, "actor": session.actor, "entity_type": entity_type,
            "entity_key": entity_key, "action": action, "before": before, "after": after,
        }  # fmt: skip
        previous = digest(previous, {**row, "at": written_at})  # the rest is plain since it was noted
        rows.append({**row, "hash": previous})
    queries.insert_changes(session, rows)
    session.pending.clear()


before_commit(_append)


def lock(session: Session) -> None:
    """Take the log's lock early, where ids handed out in this transaction must follow commit order too."""
    queries.lock(session)


def follow(session: Session, after: int, most: int = 500) -> Sequence[Row[Any]]:
    """Return the changes after a sequence, oldest first: the whole of following the log."""
    return queries.after_sequence(session, after, most)


def newest(session: Session) -> int:
    """Return the sequence of the newest change, 0 when there is none."""
    if session.sequence is not None:
        return session.sequence
    sequence = queries.tail(session)[0]
    if session.snapshot:
        session.sequence = sequence
    return sequence


def hash_at(session: Session, sequence: int) -> str | None:
    """Return the hash of a change; None when there is no such change."""
    row = queries.by_sequences(session, [sequence]).get(sequence)
    return None if row is None else str(row.hash)


def verify(session: Session) -> Verification:
    """Walk the log and compute the chain again; finds any row altered, removed or put in between."""
    checked, previous = 0, ""
    for row in queries.walk(session):
        if row.sequence != checked + 1:
            return Verification(checked, checked + 1, f"change {checked + 1} is missing", previous)
        expected = digest(previous, _canonical(dict(row._mapping)))
        if expected != row.hash:
            reason = f"change {row.sequence} does not match its hash: it, or one before it, was altered"
            return Verification(checked, int(row.sequence), reason, previous)
        checked, previous = int(row.sequence), str(row.hash)
    return Verification(checked, None, None, previous)
