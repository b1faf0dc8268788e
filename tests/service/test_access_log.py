"""The service's log: lines are written in batches, and a broken stream disturbs nothing."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest

from scoring.service.access_log import TurnHandler


class Stream(io.StringIO):
    """A stream that records each write."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.error = error

    def write(self, text: str) -> int:
        if self.error is not None:
            raise self.error
        self.writes.append(text)
        return len(text)


def logger_to(stream: Stream) -> logging.Logger:
    logger = logging.Logger("a log of its own")
    logger.addHandler(TurnHandler(stream))
    return logger


def test_lines_of_a_turn_are_written_together() -> None:
    async def log() -> None:
        logger.warning("one")
        logger.warning("two")
        assert stream.writes == []
        await asyncio.sleep(0)
        assert stream.writes == ["one\ntwo\n"]
        logger.warning("three")
        await asyncio.to_thread(logger.warning, "from a thread")
        logger.warning("last")

    stream = Stream()
    logger = logger_to(stream)
    asyncio.run(log())
    logger.warning("outside")
    assert "".join(stream.writes) == "one\ntwo\nthree\nfrom a thread\nlast\noutside\n"
    assert stream.writes[-1].endswith("outside\n")


def test_a_log_that_nobody_reads_any_more_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def log() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: messages.append(context["message"])
        )
        logger.warning("one")
        await asyncio.sleep(0)
        logger.warning("two")
        await asyncio.sleep(0)
        return messages

    messages: list[str] = []
    logger = logger_to(Stream(BrokenPipeError()))
    assert asyncio.run(log()) == []
    assert not caplog.records
