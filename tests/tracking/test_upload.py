"""Uploading a run: its content for users of MLflow, and interrupted uploads."""

from __future__ import annotations

import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store, TrainingRun, log_training, resolve_model, sync_runs, upload
from scoring.tracking.provenance import REQUIREMENTS
from scoring.tracking.store import load_mlflow, opened

Make = Callable[..., TrainingRun]
SHA256 = "0123456789abcdef" * 4


def search(store: Store, filter_string: str = "") -> list[Any]:
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(ids, filter_string))


@pytest.fixture
def mlflow(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow as set up by its users: with the store's address in its own variable."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    return load_mlflow()


def test_the_model_has_figures_parameters_and_signature(store: Store, make_run: Make, mlflow: Any) -> None:
    logged = log_training(store, make_run(register="scoring", description="The first."))
    runs = mlflow.search_runs(experiment_names=["news"], filter_string="metrics.quality_mae < 2")
    assert list(runs["run_id"]) == [logged.run_id]
    (model,) = mlflow.search_logged_models(
        experiment_ids=list(runs["experiment_id"]),
        filter_string="metrics.quality_mae < 2",
        output_format="list",
    )
    assert (model.source_run_id, model.name, model.status) == (logged.run_id, "model", "READY")
    figures = {
        metric.key: (metric.value, metric.dataset_name, metric.dataset_digest) for metric in model.metrics
    }
    assert figures["quality_mae"] == (1.5, "news", SHA256[:36])
    assert set(figures) == set(mlflow.get_run(logged.run_id).data.metrics)
    assert model.params["quality.num_leaves"] == "31"
    signature = mlflow.models.get_model_info(model.model_uri).signature
    assert signature.inputs.required_input_names() == ["title"]
    assert "quality" in signature.outputs.input_names()


def test_the_model_asks_no_index_for_this_package(store: Store, make_run: Make) -> None:
    """The package travels as code: on an index, another project may have its import name."""
    address = log_training(store, make_run()).model_uri
    root = resolve_model(store, str(address)).parents[1]
    names = {line.partition("==")[0] for line in (root / "requirements.txt").read_text().splitlines()}
    assert names == set(REQUIREMENTS)
    assert not names & {"scoring", "news-scoring"}
    assert (root / "code").is_dir()


def test_the_run_says_who_made_it_and_what_it_is(store: Store, make_run: Make) -> None:
    log_training(store, make_run(description="The first."))
    tags = search(store)[0].data.tags
    assert tags["mlflow.note.content"].startswith("The first.\n\n`quality_mae` is 1.5")
    assert tags["mlflow.source.name"] == "scoring train"
    assert tags["mlflow.user"]


def test_the_registered_model_says_what_it_is(store: Store, make_run: Make) -> None:
    logged = log_training(store, make_run(register="scoring"))
    with opened(store, "promote", writes=True) as client:
        assert client.get_registered_model("scoring").description.startswith("Scores records of")
        version = client.get_model_version("scoring", "1")
        client.set_registered_model_alias("scoring", "champion", "1")
        client.update_registered_model("scoring", "Ours.")
    assert (logged.version, version.run_id, version.description) == (1, logged.run_id, None)
    log_training(store, make_run(register="scoring"))
    with opened(store, "read", writes=False) as client:
        model = client.get_registered_model("scoring")
    assert (model.description, model.aliases) == ("Ours.", {"champion": 1})


def test_a_run_ends_when_its_work_was_done(
    store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC)
    with monkeypatch.context() as patch:
        patch.setattr(upload, "log_model", fail_with(OSError(28, "full")))
        with pytest.raises(TrackingError, match="full"):
            log_training(store, make_run(started_at=began))
    (folder,) = (store.home / "pending").glob("[!.]*")
    done_at = (folder / "run.json").stat().st_mtime
    sync_runs(store)
    (run,) = search(store)
    assert run.info.start_time == int(began.timestamp() * 1000)
    assert run.info.end_time == int(done_at * 1000)


def fail_with(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("bug"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (OSError(28, "full"), "FAILED")],
)
def test_a_run_that_breaks_off_is_not_left_running(
    store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str
) -> None:
    monkeypatch.setattr(upload, "log_model", fail_with(error))
    expected = TrackingError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        log_training(store, make_run(register="scoring"))
    (run,) = search(store)
    assert run.info.status == status
    with opened(store, "read", writes=False) as client:
        assert client.search_registered_models() == []


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("mlflow.MlflowClient.log_inputs", marks=pytest.mark.exhaustive),
        "mlflow.MlflowClient.log_batch",
        pytest.param("mlflow.MlflowClient.create_logged_model", marks=pytest.mark.exhaustive),
        pytest.param("mlflow.MlflowClient.log_outputs", marks=pytest.mark.exhaustive),
        "mlflow.pyfunc.save_model",
        "mlflow.MlflowClient.log_model_artifacts",
        pytest.param("mlflow.MlflowClient.finalize_logged_model", marks=pytest.mark.exhaustive),
        "scoring.tracking.upload.log_metrics",
        pytest.param("mlflow.MlflowClient.log_artifacts", marks=pytest.mark.exhaustive),
        "scoring.tracking.upload.register_version",
    ],
)
def test_a_run_that_broke_off_is_completed_and_not_doubled(
    store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    load_mlflow()

    def break_off_after(*arguments: Any, **options: Any) -> None:
        whole(*arguments, **options)
        raise KeyboardInterrupt

    many = {"plain LightGBM": {f"figure_{k}": float(k) for k in range(120)}}
    training = make_run(register="scoring")
    training = replace(training, evaluation=msgspec.structs.replace(training.evaluation, baselines=many))
    with monkeypatch.context() as patch:
        parent, _, attribute = step.rpartition(".")
        whole = getattr(pkgutil.resolve_name(parent), attribute)
        patch.setattr(step, break_off_after)
        with pytest.raises(KeyboardInterrupt):
            log_training(store, training)
    (broken,) = search(store)
    (synced,) = sync_runs(store)
    (run,) = search(store)
    assert run.info.run_id == broken.info.run_id == synced.run_id
    assert (run.info.status, synced.version, synced.error) == ("FINISHED", 1, None)
    assert run.data.params["note"] == "x" * 6000
    assert len(run.data.metrics) == 127
    with opened(store, "read", writes=False) as client:
        assert [metric.value for metric in client.get_metric_history(run.info.run_id, "quality_mae")] == [1.5]
        (model,) = client.search_logged_models([run.info.experiment_id])
        assert sorted(metric.key for metric in model.metrics or []) == sorted(run.data.metrics)
        assert len(client.search_model_versions("name = 'scoring'")) == 1
        inputs = client.get_run(run.info.run_id).inputs
        assert inputs is not None
        assert len(inputs.dataset_inputs) == 1
        assert client.list_artifacts(run.info.run_id, "plots")[0].path == "plots/importance.png"


STUCK = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from scoring.evaluation.results import Evaluation
from scoring.tracking import EvaluationRun, Store, log_evaluation, upload

def wait(*_, **__):
    print("running", flush=True)
    time.sleep(60)

upload._log_contents = wait
home = Path(sys.argv[1])
log_evaluation(Store(f"sqlite:///{home}/mlflow.db", home), EvaluationRun(
    experiment="news", run_name="long", model="m", config={}, data_path="d", data_sha256="0", counts={},
    evaluation=Evaluation(0, None, None, {}, {}, (), {"path": np.array([], dtype=object)}),
    plots={}, started_at=datetime.now(UTC)))
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [pytest.param(signal.SIGTERM, "KILLED", marks=pytest.mark.exhaustive), (signal.SIGKILL, "RUNNING")],
)
def test_a_process_that_dies_leaves_a_run_that_can_be_completed(
    store: Store, number: signal.Signals, status: str
) -> None:
    command = [sys.executable, "-c", STUCK, str(store.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        code = process.wait(timeout=30)
    assert code == (128 + number if number == signal.SIGTERM else -number)
    (run,) = search(store)
    assert run.info.status == status
    (synced,) = sync_runs(store)
    (whole,) = search(store)
    assert (whole.info.run_id, whole.info.status) == (run.info.run_id, "FINISHED")
    assert (synced.run_id, synced.model_uri, synced.version) == (run.info.run_id, None, None)
    assert list((store.home / "pending").iterdir()) == []


def test_a_deleted_experiment_is_named(store: Store, make_run: Make) -> None:
    with opened(store, "delete", writes=True) as client:
        experiment = client.create_experiment("news", artifact_location=(store.home / "artifacts").as_uri())
        client.delete_experiment(experiment)
    with pytest.raises(TrackingError, match=r"experiment 'news' is deleted: restore it or use another name;"):
        log_training(store, make_run())
    (synced,) = sync_runs(store)
    assert synced.error is not None
    assert "experiment 'news' is deleted" in synced.error
    with opened(store, "restore", writes=True) as client:
        client.restore_experiment(experiment)
    (synced,) = sync_runs(store)
    assert synced.error is None
    assert [run.info.run_id for run in search(store)] == [synced.run_id]
