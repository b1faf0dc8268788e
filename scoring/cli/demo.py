"""The ``demo`` command: an archive, a model and the desk, from nothing."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal
from scoring.cli.serve import LOCAL, start
from scoring.extras import require

if TYPE_CHECKING:
    from scoring.workflows.demo import Demo


def demo(
    terminal: Terminal,
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for its files: a new one, or that of an earlier demo."),
    ] = Path("scoring-demo"),
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 for a free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address of the desk, open no browser.")
    ] = False,
) -> None:
    """Make synthetic records, train on them, and open the desk.

    It takes less than a minute, and runs until it is stopped. All files are in one folder, the model and the
    MLflow store too; nothing else is changed, and settings are ignored. A second demo in the same folder
    starts at once, with the decisions of the first one. Needs the extras train and serve.
    """
    require("train", "serve")
    from scoring.service.options import ServiceOptions
    from scoring.workflows.demo import make_demo

    terminal.set_up_logging("warning")
    made = make_demo(output, now=options.now(), on_fault=terminal.on_fault, reporter=terminal)
    terminal.close_bars()
    if not made.is_new:
        terminal.note(f"{output}: from an earlier demo; delete the folder for a new one")
    service = ServiceOptions(
        made.settings,
        model=str(made.model),
        inbox=made.inbox,
        archive=(str(made.archive), str(made.inbox)),  # what is decided is learned
        hosts=LOCAL,
    )

    def show(address: str) -> None:
        terminal.note(f"the desk: {address} (? lists its keys; Ctrl-C ends the demo)")
        if not no_browser:
            _open(terminal, address)

    level = "debug" if terminal.is_debug else "info" if terminal.is_verbose else "error"
    try:
        start(terminal, service, host=LOCAL[0], port=port, log_level=level, on_listening=show)
    finally:
        terminal.close()
        _say_what_is_next(terminal, made)


def _open(terminal: Terminal, address: str) -> None:
    """Open a page in the browser of this desktop, without waiting for it."""
    has_desktop = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if has_desktop:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    else:
        terminal.note("no desktop found: open this address in a browser on this machine")


def _say_what_is_next(terminal: Terminal, made: Demo) -> None:
    """Say where the files are, and what to try on them."""
    archive, inbox, model, report, home = (
        shlex.quote(str(path))
        for path in (made.archive, made.inbox, made.model, made.report, made.folder / "home")
    )
    terminal.note(f"labelled records: {archive}; the inbox: {inbox}; the model's evaluation: {report}")
    terminal.note("try next:")
    for command in (
        f"scoring policy --model {model}",
        f"scoring score {inbox} --model {model}",
        f"SCORING_HOME={home} scoring runs",
        f"scoring demo --output {shlex.quote(str(made.folder))}",
    ):
        terminal.note(f"  {command}")
    terminal.note('with an archive of your own: "scoring init ARCHIVE"')


COMMANDS = (demo,)
