"""A retraining that is killed half way: the champion scores, nothing half is left, the next goes through."""

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

from scoring.records.corpus import read_documents
from scoring.settings import Settings
from scoring.tracking import Store, champion, list_runs
from scoring.workflows.models import open_model
from tests.conftest import Registry
from tests.workflows.test_promote import FIRST, stop

SECONDS = 60


def started(settings: Settings, *paths: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "scoring", "retrain", *paths, "--quiet"],
        env=os.environ | {"SCORING_HOME": str(settings.home), "SCORING_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when(process: subprocess.Popen[bytes], is_there: Callable[[], bool]) -> None:
    ends = time.monotonic() + SECONDS
    while not is_there():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < ends
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def count_running(database: Path) -> int:
    with closing(sqlite3.connect(database)) as store:
        (count,) = store.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    return int(count)


def test_killed_at_any_step_it_leaves_a_champion_that_scores(
    registry: Registry, archive: Path, later: str
) -> None:
    settings, paths = registry.settings, (str(archive), later)
    store = Store(settings.tracking_uri, settings.home)
    documents = list(read_documents([later], on_fault=stop))[:5]
    expected = list(open_model(FIRST, settings).scorer.score(documents))
    scratch, pending = settings.home / "retrain", settings.home / "pending"
    moments: dict[str, Callable[[], bool]] = {
        "fitting": scratch.exists,
        "the model is saved": lambda: any(scratch.glob("*/manifest.json")),
        "the run is prepared": lambda: pending.exists() and any(pending.iterdir()),
        "the run is half uploaded": lambda: count_running(settings.home / "mlflow.db") > 0,
    }
    for moment, is_there in moments.items():
        kill_when(started(settings, *paths), is_there)
        assert champion(store, "scoring") == FIRST, moment
        assert list(open_model(None, settings).scorer.score(documents)) == expected, moment
    assert started(settings, *paths).wait(SECONDS) == 0
    in_charge = champion(store, "scoring")
    assert in_charge is not None
    assert in_charge != FIRST
    assert champion(store, "scoring", "previous") == FIRST
    assert list(open_model(None, settings).scorer.score(documents)) != expected
    assert {run.status for run in list_runs(store)} <= {"FINISHED", "KILLED"}
    assert not scratch.exists()
