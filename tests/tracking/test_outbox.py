"""Runs kept for an unavailable store: uploaded once, oldest first."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import TrackingError
from scoring.tracking import (
    EvaluationRun,
    Store,
    TrainingRun,
    log_evaluation,
    log_training,
    resolve_model,
    runs,
    sync_runs,
)
from scoring.tracking.store import opened

Make = Callable[..., TrainingRun]


def search(store: Store) -> list[Any]:
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(ids))


def kept(store: Store) -> list[Path]:
    return sorted((store.home / "pending").glob("[!.]*"))


@pytest.fixture
def locked(store: Store) -> Store:
    """The store with a very short timeout."""
    return replace(store, timeout_seconds=0.05)


def log_while_locked(store: Store, *many: TrainingRun) -> None:
    with closing(sqlite3.connect(str(store.database))) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        for run in many:
            with pytest.raises(TrackingError, match="database is locked"):
                log_training(store, run)


def test_nothing_is_left_of_a_run_that_was_uploaded(store: Store, make_run: Make) -> None:
    log_training(store, make_run())
    assert list((store.home / "pending").iterdir()) == []
    assert sync_runs(store) == []


def test_nothing_pending_needs_no_store(tmp_path: Path) -> None:
    assert sync_runs(Store(f"sqlite:///{tmp_path}/home/mlflow.db", tmp_path / "home")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_kept_whole_when_the_store_is_locked(locked: Store, make_run: Make) -> None:
    with closing(sqlite3.connect(str(locked.database))) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError) as caught:
            log_training(locked, make_run(register="scoring"))
    (folder,) = kept(locked)
    assert str(caught.value) == (
        f"{locked}: cannot log run 'first': database is locked; "
        f"the run is kept in {folder}, `scoring runs sync` uploads it"
    )
    assert folder.name.startswith("20210401T120000Z-first-")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "run.json",
        "artifacts/config.json",
        "artifacts/evaluation.json",
        "artifacts/importances.csv",
        "artifacts/plots/importance.png",
        "artifacts/predictions.parquet",
        "model/manifest.json",
    }
    (synced,) = sync_runs(locked)
    (run,) = search(locked)
    assert (synced.folder, synced.run_id, synced.version) == (str(folder), run.info.run_id, 1)
    assert (run.info.status, run.data.metrics["quality_mae"]) == ("FINISHED", 1.5)
    assert (resolve_model(locked, "models:/scoring/1") / "manifest.json").is_file()
    assert list((locked.home / "pending").iterdir()) == []


def test_the_oldest_goes_first(locked: Store, make_run: Make) -> None:
    days = (9, 10, 2)
    log_while_locked(
        locked,
        *(make_run(run_name=f"day {day}", started_at=datetime(2021, 4, day, tzinfo=UTC)) for day in days),
    )
    names = {run.info.run_id: run.info.run_name for run in search(locked)}
    assert names == {}
    synced = sync_runs(locked)
    names = {run.info.run_id: run.info.run_name for run in search(locked)}
    assert [names[synced_run.run_id or ""] for synced_run in synced] == ["day 2", "day 9", "day 10"]


def test_a_run_goes_to_the_store_that_it_was_meant_for(store: Store, make_run: Make) -> None:
    elsewhere = Store("http://me:hidden@127.0.0.1:1", store.home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(TrackingError, match="Connection refused") as caught:
            log_training(elsewhere, make_run())
        with pytest.raises(TrackingError, match=r"cannot upload the pending runs: .*Connection refused"):
            sync_runs(elsewhere)
    assert "hidden" not in str(caught.value)
    (folder,) = kept(store)
    assert b"hidden" not in (folder / "run.json").read_bytes()
    (synced,) = sync_runs(store)
    assert synced.run_id is None
    assert synced.error == (
        f"{folder}: store: got {store}, expected http://***@127.0.0.1:1: name a store to send the run there"
    )
    (synced,) = sync_runs(store, is_any=True)
    assert [run.info.run_id for run in search(store)] == [synced.run_id]


def test_a_damaged_run_does_not_hold_up_the_others(locked: Store, make_run: Make) -> None:
    log_while_locked(locked, make_run(), make_run(run_name="second"), make_run(run_name="third"))
    first, second, _ = kept(locked)
    (first / "run.json").write_text('{"id": 1}')
    (second / "run.json").unlink()
    damaged, absent, whole = sync_runs(locked)
    assert (damaged.error or "").startswith(f"{first}/run.json: got a damaged run (")
    assert absent.error == f"{second}/run.json: cannot read the run: No such file or directory"
    assert [run.info.run_id for run in search(locked)] == [whole.run_id]
    assert kept(locked) == [first, second]


def test_a_home_that_cannot_be_written_is_named(store: Store, make_run: Make) -> None:
    (store.home / "pending").write_text("")
    with pytest.raises(TrackingError, match=r"/pending/20210401T120000Z-first-\w+: cannot keep the run: "):
        log_training(store, make_run())
    assert search(store) == []


def test_a_run_that_cannot_be_written_leaves_nothing(
    store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_evaluation", fail)
    with pytest.raises(TrackingError, match="cannot keep the run: No space left on device"):
        log_training(store, make_run())
    assert list((store.home / "pending").iterdir()) == []
    assert search(store) == []


def test_an_evaluation_and_odd_names_are_kept_too(locked: Store, make_run: Make) -> None:
    fields = {name: getattr(make_run(), name) for name in EvaluationRun.__dataclass_fields__}
    run = EvaluationRun(**(fields | {"run_name": "../evaluate a@1.0 / ü"}))
    with closing(sqlite3.connect(str(locked.database))) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match="kept in"):
            log_evaluation(locked, run)
    (folder,) = kept(locked)
    assert folder.name.startswith("20210401T120000Z-evaluate-a-1-0-")
    sync_runs(locked)
    assert [mlflow_run.info.run_name for mlflow_run in search(locked)] == ["../evaluate a@1.0 / ü"]


WRITING = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from scoring.evaluation.results import Evaluation
from scoring.tracking import EvaluationRun, Store, log_evaluation, runs

def wait(run, folder):
    folder.mkdir(exist_ok=True)
    (folder / "half.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)

runs.write_results = wait
home = Path(sys.argv[1])
log_evaluation(Store(f"sqlite:///{home}/mlflow.db", home), EvaluationRun(
    experiment="news", run_name="half", model="m", config={}, data_path="d", data_sha256="0", counts={},
    evaluation=Evaluation(0, None, None, {}, {}, (), {}), plots={}, started_at=datetime.now(UTC)))
"""


def test_a_run_whose_writing_was_killed_is_never_taken_up(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    command = [sys.executable, "-c", WRITING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert sync_runs(store) == []
        assert len(list((tmp_path / "pending").glob(".*.half"))) == 1  # who writes it lives
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert kept(store) == []
    assert sync_runs(store) == []
    assert list((tmp_path / "pending").iterdir()) == []


def test_what_was_left_of_a_run_that_was_killed_goes_with_the_next(store: Store, make_run: Make) -> None:
    half = store.home / "pending" / ".20210401T120000Z-first-012345.half"
    (half / "model").mkdir(parents=True)
    log_training(store, make_run())
    assert list((store.home / "pending").iterdir()) == []


SYNCING = """
import sys
from pathlib import Path
from scoring.tracking import Store, sync_runs, upload

def wait(*arguments):
    print("uploading", flush=True)
    sys.stdin.readline()
    whole(*arguments)

whole, upload._log_contents = upload._log_contents, wait
home = Path(sys.argv[1])
print(*(run.run_id for run in sync_runs(Store(f"sqlite:///{home}/mlflow.db", home))))
"""


def test_two_that_sync_at_once_upload_each_run_once(warm: str, locked: Store, make_run: Make) -> None:
    log_while_locked(locked, make_run(), make_run(run_name="second"))
    command = [warm, "-c", SYNCING, str(locked.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "uploading\n"
        threading.Timer(0.5, print, ["\n"], {"file": process.stdin, "flush": True}).start()
        own_ids = [
            synced_run.run_id or synced_run.error
            for synced_run in sync_runs(replace(locked, timeout_seconds=10.0))
        ]
        other_ids = process.communicate(timeout=60)[0].replace("uploading", "").split()
    assert {*own_ids, *other_ids} == {run.info.run_id for run in search(locked)}
    assert len(own_ids) + len(other_ids) == 2
    assert [run.info.status for run in search(locked)] == ["FINISHED"] * 2
    assert other_ids
    assert list((locked.home / "pending").iterdir()) == []


def test_a_run_of_a_newer_format_is_refused_and_stays(locked: Store, make_run: Make) -> None:
    log_while_locked(locked, make_run())
    (folder,) = kept(locked)
    file = folder / "run.json"
    file.write_text(
        file.read_text("utf-8").replace('"format": 2', '"format": 3, "of": "the future"'), "utf-8"
    )
    (synced,) = sync_runs(locked)
    message = "format 3 is newer than this version of scoring supports (2): upgrade scoring"
    assert (synced.error, kept(locked)) == (f"{file}: {message}", [folder])
    assert search(locked) == []


def test_a_run_of_before_formats_is_uploaded(locked: Store, make_run: Make) -> None:
    log_while_locked(locked, make_run())
    (folder,) = kept(locked)
    content = json.loads((folder / "run.json").read_text("utf-8"))
    for name in ("format", "home"):
        del content[name]
    (folder / "run.json").write_text(json.dumps(content), "utf-8")
    (synced,) = sync_runs(locked)
    assert (synced.error, len(search(locked))) == (None, 1)
