"""What models are told of columns, and what they suggest."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column as models may know it; `statistics` and `values` are for the endpoint alone."""

    id: int
    name: str
    type: str
    #: Whether nothing says yet what its values mean, or what it is.
    lacks_type: bool
    lacks_description: bool
    semantic_type: str | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    #: Frequent values; empty unless the operator allows them, and always for personal data.
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset as models may know it: the columns of its latest version, in order."""

    id: int
    name: str
    lacks_description: bool
    columns: tuple[Column, ...]
    role: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Suggestion:
    """A type that a column may have; confidence is from 0 to 1, evidence are short sentences for people."""

    semantic_type: str
    personal_data: str | None
    confidence: float
    evidence: tuple[str, ...]
    source: str


def ranked(suggestions: Iterable[Suggestion]) -> list[Suggestion]:
    """Return one suggestion for each type, the surest first; where sources agree their evidence is told together."""
    found: dict[str, Suggestion] = {}
    for one in sorted(suggestions, key=lambda one: -one.confidence):
        known = found.get(one.semantic_type)
        found[one.semantic_type] = one if known is None else replace(known, evidence=known.evidence + one.evidence)
    return list(found.values())
