"""A program that uses MLflow itself: its active run, model, addresses and environment stay as they were."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import TrackingError
from scoring.tracking import (
    EvaluationRun,
    Store,
    StudyRun,
    TrainingRun,
    champion,
    list_runs,
    log_evaluation,
    log_study,
    log_training,
    register_run,
    sync_runs,
    upload,
)
from scoring.tracking.store import load_mlflow, opened
from scoring.tuning.search_space import Trial

Make = Callable[..., TrainingRun]
PARENT = "mlflow.parentRunId"
STUDY = StudyRun(
    experiment="news",
    study="first",
    began_at="2021-04-01T12:00:00+00:00",
    config={"model": {"n_folds": 3}},
    data_path="inbox",
    data_sha256="0" * 64,
    counts={"training": 80},
    trials=(Trial(0, {"n_folds": 3}, 4.0, 2.5, 17),),
    best={},
)


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)  # a copied store keeps the artifacts of its default experiment in ./mlruns
    mlflow = load_mlflow()
    yield mlflow
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.tracking.fluent._active_experiment_id = None  # nothing public forgets it
    mlflow.clear_active_model()
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


@pytest.fixture
def elsewhere(template: Path, tmp_path: Path) -> str:
    """Address of another store, which is the caller's."""
    (tmp_path / "caller").mkdir()
    return f"sqlite:///{shutil.copy(template, tmp_path / 'caller')}"


def state(mlflow: Any) -> dict[str, Any]:
    """Everything that MLflow keeps for the process, and the active run as its store has it."""
    active = mlflow.active_run()
    return {
        "active run": active.info.run_id if active else None,
        "stored run": mlflow.get_run(active.info.run_id).to_dictionary() if active else None,
        "tracking": mlflow.get_tracking_uri(),
        "registry": mlflow.get_registry_uri(),
        "experiment": mlflow.tracking.fluent._get_experiment_id() if active else None,
        "model": mlflow.get_active_model_id(),
        "environment": dict(os.environ),
        "path": list(sys.path),
    }


def run_of(store: Store, run_id: str) -> Any:
    with opened(store, "read", writes=False) as client:
        return client.get_run(run_id)


def evaluation(make_run: Make, **changes: Any) -> EvaluationRun:
    run = make_run(**changes)
    return EvaluationRun(**{name: getattr(run, name) for name in EvaluationRun.__dataclass_fields__})


def log_each(store: Store, make_run: Make) -> list[str]:
    """One run of each way in which this package logs."""
    trained = log_training(store, make_run(register="scoring")).run_id
    register_run(store, "other", trained, description="", tags={})
    return [trained, log_evaluation(store, evaluation(make_run)), log_study(store, STUDY)]


def test_runs_are_nested_under_the_callers_which_stays_active(
    store: Store, make_run: Make, mlflow: Any
) -> None:
    mlflow.set_tracking_uri(store.tracking_uri)
    mlflow.set_experiment("caller")
    with mlflow.start_run(run_name="outer") as outer:
        mlflow.log_param("of_the_caller", 1)
        before = state(mlflow)
        logged = log_each(store, make_run)
        assert state(mlflow) == before
        mlflow.log_metric("of_the_caller", 2.0)
    assert mlflow.get_run(outer.info.run_id).info.status == "FINISHED"
    for run_id in logged:
        run = run_of(store, run_id)
        assert (run.data.tags[PARENT], run.info.status) == (outer.info.run_id, "FINISHED")
    assert {run.run_id for run in list_runs(store)} == {*logged, outer.info.run_id}, "they are listed"


def test_a_run_in_another_store_is_no_parent_and_stays(
    store: Store, make_run: Make, mlflow: Any, elsewhere: str
) -> None:
    mlflow.set_tracking_uri(elsewhere)
    mlflow.set_registry_uri(elsewhere)
    with mlflow.start_run():
        before = state(mlflow)
        logged = log_each(store, make_run)
        assert state(mlflow) == before
    assert [PARENT in run_of(store, run_id).data.tags for run_id in logged] == [False] * 3
    assert mlflow.MlflowClient(elsewhere).search_registered_models() == []


def test_an_address_that_the_caller_has_in_its_environment_stays(
    store: Store, make_run: Make, mlflow: Any, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    before = state(mlflow)
    log_each(store, make_run)
    assert state(mlflow) == before
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    assert mlflow.get_tracking_uri() == store.tracking_uri, "the variable still counts"


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_figures_are_not_added_to_the_callers_active_model(
    store: Store, make_run: Make, mlflow: Any, elsewhere: str, is_elsewhere: bool
) -> None:
    mlflow.set_tracking_uri(elsewhere if is_elsewhere else store.tracking_uri)
    model = mlflow.set_active_model(name="caller")
    logged = log_each(store, make_run)
    assert mlflow.get_active_model_id() == model.model_id
    assert not mlflow.get_logged_model(model.model_id).metrics
    assert [run_of(store, run_id).info.status for run_id in logged] == ["FINISHED"] * 3


def test_a_run_is_whole_where_the_caller_logs_asynchronously(
    store: Store, make_run: Make, mlflow: Any
) -> None:
    mlflow.config.enable_async_logging(True)
    try:
        run = run_of(store, log_evaluation(store, evaluation(make_run)))
    finally:
        mlflow.config.enable_async_logging(False)
    assert run.data.metrics["quality_mae"] == 1.5
    assert run.data.params["quality.num_leaves"] == "31"


def test_a_run_that_is_uploaded_later_keeps_its_parent_where_that_is_there(
    store: Store, make_run: Make, mlflow: Any, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "full")

    mlflow.set_tracking_uri(store.tracking_uri)
    with mlflow.start_run() as outer, monkeypatch.context() as patch:
        patch.setattr(upload, "log_metrics", fail)
        for name in ("first", "second"):
            with pytest.raises(TrackingError, match="full"):
                log_evaluation(store, evaluation(make_run, run_name=name))
    pending = sorted((store.home / "pending").glob("[!.]*"))
    kept = pending[1].rename(store.home / "kept")
    (synced,) = sync_runs(store)
    assert run_of(store, str(synced.run_id)).data.tags[PARENT] == outer.info.run_id
    kept.rename(pending[1])
    other = Store(elsewhere, store.home)
    (synced,) = sync_runs(other, is_any=True)
    assert PARENT not in run_of(other, str(synced.run_id)).data.tags


def test_a_run_that_fails_leaves_the_callers_alone(
    store: Store, make_run: Make, mlflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise mlflow.exceptions.MlflowException("no more room")

    mlflow.set_tracking_uri(store.tracking_uri)
    monkeypatch.setattr(upload, "log_model", fail)
    with mlflow.start_run():
        before = state(mlflow)
        with pytest.raises(TrackingError, match=r"cannot log run 'first': no more room"):
            log_training(store, make_run())
        assert state(mlflow) == before


@pytest.mark.parametrize(
    ("address", "package"),
    [
        ("postgresql+psycopg2://me:hidden@127.0.0.1/news", "psycopg2-binary"),
        ("postgresql+psycopg://me:hidden@127.0.0.1/news", "'psycopg[binary]'"),
        ("mysql://me:hidden@127.0.0.1/news", "mysqlclient"),
        ("mysql+pymysql://me:hidden@127.0.0.1/news", "pymysql"),
        ("mssql+pyodbc://me:hidden@127.0.0.1/news", "pyodbc"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, package: str
) -> None:
    for module in ("psycopg2", "psycopg", "MySQLdb", "pymysql", "pyodbc"):
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.setattr(sys, "meta_path", [Without(module), *sys.meta_path])
    with pytest.raises(TrackingError) as caught:
        champion(Store(address, tmp_path), "scoring")
    where = address.replace("me:hidden", "***")
    assert str(caught.value).startswith(f"{where}: cannot look up the champion: it needs ")
    assert str(caught.value).endswith(f", which is not installed: pip install {package}")


class Without:
    """Lets a module be missing, whether or not it is installed here."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, name: str, *_: object) -> None:
        if name == self.module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


AUTOLOG = """
import sys
from pathlib import Path
import numpy as np
rows = np.random.default_rng(0).normal(size=(300, 3))
options = {"names": list("abc"), "params": {"objective": "regression"}, "num_threads": 1, "seed": 0}
for number, call in enumerate(sys.argv[1:]):
    exec(call)
    from scoring.training.lightgbm_trainer import train_booster
    text = train_booster(rows, rows[:, 0], num_iterations=5, **options).text
    text += train_booster(rows, rows[:, 0], num_iterations=9, validation=(rows[:50], rows[:50, 1]),
                          patience=2, start=rows[:, 2], **options).text
    sys.stdout.write(text + "\\0")
    if call:
        import lightgbm
        client = mlflow.MlflowClient()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        assert mlflow.active_run() is None
        n_runs = len(client.search_runs(experiments))
        data = lightgbm.Dataset(rows, rows[:, 0])
        lightgbm.train({"objective": "regression", "verbosity": -1}, data, num_boost_round=1)
        n_runs_after = len(client.search_runs(experiments))
        assert (n_runs, n_runs_after) == (number, number + 1), "those of the caller alone are logged"
"""


@pytest.mark.exhaustive
def test_autologging_of_the_caller_logs_no_training_of_ours(template: Path, tmp_path: Path) -> None:
    address = f"sqlite:///{shutil.copy(template, tmp_path / 'autolog.db')}"
    start = f"import mlflow, mlflow.lightgbm; mlflow.set_tracking_uri({address!r}); "
    options = "silent=True, log_models=False"  # a logged model is loaded in one more process
    # The experiment that each store begins with keeps its artifacts in the folder in which the tests began.
    made = f"artifact_location={str(tmp_path / 'artifacts')!r}"
    calls = [
        f"{start}mlflow.set_experiment(experiment_id=mlflow.create_experiment('{module}', {made})); "
        f"{module}.autolog({options})"
        for module in ("mlflow", "mlflow.lightgbm")
    ]
    (expected,), texts = (
        subprocess.run(
            [sys.executable, "-c", AUTOLOG, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.split("\0")[:-1]
        for arguments in ([""], calls)
    )
    assert texts == [expected, expected]
    assert expected.startswith("tree\n")
