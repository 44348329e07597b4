"""Whether data are still those of the version that a job was asked to read."""

from typing import Any

from assetgraph.catalog import queries
from assetgraph.db.engine import Session
from assetgraph.errors import Conflict


def require_content(session: Session, version: Any, found: str, *, what: str) -> None:
    """Refuse data that are not the version's; a fingerprint that somebody else computed is taken at its word.

    `found` is the fingerprint of what lies there now; `what` is what the caller wanted to do ("train on").
    """
    algorithm = found.partition(":")[0] + ":"
    if found == version.fingerprint or not str(version.fingerprint).startswith(algorithm):
        return
    other = queries.version_by_fingerprint(session, int(version.dataset_id), found)
    advice = "scan it again" if other is None else f"it is that of {other.name} now: {what} version {other.number}"
    message = f"the data of {version.name} is no longer at its location; {advice}"
    raise Conflict(message, path=("dataset",))
