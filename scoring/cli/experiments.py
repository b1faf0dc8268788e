"""The ``backtest`` and ``tune`` commands, which train many times."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scoring.cli import options
from scoring.cli.console import Terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scoring.workflows.backtest import BacktestOutcome
    from scoring.workflows.learning_curve import LearningCurveOutcome


class Folds(StrEnum):
    """What separates the folds of a backtest."""

    month = "month"
    section = "section"
    labels = "labels"


def parse_month(text: str) -> str:
    """The text unchanged, if it is a month.

    Examples
    --------
    >>> parse_month("2021-01")
    '2021-01'
    """
    try:
        return f"{datetime.strptime(text, '%Y-%m').replace(tzinfo=UTC):%Y-%m}"
    except ValueError:
        raise typer.BadParameter(f"got '{text}', expected a month such as 2021-01") from None


def parse_counts(text: str) -> tuple[int, ...]:
    """Parse numbers of labels, separated by commas.

    Examples
    --------
    >>> parse_counts("20,50")
    (20, 50)
    """
    try:
        counts = tuple(map(int, text.split(",")))
    except ValueError:
        counts = ()
    if min(counts, default=0) < 1:
        raise typer.BadParameter(f"got '{text}', expected numbers above 0 separated by commas, as 20,50,100")
    return counts


def backtest(
    terminal: Terminal,
    paths: options.Paths,
    by: Annotated[
        Folds,
        typer.Option(
            help="Evaluate each month, trained on the data before it; each section, trained on the others; "
            "or the test block of each section, trained on different numbers of its labels."
        ),
    ] = Folds.month,
    config: options.Config = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM",
            parser=parse_month,
            help="First month to evaluate. Default: the first with enough records before it.",
        ),
    ] = None,
    counts: Annotated[
        Any,  # tuple of int, or None
        typer.Option(
            metavar="N,N",
            parser=parse_counts,
            help="Numbers of labels, with --by labels. Default: 20,50,100,200.",
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Random draws for each number of labels, with --by labels; at most 3 if there are so many "
            "labels that each draw needs a full fit. Default: 20.",
        ),
    ] = None,
    of_section: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Evaluate only this section, with --by labels. Default: all."),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for metrics and plots.")] = None,
    fields: options.Fields = None,
    section: options.Section = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    json: options.Json = False,
    no_track: options.NoTrack = False,
    tracking_uri: options.TrackingUri = None,
    experiment: options.Experiment = None,
) -> None:
    """Retrain for each month on earlier data, and evaluate on it.

    Each training ignores all records and coverage from the start of its month on. --by labels shows how many
    labels a section needs: that many of its records before the test block are drawn at random, several
    times, and learned from together with all records of the other sections.
    """
    if since is not None and by is not Folds.month:
        raise typer.BadParameter("--since requires --by month")
    for name, value in {"--counts": counts, "--draws": draws, "--of-section": of_section}.items():
        if value is not None and by is not Folds.labels:
            raise typer.BadParameter(f"{name} requires --by labels")
    from scoring.cli import formats
    from scoring.cli.tables import common, experiments
    from scoring.evaluation.learning_curve import COUNTS, N_DRAWS
    from scoring.workflows.backtest import backtest as by_fold
    from scoring.workflows.learning_curve import learning_curve
    from scoring.workflows.train import load_config

    common_options: dict[str, Any] = {
        "config": load_config(config),
        "settings": options.settings_of(
            terminal,
            fields=fields,
            tracking_uri=tracking_uri,
            experiment=experiment,
            journal=journal,
            section=section,
        ),
        "has_own_scores": include_own_scores,
        "now": options.now(),
        "output": output,
        "is_tracked": not no_track,
        **options.channels_of(terminal),
    }
    outcome: BacktestOutcome | LearningCurveOutcome
    table: RenderableType
    if by is Folds.labels:
        outcome = learning_curve(
            paths, counts=counts or COUNTS, n_draws=draws or N_DRAWS, section=of_section, **common_options
        )
        table = experiments.learning_curve(outcome.points)
    else:
        outcome = by_fold(paths, by=by.value, first=since, **common_options)
        table = experiments.backtest(outcome.by, outcome.folds, outcome.evaluation)
    if json:
        terminal.out(formats.to_json({name: getattr(outcome, name) for name in outcome.__dataclass_fields__}))
        return
    terminal.show(table, "")
    terminal.show(common.named((name, getattr(outcome, name)) for name in ("run_id", "n_faults")))


def tune(
    terminal: Terminal,
    paths: options.Paths,
    trials: Annotated[int, typer.Option(min=1, help="Total trials, those of earlier runs included.")] = 20,
    config: options.Config = None,
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Study to start or resume. Default: the configuration's name."),
    ] = None,
    timeout_minutes: Annotated[
        float | None, typer.Option(min=0, metavar="M", help="Start no new trial after this time.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="experiments/NAME.yaml",
            help="File for the best configuration. Default: experiments/STUDY-best.yaml in the home.",
        ),
    ] = None,
    overwrite: options.OverwriteFile = False,
    fields: options.Fields = None,
    section: options.Section = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    json: options.Json = False,
    no_track: options.NoTrack = False,
    tracking_uri: options.TrackingUri = None,
    experiment: options.Experiment = None,
) -> None:
    """Search for the configuration with the lowest quality error.

    The test block is set aside first; trials are evaluated on the last records before it. A file not written
    by this study is refused, without --overwrite, before the first trial. Needs the extra
    news-scoring[tune].
    """
    from scoring.cli import formats
    from scoring.cli.tables import common, experiments
    from scoring.workflows.train import load_config
    from scoring.workflows.tune import tune as workflow

    outcome = workflow(
        paths,
        n_trials=trials,
        config=load_config(config),
        settings=options.settings_of(
            terminal,
            fields=fields,
            tracking_uri=tracking_uri,
            experiment=experiment,
            journal=journal,
            section=section,
        ),
        has_own_scores=include_own_scores,
        now=options.now(),
        study=study,
        timeout_minutes=timeout_minutes,
        output=output,
        is_overwrite=overwrite,
        is_tracked=not no_track,
        **options.channels_of(terminal),
    )
    if json:
        terminal.out(formats.to_json(outcome))
        return
    terminal.show(experiments.trials(outcome.trials), "")
    terminal.show(experiments.best_values(outcome.given, outcome.best, outcome.importances), "")
    names = ("study", "run_id", "best_config", "n_training", "n_validation", "n_faults")
    terminal.show(common.named((name, getattr(outcome, name)) for name in names))


COMMANDS = (backtest, tune)
