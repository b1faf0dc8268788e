"""The ``promote``, ``rollback`` and ``retrain`` commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal

if TYPE_CHECKING:
    from scoring.deployment.gate import GateConfig
    from scoring.workflows.promote import PromoteOutcome

Name = Annotated[
    str | None,
    typer.Option(callback=options.check_name, metavar="NAME", help="Registered model. Default: the setting."),
]
Metric = Annotated[str, typer.Option(metavar="METRIC", help="Metric that has to improve.")]
AllowEqual = Annotated[
    bool, typer.Option("--allow-equal", help="Also promote a model that is worse by no more than the margin.")
]
Margin = Annotated[
    float | None,
    typer.Option(
        metavar="RATIO", help="With --allow-equal: share of the champion's metric. Default: 0.02.", min=0
    ),
]
_METRIC = "quality_mae"
_MARGIN = 0.02


def promote(
    terminal: Terminal,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="The challenger: models:/NAME/VERSION, runs:/ID, a run ID or its first 6 or more digits, "
            "a model's folder, or shipped. It is registered if necessary.",
            show_default=False,
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Labelled records to evaluate on, later than the training data of both; may be repeated. "
            "Default: the held-back records of both runs.",
        ),
    ] = None,
    name: Name = None,
    metric: Metric = _METRIC,
    allow_equal: AllowEqual = False,
    margin: Margin = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the decision, change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Override the gate; requires --reason.")] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --force: reason, kept in the version's tags.")
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Make a model champion if it passes a test on later records.

    It passes if the metric's gain is significant, no other headline metric is significantly worse, and
    no subset of the records significantly worsens beyond its limit; without a champion, if it beats
    every baseline. The version's tags record the reason, and the former champion gets the alias previous.
    Exit code 3 if it is refused.
    """
    from scoring.workflows.promote import promote as workflow

    if force != (reason is not None):
        raise typer.BadParameter("--force requires --reason TEXT, and --reason requires --force")
    outcome = workflow(
        model,
        on=on or (),
        name=name,
        gate=_gate(metric, allow_equal, margin),
        reason=reason,
        is_dry_run=dry_run,
        has_own_scores=include_own_scores,
        settings=options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal),
        now=options.now(),
        **options.channels_of(terminal),
    )
    _show(terminal, outcome, is_json=json)


def rollback(
    terminal: Terminal,
    name: Name = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Reason, kept in the tags of both versions.")
    ] = None,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Restore the previous champion.

    The aliases champion and previous are swapped.
    """
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.workflows.rollback import rollback as workflow

    outcome = workflow(
        name=name,
        reason=reason,
        settings=options.settings_of(terminal, tracking_uri=tracking_uri),
        now=options.now(),
        reporter=terminal,
    )
    if json:
        terminal.out(formats.to_json(outcome))
        return
    terminal.show(
        common.named([("champion", f"{outcome.champion} {outcome.model}"), ("previous", outcome.previous)])
    )


def retrain(
    terminal: Terminal,
    paths: options.Paths,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="experiments/NAME.yaml",
            help="Configuration. Default: the champion's, else the package's.",
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(metavar="LEDGER", help="Ledger of corrections. Default: the champion's, if it had one."),
    ] = None,
    name: Name = None,
    metric: Metric = _METRIC,
    allow_equal: AllowEqual = False,
    margin: Margin = None,
    no_promote: Annotated[
        bool,
        typer.Option(
            "--no-promote",
            help="Leave the champion in place whatever the verdict; scoring promote RUN applies it later.",
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="With --no-promote: model to compare with. Default: the champion."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML file to write the comparison with the champion to."),
    ] = None,
    wait: Annotated[
        float, typer.Option(metavar="MINUTES", min=0, help="Maximum time to wait for another retraining.")
    ] = 0.0,
    fields: options.Fields = None,
    section: options.Section = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    tracking_uri: options.TrackingUri = None,
    progress: options.Progress = options.ProgressFormat.bars,
    json: options.Json = False,
) -> None:
    """Train on an updated archive, then promote or refuse the model.

    It is evaluated on records that the champion has not seen.

    For scheduled jobs: only one retraining runs at a time, and a kill at any moment leaves a working
    champion. If there is too little new data, no model is trained, the champion stays, and the exit code is
    0. The exit code is 3 if a model was trained and refused. With --json, outcome is promoted, refused or
    unchanged; with --no-promote, promoted means that the gate passed, and is_dry_run is true. Needs the
    extra news-scoring[train].
    """
    from scoring.storage.remote_output import check_output
    from scoring.workflows.retrain import retrain as workflow
    from scoring.workflows.train import load_config

    if against is not None and not no_promote:
        raise typer.BadParameter("--against requires --no-promote")
    check_output(html)
    terminal.has_progress_lines = progress is options.ProgressFormat.jsonl
    outcome = workflow(
        paths,
        config=load_config(config) if config is not None else None,
        corrections=corrections,
        name=name,
        gate=_gate(metric, allow_equal, margin),
        is_judged_only=no_promote,
        against=against,
        page=html,
        wait_minutes=wait,
        has_own_scores=include_own_scores,
        settings=options.settings_of(
            terminal, fields=fields, tracking_uri=tracking_uri, journal=journal, section=section
        ),
        now=options.now(),
        **options.channels_of(terminal),
    )
    _show(terminal, outcome, is_json=json)
    if html is not None and (outcome.champion is None or outcome.outcome == "unchanged"):
        lacking = "no model was trained" if outcome.outcome == "unchanged" else "no champion to compare with"
        terminal.note(f"{html} was not written: {lacking}")
    if no_promote and against is None and outcome.is_promoted and not json:
        store = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
        model = f" --name {shlex.quote(name)}" if name else ""
        terminal.note(f"nothing was promoted; this does: scoring promote {outcome.run_id}{model}{store}")


def _gate(metric: str, allow_equal: bool, margin: float | None) -> GateConfig:
    from scoring.deployment.gate import GateConfig
    from scoring.tracking import own_name

    if margin is not None and not allow_equal:
        raise typer.BadParameter("--margin requires --allow-equal")
    if allow_equal and margin is None:
        margin = _MARGIN
    try:
        return GateConfig(figure=own_name(metric), margin=margin)
    except ValueError as error:
        raise typer.BadParameter(f"--{str(error).replace('figure:', 'metric:')}") from None


def _show(terminal: Terminal, outcome: PromoteOutcome, *, is_json: bool) -> None:
    from scoring.cli import formats
    from scoring.cli.tables import promotion as promotion_table

    terminal.is_refused = outcome.outcome == "refused"
    if is_json:
        terminal.out(formats.to_json(outcome))
    else:
        terminal.show(promotion_table.promotion(outcome))


COMMANDS = (promote, rollback, retrain)
