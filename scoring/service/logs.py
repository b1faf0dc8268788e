"""The log: a line of JSON for each request and event, without a word of any record."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON: ``time``, ``level``, ``event``, and its ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The trace without the message, which may quote a record.
            line["error"] = record.exc_info[0].__name__
            line["trace"] = traceback.format_tb(record.exc_info[2])
        line |= getattr(record, "fields", {})
        return _ENCODER.encode(line).decode()


def set_up_logging(level: str) -> None:
    """Send everything from ``level`` up to stderr, a line of JSON each; uvicorn's own messages too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    # What no line tells is not looked up for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("scoring").setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(level.upper() if level == "debug" else logging.WARNING)
