"""Write docs/cli.md, the reference of the commands, from their own help; run by ``make docs``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from scoring.cli import app

INTRODUCTION = """\
# Commands

Written by `make docs` from the help of the commands themselves; a test holds the two together.

| exit code | meaning |
|---|---|
| 0 | Done. |
| 1 | Some records (see stderr) could not be used or, with `--strict`, were left out; the rest were used. |
| 2 | Nothing was done: wrong usage, or an input, model, setting, store or output that cannot be used. |
| 3 | Negative result: a limit was exceeded, a model was refused, or a training was not reproduced. |
| 70 | A bug in this program. |
| 130 | Interrupted. |
| 141 | The reader of the output closed it; files were still written completely. |
| 143 | Terminated (SIGTERM). |
"""


def reference() -> str:
    """The whole page: the exit codes, then the help of each command, with those below a group after it."""
    return INTRODUCTION + "".join(_section(words) for words in words_of(typer.main.get_command(app)))


def words_of(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words by which a command and all commands below it are called."""
    yield words
    if isinstance(command, TyperGroup):
        for name in command.list_commands(typer.Context(command)):
            yield from words_of(command.commands[name], (*words, name))


def _section(words: tuple[str, ...]) -> str:
    arguments = [*words, "--help"]
    done = CliRunner().invoke(app, arguments, prog_name="scoring", terminal_width=100)
    if done.exit_code:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.exit_code}: {done.output}")
    title = " ".join(["scoring", *words])
    return f"\n## {title}\n\n```text\n{done.output.strip()}\n```\n"


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(reference(), "utf-8")
