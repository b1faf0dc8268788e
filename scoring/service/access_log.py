"""The log: a line of JSON for each request and event, without a word of any record."""

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


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of one turn of the event loop together: by itself each would cost a tenth of a score.

    Outside of an event loop each is written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, at the end of this turn at the latest."""
        try:
            self._lines.append(self.format(record))
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                if len(self._lines) == 1:
                    loop.call_soon(self._end_turn)
        except Exception:
            self.handleError(record)

    def _end_turn(self) -> None:
        with suppress(OSError, ValueError):  # whoever read the log has gone
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
        super().flush()


def set_up_logging(level: str) -> None:
    """Send everything from ``level`` up to stderr, a line of JSON each; uvicorn's own messages too."""
    handler = TurnHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    # What no line tells is not looked up for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("scoring").setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(level.upper() if level == "debug" else logging.WARNING)
