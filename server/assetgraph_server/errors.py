"""GraphQL errors for callers: expected failures keep their message and code, anything else becomes an error id."""

from collections.abc import Iterable, Sequence
from secrets import token_hex

import structlog
from graphql import GraphQLError

from assetgraph.errors import AssetgraphError

_log = structlog.get_logger(__name__)


class Rejected(Exception):
    """An operation that was refused before it ran; `errors` are fit for the caller, `status` is the HTTP status."""

    def __init__(self, errors: Sequence[GraphQLError], status: int = 400) -> None:
        self.errors = list(errors)
        self.status = status
        super().__init__("; ".join(error.message for error in self.errors))


def refusal(message: str, code: str) -> GraphQLError:
    """Build an error of this layer, with its stable code."""
    return GraphQLError(message, extensions={"code": code})


def masked(exception: BaseException, **where: object) -> GraphQLError:
    """Log an unexpected exception under a fresh id and give back an error that shows nothing but the id."""
    error_id = token_hex(8)
    _log.error("unexpected error", error_id=error_id, exc_info=exception, **where)
    message = f"something went wrong in the server; its log has the details under error id {error_id}"
    return GraphQLError(message, extensions={"code": "INTERNAL", "errorId": error_id})


def presentable(error: GraphQLError) -> GraphQLError:
    """Give the error as the caller may see it: coded, and masked when its cause was not expected."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if isinstance(cause, AssetgraphError):
        shown = from_library(cause)
    elif cause is None or error.path is None:
        # Without a path nothing ran yet: the document or its variables are wrong, and the text says how.
        shown = GraphQLError(error.message, extensions={"code": "INVALID", **(error.extensions or {})})
    else:
        shown = masked(cause, path=error.path)
    return GraphQLError(
        shown.message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=shown.extensions,
    )


def from_library(error: AssetgraphError) -> GraphQLError:
    """Turn an expected failure of the library into a GraphQL error: its code, and the input field it is about."""
    extensions: dict[str, object] = {"code": error.code}
    if error.path:
        extensions["field"] = list(error.path)
    return GraphQLError(error.message, extensions=extensions)


def presentable_all(errors: Iterable[GraphQLError] | None) -> list[GraphQLError]:
    """Give every error as the caller may see it."""
    return [presentable(error) for error in errors or ()]
