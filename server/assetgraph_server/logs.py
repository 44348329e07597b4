"""Logs: one line per event on standard error, for people or as JSON; never the values of local variables."""

import sys

import structlog
from structlog.typing import Processor

from assetgraph.settings import Settings


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
