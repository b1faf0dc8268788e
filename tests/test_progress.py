"""The reporter that shows no progress."""

from __future__ import annotations

import logging

import pytest

from scoring.progress import SILENT


def test_a_warning_reaches_the_log_and_nothing_else_does(caplog: pytest.LogCaptureFixture) -> None:
    SILENT.step("reading", 1, 2)
    SILENT.note("12 files")
    with caplog.at_level(logging.WARNING, "scoring"):
        SILENT.warn("no champion")
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("scoring", "WARNING", "no champion")
    ]
