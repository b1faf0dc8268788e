"""Opening a store: first use, and every way in which it can be unusable."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.storage.home import prepare_folder
from scoring.tracking import Store, resolve_model
from scoring.tracking.store import opened
from tests.privileges import held_by_modes


def test_importing_does_not_import_mlflow_and_leaves_the_environment_alone() -> None:
    code = (
        "import os, sys; before = dict(os.environ); import scoring.tracking; "
        "print({'mlflow', 'pandas', 'matplotlib'} & set(sys.modules), before == dict(os.environ))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"


def test_without_mlflow_an_existing_store_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.extras._is_installed", lambda module: module != "mlflow")
    store = Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    message = r"cannot look: runs and registered models need MLflow: pip install 'news-scoring\[track\]'$"
    with pytest.raises(TrackingError, match=message), opened(store, "look", writes=False):
        pass


# Forked from one process that has MLflow in memory: what is tested is the store, not the import.
AT_ONCE = """
import multiprocessing, sys
from pathlib import Path
from scoring.tracking.store import Store, opened

def use(home, name, start):
    start.wait()
    with opened(Store(f"sqlite:///{home}/mlflow.db", home), "log", writes=True) as client:
        run = client.create_run(client.create_experiment(name))
        client.log_metric(run.info.run_id, "quality_mae", 1.5)
        client.set_terminated(run.info.run_id)

with opened(Store(f"sqlite:///{sys.argv[2]}", Path(sys.argv[2]).parent), "warm up", writes=False) as client:
    client.search_experiments()
fork = multiprocessing.get_context("fork")
start = fork.Event()
workers = [fork.Process(target=use, args=(Path(sys.argv[1]), f"experiment {k}", start)) for k in range(4)]
for worker in workers:
    worker.start()
start.set()
for worker in workers:
    worker.join()
print([worker.exitcode for worker in workers])
"""


@pytest.mark.exhaustive
def test_four_processes_may_use_a_new_store_at_once(template: Path, tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    (home / ".mlflow-left").mkdir()  # of a creation that was killed
    (home / ".mlflow-left" / "mlflow.db-journal").write_text("half")
    command = [sys.executable, "-c", AT_ONCE, str(home), str(template)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0]\n", "")
    with opened(Store(f"sqlite:///{home}/mlflow.db", home), "read", writes=False) as client:
        experiments = {
            experiment.name: experiment.experiment_id for experiment in client.search_experiments()
        }
        runs = client.search_runs(list(experiments.values()), "metrics.quality_mae = 1.5")
    assert set(experiments) == {"Default", *(f"experiment {k}" for k in range(4))}
    assert {run.info.experiment_id for run in runs} == {"1", "2", "3", "4"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(path.name for path in home.iterdir()) == ["home.json", "mlflow.db", "mlflow.db.lock"]


@pytest.mark.usefixtures("new_stores")
def test_a_store_that_cannot_be_created_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(TrackingError, match=r"cannot open: MLflow did not create its tables: exit code 1$"),
        opened(Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path), "open", writes=True),
    ):
        pass
    assert not (tmp_path / "mlflow.db").exists()


def test_what_a_killed_writer_left_half_done_is_taken_back_by_who_only_looks(store: Store) -> None:
    assert store.database is not None
    tags = [(f"key {number}", "x" * 1000, 0) for number in range(500)]
    if (pid := os.fork()) == 0:
        db = sqlite3.connect(store.database)
        db.execute("PRAGMA cache_size = 2")  # pages, so that some are in the file before the end
        db.executemany("INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)", tags)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    journal = store.database.with_name("mlflow.db-journal")
    assert journal.stat().st_size > 0
    with opened(store, "read", writes=False) as client:
        (experiment,) = client.search_experiments()
    assert experiment.tags == {}
    assert not journal.exists()


def test_a_home_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    store = Store(f"sqlite:///{tmp_path}/home/mlflow.db", tmp_path / "home")
    with pytest.raises(TrackingError) as caught, opened(store, "open", writes=True):
        pass
    assert str(caught.value).startswith(f"sqlite:///{tmp_path}/home/mlflow.db: cannot open: [Errno ")


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 9)
    store = Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    with (
        pytest.raises(TrackingError, match=r": cannot open: file is not a database$"),
        opened(store, "open", writes=False),
    ):
        pass


def test_a_store_that_another_process_holds_is_reported_in_time(store: Store) -> None:
    with closing(sqlite3.connect(str(store.database))) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(TrackingError, match=r": cannot log: database is locked$"),
            opened(replace(store, timeout_seconds=0.1), "log", writes=True),
        ):
            pass


def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written(store: Store) -> None:
    read_only = replace(store, tracking_uri=f"sqlite:///file:{store.database}?mode=ro&uri=true")
    assert read_only.database == store.database
    with opened(read_only, "read", writes=False) as client:
        assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    with (
        pytest.raises(TrackingError, match=r": cannot log: attempt to write a readonly database$"),
        opened(read_only, "log", writes=True) as client,
    ):
        client.create_experiment("news")


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE alembic_version SET version_num = 'feedfacecafe'", "newer than this one, .* .feedfacecafe."),
        (
            "UPDATE alembic_version SET version_num = 'bd07f7e963c5'",
            "of an older MLflow .bd07f7e963c5.:",
        ),
        ("DROP TABLE alembic_version", "the file is a database, but has no MLflow store in it"),
    ],
)
def test_tables_of_another_version_or_program_are_left_alone(
    store: Store, sql: str, message: str, writes: bool
) -> None:
    def tables() -> list[tuple[str, int]]:
        with closing(sqlite3.connect(str(store.database))) as database:
            names = [
                row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return [(name, *database.execute(f"SELECT count(*) FROM {name}").fetchone()) for name in names]  # noqa: S608 -- of the tables

    with closing(sqlite3.connect(str(store.database))) as database:
        database.execute(sql)
        database.commit()
    before = tables()
    with (
        pytest.raises(TrackingError, match=rf": cannot look: .*{message}"),
        opened(store, "look", writes=writes) as client,
    ):
        client.search_experiments()
    assert tables() == before


def test_an_empty_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with (
        pytest.raises(TrackingError, match="the file is a database, but has no MLflow store in it"),
        opened(Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path), "log", writes=True),
    ):
        pass
    assert (tmp_path / "mlflow.db").read_bytes() == b""


@pytest.mark.parametrize("spec", ["runs:/" + "0" * 32, "models:/scoring/1", "models:/scoring@champion"])
def test_a_store_that_is_not_there_is_reported(tmp_path: Path, spec: str) -> None:
    store = Store(f"sqlite:///{tmp_path}/home/mlflow.db", tmp_path / "home")
    with pytest.raises(TrackingError) as caught:
        resolve_model(store, spec)
    assert str(caught.value) == f"{store}: cannot load {spec}: there is no store, nothing was logged yet"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def ordinary(template: Path, tmp_path: Path) -> Iterator[Store]:
    """A separate store, used without root's right to ignore file modes."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(template, home)
    store = Store(f"sqlite:///{home}/mlflow.db", home)
    with opened(store, "warm up", writes=False) as client:
        client.search_experiments()  # imports what might not be readable without root's rights
    with held_by_modes():
        yield store
        home.chmod(0o700)


def test_a_file_that_may_not_be_written_can_be_read(ordinary: Store) -> None:
    assert ordinary.database is not None
    ordinary.database.chmod(0o400)
    with opened(ordinary, "read", writes=False) as client:
        assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    with (
        pytest.raises(TrackingError, match=r": cannot log: attempt to write a readonly database$"),
        opened(ordinary, "log", writes=True),
    ):
        pass


def test_a_folder_that_may_not_be_written_can_be_read(ordinary: Store) -> None:
    ordinary.home.chmod(0o500)
    with opened(ordinary, "read", writes=False) as client:
        assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    with (
        pytest.raises(
            TrackingError, match=r": its folder is not writable, but SQLite needs a journal there$"
        ),
        opened(ordinary, "log", writes=True),
    ):
        pass


def test_a_store_in_a_folder_that_may_not_be_written_is_not_made(ordinary: Store) -> None:
    ordinary.home.chmod(0o500)
    new = replace(ordinary, tracking_uri=f"sqlite:///{ordinary.home}/new.db")
    with (
        pytest.raises(TrackingError, match=r": cannot log: .*Permission denied"),
        opened(new, "log", writes=True),
    ):
        pass


def test_a_password_in_the_address_is_never_shown(tmp_path: Path) -> None:
    store = Store("postgresql://site:hunter2@db.example.org/mlflow", tmp_path)
    assert str(store) == "postgresql://***@db.example.org/mlflow"
    assert "hunter2" not in repr(store)
    assert store.database is None


def test_mlflow_is_quiet_unless_asked(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    import logging

    logger = logging.getLogger("mlflow")
    before = logger.level
    with opened(store, "read", writes=False):
        assert logger.getEffectiveLevel() == logging.ERROR
    assert logger.level == before
    with opened(replace(store, is_verbose=True), "read", writes=False):
        assert logger.level == before


@pytest.mark.exhaustive
@pytest.mark.usefixtures("new_stores")
def test_a_store_that_is_made_in_the_place_of_a_lost_one_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    prepare_folder(tmp_path, "artifacts")
    assert store.lost is None
    (tmp_path / "artifacts" / "a").mkdir()
    lost = f"{store}: no such file, while {tmp_path}/artifacts has files: restore it from a backup"
    with pytest.raises(TrackingError, match=re.escape(lost)), opened(store, "look", writes=False):
        pass
    caplog.clear()
    with opened(store, "write", writes=True):
        pass
    assert caplog.messages == [f"{lost}; creating a new one"]
    assert store.lost is None
