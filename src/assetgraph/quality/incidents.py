"""Incidents: opened by what fails or is out of the ordinary, closed by what is fine again, acknowledged by people."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assetgraph.changes import service as changes
from assetgraph.clock import now
from assetgraph.db.engine import Session
from assetgraph.errors import NotFound
from assetgraph.quality import incident_queries as queries
from assetgraph.quality.tables import Severity

ENTITY = "Incident"
MAX_NOTE = 4000
#: Ranks of severities, to keep the worst.
_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True)
class Verdict:
    """What a version says of one subject: a check (by its key), or a metric, maybe of a field."""

    is_fine: bool
    message: str
    severity: Severity = Severity.WARNING
    check_key: str | None = None
    metric: str | None = None
    field: str | None = None

    @property
    def subject(self) -> str:
        """A digest of what it is about."""
        said = json.dumps([self.check_key, self.metric, self.field], ensure_ascii=False)
        return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


@dataclass(frozen=True)
class Acknowledge:
    """Say that people know of an incident."""

    incident_id: int
    note: str | None = None


def observe(session: Session, dataset: int, version: int, verdicts: Sequence[Verdict], at: datetime) -> None:
    """Open, go on with and close incidents of a dataset by what a version says; the caller holds the dataset's lock.

    What is only informative opens none.
    """
    if not verdicts:
        return
    there = queries.open_incidents(session, dataset)
    opened, continued, closed = [], [], []
    for one in verdicts:
        row = there.get(one.subject)
        if one.is_fine or one.severity is Severity.INFO:
            if row is not None:
                closed.append((row, one.message))
        elif row is None:
            opened.append(_opened(dataset, version, one, at))
        else:
            worst = max(row.severity, one.severity, key=_RANK.__getitem__)
            again = {"message": one.message, "failures": row.failures + 1, "failed_at": at, "severity": worst}
            continued.append({"incident": int(row.id), **again})
    ids = queries.insert_incidents(session, opened)
    queries.change_incidents(session, ("message", "failures", "failed_at", "severity"), continued)
    shown = ("dataset_id", "check_key", "metric", "field", "severity", "message", "version_id")
    for key, new in zip(ids, opened, strict=True):
        changes.record(session, ENTITY, key, "opened", None, {name: new[name] for name in shown})
    _close(session, closed, version, at)


def settle(session: Session, dataset: int, check_keys: Sequence[str], reason: str) -> None:
    """Close the incidents of checks that do not hold any more."""
    there = queries.open_incidents(session, dataset)
    wanted = [Verdict(is_fine=True, message="", check_key=key).subject for key in check_keys]
    _close(session, [(there[subject], reason) for subject in wanted if subject in there], None, now())


def acknowledge(session: Session, command: Acknowledge) -> int:
    """Note who knows of an incident; the last word counts. Returns its id."""
    row = queries.lock_incident(session, command.incident_id)
    if row is None:
        raise NotFound("no incident has this id", path=("incident",))
    note = None if command.note is None else command.note.strip()[:MAX_NOTE] or None
    after = {"acknowledged_by": session.actor, "note": note}
    before = {name: row._mapping[name] for name in after}
    queries.change_incidents(
        session, ("acknowledged_at", *after), [{"incident": int(row.id), "acknowledged_at": now(), **after}]
    )
    changes.record(session, ENTITY, int(row.id), "acknowledged", before, after)
    return int(row.id)


def _opened(dataset: int, version: int, one: Verdict, at: datetime) -> dict[str, Any]:
    return {
        "dataset_id": dataset, "subject": one.subject, "check_key": one.check_key, "metric": one.metric,
        "field": one.field, "severity": one.severity, "message": one.message, "failures": 1, "version_id": version,
        "opened_at": at, "failed_at": at,
    }  # fmt: skip


def _close(session: Session, rows: Sequence[tuple[Any, str]], version: int | None, at: datetime) -> None:
    said = {"closed_at": at, "closing_version_id": version}
    queries.change_incidents(session, ("closed_at", "closing_version_id", "resolution"), [
        {"incident": int(row.id), **said, "resolution": reason} for row, reason in rows
    ])  # fmt: skip
    for row, reason in rows:
        changes.record(session, ENTITY, int(row.id), "closed", {"message": row.message}, {"resolution": reason})
