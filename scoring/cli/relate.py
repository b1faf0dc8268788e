"""The ``relate`` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


def relate(
    terminal: Terminal,
    paths: options.Paths,
    as_of: options.RelateAsOf = None,
    links: options.Links = None,
    learn: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Learn the links from the lists of these records, and write them to FILE."
        ),
    ] = None,
    fields: options.Fields = None,
    json: options.Json = False,
) -> None:
    """Find the related records of each record in its archive.

    These are copies, and records of the same story.

    Copies have the same address, or nearly the same title within a short time. Records of the same story
    are estimated from shared words, time, provider and section, by links learned from an archive that
    lists related records. Only --learn uses the lists of the given records. --json prints JSON lines.
    """
    from scoring.cli import formats
    from scoring.workflows import relate as workflow

    if learn is not None and (as_of is not None or links is not None):
        raise typer.BadParameter("--learn cannot be combined with --as-of or --links")
    settings = options.settings_of(terminal, fields=fields, links=links)
    channels = options.channels_of(terminal)
    if learn is not None:
        outcome = workflow.learn_links(paths, learn, settings=settings, **channels)
        if json:
            terminal.out(formats.to_json(outcome))
        else:
            terminal.note(
                f"{outcome.file}: {outcome.links}, of {outcome.n_links} listed pairs; on later records "
                f"precision {outcome.precision:.2f}, recall {outcome.recall:.2f}"
            )
        return
    relations = workflow.relate(paths, settings=settings, as_of=as_of, **channels)
    if json:
        terminal.ends_with_output = True
        for relation in relations:
            terminal.out(formats.to_json(relation))
    else:
        from scoring.cli.tables.relations import relations_table

        terminal.show(relations_table(relations))


COMMANDS = (relate,)
