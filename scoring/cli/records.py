"""The ``sample``, ``validate`` and ``features`` commands, which need no model."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scoring.cli import cluster, options
from scoring.cli.console import Terminal
from scoring.errors import shown

_MAX_KEYS = 30  # named on the terminal


def sample(
    terminal: Terminal,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)
    ],
    records: Annotated[int, typer.Option(min=1, help="Number of records.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: the setting.")] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Omit the labels.")] = False,
    begins_at: options.BeginsAt = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days that publication dates span. Default: 365, more for many records."),
    ] = None,
    **policy: Any,
) -> None:
    """Write synthetic records, labelled by the policy of a synthetic site.

    The same options give the same files. The policy options set how that site labels records.
    """
    from scoring.records.synthetic.generate import write_sample
    from scoring.records.synthetic.policy import Policy
    from scoring.records.synthetic.stories import BEGINS_AT

    n_files = write_sample(
        directory,
        n_records=records,
        seed=options.settings_of(terminal, seed=seed).seed,
        policy=Policy(**policy),
        is_labelled=not unlabelled,
        begins_at=begins_at or BEGINS_AT,
        days=days,
        on_progress=functools.partial(terminal.step, "writing"),
    )
    terminal.note(f"{directory}: {n_files} records")


def validate(terminal: Terminal, paths: options.Paths, json: options.Json = False) -> None:
    """Check records and report all their faults.

    Faults, warnings and the keys that no field uses are on stderr, the count is on stdout; --json has all of
    them on stdout.
    """
    from scoring.cli import formats
    from scoring.workflows.validate import validate as workflow

    options.settings_of(terminal)
    progress = functools.partial(terminal.step, "reading")
    outcome = workflow(paths, stdin=sys.stdin.buffer, on_progress=progress)
    terminal.n_faults = outcome.n_faulty
    if json:
        terminal.out(formats.to_json(outcome))
        return
    for fault in outcome.faults:
        terminal.error(str(fault))
    for warning in outcome.warnings:
        terminal.note(f"{warning} (warning)")
    if outcome.unread_keys:
        counts = [f"{shown(key[:60])} ({count:,})" for key, count in outcome.unread_keys.items()]
        more = [f"and {len(counts) - _MAX_KEYS:,} more"] if len(counts) > _MAX_KEYS else []
        terminal.note(f"keys that no field uses: {', '.join(counts[:_MAX_KEYS] + more)}")
    terminal.out(f"{outcome.n_records} records can be used, {outcome.n_faulty} cannot")


def features(
    terminal: Terminal,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help=options.PATH_HELP, show_default=False)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE.parquet", help="File to write; with --dask: folder or address."),
    ] = None,
    as_of: options.AsOf = None,
    catalogue: Annotated[bool, typer.Option("--catalogue", help="List columns and their meanings.")] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Use this model's rule of sections. Default: --section."),
    ] = None,
    section: options.Section = None,
    no_cache: options.NoCache = False,
    dask: cluster.Dask = None,
    partition_mb: cluster.PartitionMb = None,
) -> None:
    """Write the feature table of records, or list its columns with their meanings.

    With --dask it is a partitioned data set; the same command resumes an interrupted one.
    """
    from scoring.workflows import features as workflow

    if catalogue:
        from scoring.cli.tables import common

        terminal.show(common.catalogue(workflow.catalogue()))
        return
    if not paths or output is None:
        raise typer.BadParameter("expected PATH... with --output FILE.parquet, or --catalogue")
    dask_cluster = cluster.cluster_options(dask, partition_mb)
    if dask_cluster is not None:
        if model is not None or section is not None:
            raise typer.BadParameter("--model and --section do not go with --dask: it takes the first topic")
        cluster.features(terminal, paths, dask_cluster, output=output, as_of=as_of)
        return
    settings = options.settings_of(terminal, section=section)
    n_records = workflow.write_features(
        paths,
        output=Path(output),
        as_of=as_of,
        sections=functools.partial(workflow.section_rule, model, settings, terminal),
        n_processes=settings.threads,
        cache=options.cache_of(settings, is_used=not no_cache),
        **options.channels_of(terminal),
    )
    terminal.note(f"{output}: {n_records} records")


COMMANDS = (sample, validate, features)
