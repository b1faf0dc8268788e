"""The ``watch`` command: score files as they arrive."""

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
"""Time after a stop signal to complete the current record, before the process is killed."""


class LineFormat(StrEnum):
    """Formats of scores that are printed one at a time."""

    jsonl = "jsonl"
    csv = "csv"


def watch(
    terminal: Terminal,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder of Markdown files.", show_default=False)
    ],
    write: writing.Write = False,
    overwrite: writing.Overwrite = False,
    allow_unknown: writing.AllowUnknown = False,
    fields: options.Fields = None,
    journal: options.Journal = None,
    model: options.Model = None,
    form: Annotated[
        LineFormat, typer.Option("--format", help="Format of the printed scores.")
    ] = LineFormat.jsonl,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Score the files of a folder when they arrive or change.

    It runs until SIGINT or SIGTERM, and ends within two seconds; a second signal ends it at once.
    Restarted, it scores only files that are new or changed since. A change of labels alone does not
    count. A file that cannot be used is reported once it has been unchanged for two seconds. A folder
    that disappears is reported once, and watched again when it returns. It switches to a new champion
    when the alias moves. With --write each score also has `labels`: whether each label was filled,
    renewed, replaced, left alone or unchanged.
    """
    from scoring.cli import formats
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.workflows.watch import watch as workflow

    writing.check_flags(write=write, flags={"--overwrite": overwrite, "--allow-unknown": allow_unknown})
    settings = options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal)
    field_maps = field_maps_of([directory], settings)
    writer = None
    if write:
        writer = writing.label_writer(
            terminal,
            settings,
            [directory],
            command="watch",
            overwrite=overwrite,
            allow_unknown=allow_unknown,
            field_maps=field_maps,
        )
    terminal.ends_with_output = not write
    with _stop_on_signals() as stop:
        scores = workflow(
            directory,
            model=model,
            writer=writer,
            field_maps=field_maps,
            settings=settings,
            now=options.now(),
            stop=stop,
            on_fault=terminal.on_fault,
            reporter=terminal,
        )
        head = int(form is LineFormat.csv)  # CSV begins with the names of its columns
        terminal.status(_status(directory, 0, terminal.n_faults))
        try:
            for n_lines, line in enumerate(formats.score_lines(scores, form, has_labels=write), start=1):
                terminal.out(line)
                terminal.flush()
                terminal.status(_status(directory, n_lines - head, terminal.n_faults))
        finally:
            if writer is not None:
                writing.report_summary(
                    terminal.note, writer, [directory], settings, journal=journal, overwrite=overwrite
                )


def _status(directory: str, n_scored: int, n_faulty: int) -> str:
    """What the last line of a terminal says while the folder is watched."""
    unused = f", {n_faulty:,} cannot be used" if n_faulty else ""
    return f"watching {directory}: {n_scored:,} scored{unused}; Ctrl-C stops"


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets: the current record is completed, and no other is started.

    If that takes too long (a pipe that nobody reads, a store that does not answer), the process is killed,
    which loses no scores. A second signal kills it at once.
    """
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    timers: list[threading.Timer] = []

    def on_signal(received: int, _: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        timer = threading.Timer(STOP_SECONDS, os.kill, (os.getpid(), received))
        timer.daemon = True
        timers.append(timer)
        timer.start()
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS = (watch,)
