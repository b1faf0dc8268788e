"""The command that makes a training again."""

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
            help="A training: a run's id or 6 or more digits that it begins with, runs:/ID, "
            "models:/NAME/VERSION, models:/NAME@ALIAS.",
            show_default=False,
        ),
    ],
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="The run's records, where they are now. Default: where the run had them.",
            show_default=False,
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="LEDGER",
            help="The run's ledger of corrections, where it is now. Default: where the run had it.",
        ),
    ] = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    ignore_data_mismatch: Annotated[
        bool, typer.Option("--ignore-data-mismatch", help="Train even if the records are not the run's.")
    ] = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Repeat a run's training and check whether it gives the same bytes.

    The configuration is the run's, the code is the current one. Nothing is logged or kept. Exit code 3
    if anything is not the same: a table then lists what differs in data, code, versions and machine, in
    the model and in the metrics.
    """
    from scoring.cli import formats
    from scoring.cli.tables import reproducibility
    from scoring.workflows.reproduce import reproduce as workflow

    found = workflow(
        run,
        paths or (),
        corrections=corrections,
        settings=options.settings_of(terminal, tracking_uri=tracking_uri, journal=journal),
        has_own_scores=include_own_scores,
        is_mismatch_ignored=ignore_data_mismatch,
        **options.channels_of(terminal),
    )
    terminal.is_refused = not found.is_same
    if json:
        terminal.out(formats.to_json(found))
    else:
        terminal.show(reproducibility.reproduction(found))


COMMANDS = (reproduce,)
