"""Progress and status on a terminal, and the line that ends a validation."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, Task, TaskID
from typer.testing import CliRunner

from scoring import cli
from scoring.cli.console import Terminal
from scoring.cli.progress_bars import RateColumn, new_progress
from scoring.errors import Fault
from scoring.workflows.validate import commonest_fault


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def stderr_as_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Called by the test itself: pytest sets stderr between its phases."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_status_stays_below_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = stderr_as_screen(monkeypatch)
    terminal = Terminal()
    terminal.status("watching inbox: 0 scored; Ctrl-C stops")
    terminal.error("inbox/a.md: not a record")
    terminal.status("watching inbox: 1 scored; Ctrl-C stops")
    terminal.close()
    shown = screen.getvalue()
    assert "\r\x1b[2Kinbox/a.md: not a record\nwatching inbox: 0 scored; Ctrl-C stops" in shown
    assert shown.endswith("watching inbox: 1 scored; Ctrl-C stops\r\x1b[2K")


def test_long_status_is_cropped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = stderr_as_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    Terminal().status("watching " + 30 * "inbox/" + "\n")
    assert screen.getvalue() == ("watching " + 30 * "inbox/")[:39]


@pytest.mark.parametrize("is_quiet", [False, True])
def test_no_status_where_nobody_looks(is_quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen() if is_quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    terminal = Terminal(is_quiet=is_quiet)
    terminal.status("watching inbox")
    terminal.close()
    assert screen.getvalue() == ""


def test_bars_say_how_much_how_fast_and_how_long() -> None:
    progress = new_progress()
    names = [type(column).__name__ for column in progress.columns]
    assert {"MofNCompleteColumn", "RateColumn", "TimeRemainingColumn"} <= set(names)


def test_bars_crop_names_not_numbers() -> None:
    progress = new_progress()
    progress.add_task("training on " + 10 * "earlier records ", total=1_234_567, completed=1_234_500)
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    console.print(progress.get_renderable())
    (line,) = screen.getvalue().splitlines()
    assert re.fullmatch(r"training on .*… ━+\S* +1234500/1234567 +0:00:00 left .+", line)


@pytest.mark.parametrize(
    ("completed", "seconds", "expected"), [(3000, 2.0, "1,500/s"), (1, 4.0, "4.0 s each"), (0, 4.0, "")]
)
def test_rate(completed: int, seconds: float, expected: str) -> None:
    progress = Progress()
    task = Task(TaskID(0), "reading", 5000, completed, _get_time=progress.get_time, _lock=progress._lock)
    task.finished_speed = completed / seconds
    assert RateColumn().render(task).plain == expected


def test_commonest_fault_comes_with_the_remedy() -> None:
    faults = [
        Fault("a.md", 3, "images[0].width", "'big'", "an integer"),
        Fault("b.md", 3, "images[7].width", "'huge'", "an integer"),
        Fault("c.md", 0, "", "an empty file", "front matter"),
    ]
    line = commonest_fault(faults)
    assert line.startswith("most often (2 of 3): images[].width, expected an integer: correct the value or ")
    assert '"scoring init FOLDER"' in line
    assert commonest_fault([]) == ""


def test_validation_ends_with_it() -> None:
    runner = CliRunner()
    text = 2 * b'{"title": "A quiet harbour", "images": "high"}\n'
    done = runner.invoke(cli.app, ["validate", "-"], input=text, prog_name="scoring")
    assert done.stderr.splitlines()[-1].startswith("most often (2 of 2): images, expected a list: correct ")
    quiet = runner.invoke(cli.app, ["validate", "-", "--quiet"], input=text, prog_name="scoring")
    assert "most often" not in quiet.stderr
    one = runner.invoke(cli.app, ["validate", "-"], input=text[: len(text) // 2], prog_name="scoring")
    assert "most often" not in one.stderr  # which says it all itself


def test_an_archive_of_another_layout_gets_the_next_step(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("---\ntitle: Rain\nrating: 4\n---\n")
    runner = CliRunner()
    done = runner.invoke(cli.app, ["validate", "."], prog_name="scoring")
    assert done.stderr.splitlines()[-1] == (
        "only the title of 2 records was read: map their other keys in scoring-fields.yaml, "
        'which "scoring init FOLDER" proposes'
    )
    refused = runner.invoke(cli.app, ["train", ".", "--no-track", "--output", "model"], prog_name="scoring")
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        2,
        "error: no records with a date and a label (quality, heat or published) to train on: an archive that "
        'names them differently needs a field map, which "scoring init PATH" writes',
    )
