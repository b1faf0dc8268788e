"""Queries return what was logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import TrackingError
from scoring.evaluation.results import Evaluation
from scoring.tracking import (
    Store,
    TrainingRun,
    Version,
    best_runs,
    find_run,
    list_runs,
    log_evaluation,
    log_training,
    read_columns,
    read_config,
    read_evaluation,
    read_run,
    run_of_version,
)
from scoring.tracking.store import load_mlflow, opened

Make = Callable[..., TrainingRun]
LATER = datetime(2021, 5, 1, tzinfo=UTC)
SHA256 = "0123456789abcdef" * 4


def alias(store: Store, name: str, version: int) -> None:
    with opened(store, "set an alias", writes=True) as client:
        client.set_registered_model_alias("scoring", name, str(version))


def test_runs_are_listed_newest_first_with_who_leads(store: Store, make_run: Make) -> None:
    first = log_training(store, make_run(register="scoring")).run_id
    second = log_evaluation(store, make_run(run_name="judged", experiment="other", started_at=LATER))
    alias(store, "champion", 1)
    alias(store, "previous", 1)
    evaluated, trained = list_runs(store)
    assert (evaluated.run_id, evaluated.name, evaluated.kind) == (second, "judged", "evaluate")
    assert (evaluated.experiment, evaluated.started_at, evaluated.versions) == ("other", LATER, ())
    assert (trained.run_id, trained.name, trained.kind, trained.status) == (
        first,
        "first",
        "train",
        "FINISHED",
    )
    assert trained.versions == (Version("scoring", 1, ("champion", "previous")),)
    with opened(store, "promote", writes=True) as client:
        client.set_model_version_tag("scoring", "1", "promoted_by", "gate")
    assert list_runs(store)[1].versions[0].tags == {"promoted_by": "gate"}
    assert (trained.model, trained.data_sha256) == ("default 1", SHA256)
    assert (trained.git_commit, trained.is_dirty) == ("", None)  # the working folder is no checkout
    assert trained.metrics["quality_mae"] == 1.5
    assert list_runs(store, "other") == [evaluated]
    with pytest.raises(TrackingError, match=r"experiment: got 'none', expected one of Default, news, other$"):
        list_runs(store, "none")


def test_the_state_of_the_checkout_is_reported(store: Store, make_run: Make) -> None:
    log_evaluation(store, make_run(tags={"git_commit": "abc", "git_dirty": "true"}))
    log_evaluation(store, make_run(tags={"git_commit": "abc", "git_dirty": "false"}, started_at=LATER))
    assert [(run.git_commit, run.is_dirty) for run in list_runs(store)] == [("abc", False), ("abc", True)]


def test_runs_within_a_run_are_left_out(store: Store, make_run: Make) -> None:
    fold = {"mlflow.parentRunId": "0" * 32, "type": "backtest fold"}
    log_evaluation(store, make_run(tags=fold))
    whole = log_evaluation(store, make_run())
    assert [run.run_id for run in list_runs(store)] == [whole]


def test_all_pages_are_read(store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {log_evaluation(store, make_run()) for _ in range(3)}
    client = load_mlflow().MlflowClient
    monkeypatch.setattr(client, "search_runs", partialmethod(client.search_runs, max_results=2))
    assert {run.run_id for run in list_runs(store)} == ids


def test_no_more_runs_are_read_than_are_wanted(
    store: Store, make_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest, and the best: both by pages of the store, which also has the metric in two spellings."""
    quality = [3.0, 1.0, 2.0]
    ids: list[str] = []
    for value in quality:
        run_id = log_evaluation(store, make_run(started_at=LATER + timedelta(hours=len(ids))))
        with opened(store, "log a metric", writes=True) as client:
            client.log_metric(run_id, "quality_r2" if value == 2.0 else "quality/r2", value)
        ids.append(run_id)
    n_read = 0
    client_class = load_mlflow().MlflowClient
    search = client_class.search_runs

    def counted(self: object, *arguments: object, **options: object) -> object:
        nonlocal n_read
        page = search(self, *arguments, **options | {"max_results": 1})
        n_read += len(page)
        return page

    monkeypatch.setattr(client_class, "search_runs", counted)
    assert [run.run_id for run in list_runs(store, limit=1)] == ids[:1:-1]
    assert n_read == 1
    lower = best_runs(store, "quality_r2", is_lower_better=True, limit=2)
    assert [(run.run_id, run.metrics["quality_r2"]) for run in lower] == [(ids[1], 1.0), (ids[2], 2.0)]
    higher = best_runs(store, "quality_r2", is_lower_better=False)
    assert [run.run_id for run in higher] == [ids[0], ids[2], ids[1]]
    assert [run.run_id for run in best_runs(store, "loss", is_lower_better=True)] == ids[::-1]
    assert list_runs(store, model="default 1", limit=1)[0].run_id == ids[-1]
    assert list_runs(store, model="an 'other'") == []


def test_a_store_that_does_not_exist_has_no_runs(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/none/mlflow.db", tmp_path / "none")
    assert list_runs(store) == []
    assert find_run(store, "abcdef") is None
    assert not (tmp_path / "none").exists()


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store, make_run: Make) -> None:
    run_id = log_evaluation(store, make_run())
    assert find_run(store, run_id) == find_run(store, run_id[:6]) == run_id
    absent = "0" if run_id[0] != "0" else "1"
    assert find_run(store, absent * 6) is None
    log_evaluation(store, make_run())
    with pytest.raises(TrackingError, match="2 runs start with '': give more digits of the id"):
        find_run(store, "")


def test_a_run_is_read_as_a_whole(store: Store, make_run: Make, tmp_path: Path) -> None:
    run_id = log_training(store, make_run()).run_id
    run = read_run(store, run_id)
    assert run.summary == list_runs(store)[0]
    assert run.params["quality.num_leaves"] == "31"
    assert run.tags["reason"] == "a test"
    assert run.data_path == str(tmp_path / "news")
    assert set(run.files) >= {"config.json", "evaluation.json", "predictions.parquet", "importances.csv"}
    assert read_columns(store, run) == {"quality": ("title_chars",)}
    assert read_config(store, run) == make_run().config
    with pytest.raises(TrackingError, match="cannot read run 0000"):
        read_run(store, "0" * 32)


def test_an_evaluation_is_read_as_it_was_logged(store: Store, make_run: Make) -> None:
    logged = make_run().evaluation
    moments = np.array(["2021-03-01T05:06:07", "NaT"], "datetime64[us]")
    predictions = {**logged.predictions, "published_at": moments, "lead": np.array([True, False])}
    values = {name: getattr(logged, name) for name in Evaluation.__struct_fields__}
    run_id = log_evaluation(store, make_run(evaluation=Evaluation(**values | {"predictions": predictions})))
    evaluation = read_evaluation(store, read_run(store, run_id))
    assert {name: getattr(evaluation, name) for name in values if name != "predictions"} == {
        name: value for name, value in values.items() if name != "predictions"
    }
    assert evaluation.predictions.keys() == predictions.keys()
    for name, column in predictions.items():
        np.testing.assert_array_equal(evaluation.predictions[name], column)
        assert evaluation.predictions[name].dtype == column.dtype, name


def test_a_run_that_has_judged_nothing(store: Store, make_run: Make) -> None:
    with opened(store, "begin a run", writes=True) as client:
        run_id = client.create_run("0", tags={"type": "tune"}).info.run_id
    run = read_run(store, run_id)
    with pytest.raises(
        TrackingError, match=r"kind 'tune' without evaluation\.json, expected a run with an evaluation"
    ):
        read_evaluation(store, run)
    with pytest.raises(TrackingError, match=r"kind 'tune' without config\.json"):
        read_config(store, run)
    assert read_columns(store, run) == {}


@pytest.mark.parametrize("spec", ["models:/scoring/1", "models:/scoring@champion"])
def test_the_run_of_a_version(store: Store, make_run: Make, spec: str) -> None:
    run_id = log_training(store, make_run(register="scoring")).run_id
    alias(store, "champion", 1)
    assert run_of_version(store, spec) == run_id
    with pytest.raises(TrackingError, match="cannot find the run of"):
        run_of_version(store, spec.replace("1", "2").replace("champion", "none"))


def test_people_search_by_plain_names(store: Store, make_run: Make) -> None:
    run_id = log_training(store, make_run()).run_id
    mlflow = load_mlflow()
    mlflow.set_tracking_uri(store.tracking_uri)
    try:
        matches, none = (
            mlflow.search_runs(experiment_names=["news"], filter_string=f"metrics.quality_mae < {limit}")
            for limit in (2, 1)
        )
    finally:
        mlflow.set_tracking_uri(None)
    assert matches["run_id"].tolist() == [run_id]
    assert matches["metrics.lead_accuracy"].tolist() == [0.9]
    assert matches["params.quality.num_leaves"].tolist() == ["31"]
    assert len(none) == 0
