"""Opening a store: first use, and each way in which a store cannot be used."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store
from scoring.tracking.store import opened


def test_importing_does_not_import_mlflow_and_leaves_the_environment_alone() -> None:
    code = (
        "import os, sys; before = dict(os.environ); import scoring.tracking; "
        "print({'mlflow', 'pandas', 'matplotlib'} & set(sys.modules), before == dict(os.environ))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"


def test_four_processes_may_use_a_new_store_at_once(tmp_path: Path) -> None:
    home = tmp_path / "new"
    code = (
        "import sys; from pathlib import Path; from scoring.tracking.store import Store, opened\n"
        "home = Path(sys.argv[1])\n"
        "with opened(Store(f'sqlite:///{home}/mlflow.db', home), 'open', writes=True) as client:\n"
        "    print(client.create_experiment(sys.argv[2]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home), f"experiment {k}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for k in range(4)
    ]  # fmt: skip
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    assert sorted(int(out) for out, _ in answers) == [1, 2, 3, 4]
    assert [err for _, err in answers] == [""] * 4
    assert sorted(path.name for path in home.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


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


def test_a_home_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    store = Store(f"sqlite:///{tmp_path}/home/mlflow.db", tmp_path / "home")
    with pytest.raises(TrackingError) as caught, opened(store, "open", writes=True):
        pass
    assert str(caught.value).startswith(f"sqlite:///{tmp_path}/home/mlflow.db: cannot open: [Errno ")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one" * 9)
    store = Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    with (
        pytest.raises(TrackingError, match=r": cannot open: file is not a database$"),
        opened(store, "open", writes=False),
    ):
        pass


def test_a_store_that_another_process_holds_is_told_in_time(store: Store) -> None:
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


def test_a_server_that_is_down_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = Store(f"http://127.0.0.1:{port}", tmp_path)
    with pytest.raises(TrackingError) as caught, opened(store, "read", writes=False) as client:
        client.search_experiments()
    assert re.fullmatch(
        rf"http://127\.0\.0\.1:{port}: cannot read: .*Connection refused.*", str(caught.value)
    )


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
