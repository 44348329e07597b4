"""The one source of the current time: always aware, always UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current instant in UTC, to the microsecond (what both databases keep)."""
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a moment without an offset is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
