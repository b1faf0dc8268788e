"""`scoring cache`, and the commands that use the cache, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


def n_kept() -> int:
    info = json.loads(run("cache", "info", "--json").stdout)
    assert info == json.loads(run("cache", "--json").stdout)
    assert Path(info["file"]).exists() == (info["n_bytes"] > 0)
    assert info["max_bytes"] == 256_000_000
    return int(info["n_records"])


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=12, seed=2)
    return tmp_path / "inbox"


def test_scores_are_the_same_with_and_without(training: TrainOutcome, inbox: Path) -> None:
    arguments = ("score", inbox, "--model", training.model, "--format", "jsonl")
    first = run(*arguments, "--no-cache")
    assert (first.exit_code, len(first.stdout.splitlines()), n_kept()) == (0, 12, 0)
    for _ in range(2):
        assert run(*arguments).stdout == first.stdout
        assert n_kept() == 12
    done = run("cache", "clear")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "12 records deleted from the cache\n")
    assert n_kept() == 0
    assert run(*arguments).stdout == first.stdout


def test_features_and_score_share_it(training: TrainOutcome, inbox: Path) -> None:
    assert run("features", inbox, "--output", "a.parquet").exit_code == 0
    assert n_kept() == 12
    assert run("score", inbox, "--model", training.model, "--as-of", "2018-05-01").exit_code == 0
    assert n_kept() == 24
    assert run("features", inbox, "--output", "b.parquet", "--no-cache").exit_code == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


def test_one_that_is_damaged_or_cannot_be_written_changes_no_score(
    training: TrainOutcome,
    inbox: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    arguments = ("score", inbox, "--model", training.model, "--format", "jsonl")
    first = run(*arguments)
    file = tmp_path / ".scoring" / "cache" / "features.db"
    data = file.read_bytes()
    file.write_bytes(data[:4096] + bytes(len(data) - 4096))
    damaged = run(*arguments)
    assert (damaged.exit_code, damaged.stdout) == (0, first.stdout)
    assert "features.db: damaged (database disk image is malformed), recreated" in caplog.text
    assert run(*arguments).stdout == first.stdout
    assert n_kept() == 12
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("SCORING_HOME", str(tmp_path / "taken"))
    without = run(*arguments)
    assert (without.exit_code, without.stdout, without.stderr) == (0, first.stdout, "")


def test_a_bound_of_nothing_keeps_nothing(
    training: TrainOutcome, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORING_CACHE_MB", "0")
    assert run("score", inbox, "--model", training.model).exit_code == 0
    assert json.loads(run("cache", "info", "--json").stdout)["n_records"] == 0
    shown = run("cache").stdout.split()
    assert shown[::2] == ["file", "n_records", "n_bytes", "max_bytes"]
