"""Errors of the library: each has a stable code and a message that says what to do; no HTTP or GraphQL in them."""

from collections.abc import Iterable, Sequence


class AssetgraphError(Exception):
    """Base of every expected failure; `code` is stable, `path` names the offending input field."""

    code = "INTERNAL"

    def __init__(self, message: str, *, path: Sequence[str] = (), known: Iterable[str] = ()) -> None:
        self.known = tuple(known)
        self.path = tuple(path)
        if self.known:
            shown = ", ".join(self.known[:20])
            more = f" and {len(self.known) - 20} more" if len(self.known) > 20 else ""
            message = f"{message}; known: {shown}{more}"
        self.message = message
        super().__init__(message)


class Invalid(AssetgraphError):
    """The input is malformed or breaks a rule."""

    code = "INVALID"


class NotFound(AssetgraphError):
    """What the input names does not exist (or the caller may not see it)."""

    code = "NOT_FOUND"


class Conflict(AssetgraphError):
    """The input contradicts what is stored already."""

    code = "CONFLICT"


class Forbidden(AssetgraphError):
    """The caller's role does not allow this."""

    code = "FORBIDDEN"


class Limit(AssetgraphError):
    """A bound of the service was passed; the message says which and its size."""

    code = "LIMIT"


class Unavailable(AssetgraphError):
    """The service cannot do this now; trying again later may work."""

    code = "UNAVAILABLE"


class Contended(Unavailable):
    """Another transaction was in the way, and this one was rolled back whole: doing it again is right."""
