"""Which files the service may open: those below its own folders or an allow-listed root, after realpath."""

from collections.abc import Sequence
from pathlib import Path

from assetgraph.errors import Forbidden, Invalid
from assetgraph.settings import Settings


def allowed_path(location: str, roots: Sequence[Path], *, path: tuple[str, ...] = ("location",)) -> Path:
    """Return the real path of a location below one of the roots; links that lead out are refused.

    Raises Invalid for what is no path at all, Forbidden for what lies outside; neither opens anything.
    """
    if "\0" in location or not location.strip():
        raise Invalid("the location is not a path", path=path)
    text = location.removeprefix("file://")
    if "://" in text:
        raise Invalid(f"'{location}' is not a local folder; only local folders can be scanned", path=path)
    try:
        real = Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # ~nobody, a loop of links, a name too long
        raise Invalid(f"'{location[:200]}' is not a path: {error}", path=path) from error
    for root in roots:
        if real.is_relative_to(root.expanduser().resolve()):
            return real
    allowed = [str(root) for root in roots]
    message = f"'{location}' lies outside the folders that ASSETGRAPH_SCAN_ROOTS allows"
    raise Forbidden(message, path=path, known=allowed or ["(none is set)"])


def readable_path(location: str, settings: Settings, *, path: tuple[str, ...] = ("location",)) -> Path:
    """Return the real path of a dataset's files: below the allow-list, or written by the service itself."""
    return allowed_path(location, [settings.exports, settings.prepared, *settings.scan_roots], path=path)
