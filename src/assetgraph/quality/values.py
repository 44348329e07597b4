"""Values as profiles write them: which family of types a column has, and texts read back for comparing."""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from assetgraph.clock import as_utc

#: A profile cuts longer texts, and ends them with an ellipsis.
CUT_LENGTH = 256


class Family(Enum):
    """What kind of values a column holds, whoever named its type."""

    NUMBER = "numbers"
    TEXT = "text"
    TIME = "moments"
    BOOLEAN = "truth values"
    NESTED = "nested values"
    OTHER = "other values"
    UNKNOWN = "values"


_NAMES = (
    (Family.NESTED, r"list|struct|array|map|object|record|row\b|json"),
    (Family.TIME, r"date|timestamp"),
    (Family.OTHER, r"time|duration|interval|binary|bytes|blob|varbinary"),
    (Family.TEXT, r"str|utf8|(long|medium|tiny)?text|n?(var)?char|categorical|enum|uuid"),
    (Family.NUMBER, r"u?(big|small|tiny|medium|huge)?int|number|numeric|decimal|float|double|real|long|short|byte\b"),
    (Family.BOOLEAN, r"bool"),
)  # fmt: skip


def family_of(type_name: str) -> Family:
    """Return the family of a type as Polars, SQL or a producer's schema names it; UNKNOWN for any other name."""
    name = type_name.strip().lower()
    return next((family for family, names in _NAMES if re.match(names, name)), Family.UNKNOWN)


def parsed(text: str, family: Family) -> Any:
    """Return what a text means in a column of a family, for comparing; None where it means nothing there."""
    if family is Family.NUMBER:
        try:
            number = Decimal(text.strip())
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    if family is Family.BOOLEAN:
        return {"true": True, "false": False}.get(text.strip().lower())
    if family is Family.TIME:
        return moment(text)
    return text


def moment(text: str) -> datetime | None:
    """Return the moment of a text; a date is its first instant, and without an offset it is UTC."""
    # Nanoseconds are more than Python keeps.
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        return as_utc(datetime.fromisoformat(cut))
    except (ValueError, OverflowError):
        return None


def number(text: str | None) -> float | None:
    """Return the finite number of a text."""
    try:
        found = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def epoch_seconds(at: datetime) -> float:
    """Return seconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def is_complete(profile: dict[str, Any]) -> bool:
    """Tell whether a profile's top values are all values that there are, with exact counts."""
    top = profile["top_values"]
    exact = profile["distinct_is_exact"] and profile["distinct_count"] == len(top)
    whole = all(one["value"] is not None and not is_cut(one["value"]) for one in top)
    return bool(exact and whole and all(one["count_error_bound"] == 0 for one in top))


def is_cut(text: str) -> bool:
    """Tell whether a profile has only the start of a text."""
    return len(text) >= CUT_LENGTH and text.endswith("…")
