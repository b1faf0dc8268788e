"""Commands that have commands of their own: what they do alone, and what they have below them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import typer
from typer.core import TyperGroup

from scoring.cli.options import as_command

Command = Callable[..., None]


class Group(NamedTuple):
    """A command with others below it.

    Parameters
    ----------
    function : callable
        What it does without one of them; its name is the group's.
    commands : tuple of callable
        Those below it.
    """

    function: Command
    commands: tuple[Command, ...] = ()


def name_of(command: Command | Group) -> str:
    """What the command is called on the command line, without the ``_`` of a word that Python keeps.

    Examples
    --------
    >>> def import_(): ...
    >>> name_of(import_)
    'import'
    """
    return (command.function if isinstance(command, Group) else command).__name__.removesuffix("_")


def add_all(app: typer.Typer, commands: Iterable[Command | Group]) -> None:
    """Add commands and groups to an application; its help lists them in their order."""
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
    """A group that lists its commands so: Typer's own lists all groups first."""

    class InOrder(TyperGroup):
        def list_commands(self, ctx: object) -> list[str]:
            return names

    return InOrder
