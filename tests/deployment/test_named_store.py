"""Read-only commands do not create a store that is named but missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.cli import app
from scoring.records.synthetic.generate import write_sample

TYPO = "sqlite:///typo/mlflow.db"


@pytest.mark.parametrize(
    "command",
    [
        ["score", "inbox"],
        ["score", "inbox", "--write"],
        ["explain", "inbox/one.md"],
        ["evaluate", "inbox"],
        ["drift", "inbox"],
        ["watch", "inbox"],
        ["serve", "--port", "0"],
        ["score", "inbox", "--dask", "local", "--output", "scores"],
        ["export", "models:/scoring@champion", "model.zip"],
        ["compare", "abcdef", "fedcba"],
        ["runs"],
        ["ui"],
        ["reproduce", "abcdef"],
    ],
    ids=" ".join,
)
def test_a_mistyped_store_is_an_error_and_stays_away(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", TYPO)
    write_sample(tmp_path / "inbox", n_records=1, seed=1)
    record = next((tmp_path / "inbox").iterdir()).rename(tmp_path / "inbox" / "one.md")
    before = record.read_bytes()
    done = CliRunner().invoke(app, command, prog_name="scoring")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert TYPO in done.stderr
    assert not (tmp_path / "typo").exists()
    assert record.read_bytes() == before
