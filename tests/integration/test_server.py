"""An MLflow server as the store, from training to scores: runs in SQLite, artifacts through the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from scoring.artifact.saved_model import load_model
from scoring.cli import app
from scoring.tracking.store import Store, opened
from tests.integration.test_service import serving, wait_until

# `make test-postgres` checks the same in brief, with PostgreSQL behind the server.
pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("undrawn_plots")]

SMALL = """\
n_bootstrap: 0
model:
  n_folds: 2
  sections: {design: shared}
  quality: {num_iterations: 20, params: {objective: regression_l1, num_leaves: 7, min_data_in_leaf: 10}}
  spread: {num_iterations: 10, params: {objective: regression, num_leaves: 4, min_data_in_leaf: 10}}
"""


class Server(NamedTuple):
    """A running server: its address, and its folder."""

    url: str
    folder: Path


class Trained(NamedTuple):
    """A site trained with the server as its store: its folder, and the JSON that the training printed."""

    store: Store
    folder: Path
    outcome: dict[str, Any]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db") as made:
        yield made


@contextmanager
def mlflow_server(folder: Path, backend_store_uri: str) -> Iterator[Server]:
    """Run MLflow's server, which keeps its artifacts in a folder and serves them itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", backend_store_uri, "--workers", "1"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | quiet | {"PATH": path},
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_until_up(f"http://127.0.0.1:{port}/health", process, log)
            yield Server(f"http://127.0.0.1:{port}", folder)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # its worker too


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- our own server
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}, exit code {process.poll()}: {log.read_text()}")


@pytest.fixture(scope="module")
def trained(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("site")
    (folder / "small.yaml").write_text(SMALL)
    assert run("sample", folder / "news", "--records", "150", "--seed", "1", "--quiet").exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORING_HOME", str(folder / "home"))
        patch.setenv("SCORING_THREADS", "1")
        options = ["--config", folder / "small.yaml", "--tracking-uri", server.url, "--register", "site"]
        done = run("train", folder / "news", *options, "--json", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    return Trained(Store(server.url, folder / "home"), folder, json.loads(done.stdout))


@pytest.fixture
def home(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of the site that was trained."""
    monkeypatch.setenv("SCORING_HOME", str(trained.store.home))
    monkeypatch.setenv("SCORING_TRACKING_URI", trained.store.tracking_uri)
    monkeypatch.setenv("SCORING_THREADS", "1")
    return trained.store.home


def test_a_training_is_on_the_server_with_its_files(server: Server, trained: Trained) -> None:
    with opened(trained.store, "read", writes=False) as client:
        mlflow_run = client.get_run(trained.outcome["run_id"])
        (model,) = client.search_logged_models([mlflow_run.info.experiment_id])
        version = client.get_model_version("site", "1")
        files = {file.path for file in client.list_artifacts(mlflow_run.info.run_id)}
    assert mlflow_run.info.status == "FINISHED"
    assert mlflow_run.data.metrics["quality_mae"] == pytest.approx(trained.outcome["metrics"]["quality_mae"])
    assert mlflow_run.info.artifact_uri is not None
    assert mlflow_run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert files >= {"config.json", "evaluation.json", "importances.csv", "plots", "predictions.parquet"}
    assert any((server.folder / "artifacts").rglob("evaluation.json"))
    assert mlflow_run.inputs is not None
    (data,) = mlflow_run.inputs.dataset_inputs
    assert data.dataset.digest == trained.outcome["data_sha256"][:36]
    assert {tag.key: tag.value for tag in data.tags}["sha256"] == trained.outcome["data_sha256"]
    assert "quality_mae" in {metric.key for metric in model.metrics or []}
    assert (version.run_id, version.status, version.aliases) == (mlflow_run.info.run_id, "READY", [])
    assert version.tags["data_sha256"] == trained.outcome["data_sha256"]
    # At home there is the model, no store, and no run that waits for one.
    names = sorted(path.name for path in trained.store.home.iterdir())
    assert names == ["home.json", "models", "pending"]
    assert list((trained.store.home / "pending").iterdir()) == []


def test_each_address_gives_the_scores_of_the_folder(trained: Trained, home: Path, tmp_path: Path) -> None:
    assert run("sample", tmp_path / "inbox", "--records", "5", "--seed", "2", "--unlabelled").exit_code == 0
    with opened(trained.store, "promote", writes=True) as client:
        client.set_registered_model_alias("site", "champion", "1")
    run_id = trained.outcome["run_id"]
    specs = [trained.outcome["model"], f"runs:/{run_id}", "models:/site/1", "models:/site@champion"]
    printed = [run("score", tmp_path / "inbox", "--model", spec).stdout for spec in specs]
    assert len(printed[0].splitlines()) == 5
    assert printed == [printed[0]] * 4
    assert len(list((home / "models").glob("[0-9a-f]" * 16))) == 1  # downloaded once


@pytest.mark.exhaustive
def test_a_service_follows_the_champion(trained: Trained, home: Path, tmp_path: Path) -> None:
    (tmp_path / "smaller.yaml").write_text(SMALL.replace("num_iterations: 20", "num_iterations: 5"))
    options = ["--config", tmp_path / "smaller.yaml", "--register", "site", "--quiet"]
    done = run("train", trained.folder / "news", *options)
    assert done.exit_code == 0, done.stderr
    assert run("sample", tmp_path / "inbox", "--records", "1", "--seed", "2", "--unlabelled").exit_code == 0
    (record,) = (tmp_path / "inbox").glob("*.md")

    def name_champion(version: str) -> None:
        with opened(trained.store, "promote", writes=True) as client:
            client.set_registered_model_alias("site", "champion", version)

    def asked(path: str, *body: bytes) -> dict[str, Any]:
        response: dict[str, Any] = json.loads(service.ask(path, *body, kind="text/markdown")[1])
        return response

    def scored(version: str) -> dict[str, Any]:
        printed = run("score", record, "--model", f"models:/site/{version}").stdout
        score: dict[str, Any] = json.loads(printed)
        return score | {"path": "-"}

    name_champion("1")
    places = {"SCORING_HOME": str(home), "SCORING_TRACKING_URI": trained.store.tracking_uri}
    with serving(tmp_path, "--model", "models:/site@champion", **places) as service:
        for version in ("1", "2", "1"):
            name_champion(version)
            service.process.send_signal(signal.SIGHUP)  # a server is asked by itself but once a minute
            wait_until(lambda: asked("/v1/model")["address"] == f"models:/site/{version}")  # noqa: B023 -- ends here
            assert asked("/v1/model")["alias"] == "champion"
            assert asked("/v1/score", record.read_bytes()) == scored(version)
        assert [event["event"] for event in service.events()].count("model swapped") == 2


@pytest.mark.exhaustive
def test_an_evaluation_is_on_the_server(trained: Trained, home: Path, tmp_path: Path) -> None:
    assert run("sample", tmp_path / "later", "--records", "30", "--seed", "3").exit_code == 0
    done = run("evaluate", tmp_path / "later", "--model", trained.outcome["model"], "--json")
    assert done.exit_code == 0, done.output
    with opened(trained.store, "read", writes=False) as client:
        mlflow_run = client.get_run(json.loads(done.stdout)["run_id"])
    assert (mlflow_run.info.status, mlflow_run.data.tags["type"]) == ("FINISHED", "evaluate")
    assert mlflow_run.data.metrics["records/evaluated"] == 30


def test_a_wrong_address_is_one_line_and_the_run_is_kept_for_later(
    server: Server, trained: Trained, home: Path, tmp_path: Path
) -> None:
    wrong = f"{server.url}/elsewhere"
    assert run("sample", tmp_path / "later", "--records", "30", "--seed", "3").exit_code == 0
    evaluate = ["evaluate", tmp_path / "later", "--model", trained.outcome["model"], "--quiet"]
    done = run(*evaluate, "--tracking-uri", wrong)
    (folder,) = (home / "pending").glob("[!.]*")
    name = load_model(Path(trained.outcome["model"])).name
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        f"error: {wrong}: cannot log run 'evaluate {name}': the server answered 404: is this "
        f"the address of an MLflow server?; the run is kept in {folder}, `scoring runs sync` uploads it"
    )
    done = run("runs", "sync", "--tracking-uri", wrong)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {wrong}: cannot upload the pending runs: the server answered 404: is this the address of an "
        "MLflow server?\n"
    )
    done = run("runs", "sync")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {folder}: store: got {server.url}, expected {wrong}: name a store to send the run there\n"
    )
    done = run("runs", "sync", "--tracking-uri", server.url)
    assert (done.exit_code, done.stderr) == (0, "1 of 1 pending runs uploaded\n")
    run_id = done.stdout.strip().removeprefix(f"{folder}: run ")
    with opened(trained.store, "read", writes=False) as client:
        mlflow_run = client.get_run(run_id)
    assert (mlflow_run.info.status, mlflow_run.data.tags["model"]) == ("FINISHED", name)
    done = run("runs", "sync")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "0 of 0 pending runs uploaded\n")
