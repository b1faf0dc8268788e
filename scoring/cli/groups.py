"""Command groups: a command with subcommands, which also does something by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import typer
from typer.core import TyperGroup

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


def add_all(app: typer.Typer, commands: Iterable[Command | Group]) -> None:
    """Add commands and groups to an application; its help lists them in this order."""
    commands = list(commands)
    app.info.cls = _in_order([name_of(command) for command in commands])
    for command in commands:
        if isinstance(command, Group):
            group = typer.Typer(rich_markup_mode=None)
            group.callback(invoke_without_command=True)(as_command(command.function))
            add_all(group, command.commands)
            app.add_typer(group, name=name_of(command))
        else:
            app.command(name_of(command))(as_command(command))


def _in_order(names: list[str]) -> type[TyperGroup]:
    """A group class that lists commands in this order; Typer lists all groups first."""

    class InOrder(TyperGroup):
        def list_commands(self, ctx: object) -> list[str]:
            return names

    return InOrder
