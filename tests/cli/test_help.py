"""Help in words, on 80 columns, under headings; usage errors; completion in shells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scoring import cli
from scoring.cli.help import MAX_SUMMARY_CHARS

HEADINGS = ["Start", "Data", "Train", "Score", "Compare and promote", "Serve", "Admin"]
LEAKED = re.compile(
    r"Value error|Input should|pydantic|click|argument\(s\)"  # messages
    r"|list\[|<(int|str|float|path|bool)|range>|x>=|x<="  # metavars
)


def commands_of(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_of(below, (*words, name))


COMMANDS = list(commands_of(typer.main.get_command(cli.app)))


def help_of(*words: str) -> str:
    return CliRunner().invoke(cli.app, [*words, "--help"], prog_name="scoring", terminal_width=80).output


def test_commands_stand_under_headings() -> None:
    headings = re.findall(r"^(\w[\w ]+):$", help_of(), re.MULTILINE)
    assert headings == ["Options", *HEADINGS]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=lambda value: str(value))
def test_help_fits_80_columns_and_is_in_words(words: tuple[str, ...], command: Any) -> None:
    text = help_of(*words)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert LEAKED.findall(text) == []
    summary = command.get_short_help_str(1000)
    assert len(summary) <= MAX_SUMMARY_CHARS or not words
    assert not summary.endswith("...")


def test_values_are_described_in_words() -> None:
    text = " ".join(help_of("serve").split())
    assert "--port PORT Port; 0 for a free one. [default: 8080; 0 to 65535]" in text
    text = " ".join(help_of("score").split())
    assert text.startswith("Usage: scoring score [OPTIONS] PATH... ")
    assert "--coverage listed|derive" in text
    assert "--format FORMAT " in text
    assert "[one of table, jsonl, csv, parquet, markdown, github]" in text
    assert help_of("features").startswith("Usage: scoring features [OPTIONS] [PATH...]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "x", "--records", "many"], "got 'many', expected a whole number, 1 or more"),
        (["sample", "x", "--records", "0"], "got '0', expected a whole number, 1 or more"),
        (["sample", "x", "--records", "1.5"], "got '1.5', expected a whole number, 1 or more"),
        (["sample", "x", "--noise-ratio", "loud"], "got 'loud', expected a number"),
        (["sample", "x", "--layout", "wiki"], "got 'wiki', expected one of scoring, no-coverage, "),
        (["score", "x", "--format", "xml"], "got 'xml', expected one of table, jsonl, csv, "),
        (["score", "x", "--as-of", "noon"], "got 'noon', expected a time such as "),
        (["score"], "Missing argument 'PATH'"),
        (["score", "x", "--modle", "y"], "No such option: --modle"),
        (["score", "x", "--model"], "Option '--model' requires an argument"),
        (["validate", "x", "--quiet=3"], "Option '--quiet' does not take a value"),
        (["train", "x", "--coverage", "all"], "got 'all', expected one of listed, derive"),
        (["init", "x", "--preset", "wiki"], "got 'wiki', expected one of jekyll, "),
        (["tune", "x", "--timeout-minutes", "-1"], "got '-1', expected a number, 0 or more"),
        (["backtest", "x", "--since", "may"], "got 'may', expected a month such as "),
        (["backtest", "x", "--counts", "a"], "got 'a', expected numbers above 0 separated by commas"),
        (["backtest", "x", "--by", "day"], "got 'day', expected one of month, section, labels"),
        (["promote", "m", "--margin", "-1"], "got '-1', expected a number, 0 or more"),
        (["promote", "m", "--name", "a/b"], "got 'a/b', expected a name without / and :"),
        (["serve", "--port", "99999"], "got '99999', expected a whole number, 0 to 65535"),
        (["serve", "--workers", "0"], "got '0', expected a whole number, 1 to 64"),
        (["ui", "--port", "x"], "got 'x', expected a whole number, 1 to 65535"),
        (["config", "all", "of it"], "Unexpected: all of it"),
        (["scroe"], "No such command 'scroe'. Did you mean 'score'?"),
        (["cache", "klear"], "No such command 'klear'. Did you mean 'clear'?"),
        (["runs", "--limit", "\x1b[2J"], r"got '\x1b[2J', expected a whole number, 1 or more"),
    ],
)
def test_bad_input_is_answered_in_words(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(cli.app, arguments, prog_name="scoring")
    assert done.exit_code == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert message in line
    assert LEAKED.findall(done.stderr) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_a_shell(tmp_path: Path, shell: str) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "scoring"]
    shown = subprocess.run(
        [*command, "--show-completion", shell], env=environment, capture_output=True, text=True, check=True
    )
    assert "_SCORING_COMPLETE" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_completion_knows_commands_and_choices() -> None:
    def completions(words: str) -> str:
        environment = {
            **os.environ,
            "_SCORING_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "scoring"], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert completions("scoring prom").split() == ["promote"]
    assert "derive" in completions("scoring score --coverage d").split()
