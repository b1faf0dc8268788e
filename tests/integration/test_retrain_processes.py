"""Scheduled retrainings: if one is killed, the champion still scores; of two at once, one trains."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from scoring.cli import app
from scoring.deployment.open_model import open_model
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.tracking import Store, champion, list_runs
from tests.conftest import Registry
from tests.integration.forks import Forks
from tests.workflows.test_promote import FIRST, stop
from tests.workflows.test_reproduce import CONFIG

SECONDS = 60


@pytest.fixture
def command(later: str, tmp_path: Path) -> list[str]:
    """A retraining of a tiny model."""
    (tmp_path / "tiny.yaml").write_bytes(msgspec.yaml.encode(CONFIG))
    write_sample(tmp_path / "news", n_records=150, seed=1)
    return ["retrain", str(tmp_path / "news"), later, "--config", str(tmp_path / "tiny.yaml"), "--quiet"]


def started(settings: Settings, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "scoring", *command],
        env=os.environ | {"SCORING_HOME": str(settings.home), "SCORING_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )


def wait_for(pid: int, is_there: Callable[[], bool]) -> None:
    ends = time.monotonic() + SECONDS
    while not is_there():
        assert Path(f"/proc/{pid}").exists(), "it ended too early"
        assert time.monotonic() < ends
        time.sleep(0.005)


def count(database: Path, rows: str) -> int:
    with closing(sqlite3.connect(database)) as store:
        (count,) = store.execute(f"SELECT count(*) FROM {rows}").fetchone()  # noqa: S608 -- of this file
    return int(count)


@pytest.mark.exhaustive
def test_killed_at_any_step_it_leaves_a_champion_that_scores(
    registry: Registry, forks: Forks, command: list[str], later: str
) -> None:
    settings = registry.settings
    store = Store(settings.tracking_uri, settings.home)
    documents = list(read_documents([later], on_fault=stop))[:5]
    expected = list(open_model(FIRST, settings).scorer.score(documents))
    scratch, pending = settings.home / "retrain", settings.home / "pending"
    database = settings.home / "mlflow.db"
    moments: dict[str, Callable[[], bool]] = {
        "fitting": scratch.exists,
        "the model is saved": lambda: any(scratch.glob("*/manifest.json")),
        "the run is prepared": lambda: pending.exists() and any(pending.iterdir()),
        "the run is half uploaded": lambda: count(database, "runs WHERE status = 'RUNNING'") > 0,
        "the version is there": lambda: count(database, "model_versions") > 1,
    }
    for moment, is_there in moments.items():
        pid = forks.start(*command)
        wait_for(pid, is_there)
        os.kill(pid, signal.SIGKILL)
        assert forks.wait().code == -signal.SIGKILL
        assert champion(store, "scoring") == FIRST, moment
        assert list(open_model(None, settings).scorer.score(documents)) == expected, moment
    assert forks.run(*command).code == 0
    assert champion(store, "scoring") not in (None, FIRST)
    assert champion(store, "scoring", "previous") == FIRST
    assert list(open_model(None, settings).scorer.score(documents)) != expected
    assert {run.status for run in list_runs(store)} <= {"FINISHED", "KILLED"}
    assert not scratch.exists()


@pytest.mark.exhaustive
def test_of_two_at_once_one_is_told_to_come_later_and_one_waits(
    registry: Registry, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is a process of its own; the others are commands in this one."""
    settings = registry.settings
    first = started(settings, *command)
    wait_for(first.pid, (settings.home / "retrain.holder").exists)
    monkeypatch.setenv("SCORING_HOME", str(settings.home))
    monkeypatch.setenv("SCORING_THREADS", "1")
    refused = CliRunner().invoke(app, command, prog_name="scoring")
    assert refused.exit_code == 2, refused.output
    assert first.poll() is None
    waiting = CliRunner().invoke(app, [*command, "--wait", "2"], prog_name="scoring")
    assert first.wait(SECONDS) == 0
    # By then the first has learned all that is new.
    assert waiting.exit_code == 0, waiting.output
    assert "unchanged: models:/scoring/2 stays champion" in waiting.output
    assert champion(Store(settings.tracking_uri, settings.home), "scoring") == "models:/scoring/2"
    assert count(settings.home / "mlflow.db", "runs") == 4
