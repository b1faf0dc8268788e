"""`scoring export` and `scoring import` from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.artifact.saved_model import SavedModel
from scoring.cli import app
from scoring.workflows.train import TrainOutcome


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


def test_there_and_back(training: TrainOutcome, saved: SavedModel, tmp_path: Path) -> None:
    done = run("export", training.model, "out/small.zip")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"out/small.zip: {saved.name}\n")
    done = run("import", "out/small.zip")
    home = tmp_path / ".scoring" / "models" / "small"
    assert (done.exit_code, done.stdout) == (0, f"{home}\n")
    assert done.stderr == f"out/small.zip: {saved.name}\n"
    done = run("import", "out/small.zip", "--output", "model", "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "model\n", "")
    for folder in (home, tmp_path / "model"):
        for file in Path(training.model).iterdir():
            assert (folder / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export"], "Missing argument"),
        (["export", "nowhere", "a.zip"], "error: model: got 'nowhere', expected a folder"),
        (["import", "nowhere.zip"], "error: nowhere.zip: cannot read the model: No such file"),
        (["import", "notes.zip"], "error: notes.zip: got something else or damaged"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "notes.zip").write_text("notes")
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.zip"]


def test_place_that_is_taken(training: TrainOutcome, tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    done = run("export", training.model, "folder.zip")
    assert (done.exit_code, done.stderr) == (2, "error: folder.zip: Is a directory\n")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.zip"]
