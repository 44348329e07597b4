"""Logs: one line per event on standard error, for people or as JSON; never the values of local variables."""

import contextlib
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import Processor

from assetgraph.settings import Settings


class _StandardError:
    """Standard error as it is at each line; one that is closed, or whose reader went away, ends no work."""

    def write(self, text: str) -> int:
        """Write, or lose the text."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


def configure_logs(settings: Settings) -> None:
    """Set up structlog for this process."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Pretty tracebacks would show locals, and with them tokens and data.
    plain = structlog.dev.plain_traceback
    rendered: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if settings.log_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    )
    level = structlog.processors.NAME_TO_LEVEL[settings.log_level.lower()]
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
