"""`--format github`: faults, warnings and summaries as workflow commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.cli.annotations import annotation
from scoring.cli.console import Terminal, exit_code
from scoring.errors import Fault, ModelError, RecordError
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome

COMMAND = re.compile(r"::(error|warning|notice)(?: ((?:\w+=[^:,\r\n]*,?)+))?::([^\r\n]*)")
FAULTY = b"---\ntitle: Rain\nimages: high\nexcerpt: [a]\n---\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="scoring")


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A command as GitHub's runner reads it: level, properties and message."""
    match = COMMAND.fullmatch(line)
    assert match is not None, line
    level, properties, message = match.groups()
    values = dict(part.split("=", 1) for part in (properties or "").split(",") if part)
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        values = {name: value.replace(code, character) for name, value in values.items()}
        message = message.replace(code, character) if code not in ("%3A", "%2C") else message
    return level, values, message


@pytest.mark.parametrize("text", ["100 %", "%0A", "a\nb\r", "a:b,c::d", "::error::x", "", "café"])
def test_every_text_comes_back(text: str) -> None:
    line = annotation("warning", text, path=f"x/{text}", line=3, title=f"t{text}")
    assert parsed(line) == (
        "warning",
        {"file": f"x/{text}".rstrip("/"), "line": "3", "title": f"t{text}"},
        text,
    )


def test_files_are_those_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert annotation("error", "x", path="./a//b.md") == "::error file=a/b.md::x"
    assert annotation("error", "x", path="-", line=3) == "::error::x"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    assert annotation("error", "x", path="a.md") == f"::error file={tmp_path.name}/a.md::x"
    assert annotation("error", "x", path=f"{tmp_path}/a.md") == f"::error file={tmp_path.name}/a.md::x"
    assert annotation("error", "x", path="/else/a.md") == "::error file=/else/a.md::x"


def test_each_fault_and_warning_of_a_validation_is_one_command(tmp_path: Path) -> None:
    (tmp_path / "a, 100%.md").write_bytes(FAULTY)
    (tmp_path / "b.md").write_bytes(b"---\ntitle: Rain\ntopics: [Rain]\nprovider: Daily\n---\n")
    (tmp_path / "README.md").write_bytes(b"# News\n")
    done = run("validate", ".", "--format", "github")
    assert done.exit_code == 1
    assert [parsed(line) for line in done.stderr.splitlines()] == [
        ("error", {"file": "a, 100%.md", "line": "3", "title": "images"}, "got 'high', expected a list"),
        ("error", {"file": "a, 100%.md", "line": "4", "title": "excerpt"}, "got a list, expected text"),
        ("warning", {"file": "b.md", "line": "1", "title": "record"}, "no publishedDateTime"),
        ("notice", {}, "2 records; 1 file left out: 1 without front matter (first: ./README.md)"),
    ]
    assert parsed(done.stdout.rstrip("\n")) == ("notice", {}, "1 records can be used, 1 cannot")
    quiet = run("validate", ".", "--format", "github", "--quiet")
    assert {parsed(line)[0] for line in quiet.stderr.splitlines()} == {"error"}
    strict = run("validate", ".", "--format", "github", "--strict")
    assert parsed(strict.stderr.splitlines()[-1])[0] == "error"
    absent = run("validate", "absent", "--format", "github")
    assert (absent.exit_code, absent.stdout) == (2, "")
    assert parsed(absent.stderr.rstrip("\n"))[:2] == ("error", {"file": "absent", "title": "record"})
    assert run("validate", ".", "--format", "github", "--json").exit_code == 2


def test_faults_and_summaries_of_scoring_are_commands(tmp_path: Path, training: TrainOutcome) -> None:
    write_sample(tmp_path / "news", n_records=2, seed=5, is_labelled=False)
    (tmp_path / "news" / "bad.md").write_bytes(FAULTY)
    words = ("score", "news", "--model", training.model, "--format", "github")
    for more, summary in (
        (("--output", "a.github"), "a.github: 2 scores"),
        (("--write",), "2 of 2 files written: 6 labels filled, 0 renewed, 0 left alone"),
    ):
        done = run(*words, *more)
        assert done.exit_code == 1
        commands = [parsed(line) for line in done.stderr.splitlines()]
        assert [level for level, *_ in commands[:3]] == ["error", "error", "notice"]
        assert commands[0][1] == {"file": "news/bad.md", "line": "3", "title": "images"}
        assert commands[2][2] == summary
        assert all(line.startswith("written: news/") for line in done.stdout.splitlines())
    assert (tmp_path / "a.github").read_text().startswith('{"path":')
    for options in ([], ["--output", "x", "--dask", "local"]):
        refused = run(*words, *options)
        assert refused.exit_code == 2
        assert "--format github requires --write or --output, without --dask" in refused.stderr


def test_errors_and_warnings_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.has_annotations = True

    def fail(error: Exception) -> None:
        raise error

    terminal.warn("no champion")
    assert exit_code(terminal, lambda: fail(ModelError("no model"))) == 2
    assert exit_code(terminal, lambda: fail(RecordError(Fault("a.md", 0, "", "x", "y")))) == 2
    assert capsys.readouterr().err.splitlines() == [
        "::warning::no champion",
        "::error::no model",
        "::error file=a.md,title=record::got x, expected y",
    ]
