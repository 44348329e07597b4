"""JSON answers of the REST paths, and how errors look there."""

from typing import Any

import orjson
from starlette.responses import Response

from assetgraph.errors import AssetgraphError, Conflict, Forbidden, Limit, NotFound, Unavailable
from assetgraph_server.errors import masked
from assetgraph_server.rest.body import Unsupported

#: Seconds until a client should try again.
RETRY_AFTER = "1"
_STATUS: tuple[tuple[type[AssetgraphError], int], ...] = (
    (Unsupported, 415), (Limit, 413), (NotFound, 404), (Forbidden, 403), (Conflict, 409), (Unavailable, 503),
)  # fmt: skip


def answer(content: Any, status: int = 200) -> Response:
    """Return JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json", headers={"cache-control": "no-store"})


def described(error: AssetgraphError) -> dict[str, Any]:
    """Return an error as callers see it: message, stable code, and the field that it is about."""
    extensions: dict[str, Any] = {"code": error.code}
    if error.path:
        extensions["field"] = ".".join(error.path)
    return {"message": error.message, "extensions": extensions}


def status_of(error: AssetgraphError) -> int:
    """Return the HTTP status of an error; what is nothing special is the input's fault."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def refused(error: Exception) -> Response:
    """Answer a failure: an expected one as it is, anything else by its id in the log."""
    if not isinstance(error, AssetgraphError):
        return answer({"errors": [masked(error).formatted]}, 500)
    response = answer({"errors": [described(error)]}, status_of(error))
    if response.status_code == 503:
        response.headers["retry-after"] = RETRY_AFTER
    return response
