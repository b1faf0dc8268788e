"""The ``drift`` command: new records compared with a model's training records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


def drift(
    terminal: Terminal,
    paths: options.Paths,
    model: options.Model = None,
    max_error_increase: Annotated[
        float | None,
        typer.Option(
            metavar="RATIO",
            min=0,
            help="Accepted expected error, relative to that of the held-back records. Default: their 99 % "
            "prediction limit.",
        ),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="Also check whether the labels stopped following the model's rules at some time; if they "
            "did, the records are refused.",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the metrics and the plot.")
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    json: options.Json = False,
    no_track: options.NoTrack = False,
    tracking_uri: options.TrackingUri = None,
    experiment: options.Experiment = None,
) -> None:
    """Measure how far records are from a model's training records.

    The verdict says whether it matters. Every record is used as of its own publication. Labels are needed
    only for --labels. Exit code 3 if the records are refused; the rule is printed below the verdict.
    """
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.cli.tables import drift as drift_table
    from scoring.workflows.drift import drift as workflow

    outcome = workflow(
        paths,
        model=model,
        limit=max_error_increase,
        settings=options.settings_of(
            terminal, fields=fields, tracking_uri=tracking_uri, experiment=experiment, journal=journal
        ),
        has_own_scores=include_own_scores,
        has_labels=labels,
        now=options.now(),
        output=output,
        is_tracked=not no_track,
        **options.channels_of(terminal),
    )
    terminal.is_refused = bool(outcome.drift.reasons)
    if json:
        terminal.out(formats.to_json({"run_id": outcome.run_id, "drift": outcome.drift}))
        return
    terminal.show(drift_table.drift(outcome.drift))
    if outcome.run_id is not None:
        terminal.show("", common.named([("run_id", outcome.run_id)]))


COMMANDS = (drift,)
