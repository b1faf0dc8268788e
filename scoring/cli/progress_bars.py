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
from rich.text import Text

_BAR_CHARS = 16


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
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_CHARS),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
