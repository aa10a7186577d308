"""Logging: JSON lines on stderr for the service, readable lines for commands.

What libraries log through `logging` goes the same way. Values under names that sound
like a secret never get out.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET = re.compile(
    r"token|secret|password|passphrase|authorization|cookie|credential|signature"
    r"|api_?key|private_?key|secret_?key|sealed",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
_DEEPEST = 6
_CHATTY = ("aiohttp.access", "alembic", "apscheduler", "asyncio", "hpack")


def set_up_logs(kind: Literal["service", "command"]) -> None:
    """Configure all logging of this process.

    The service logs JSON; a command, and the demo, only what went wrong, for people.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=kind == "service"),
        structlog.processors.StackInfoRenderer(),
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=kind == "service",
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_machines() if kind == "service" else _for_people()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if kind == "command" else logging.INFO)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _for_people() -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The usual one prints local variables, and with them secrets.
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace every value whose name sounds like a secret, however deep it lies."""
    return {name: _hidden(name, value, 0) for name, value in event.items()}


def _hidden(name: str, value: Any, depth: int) -> Any:
    if _SECRET.search(name):
        return HIDDEN
    if depth >= _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {k: _hidden(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden("", v, depth + 1) for v in value]
    return value
