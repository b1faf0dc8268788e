from __future__ import annotations

import errno
import io
import json
import logging
import sys

import pytest
from rich.table import Table

from scoring.cli.console import Terminal, exit_code
from scoring.errors import Fault, ModelError, RecordError

FAULT = RecordError(
    Fault("inbox/a.md", 9, "quality", "'high'", "an integer"),
    Fault("inbox/a.md", 0, "", "no title", "a title"),
)


def test_results_are_on_stdout_and_the_rest_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.out("result")
    terminal.note("note")
    terminal.on_fault(FAULT)
    terminal.step("reading", 1, 2)
    out, err = capsys.readouterr()
    assert (out, err) == ("result\n", f"note\n{FAULT}\n")


def test_quiet_keeps_results_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(is_quiet=True)
    terminal.out("result")
    terminal.note("note")
    terminal.warn("no champion")
    terminal.on_fault(FAULT)
    assert capsys.readouterr() == ("result\n", f"warning: no champion\n{FAULT}\n")


def test_faults_are_counted_into_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    assert exit_code(terminal, lambda: None) == 0
    assert exit_code(terminal, lambda: terminal.on_fault(FAULT)) == 1
    assert terminal.n_faults == 1
    assert capsys.readouterr().err == f"{FAULT}\n"


def test_error_wins_over_faults(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()

    def work() -> None:
        terminal.on_fault(FAULT)
        raise ModelError("no record is left")

    assert exit_code(terminal, work) == 2
    assert capsys.readouterr().err == f"{FAULT}\nerror: no record is left\n"


def test_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("a" * 150)
    Terminal().show(table)
    assert capsys.readouterr().out == "a" * 150 + "\n"


@pytest.mark.parametrize(
    ("terminal", "setting", "level"),
    [
        (Terminal(), "warning", logging.WARNING),
        (Terminal(), "debug", logging.DEBUG),
        (Terminal(is_quiet=True), "debug", logging.ERROR),
        (Terminal(is_verbose=True), "error", logging.INFO),
        (Terminal(is_debug=True), "error", logging.DEBUG),
    ],
)
def test_flags_and_setting_decide_what_is_logged(
    monkeypatch: pytest.MonkeyPatch, terminal: Terminal, setting: str, level: int
) -> None:
    root, scoring_logger, stderr = (
        logging.RootLogger(logging.NOTSET),
        logging.getLogger("scoring"),
        io.StringIO(),
    )
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(scoring_logger, "level", scoring_logger.level)  # put back at the end
    monkeypatch.setattr(sys, "stderr", stderr)
    terminal.set_up_logging(setting)
    assert scoring_logger.level == level
    assert root.level == max(level, logging.WARNING)
    root.error("lost")
    assert stderr.getvalue() == "ERROR root: lost\n"


def test_progress_of_programs_is_lines_until_nobody_reads_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    terminal.has_progress_lines = True
    for done in (0, 1, 2):
        terminal.step("reading", done, 2)
    terminal.step("judging", 0, None)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == {"name": "reading", "done": 0, "total": 2}
    assert lines[-2:] == [
        {"name": "reading", "done": 2, "total": 2},
        {"name": "judging", "done": 0, "total": None},
    ]

    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr("scoring.cli.console.silence", lambda stream: None)
    assert exit_code(terminal, lambda: terminal.step("judging", 1, 1)) == 141
