"""The pages and their files, all from this package: nothing is fetched from elsewhere, no script stands inline."""

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WEB = Path(__file__).parent / "web"

# Style: CodeMirror and React set style attributes; scripts come only from here.
_CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002 - one directive a line
    (
        "default-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class SecurityHeaders:
    """ASGI middleware that puts the security headers on every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def graphiql_page() -> Response:
    """Answer with the GraphiQL page, which holds no data and asks for a token."""
    return FileResponse(
        _WEB / "graphiql" / "index.html", headers={**SECURITY_HEADERS, "cache-control": "no-cache", "vary": "Accept"}
    )


async def _home(_request: Request) -> Response:
    return FileResponse(_WEB / "index.html", headers={**SECURITY_HEADERS, "cache-control": "no-cache"})


def page_routes() -> list[BaseRoute]:
    """Return the routes of the start page and of the static files."""
    files = SecurityHeaders(StaticFiles(directory=_WEB))
    return [Route("/", _home, name="home"), Mount("/static", files, name="static")]
