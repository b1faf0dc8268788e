"""The commands that train models, use them, and look into them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from scoring.cli import cluster, options, writing
from scoring.cli.console import Terminal

_LINES_PER_WRITE = 64


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
    run_name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the MLflow run.")] = None,
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
    """Train a model on labelled records, evaluate it on the latest of them, and log both.

    Another model in the folder that --output names is refused without --overwrite, before anything is
    read; in the default folder, a model that an earlier training saved is replaced.
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


def _show_outcome(terminal: Terminal, outcome: Any, names: Iterable[str], *, is_json: bool) -> None:
    """Show an evaluation and the named attributes of its outcome."""
    from scoring.cli import formats
    from scoring.cli.tables import common

    attributes = {name: getattr(outcome, name) for name in names}
    if is_json:
        terminal.out(formats.to_json(attributes | {"evaluation": outcome.evaluation}))
        return
    terminal.show(common.evaluation(outcome.evaluation), "")
    terminal.show(common.named(item for item in attributes.items() if item[0] != "metrics"))


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
    """Compare a model's scores, and simple baselines, with the labels of records."""
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


def score(
    terminal: Terminal,
    paths: options.Paths,
    model: options.Model = None,
    as_of: options.AsOf = None,
    coverage: options.Coverage = None,
    form: Annotated[
        options.ScoreFormat | None,
        typer.Option(
            "--format", help="Default: by the name of --output, else table on a terminal, else jsonl."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File to write instead of stdout; with --dask: folder or address."),
    ] = None,
    write: writing.Write = False,
    overwrite: writing.Overwrite = False,
    allow_unknown: writing.AllowUnknown = False,
    fields: options.Fields = None,
    journal: options.Journal = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --write: show the changes only.")] = False,
    no_cache: options.NoCache = False,
    tracking_uri: options.TrackingUri = None,
    dask: cluster.Dask = None,
    partition_mb: cluster.PartitionMb = None,
) -> None:
    """Score records: quality, lead, heat, published.

    A table has the highest heat first, the other formats keep the order of the records. With --dask
    the scores are a partitioned data set; the same command resumes an interrupted one.
    """
    flags = {"--dry-run": dry_run, "--overwrite": overwrite, "--allow-unknown": allow_unknown}
    writing.check_flags(write=write, flags=flags)
    if write and (form or output or dask):
        raise typer.BadParameter("--write cannot be combined with --format, --output or --dask")
    dask_cluster = cluster.cluster_options(dask, partition_mb)
    if dask_cluster is not None:
        shared = {
            "model": model,
            "as_of": as_of,
            "tracking_uri": tracking_uri,
            "coverage": coverage,
            "fields": fields,
        }
        cluster.score(terminal, paths, dask_cluster, output=output, form=form, **shared)
        return
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.workflows import score as workflow

    settings = options.settings_of(
        terminal, fields=fields, tracking_uri=tracking_uri, journal=journal, coverage=coverage
    )
    field_maps = field_maps_of(paths, settings)
    scores = workflow.score(
        paths,
        model=model,
        field_maps=field_maps,
        settings=settings,
        as_of=as_of,
        cache=options.cache_of(settings, is_used=not no_cache),
        **options.channels_of(terminal),
    )
    if write:
        writer = writing.label_writer(
            terminal,
            settings,
            paths,
            command="score",
            overwrite=overwrite,
            allow_unknown=allow_unknown,
            dry_run=dry_run,
            field_maps=field_maps,
        )
        terminal.ends_with_output = dry_run  # else all files are written, even if nobody reads the output
        try:
            for result in writer.write(scores):
                if result.changed:
                    terminal.out(result.diff.rstrip("\n") if dry_run else result.path)
        finally:  # an interrupted write is summarized too
            writing.report_summary(
                terminal.note,
                writer,
                paths,
                settings,
                journal=journal,
                overwrite=overwrite,
                dry_run=dry_run,
            )
    else:
        # Standard input may be slow: print each score at once. Files: print many lines in one write.
        n_lines = 1 if "-" in paths else _LINES_PER_WRITE
        terminal.ends_with_output = True
        _print_scores(terminal, scores, form, Path(output) if output else None, n_lines)


def _print_scores(
    terminal: Terminal,
    scores: Iterator[Any],
    form: options.ScoreFormat | None,
    output: Path | None,
    n_lines: int,
) -> None:
    from scoring.cli import formats
    from scoring.storage.replacement import open_replacement

    if form is None:
        is_for_people = output is None and sys.stdout.isatty()
        by_name = options.ScoreFormat.__members__.get(output.suffix.removeprefix(".") if output else "")
        form = by_name or (options.ScoreFormat.table if is_for_people else options.ScoreFormat.jsonl)
    if output is not None:
        if form is options.ScoreFormat.table:
            raise typer.BadParameter("--output takes jsonl, csv or parquet")
        with open_replacement(output) as file:
            n_scores = formats.write_scores(scores, form, file)
        terminal.note(f"{output}: {n_scores} scores")
    elif form is options.ScoreFormat.table:
        from scoring.cli.tables import common

        terminal.show(common.scores_table(scores))
    elif form is options.ScoreFormat.parquet:
        if sys.stdout.isatty():
            raise typer.BadParameter("--format parquet requires --output or a pipe")
        score_list = list(scores)
        with terminal.printing():
            formats.write_scores(score_list, form, sys.stdout.buffer)
    else:
        pending_lines: list[str] = []
        try:
            for line in formats.score_lines(scores, form):
                pending_lines.append(line)
                if len(pending_lines) >= n_lines:
                    terminal.out("\n".join(pending_lines))
                    pending_lines.clear()
        finally:  # an interrupted run prints what it has scored
            if pending_lines:
                terminal.out("\n".join(pending_lines))


def explain(
    terminal: Terminal,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="One record; - for JSON on standard input.", show_default=False),
    ],
    model: options.Model = None,
    as_of: options.AsOf = None,
    fields: options.Fields = None,
    json: options.Json = False,
) -> None:
    """Explain why a record has its scores."""
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.workflows.explain import explain as workflow

    explanation = workflow(
        file,
        model=model,
        settings=options.settings_of(terminal, fields=fields),
        as_of=as_of,
        stdin=sys.stdin.buffer,
        reporter=terminal,
    )
    if json:
        terminal.out(formats.to_json(explanation))
    else:
        terminal.show(common.explanation(explanation))


def audit(
    terminal: Terminal,
    paths: options.Paths,
    config: options.Config = None,
    corrections: options.Corrections = None,
    fields: options.Fields = None,
    section: options.Section = None,
    journal: options.Journal = None,
    include_own_scores: options.IncludeOwnScores = False,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Maximum findings of each kind.")] = 20,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON lines to write instead of a table.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List labels that look wrong, with the reason.

    Each record is compared with models that have not seen it and with its near-duplicates. Kinds:
    quality, lead, heat, published, twin; the worst of each first. With --corrections also correction:
    corrections that disagree with one another; findings about corrected labels are marked. Findings do
    not change the exit code.
    """
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.storage.replacement import open_replacement
    from scoring.workflows.audit import audit as workflow
    from scoring.workflows.train import load_config

    outcome = workflow(
        paths,
        config=load_config(config),
        corrections=corrections,
        has_own_scores=include_own_scores,
        settings=options.settings_of(terminal, fields=fields, journal=journal, section=section),
        limit=limit,
        **options.channels_of(terminal),
    )
    counts = ", ".join(f"{kind} {count}" for kind, count in outcome.counts.items())
    if output is not None:
        with open_replacement(output) as file:
            file.writelines(f"{formats.to_json(finding)}\n".encode() for finding in outcome.findings)
    elif json:
        for finding in outcome.findings:
            terminal.out(formats.to_json(finding))
    else:
        terminal.show(common.findings(outcome.findings))
    terminal.note(f"{outcome.n_records} records, {sum(outcome.counts.values())} findings: {counts}")


def policy(
    terminal: Terminal,
    compared: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B]",
            help="Two sections of the model, or two models: print only the rules that differ.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
    section: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the rules that hold for this section.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Print the learned policy as rules in words: quality points, leads, heat, publication.

    For each rule: the 95 % interval of its number, the number of labelled records that it is based on, and
    the share of these that follow it. Rules that changed at some time are listed with that time.
    """
    if compared and len(compared) != 2:
        raise typer.BadParameter(f"got {len(compared)}, expected two sections or models, or none")
    from scoring.cli import formats
    from scoring.cli.tables.policy import differences_table, policy_table
    from scoring.workflows.policy import compare_policies
    from scoring.workflows.policy import policy as workflow

    settings = options.settings_of(terminal)
    if compared:
        result = compare_policies(
            *compared, model=model, section=section, settings=settings, reporter=terminal
        )
        if json:
            terminal.out(formats.to_json(result))
        else:
            terminal.show(
                differences_table(
                    result.first, result.second, result.differences, result.only_first, result.only_second
                )
            )
        return
    lines = workflow(model=model, section=section, settings=settings, reporter=terminal)
    if json:
        terminal.out(formats.to_json(lines))
    else:
        terminal.show(policy_table(lines))


def suggest(
    terminal: Terminal,
    paths: options.Paths,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum number of records.")] = 20,
    model: options.Model = None,
    fields: options.Fields = None,
    section: options.Section = None,
    journal: options.Journal = None,
    json: options.Json = False,
    tracking_uri: options.TrackingUri = None,
) -> None:
    """List the unlabelled records to label first, with reasons.

    These are the records whose labels would teach the model the most about quality, the most useful
    first. Give the labelled records of the same sections as PATH too: a record that resembles them is
    less useful. Sections that the model does not know come first. At most one record of each story is
    listed. Labels that scoring itself wrote do not count. --json prints JSON lines.
    """
    from scoring.cli import formats
    from scoring.cli.tables import common
    from scoring.workflows.suggest import suggest as workflow

    outcome = workflow(
        paths,
        count=count,
        model=model,
        settings=options.settings_of(
            terminal, fields=fields, tracking_uri=tracking_uri, journal=journal, section=section
        ),
        **options.channels_of(terminal),
    )
    if json:
        for suggestion in outcome.suggestions:
            terminal.out(formats.to_json(suggestion))
    else:
        terminal.show(common.suggestions(outcome.suggestions))
    terminal.note(
        f"{outcome.n_unlabelled} unlabelled records, {outcome.n_labelled} labelled ones: "
        f"{len(outcome.suggestions)} suggestions"
    )


COMMANDS = (train, evaluate, score, explain, policy, audit, suggest)
