"""The commands that train and evaluate models."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from scoring.cli import cluster, options
from scoring.cli.console import Terminal

_CLOSING = {
    "run_id": "MLflow run",
    "model": "model",
    "model_uri": "model in MLflow",
    "n_records": "labelled records",
    "n_faults": "records that cannot be used",
    "n_own_labels": "labels that scoring wrote",
}
"""What the last lines of a training call its values; JSON has all of them."""


def train(
    terminal: Terminal,
    paths: options.Paths,
    config: options.Config = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder to save the model in. Default: models/NAME in the home, NAME being the "
            "configuration's.",
        ),
    ] = None,
    overwrite: options.OverwriteModel = False,
    experiment: options.Experiment = None,
    run_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the MLflow run. Default: the setting."),
    ] = None,
    fields: options.Fields = None,
    tracking_uri: options.TrackingUri = None,
    register: Annotated[
        str | None,
        typer.Option(callback=options.check_name, metavar="NAME", help="Register the model under that name."),
    ] = None,
    section: options.Section = None,
    coverage: options.Coverage = None,
    as_of: options.TrainAsOf = None,
    corrections: options.Corrections = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    no_track: options.NoTrack = False,
    dask: cluster.Dask = None,
    partition_mb: cluster.PartitionMb = None,
    json: options.Json = False,
) -> None:
    """Train a model on labelled records. Evaluate it on the latest of them, and log both.

    Another model in the folder that --output names is refused without --overwrite, before anything is
    read; in the default folder, a model that an earlier training saved is replaced. Needs the
    extra news-scoring[train], unless --no-track is given.
    """
    import msgspec

    from scoring.workflows.train import load_config
    from scoring.workflows.train import train as workflow

    settings = options.settings_of(
        terminal,
        fields=fields,
        experiment=experiment,
        tracking_uri=tracking_uri,
        journal=journal,
        section=section,
        coverage=coverage,
    )
    training_config = load_config(config)
    outcome = workflow(
        paths,
        config=training_config if as_of is None else msgspec.structs.replace(training_config, as_of=as_of),
        settings=settings,
        now=options.now(),
        output=output,
        is_overwrite=overwrite,
        corrections=corrections,
        has_own_scores=include_own_scores,
        experiment=experiment,
        run_name=run_name,
        register=register,
        is_tracked=not no_track,
        place=cluster.cluster_options(dask, partition_mb),
        **options.channels_of(terminal),
    )
    names = (
        "run_id",
        "model",
        "model_uri",
        "data_sha256",
        "n_records",
        "n_faults",
        "n_own_labels",
        "metrics",
    )
    _show_outcome(terminal, outcome, names, is_json=json)
    if not json and sys.stdout.isatty():
        model = shlex.quote(str(outcome.model))
        terminal.note(f'next: "scoring score INBOX --model {model}", INBOX being a folder of new records')


def _show_outcome(terminal: Terminal, outcome: Any, names: Iterable[str], *, is_json: bool) -> None:
    """Show an evaluation and the named attributes of its outcome."""
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.evaluation.verdict import evaluation_verdict

    attributes = {name: getattr(outcome, name) for name in names}
    if is_json:
        terminal.out(formats.to_json(attributes | {"evaluation": outcome.evaluation}))
        return
    terminal.show(common.evaluation(outcome.evaluation), "")
    rows = [(_CLOSING[name], value) for name, value in attributes.items() if name in _CLOSING]
    terminal.show(common.named([("verdict", evaluation_verdict(outcome.evaluation)), *rows]))


def evaluate(
    terminal: Terminal,
    paths: options.Paths,
    model: options.Model = None,
    as_of: options.AsOf = None,
    since: options.Since = None,
    coverage: options.Coverage = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for metrics, plots and the report.")
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    json: options.Json = False,
    no_track: options.NoTrack = False,
    tracking_uri: options.TrackingUri = None,
    experiment: options.Experiment = None,
) -> None:
    """Compare a model's scores with the labels of records.

    Simple baselines are compared as well.
    """
    from scoring.workflows.evaluate import evaluate as workflow

    outcome = workflow(
        paths,
        model=model,
        settings=options.settings_of(
            terminal,
            fields=fields,
            tracking_uri=tracking_uri,
            experiment=experiment,
            journal=journal,
            coverage=coverage,
        ),
        now=options.now(),
        has_own_scores=include_own_scores,
        as_of=as_of,
        since=since,
        output=output,
        is_tracked=not no_track,
        **options.channels_of(terminal),
    )
    _show_outcome(
        terminal, outcome, ("run_id", "model", "n_records", "n_faults", "n_own_labels"), is_json=json
    )


COMMANDS = (train, evaluate)
