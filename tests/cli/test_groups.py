"""Command groups: behaviour without a subcommand, options passed on, order of the help."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from scoring.cli.console import Terminal
from scoring.cli.groups import Group, add_all, name_of
from scoring.errors import ScoringError

Path = Annotated[str, typer.Argument()]


def stores(terminal: Terminal, name: str = "all", is_dry: bool = False) -> None:
    """List the stores."""
    terminal.out(f"stores {name} {is_dry}")


def clear(terminal: Terminal, path: Path) -> None:
    """Clear a store."""
    terminal.note("clearing")
    terminal.out(f"clear {path}")


def admire(terminal: Terminal) -> None:
    """Fail."""
    raise ScoringError("nothing to admire")


def zero(terminal: Terminal) -> None:
    """Do nothing."""
    terminal.out("zero")


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)
    add_all(app, [Group(stores, (clear, admire)), zero, Group(alone)])

    @app.callback()
    def main(context: typer.Context) -> None:
        context.obj = Terminal()

    return app


def alone(terminal: Terminal) -> None:
    """Has nothing below it yet."""
    terminal.out("alone")


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        (["stores"], 0, "stores all False\n"),
        (["stores", "--name", "one"], 0, "stores one False\n"),
        (["stores", "clear", "here"], 0, "clear here\n"),
        (["stores", "clear"], 2, ""),
        (["stores", "admire"], 2, ""),
        (["stores", "unknown"], 2, ""),
        (["zero"], 0, "zero\n"),
        (["alone"], 0, "alone\n"),
    ],
)
def test_group_works_alone_or_gives_way(
    app: typer.Typer, arguments: list[str], code: int, printed: str
) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (code, printed)


def test_failures_below_a_group_are_reported(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["stores", "admire"]).stderr == "error: nothing to admire\n"


@pytest.mark.parametrize("arguments", [["stores", "--quiet", "clear", "x"], ["stores", "clear", "x", "-q"]])
def test_flags_may_stand_before_the_command_below(app: typer.Typer, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["stores", "clear", "x"]).stderr == "clearing\n"
    assert CliRunner().invoke(app, arguments).stderr == ""


@pytest.mark.parametrize("given", [["--name", "one"], ["--is-dry"]])
def test_what_would_be_lost_is_refused(app: typer.Typer, given: list[str]) -> None:
    done = CliRunner().invoke(app, ["stores", *given, "clear", "here"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{given[0]} does not go with clear" in done.stderr


def test_help_lists_in_the_given_order(app: typer.Typer) -> None:
    lines = CliRunner().invoke(app, ["--help"]).stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if line] == ["stores", "zero", "alone"]
    below = CliRunner().invoke(app, ["stores", "--help"]).stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in below if line] == ["clear", "admire"]


def test_names() -> None:
    assert (name_of(Group(stores)), name_of(zero)) == ("stores", "zero")
