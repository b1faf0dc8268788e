"""The command that scores files as they arrive."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.terminal import Terminal


class LineFormat(StrEnum):
    """How scores are printed as they come."""

    jsonl = "jsonl"
    csv = "csv"


def watch(
    terminal: Terminal,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A folder of Markdown files.", show_default=False)
    ],
    write: Annotated[bool, typer.Option("--write", help="Write the scores into the records' files.")] = False,
    model: options.Model = None,
    form: Annotated[LineFormat, typer.Option("--format", help="How scores are printed.")] = LineFormat.jsonl,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Score the files of a folder as they arrive, each once, and again when it changes.

    It goes on until it is interrupted or told to end (SIGTERM); started again, it scores only what is new
    since. What only changes the labels is no change. A file that cannot be used is told once it has rested
    for two seconds. The model in charge is followed.
    """
    from scoring.cli import written
    from scoring.workflows.watch import watch as workflow

    settings = options.settings_of(terminal, tracking_uri=tracking_uri)
    terminal.ends_with_output = not write
    with _told_to_stop() as stop:
        scores = workflow(
            directory,
            model=model,
            is_written=write,
            settings=settings,
            now=options.now(),
            stop=stop,
            on_fault=terminal.on_fault,
            reporter=terminal,
        )
        for line in written.score_lines(scores, form):
            terminal.out(line)
            terminal.flush()


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that an interrupt, or a SIGTERM, sets: what is at work is done, and no more is begun."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS = (watch,)
