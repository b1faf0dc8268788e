"""The command that scores files as they arrive."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from scoring.cli import options, writing
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
    write: writing.Write = False,
    overwrite: writing.Overwrite = False,
    allow_unknown: writing.AllowUnknown = False,
    journal: options.Journal = None,
    model: options.Model = None,
    form: Annotated[LineFormat, typer.Option("--format", help="How scores are printed.")] = LineFormat.jsonl,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """Score the files of a folder as they arrive, each once, and again when it changes.

    It goes on until it is interrupted or told to end (SIGTERM); started again, it scores only what is new
    since. What only changes the labels is no change. A file that cannot be used is told once it has rested
    for two seconds. The model in charge is followed. With --write each score also tells, as `labels`, what
    became of each label: filled, renewed, replaced, left alone or unchanged.
    """
    from scoring.cli import written
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
            for line in written.score_lines(scores, form, has_labels=write):
                terminal.out(line)
                terminal.flush()
        finally:
            if writer is not None:
                writing.tell_summary(terminal.note, writer, [directory], settings)


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
