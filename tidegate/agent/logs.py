"""The agent's log. In a process of its own: one JSON object a line on standard error; in an application: as that one has it.

To tell never fails: a log may lie on the disk that is full, and an application's logging may do anything.
"""

from __future__ import annotations

import contextlib
import sys

import structlog

HIGHEST = 50
"""Of the levels that structlog knows. Nothing here is told at it, so `none` may be it."""


def configure_logs(level: int) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(min(level, HIGHEST)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def info(event: str, **facts: object) -> None:
    with contextlib.suppress(Exception):
        structlog.get_logger().info(event, **facts)


def warning(event: str, **facts: object) -> None:
    with contextlib.suppress(Exception):
        structlog.get_logger().warning(event, **facts)


def exception(event: str) -> None:
    """With the exception that is being handled."""
    with contextlib.suppress(Exception):
        structlog.get_logger().exception(event)
