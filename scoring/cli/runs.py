"""The ``runs``, ``runs sync`` and ``compare`` commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal
from scoring.cli.groups import Group


def runs(
    terminal: Terminal,
    experiment: options.Experiment = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC", help="Sort by this metric, best first, as quality_mae. Default: newest first."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of runs.")] = 20,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """List the runs in the store with their metrics and aliases.

    A + after the commit marks uncommitted changes. Folds and trials are left out.
    """
    from scoring.cli import formats
    from scoring.cli.tables import runs as runs_table
    from scoring.tracking import own_name
    from scoring.workflows.runs import runs as workflow

    outcome = workflow(
        settings=options.settings_of(terminal, tracking_uri=tracking_uri),
        experiment=experiment,
        sort=sort,
        limit=limit,
    )
    if json:
        terminal.out(formats.to_json(outcome.runs))
        return
    if outcome.runs:
        terminal.show(runs_table.runs(outcome.runs, own_name(sort) if sort else None))
    if outcome.has_more:
        terminal.note(f"{len(outcome.runs)} runs; the store has more: --limit N shows N of them")
    elif not outcome.runs:
        terminal.note("0 runs")


def sync(terminal: Terminal, tracking_uri: options.TrackingUri = None, json: options.Json = False) -> None:
    """Upload the runs that waited for their store, oldest first.

    They are in the folder pending in the home. Each is uploaded to its intended store, unless
    --tracking-uri names another. A partly uploaded run is completed.
    """
    from scoring.cli import formats
    from scoring.errors import TrackingError
    from scoring.workflows.sync import sync as workflow

    settings = options.settings_of(terminal, tracking_uri=tracking_uri)
    synced = workflow(settings, is_store_named=tracking_uri is not None)
    if json:
        terminal.out(formats.to_json(synced))
    uploaded = [run for run in synced if run.error is None]
    for run in uploaded if not json else ():
        version = f", version {run.version}" if run.version else ""
        terminal.out(f"{run.folder}: run {run.run_id}{version}")
    folders_by_error: dict[str, list[str]] = {}
    for run in synced:
        if run.error is not None:
            folders_by_error.setdefault(run.error, []).append(run.folder)
    errors = [_kept_error(error, folders) for error, folders in folders_by_error.items()]
    if errors and not uploaded:
        raise TrackingError("\nerror: ".join(errors))
    for error in errors:
        terminal.error(f"error: {error}")
    terminal.n_faults += sum(map(len, folders_by_error.values()))
    terminal.note(f"{len(uploaded)} of {len(synced)} pending runs uploaded")


def _kept_error(error: str, folders: list[str]) -> str:
    """An error with the pending runs that it affects, unless it names them itself."""
    unnamed = [folder for folder in folders if folder not in error]
    if not unnamed:
        return error
    return f"{error}: kept {', '.join(unnamed)}"


def compare(
    terminal: Terminal,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|PATH",
            help="Two or more runs or models: a run ID or its first 6 or more digits, runs:/ID, "
            "models:/NAME/VERSION, models:/NAME@ALIAS, a model's folder. Then records to score: folders, "
            "Markdown files, globs, *.jsonl, *.csv, *.parquet, feeds, or -. Default: the held-back records "
            "of the runs.",
            show_default=False,
        ),
    ],
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Maximum changed records to show.")] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="HTML page to write as well; requires two runs.")
    ] = None,
    fields: options.Fields = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    no_track: Annotated[bool, typer.Option("--no-track", help="Do not log the page in MLflow.")] = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Compare runs or models, and list changed decisions.

    Listed are the records whose published would change. Each is compared with the first on the same records.
    Intervals are 95 %, from a paired bootstrap over days: the same days are drawn for both. Each run compared
    with the first gets the comparison as a page among its artifacts.
    """
    from scoring.cli import formats
    from scoring.cli.tables import runs as runs_table
    from scoring.extras import require
    from scoring.storage.remote_output import check_output
    from scoring.workflows.compare import compare as workflow
    from scoring.workflows.compare import keep_page

    if html is not None:
        require("report")
        check_output(html)
    settings = options.settings_of(terminal, fields=fields, tracking_uri=tracking_uri, journal=journal)
    comparisons = workflow(
        runs,
        settings=settings,
        limit=limit,
        has_own_scores=include_own_scores,
        **options.channels_of(terminal),
    )
    if html is not None:
        from scoring.report import comparison_report
        from scoring.storage.replacement import open_replacement
        from scoring.storage.urls import name_of

        if len(comparisons) > 1:
            raise typer.BadParameter(f"--html requires two runs, got {len(comparisons) + 1}")
        with open_replacement(html) as file:
            file.write(comparison_report(comparisons[0]).encode())
        terminal.note(f"{name_of(html)}: the comparison as a page")
    if json:
        terminal.out(formats.to_json({"comparisons": comparisons}))
    for comparison in comparisons if not json else ():
        terminal.show(runs_table.comparison(comparison), "")
    for comparison in comparisons if not no_track else ():
        if page := keep_page(comparison, settings):
            terminal.note(f"{page}: the comparison as a page")


COMMANDS = (Group(runs, (sync,)), compare)
