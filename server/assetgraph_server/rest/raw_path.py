"""Routing on the path as it was sent: names in it may hold `/`, `%` and any script, percent-encoded.

Starlette routes on the decoded path, where `%2F` and `/` are the same.
"""

import re
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

from starlette.types import Scope

from assetgraph.errors import Invalid

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
H = TypeVar("H")


def decoded(raw: bytes, *, what: str = "path") -> str:
    """Return percent-encoded text, decoded once; raises Invalid for what is no text."""
    if _BROKEN.search(raw):
        raise Invalid(f"the {what} holds a `%` without two hexadecimal digits; write %25", path=(what,))
    try:
        text = _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), raw).decode()
    except UnicodeDecodeError:
        raise Invalid(f"the {what} is not UTF-8", path=(what,)) from None
    if "\0" in text:
        raise Invalid(f"the {what} holds the character NUL; remove it", path=(what,))
    return text


def raw_path(scope: Scope) -> bytes:
    """Return the path as it was sent, without where the application is mounted."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return path.removeprefix(scope.get("root_path", "").encode())


class Found(NamedTuple, Generic[H]):
    """What serves a path, and the parts of it that are names."""

    handler: H
    names: tuple[str, ...]


class RawPaths(Generic[H]):
    """Patterns such as /a/{x}/b with what serves them; a name is never empty."""

    def __init__(self, patterns: Mapping[str, H]) -> None:
        """Cut the patterns up."""
        self._patterns = [(pattern.encode().split(b"/"), handler) for pattern, handler in patterns.items()]

    def find(self, path: bytes) -> Found[H] | None:
        """Return what serves a path, fixed segments before names; raises Invalid for a name that is no text."""
        segments = path.split(b"/")
        best: tuple[list[int], H] | None = None
        for pattern, handler in self._patterns:
            places = _match(pattern, segments)
            if places is not None and (best is None or len(places) < len(best[0])):
                best = places, handler
        if best is None:
            return None
        return Found(best[1], tuple(decoded(segments[place]) for place in best[0]))


def _match(pattern: list[bytes], segments: list[bytes]) -> list[int] | None:
    if len(pattern) != len(segments):
        return None
    places = []
    for place, (wanted, given) in enumerate(zip(pattern, segments, strict=True)):
        if wanted.startswith(b"{") and given:
            places.append(place)
        elif wanted != given:
            return None
    return places
