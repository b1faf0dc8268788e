"""The commands that explain the scores of a record, and the policy of a model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal


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
    """Print the learned policy as rules in words.

    The rules are those of quality points, leads, heat and publication.

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


COMMANDS = (explain, policy)
