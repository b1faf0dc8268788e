"""Logging: one line of JSON per request or event, without any text of records."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

_ENCODER = msgspec.json.Encoder()


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON: ``time``, ``level``, ``event``, and its ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The traceback without the message, which may quote a record.
            line["error"] = record.exc_info[0].__name__
            line["trace"] = traceback.format_tb(record.exc_info[2])
        line |= getattr(record, "fields", {})
        return _ENCODER.encode(line).decode()


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes all lines of one event loop iteration together: single writes would cost 10 % of a score each.

    Outside an event loop each line is written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, at the end of this event loop iteration at the latest."""
        try:
            self._lines.append(self.format(record))
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                if len(self._lines) == 1:
                    loop.call_soon(self._flush_lines)
        except Exception:
            self.handleError(record)

    def _flush_lines(self) -> None:
        with suppress(OSError, ValueError):  # the reader of the log has closed it
            self.flush()

    def flush(self) -> None:
        """Write the waiting lines."""
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
        super().flush()


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Log to a stream (stderr) from ``level`` up, one line of JSON per record; uvicorn's own messages too."""
    handler = TurnHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    # Skip lookups whose results no line contains.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("scoring").setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(level.upper() if level == "debug" else logging.WARNING)
