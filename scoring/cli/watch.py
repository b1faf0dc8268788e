"""The command that scores files as they arrive."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from scoring.cli import options, writing
from scoring.cli.console import Terminal

STOP_SECONDS = 1.5
"""What a signal to stop leaves for the record at work, before the process is ended whatever it does."""


class LineFormat(StrEnum):
    """How scores are printed as they come."""

    jsonl = "jsonl"
    csv = "csv"


def watch(
    terminal: Terminal,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="A folder of Markdown files.", show_default=False)
    ],
    write: writing.Write = False,
    overwrite: writing.Overwrite = False,
    allow_unknown: writing.AllowUnknown = False,
    journal: options.Journal = None,
    model: options.Model = None,
    form: Annotated[
        LineFormat, typer.Option("--format", help="Format of the printed scores.")
    ] = LineFormat.jsonl,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Score the files of a folder as they arrive, each once, and again when it changes.

    It runs until an interrupt or SIGTERM, and ends within two seconds; a second signal ends it at once.
    Started again, it scores only what is new since. A change of labels alone does not count as a change.
    A file that cannot be used is reported once it has been unchanged for two seconds. A folder that
    disappears is reported once, and watched again when it is back. It switches to a new champion when
    the alias moves. With --write each score also has `labels`: whether each label was filled, renewed,
    replaced, left alone or unchanged.
    """
    from scoring.cli import formats
    from scoring.workflows.watch import watch as workflow

    writing.check_flags(write=write, flags={"--overwrite": overwrite, "--allow-unknown": allow_unknown})
    settings = options.settings_of(terminal, tracking_uri=tracking_uri, journal=journal)
    how = {"overwrite": overwrite, "allow_unknown": allow_unknown}
    writer = writing.writer_of(terminal, settings, [directory], command="watch", **how) if write else None
    terminal.ends_with_output = not write
    with _told_to_stop() as stop:
        scores = workflow(
            directory,
            model=model,
            writer=writer,
            settings=settings,
            now=options.now(),
            stop=stop,
            on_fault=terminal.on_fault,
            reporter=terminal,
        )
        try:
            for line in formats.score_lines(scores, form, has_labels=write):
                terminal.out(line)
                terminal.flush()
        finally:
            if writer is not None:
                writing.tell_summary(
                    terminal.note, writer, [directory], settings, journal=journal, overwrite=overwrite
                )


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that an interrupt, or a SIGTERM, sets: what is at work is done, and no more is begun.

    What cannot be done soon (a pipe that nobody reads, a store that does not answer) is given up: a kill at
    any moment loses nothing that was scored. A second signal does not wait either.
    """
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    timers: list[threading.Timer] = []

    def hear(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        timer = threading.Timer(STOP_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timers.append(timer)
        timer.start()
        stop.set()

    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield stop
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS = (watch,)
