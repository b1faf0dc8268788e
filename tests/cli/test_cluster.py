"""Cluster options without a cluster: conflicts and messages; tests/distributed has real clusters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.cli import app


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "news", "--partition-mb", "8"], "--partition-mb requires --dask"),
        (["features", "news", "--output", "out", "--partition-mb", "8"], "--partition-mb requires --dask"),
        (["train", "news", "--partition-mb", "8"], "--partition-mb requires --dask"),
        (["score", "news", "--dask", "local"], "--dask requires --output, and --format jsonl or parquet"),
        (
            ["score", "news", "--dask", "local", "--output", "out", "--format", "csv"],
            "--dask requires --output, and --format jsonl or parquet",
        ),
        (
            ["score", "news", "--dask", "local", "--output", "out.csv"],
            "--dask requires --output, and --format jsonl or parquet",
        ),
        (["score", "news", "--dask", "--output", "out"], "--dask: got '--output', expected the address of a"),
        (
            ["features", "news", "--output", "f.csv"],
            "--output: got 'f.csv', expected FILE.parquet",
        ),
        (["score", "news", "--dask", "local", "--write"], "--write cannot be combined"),
        (
            ["score", "news", "--dask", "local", "--output", "out", "--partition-mb", "0"],
            "expected a whole number, 1 or more",
        ),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert message in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    "command",
    [["score", "--output", "out"], ["features", "--output", "out"], ["train", "--no-track"]],
    ids=lambda command: command[0],
)
def test_dask_is_asked_for(command: list[str], archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scoring.distributed.cluster", raising=False)
    monkeypatch.delattr("scoring.distributed.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = CliRunner().invoke(app, [*command, str(archive), "--dask", "local"])
    assert (done.exit_code, done.output) == (
        2,
        "error: a cluster needs Dask: pip install 'news-scoring[dask]'\n",
    )


def test_records_that_are_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["score", "nowhere", "--dask", "local", "--output", "out"])
    assert done.exit_code == 2
    assert "nowhere: got no such file or folder" in done.output
    assert list(tmp_path.iterdir()) == []
