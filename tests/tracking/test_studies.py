"""A study in the store: updated as trials come, each logged once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring.errors import TrackingError
from scoring.tracking import Store, StudyRun, log_study
from scoring.tracking.orphaned_runs import process_tags
from scoring.tracking.store import opened
from scoring.tuning.search_space import Trial

TRIALS = (
    Trial(0, {"n_folds": 3, "quality.params.objective": "huber"}, 4.0, 2.5, 17),
    Trial(2, {"n_folds": 5, "quality.params.objective": "regression"}, 9.0),
    Trial(3, {"n_folds": 2, "quality.params.objective": "regression"}, 3.0, 2.25, 8),
)
RUN = StudyRun(
    experiment="news",
    study="first",
    began_at="2021-04-01T12:00:00+00:00",
    config={"model": {"n_folds": 3}},
    data_path="inbox",
    data_sha256="0123456789abcdef" * 4,
    counts={"training": 80, "validation": 20},
    trials=TRIALS[:1],
    best={"model": {"n_folds": 3}},
)


def search(store: Store) -> list[Any]:
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(ids, order_by=["attributes.start_time", "attributes.run_name"]))


def test_a_study_that_goes_on_keeps_its_run(store: Store, tmp_path: Path) -> None:
    run_id = log_study(store, RUN)
    assert log_study(store, RUN) == run_id
    assert len(search(store)) == 2, "a trial was logged twice"
    assert log_study(store, replace(RUN, trials=TRIALS, best={"model": {"n_folds": 2}})) == run_id

    runs = {run.info.run_name: run for run in search(store)}
    assert sorted(runs) == ["first 0", "first 2", "first 3", "tune first"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert all(process_tags().items() <= run.data.tags.items() for run in runs.values())
    outer = runs.pop("tune first").data
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {run_id}
    assert outer.params == {"model.n_folds": "3"}
    assert {name: outer.metrics[name] for name in ("best_quality_mae", "n_trials", "records/training")} == {
        "best_quality_mae": 2.25,
        "n_trials": 3.0,
        "records/training": 80.0,
    }
    assert runs["first 3"].data.metrics == {"quality_mae": 2.25, "rubric_mae": 3.0, "n_trees": 8.0}
    assert runs["first 3"].data.params == {"n_folds": "2", "quality.params.objective": "regression"}
    assert runs["first 2"].data.metrics == {"rubric_mae": 9.0}
    assert [runs[f"first {number}"].data.tags["state"] for number in (0, 2, 3)] == [
        "complete",
        "pruned",
        "complete",
    ]
    with opened(store, "read", writes=False) as client:
        steps = [
            (metric.step, metric.value) for metric in client.get_metric_history(run_id, "trial/quality_mae")
        ]
        assert steps == [(0, 2.5), (3, 2.25)]
        best = Path(client.download_artifacts(run_id, "best.yaml", str(tmp_path)))
        rows = Path(client.download_artifacts(run_id, "trials.csv", str(tmp_path))).read_text().splitlines()
    assert yaml.safe_load(best.read_text()) == {"model": {"n_folds": 2}}
    assert rows[0] == "trial,quality_mae,rubric_mae,n_trees,n_folds,quality.params.objective"
    assert rows[2] == "2,,9.0,,5,regression"


def test_a_study_begun_anew_has_a_run_of_its_own(store: Store) -> None:
    first = log_study(store, RUN)
    second = log_study(store, replace(RUN, began_at="2021-04-02T12:00:00+00:00"))
    assert first != second
    assert len(search(store)) == 4


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(f"sqlite:///{tmp_path}/file/mlflow.db", tmp_path)
    with pytest.raises(TrackingError, match="cannot log study 'first'"):
        log_study(store, RUN)
