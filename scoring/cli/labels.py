"""The commands that look into labels: those that look wrong, and those to give next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal

if TYPE_CHECKING:
    from scoring.settings import Settings


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

    settings = options.settings_of(terminal, fields=fields, journal=journal, section=section)
    outcome = workflow(
        paths,
        config=load_config(config),
        corrections=corrections,
        has_own_scores=include_own_scores,
        settings=settings,
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
        terminal.show(common.findings(outcome.findings, _titles(paths, settings)))
    terminal.note(f"{outcome.n_records} records, {sum(outcome.counts.values())} findings: {counts}")


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

    settings = options.settings_of(
        terminal, fields=fields, tracking_uri=tracking_uri, journal=journal, section=section
    )
    outcome = workflow(
        paths,
        count=count,
        model=model,
        settings=settings,
        **options.channels_of(terminal),
    )
    if json:
        for suggestion in outcome.suggestions:
            terminal.out(formats.to_json(suggestion))
    else:
        terminal.show(common.suggestions(outcome.suggestions, _titles(paths, settings)))
    terminal.note(
        f"{outcome.n_unlabelled} unlabelled records, {outcome.n_labelled} labelled ones: "
        f"{len(outcome.suggestions)} suggestions"
    )


def _titles(paths: list[str], settings: Settings) -> dict[str, str]:
    """Titles of the records, for a table on a terminal."""
    from scoring.records.field_maps.lookup import field_maps_of
    from scoring.workflows.titles import titles_of

    return titles_of(paths, field_maps_of(paths, settings)) if sys.stdout.isatty() else {}


COMMANDS = (audit, suggest)
