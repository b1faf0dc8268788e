"""`scoring reproduce` from the command line."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from scoring.artifact.reproducibility import Reproduction
from scoring.cli import app
from scoring.evaluation.comparison import ValueDiff
from scoring.workflows import reproduce
from tests.cli.tables.test_reproducibility import SAME
from tests.conftest import KeptRuns

OTHER = msgspec.structs.replace(
    SAME, is_trained=False, is_same=False, data=(ValueDiff("sha256", "a" * 64, "b" * 64),)
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], prog_name="scoring")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Arguments of the calls of the workflow, which is replaced; tests/workflows/test_reproduce.py trains."""
    recorded: list[Any] = []

    def answer(run: str, paths: tuple[str, ...], *, is_mismatch_ignored: bool, **_: Any) -> Reproduction:
        recorded.append((run, list(paths), is_mismatch_ignored))
        return SAME if run == "476aacb" else OTHER

    monkeypatch.setattr(reproduce, "reproduce", answer)
    return recorded


def test_answers_and_exit_codes(calls: list[Any]) -> None:
    done = run("reproduce", "476aacb")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("the same bytes")
    done = run("reproduce", "a7f166b", "news", "more", "--ignore-data-mismatch")
    assert done.exit_code == 3
    assert done.stdout.splitlines()[-1].startswith("the records differ")
    assert calls == [("476aacb", [], False), ("a7f166b", ["news", "more"], True)]


@pytest.mark.parametrize(("run_id", "code", "is_same"), [("476aacb", 0, True), ("a7f166b", 3, False)])
def test_answers_for_programs(calls: list[Any], run_id: str, code: int, is_same: bool) -> None:
    done = run("reproduce", run_id, "--json")
    output = json.loads(done.stdout)
    assert (done.exit_code, output["is_same"], output["n_records"]) == (code, is_same, 600)
    assert output["data"] == ([] if is_same else [{"name": "sha256", "first": "a" * 64, "second": "b" * 64}])


def test_run_that_cannot_be_made_again(kept_runs: KeptRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_HOME", str(kept_runs.settings.home))
    assert run("reproduce").exit_code == 2
    done = run("reproduce", kept_runs.judged)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "got a run of kind 'evaluate', expected a training" in done.stderr
    done = run("reproduce", kept_runs.trained)  # its records were at "archive"
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: archive: got no such file or folder")
