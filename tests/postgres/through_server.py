"""From training to scores through an MLflow server whose runs are in PostgreSQL.

Run by ``make test-postgres``; its name keeps it out of ``make test``. It needs PostgreSQL, and fails
without it.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scoring.tracking.store import Store, opened
from tests.integration.test_server import SMALL, Server, mlflow_server, run

pytestmark = pytest.mark.usefixtures("undrawn_plots")

INSTALL = "PostgreSQL is missing: apt-get install postgresql"
DATABASE = "mlflow"


def program(name: str) -> str:
    """Path of a program of PostgreSQL, which Debian keeps out of PATH; the newest version."""
    paths = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    path = str(paths[-1]) if paths else shutil.which(name)
    if path is None:
        pytest.fail(INSTALL)
    return path


def unprivileged() -> str | None:
    """A user for PostgreSQL, which refuses to run as root; None if the tests do not."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster of the test's own, which listens only in its own folder; yields its address."""
    initdb, pg_ctl, createdb = map(program, ("initdb", "pg_ctl", "createdb"))
    user = unprivileged()
    with tempfile.TemporaryDirectory(
        prefix="pg-"
    ) as folder:  # short: the path of a socket has 107 characters
        if user is not None:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"

        def call(*command: str) -> None:
            done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

        call(initdb, "--auth=trust", "--username=mlflow", "--no-sync", "--locale=C.UTF-8", "-D", data)
        # Its log is a file, since it would keep the output of this call open.
        call(pg_ctl, "-D", data, "-l", f"{folder}/log", "-o", settings, "-w", "start")
        try:
            call(createdb, "-h", folder, "-U", "mlflow", DATABASE)
            yield f"postgresql://mlflow@/{DATABASE}?host={folder}"
        finally:
            call(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with cluster() as address, mlflow_server(tmp_path_factory.mktemp("server"), address) as made:
        yield made


def answer(*arguments: object) -> Any:
    """What a command prints as JSON."""
    done = run(*arguments, "--json", "--quiet")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return json.loads(done.stdout)


def test_from_training_to_scores(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    for name, value in (("HOME", home), ("TRACKING_URI", server.url), ("THREADS", 1)):
        monkeypatch.setenv(f"SCORING_{name}", str(value))
    (tmp_path / "small.yaml").write_text(SMALL)
    assert run("sample", tmp_path / "news", "--records", "150", "--seed", "1", "--quiet").exit_code == 0
    assert run("sample", tmp_path / "inbox", "--records", "5", "--seed", "2", "--unlabelled").exit_code == 0

    first = answer("promote", "shipped", "--force", "--reason", "to begin with")
    assert (first["outcome"], first["version"]) == ("promoted", "models:/scoring/1")
    trained = answer("train", tmp_path / "news", "--config", tmp_path / "small.yaml")
    run_ids = {listed["run_id"] for listed in answer("runs", "--sort", "quality/r2")}
    assert run_ids == {first["run_id"], trained["run_id"]}
    (comparison,) = answer("compare", first["version"], trained["run_id"], tmp_path / "news")["comparisons"]
    assert comparison["differences"]["quality_mae"]["gain"] > 0
    second = answer("promote", trained["run_id"], "--force", "--reason", "it is the test's")
    assert (second["version"], second["champion"]) == ("models:/scoring/2", "models:/scoring/1")

    printed = [
        run("score", tmp_path / "inbox", *model).stdout
        for model in ((), ("--model", "models:/scoring@champion"), ("--model", trained["model"]))
    ]
    assert len(printed[0].splitlines()) == 5
    assert printed == [printed[0]] * 3
    with opened(Store(server.url, home), "read", writes=False) as client:
        mlflow_run = client.get_run(trained["run_id"])
        description = client.get_model_version("scoring", "2").description
        points = client.get_metric_history(trained["run_id"], "boosting/quality/test_mae")
    assert str(mlflow_run.info.artifact_uri).startswith("mlflow-artifacts:")
    assert mlflow_run.data.metrics["quality/r2"] == trained["metrics"]["quality_r2"]
    assert "it is the test's" in str(description)
    assert points
