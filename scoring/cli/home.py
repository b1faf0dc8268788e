"""The ``home`` commands: check the home folder, and repair its store."""

from __future__ import annotations

from typing import Annotated

import typer

from scoring.cli import options
from scoring.cli.console import Terminal
from scoring.cli.groups import Group

Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Rewrite the store's file addresses to the home's current path, after a backup of its database.",
    ),
]


def home(
    terminal: Terminal,
    repair: Repair = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Check the home folder: what is in it, and what is missing."""
    check(terminal, repair=repair, tracking_uri=tracking_uri, json=json)


def check(
    terminal: Terminal,
    repair: Repair = False,
    tracking_uri: options.TrackingUri = None,
    json: options.Json = False,
) -> None:
    """Show what is in the home and what is missing.

    That is the store, versions, artifacts, ledger, caches and modes.

    Nothing is changed without --repair. Exit code 1 if something is missing or cannot be used.
    """
    from scoring.cli import formats
    from scoring.cli.tables import home as home_table
    from scoring.workflows import check_home as workflow

    settings = options.settings_of(terminal, tracking_uri=tracking_uri)
    report = (workflow.repair if repair else workflow.check)(settings, now=options.now())
    if report.n_repaired:
        terminal.note(f"{report.n_repaired} addresses repaired; the database from before: {report.backup}")
    if json:
        terminal.out(formats.to_json(report))
    else:
        terminal.show(home_table.report(report))
    for problem in report.problems:
        terminal.error(problem)
    terminal.n_faults = len(report.problems)


COMMANDS = (Group(home, (check,)),)
