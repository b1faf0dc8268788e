"""The command that scores records."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scoring.cli import cluster, options, selection, writing
from scoring.cli.console import Terminal
from scoring.extras import require

if TYPE_CHECKING:
    from scoring.labels.writer import LabelWriter
    from scoring.model.score import Score

_LINES_PER_WRITE = 64
_FORMATS = {
    ".jsonl": options.ScoreFormat.jsonl,
    ".csv": options.ScoreFormat.csv,
    ".parquet": options.ScoreFormat.parquet,
    ".md": options.ScoreFormat.markdown,
}  # by the extension of --output


def score(
    terminal: Terminal,
    paths: options.Paths,
    changed_since: selection.ChangedSince = None,
    skip_non_records: selection.SkipNonRecords = False,
    model: options.Model = None,
    as_of: options.AsOf = None,
    coverage: options.Coverage = None,
    form: Annotated[
        options.ScoreFormat | None,
        typer.Option(
            "--format",
            help="Default: from the name of --output, else table on a terminal, else jsonl. 'github' "
            "requires --write or --output; it prints faults as workflow commands, which annotate a pull "
            "request.",
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

    A table has the highest heat first; the other formats keep the order of the records. With --dask the
    output is a partitioned data set; after an interruption, the same command resumes.
    """
    flags = {"--dry-run": dry_run, "--overwrite": overwrite, "--allow-unknown": allow_unknown}
    writing.check_flags(write=write, flags=flags)
    if form is options.ScoreFormat.github:
        if not (write or output) or dask:
            raise typer.BadParameter("--format github requires --write or --output, without --dask")
        terminal.has_annotations, form = True, None
    if write and (form or output or dask):
        raise typer.BadParameter("--write cannot be combined with --format, --output or --dask")
    if write:
        writing.check_paths(paths)
    dask_cluster = cluster.cluster_options(dask, partition_mb)
    if dask_cluster is not None:
        if changed_since is not None or skip_non_records:
            raise typer.BadParameter("--changed-since and --skip-non-records do not go with --dask")
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
    from scoring.workflows.titles import titles_of

    settings = options.settings_of(
        terminal, fields=fields, tracking_uri=tracking_uri, journal=journal, coverage=coverage
    )
    field_maps = field_maps_of(paths, settings)
    files = selection.selected(
        terminal, paths, changed_since=changed_since, skip_non_records=skip_non_records
    )
    if write and not files:
        return
    scores = workflow.score(
        files,
        model=model,
        field_maps=field_maps,
        settings=settings,
        as_of=as_of,
        cache=options.cache_of(settings, is_used=not no_cache),
        has_own_names=not write,
        **options.channels_of(terminal),
    )
    if write:
        writer = writing.label_writer(
            terminal,
            settings,
            files,
            command="score",
            overwrite=overwrite,
            allow_unknown=allow_unknown,
            dry_run=dry_run,
            field_maps=field_maps,
            within=paths,
        )
        summarize = functools.partial(
            writing.report_summary,
            functools.partial(terminal.report, "notice"),
            writer,
            paths,
            settings,
            journal=journal,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        _write_scores(terminal, writer, scores, summarize, is_dry_run=dry_run)
    else:
        # Standard input may be slow: print each score at once. Files: print many lines in one write.
        n_lines = 1 if "-" in paths else _LINES_PER_WRITE
        terminal.ends_with_output = True
        titles = functools.partial(titles_of, files, field_maps)
        _print_scores(terminal, scores, form, Path(output) if output else None, n_lines, titles)


def _write_scores(
    terminal: Terminal,
    writer: LabelWriter,
    scores: Iterator[Score],
    summarize: Callable[[], None],
    *,
    is_dry_run: bool,
) -> None:
    """Write scores, and print the changed files; an interrupted write is summarized too."""
    terminal.ends_with_output = is_dry_run  # else all files are written, even if nobody reads the output
    # GitHub would take a name at the start of a line for a command if it begins with colons.
    prefix = "written: " if terminal.has_annotations else ""
    try:
        for result in writer.write(scores):
            if result.changed:
                terminal.out(result.diff.rstrip("\n") if is_dry_run else prefix + result.path)
    finally:
        summarize()


def _print_scores(
    terminal: Terminal,
    scores: Iterator[Any],
    form: options.ScoreFormat | None,
    output: Path | None,
    n_lines: int,
    titles: Callable[[], dict[str, str]],
) -> None:
    from scoring.cli import formats
    from scoring.storage.replacement import open_replacement
    from scoring.storage.urls import name_of

    if form is None:
        is_for_people = output is None and sys.stdout.isatty()
        by_name = _FORMATS.get(output.suffix if output else "")
        form = by_name or (options.ScoreFormat.table if is_for_people else options.ScoreFormat.jsonl)
    if form is options.ScoreFormat.parquet:
        require("parquet")
    if output is not None:
        if form is options.ScoreFormat.table:
            raise typer.BadParameter("--output takes jsonl, csv, parquet or markdown")
        with open_replacement(output) as file:
            n_scores = formats.write_scores(scores, form, file)
        terminal.report("notice", f"{name_of(output)}: {n_scores} scores")
    elif form is options.ScoreFormat.table:
        from scoring.cli.tables import common

        rows = list(scores)
        terminal.show(common.scores_table(rows, titles() if sys.stdout.isatty() else None))
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


COMMANDS = (score,)
