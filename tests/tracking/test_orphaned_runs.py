"""Runs of dead processes are distinguished from those of live ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from scoring.tracking import Store, TrainingRun, log_training, orphaned_runs
from scoring.tracking.orphaned_runs import is_alive, process_tags
from scoring.tracking.store import opened


@pytest.fixture(scope="module")
def dead() -> int:
    """Id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_process_is_identified_by_its_id_and_its_start(dead: int) -> None:
    tags = process_tags()
    assert tags["process.pid"] == str(os.getpid())
    assert tags == process_tags()
    started = tags["process.started"]
    assert int(started) > 0
    assert is_alive(os.getpid(), started)
    assert not is_alive(os.getpid(), "1")  # its id was given anew
    assert not is_alive(dead, started)


def test_in_doubt_a_process_is_alive(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    assert is_alive(os.getpid(), "")
    monkeypatch.setattr(orphaned_runs, "_started", lambda _: "")  # a system that does not tell
    assert is_alive(os.getpid(), "1")
    assert not is_alive(dead, "1")
    monkeypatch.setattr(os, "kill", lambda *_: (_ for _ in ()).throw(PermissionError))
    assert is_alive(1, "1")


def test_the_next_run_ends_those_that_dead_processes_left(
    store: Store, make_run: Callable[..., TrainingRun], dead: int
) -> None:
    own = process_tags()
    left = {
        "living": own,
        "dead": own | {"process.pid": str(dead)},
        "id given anew": own | {"process.started": "1"},
        "elsewhere": own | {"process.host": "elsewhere-01234567", "process.pid": str(dead)},
        "of others": {},
        "odd": own | {"process.pid": "x"},
    }
    with opened(store, "log", writes=True) as client:
        experiment = client.create_experiment("news", artifact_location=(store.home / "artifacts").as_uri())
        for name, tags in left.items():
            client.create_run(experiment, tags=tags, run_name=name)
    log_training(store, make_run())
    expected = dict.fromkeys(left, "RUNNING") | {"dead": "KILLED", "id given anew": "KILLED"}
    with opened(store, "read", writes=False) as client:
        by_name = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert {name: run.info.status for name, run in by_name.items()} == expected | {"first": "FINISHED"}
    assert own.items() <= by_name["first"].data.tags.items()
