"""Progress bars on a terminal: how much of how much, how fast, and how long it still takes."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

_BAR_CHARS = 12


class NameColumn(ProgressColumn):
    """Names of the tasks, cropped where the terminal is too narrow for them and the numbers."""

    def render(self, task: Task) -> Text:
        """The name of a task."""
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class RateColumn(ProgressColumn):
    """Units a second; each takes seconds where there are fewer than one."""

    def render(self, task: Task) -> Text:
        """The rate of a task, empty until it is known."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 1 else f"{1 / speed:,.1f} s each")


def new_progress() -> Progress:
    """Bars on stderr that vanish when they are stopped.

    Rich would redirect stdout to the stream of the bars, although it may be a pipe.
    """
    return Progress(
        NameColumn(),
        BarColumn(bar_width=_BAR_CHARS, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        RateColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
