"""Command groups: a command with subcommands, which also does something by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import typer

from scoring.cli import help
from scoring.cli.options import as_command

Command = Callable[..., None]


class Group(NamedTuple):
    """A command with subcommands.

    Parameters
    ----------
    function : callable
        What the group does without a subcommand; its name is the group's.
    commands : tuple of callable
        The subcommands.
    """

    function: Command
    commands: tuple[Command, ...] = ()


def name_of(command: Command | Group) -> str:
    """Name of a command on the command line, without the ``_`` that avoids a Python keyword.

    Examples
    --------
    >>> def import_(): ...
    >>> name_of(import_)
    'import'
    """
    return (command.function if isinstance(command, Group) else command).__name__.removesuffix("_")


def add_all(
    app: typer.Typer, commands: Iterable[Command | Group], headings: Mapping[str, str] | None = None
) -> None:
    """Add commands and groups to an application; its help lists them in this order.

    Parameters
    ----------
    app : typer.Typer
        The application.
    commands : iterable of callable or Group
        The commands.
    headings : mapping of str to str, optional
        Heading of each command in the help, by the command's name.
    """
    commands, headings = list(commands), headings or {}
    app.info.cls = type("InOrder", (help.Group,), {"names": [name_of(command) for command in commands]})
    for command in commands:
        name = name_of(command)
        heading = headings.get(name, "Commands")
        if isinstance(command, Group):
            group = typer.Typer(rich_markup_mode=None)
            group.callback(invoke_without_command=True)(as_command(command.function))
            add_all(group, command.commands)
            app.add_typer(group, name=name, rich_help_panel=heading)
        else:
            app.command(name, cls=help.Command, rich_help_panel=heading)(as_command(command))
