"""The ``sample``, ``validate`` and ``features`` commands, which need no model."""

from __future__ import annotations

import functools
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scoring.cli import cluster, options, selection
from scoring.cli.annotations import annotation
from scoring.cli.console import Terminal
from scoring.errors import shown

_MAX_KEYS = 30  # named on the terminal


class SampleLayout(StrEnum):
    """Layouts of synthetic records."""

    scoring = "scoring"
    no_coverage = "no-coverage"
    quality = "quality"
    ratings = "ratings"
    published = "published"
    toml = "toml"
    json = "json"
    feed = "feed"


class Preset(StrEnum):
    """Layouts with a field map of their own."""

    jekyll = "jekyll"
    hugo = "hugo"
    eleventy = "eleventy"
    astro = "astro"
    decap = "decap"
    obsidian = "obsidian"
    scoring = "scoring"


def sample(
    terminal: Terminal,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new or empty folder.", show_default=False)
    ],
    records: Annotated[int, typer.Option(min=1, help="Number of records.")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: the setting.")] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Omit the labels.")] = False,
    layout: Annotated[
        SampleLayout,
        typer.Option(
            help="Layout of the files: scoring's own, the same without coverage or with quality alone, a "
            "link blog with ratings, a static site with drafts, front matter in TOML or JSON, feeds."
        ),
    ] = SampleLayout.scoring,
    begins_at: options.BeginsAt = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days that publication dates span. Default: 365, more for many records."),
    ] = None,
    **policy: Any,
) -> None:
    """Write synthetic records with the labels of a synthetic site.

    The same options give the same files. The policy options set how that site labels records.
    """
    from scoring.records.synthetic.generate import write_sample
    from scoring.records.synthetic.policy import Policy
    from scoring.records.synthetic.stories import BEGINS_AT
    from scoring.storage.urls import name_of

    n_files = write_sample(
        directory,
        n_records=records,
        seed=options.settings_of(terminal, seed=seed).seed,
        policy=Policy(**policy),
        is_labelled=not unlabelled,
        layout=layout.value,
        begins_at=begins_at or BEGINS_AT,
        days=days,
        on_progress=functools.partial(terminal.step, "writing"),
    )
    terminal.note(f"{name_of(directory)}: {n_files} records")


def validate(
    terminal: Terminal,
    paths: options.Paths,
    changed_since: selection.ChangedSince = None,
    skip_non_records: selection.SkipNonRecords = False,
    fields: options.Fields = None,
    form: Annotated[
        options.ReportFormat,
        typer.Option("--format", help="'github': workflow commands, which annotate a pull request."),
    ] = options.ReportFormat.text,
    json: options.Json = False,
) -> None:
    """Check records and report all their faults.

    Faults, warnings and the keys that no field uses are on stderr, the count is on stdout; --json has all of
    them on stdout.
    """
    from scoring.cli import formats
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.records.reading_warnings import TITLE_ONLY
    from scoring.workflows.validate import commonest_fault
    from scoring.workflows.validate import validate as workflow

    terminal.has_annotations = form is options.ReportFormat.github
    if json and terminal.has_annotations:
        raise typer.BadParameter("--json cannot be combined with --format github")
    settings = options.settings_of(terminal, fields=fields)
    progress = functools.partial(terminal.step, "reading")
    annotations: list[str] = []  # of the warnings, which follow the faults
    outcome = workflow(
        paths,
        changed_since=changed_since,
        skips_non_records=skip_non_records,
        stdin=sys.stdin.buffer,
        field_maps=field_maps_of(paths, settings),
        on_warning=lambda path, line, text: annotations.append(
            annotation("warning", text, path=path, line=line, title="record")
        ),
        on_progress=progress,
    )
    terminal.n_faults = outcome.n_faulty
    if changed_since is not None or skip_non_records:
        selection.note_if_none(terminal, outcome.n_records + outcome.n_faulty, changed_since)
    if json:
        terminal.out(formats.to_json(outcome))
        return
    terminal.show_faults(outcome.faults)
    warnings = [f"{warning} (warning)" for warning in outcome.warnings]
    for line in annotations if terminal.has_annotations else warnings:
        terminal.note(line)
    if outcome.unread_keys:
        counts = [f"{shown(key[:60])} ({count:,})" for key, count in outcome.unread_keys.items()]
        more = [f"and {len(counts) - _MAX_KEYS:,} more"] if len(counts) > _MAX_KEYS else []
        terminal.note(f"keys that no field uses: {', '.join(counts[:_MAX_KEYS] + more)}")
    summary = f"{outcome.n_records} records can be used, {outcome.n_faulty} cannot"
    terminal.out(annotation("notice", summary) if terminal.has_annotations else summary)
    if terminal.has_annotations:
        return
    if n_title_only := sum(f": {TITLE_ONLY}: " in warning for warning in outcome.warnings):
        terminal.note(
            f"only the title of {n_title_only:,} records was read: map their other keys in "
            'scoring-fields.yaml, which "scoring init FOLDER" proposes'
        )
    if len(outcome.faults) > 1:
        terminal.note(commonest_fault(outcome.faults))


_OTHER_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".xlsx", ".feather", ".arrow")
"""Extensions of tables that are not Parquet."""


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
    fields: options.Fields = None,
    section: options.Section = None,
    no_cache: options.NoCache = False,
    dask: cluster.Dask = None,
    partition_mb: cluster.PartitionMb = None,
) -> None:
    """Write the feature table of records, or list its columns.

    With --dask it is a partitioned data set; the same command resumes an interrupted one. Writing needs
    the extra news-scoring[parquet].
    """
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.workflows import features as workflow

    if catalogue:
        from scoring.cli.tables import common

        terminal.show(common.catalogue(workflow.catalogue()))
        return
    if not paths or output is None:
        raise typer.BadParameter("expected PATH... with --output FILE.parquet, or --catalogue")
    dask_cluster = cluster.cluster_options(dask, partition_mb)
    if dask_cluster is None and (kind := Path(output).suffix.lower()) in _OTHER_TABLES:
        raise typer.BadParameter(
            f"--output: got {output!r}, expected FILE.parquet: the table is Parquet, not {kind[1:]}"
        )
    if dask_cluster is not None:
        if model is not None or section is not None:
            raise typer.BadParameter("--model and --section do not go with --dask: it takes the first topic")
        cluster.features(terminal, paths, dask_cluster, output=output, as_of=as_of, fields=fields)
        return
    settings = options.settings_of(terminal, fields=fields, section=section)
    n_records = workflow.write_features(
        paths,
        output=Path(output),
        as_of=as_of,
        sections=functools.partial(workflow.section_rule, model, settings, terminal),
        field_maps=field_maps_of(paths, settings),
        n_processes=settings.threads,
        cache=options.cache_of(settings, is_used=not no_cache),
        **options.channels_of(terminal),
    )
    terminal.note(f"{output}: {n_records} records")


def init(
    terminal: Terminal,
    folder: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="The archive: its folder, or a table (CSV or Parquet).", show_default=False
        ),
    ],
    preset: Annotated[
        Preset | None, typer.Option(help="Use the field map of this layout instead of guessing.")
    ] = None,
    stdout: Annotated[
        bool, typer.Option("--stdout", help="Print the field map instead of writing it.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Propose a field map: which keys hold the fields and labels.

    Reads some of its files and writes scoring-fields.yaml to the folder, with a comment for each guess and
    for each unused key. An existing field map is never replaced.
    """
    from scoring.cli import formats
    from scoring.workflows import init as workflow

    options.settings_of(terminal)
    progress = functools.partial(terminal.step, "reading")
    proposal = workflow.propose(folder, preset=preset and preset.value, on_progress=progress)
    for fault in proposal.faults:
        terminal.note(f"{fault} (left out)")
    if json:
        terminal.out(formats.to_json(proposal))
    elif stdout and proposal.text:
        terminal.out(proposal.text.rstrip("\n"))
    if not (json or stdout) and proposal.text:
        file = workflow.write_proposal(folder, proposal)
        terminal.out(f"{file}: written; check each line")
    for line in workflow.summary(folder, proposal):
        terminal.note(line)


COMMANDS = (init, sample, validate, features)
