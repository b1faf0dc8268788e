"""The ``reproduce`` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


def reproduce(
    terminal: Terminal,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A training run: its ID or the first 6 or more digits, runs:/ID, "
            "models:/NAME/VERSION, models:/NAME@ALIAS.",
            show_default=False,
        ),
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="The run's records, at their current path. Default: the paths in the run.",
            show_default=False,
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="LEDGER",
            help="The run's ledger of corrections, at its current path. Default: the path in the run.",
        ),
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    ignore_data_mismatch: Annotated[
        bool, typer.Option("--ignore-data-mismatch", help="Train even if the records differ from the run's.")
    ] = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Repeat a run's training and check that the bytes are the same.

    The configuration is the run's, the code is the current one. Nothing is logged or saved. Exit code 3
    if anything differs: a table then lists the differences in data, code, versions and machine, in the
    model and in the metrics.
    """
    from scoring.cli import formats
    from scoring.cli.tables import reproducibility
    from scoring.workflows.reproduce import reproduce as workflow

    outcome = workflow(
        run,
        paths or (),
        corrections=corrections,
        settings=options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal),
        has_own_scores=include_own_scores,
        is_mismatch_ignored=ignore_data_mismatch,
        **options.channels_of(terminal),
    )
    terminal.is_refused = not outcome.is_same
    if json:
        terminal.out(formats.to_json(outcome))
    else:
        terminal.show(reproducibility.reproduction(outcome))


COMMANDS = (reproduce,)
