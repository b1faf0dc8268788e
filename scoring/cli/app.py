"""Command line application: each command parses its options, calls one workflow, prints and exits.

Exit codes: 0 done; 1 some records could not be used, the rest were; 2 nothing was done: wrong usage, an
input, model, setting or store that cannot be used, or results that could not be printed; 3 a negative
result: a limit was exceeded, a model was refused, or a training does not give the same bytes; 70 a defect
of this program; 130 SIGINT; 141 the reader of the output closed it; 143 SIGTERM.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Annotated

import typer

from scoring.cli import (
    demo,
    drift,
    environment,
    experiments,
    explanations,
    export_import,
    home,
    labels,
    models,
    options,
    promotion,
    records,
    relate,
    reproduce,
    restore,
    runs,
    scores,
    serve,
    signals,
    streams,
    watch,
)
from scoring.cli.console import Terminal
from scoring.cli.groups import add_all, name_of

_GC_THRESHOLD = 100_000
"""Allocations between collections: imports leave few cycles, and the default costs 5 % of the run time."""

app = typer.Typer(
    name="scoring",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """Run the command in ``sys.argv``."""
    gc.set_threshold(_GC_THRESHOLD)
    # Arrays are too small for several BLAS threads, and starting them costs a tenth of a second.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    streams.prepare()
    try:
        with signals.exit_on_signals():
            try:
                app(prog_name="scoring")
            except SystemExit:
                streams.flush_messages()
                signals.exit_if_received()
                raise
    except OSError as error:  # stdout or stderr does not accept a help or usage text
        for stream in (sys.stdout, sys.stderr):
            streams.silence(stream)
        raise SystemExit(141 if error.errno == errno.EPIPE else 2) from None
    finally:
        gc.freeze()  # a last collection at exit would cost a tenth of a second


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from scoring import __version__

        typer.echo(f"scoring {__version__}")
        raise typer.Exit


@app.callback()
def scoring(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Score incoming news records for a curation site: quality, heat, whether to publish.

    --quiet, --verbose and --debug may be given before or after the command.
    """
    context.obj = Terminal(quiet, verbose, debug)


_HEADINGS = {
    "Start": ("demo",),
    "Data": ("init", "sample", "validate", "features", "relate", "audit", "suggest", "drift"),
    "Train": ("train", "evaluate", "backtest", "tune", "reproduce"),
    "Score": ("score", "explain", "policy", "watch", "restore"),
    "Compare and promote": ("runs", "compare", "promote", "rollback", "retrain", "export", "import"),
    "Serve": ("serve", "ui"),
    "Admin": ("config", "home", "cache"),
}
_COMMAND_MODULES = (
    records,
    models,
    scores,
    explanations,
    labels,
    relate,
    restore,
    drift,
    experiments,
    runs,
    promotion,
    reproduce,
    export_import,
    demo,
    serve,
    watch,
    environment,
    home,
)
_COMMANDS = {name_of(command): command for module in _COMMAND_MODULES for command in module.COMMANDS}
add_all(
    app,
    [_COMMANDS[name] for names in _HEADINGS.values() for name in names],
    {name: heading for heading, names in _HEADINGS.items() for name in names},
)
