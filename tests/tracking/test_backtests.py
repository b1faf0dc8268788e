"""A backtest in the store: a run for all folds, a nested run for each, metrics as steps."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import ScoringError
from scoring.evaluation.backtest import FoldResult
from scoring.evaluation.results import Figure
from scoring.tracking import BacktestRun, Store, TrainingRun, log_backtest, write_backtest
from scoring.tracking.store import opened

BASELINES = {"plain LightGBM": {"quality_mae": 4.0}}
FOLDS = (
    FoldResult("2021-01", 30, 8, {"quality_mae": Figure(2.0, 1.5, 2.5)}, BASELINES),
    FoldResult("2021-03", 38, 2, {"quality_mae": Figure(1.0), "published_f1": Figure(0.5)}, {}),
)


@pytest.fixture
def run(make_run: Callable[..., TrainingRun]) -> BacktestRun:
    training = make_run()
    shared = {
        field.name: getattr(training, field.name)
        for field in fields(BacktestRun)
        if hasattr(training, field.name)
    }
    return BacktestRun(**shared, by="month", folds=FOLDS)


def history(client: Any, run_id: str, name: str) -> list[tuple[int, int, float]]:
    metrics = client.get_metric_history(run_id, name)
    return sorted((metric.step, metric.timestamp, metric.value) for metric in metrics)


def milliseconds(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def test_each_fold_is_a_run_within_the_backtest(store: Store, run: BacktestRun, tmp_path: Path) -> None:
    run_id = log_backtest(store, run)
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = {mlflow_run.info.run_name: mlflow_run for mlflow_run in client.search_runs(ids)}
        assert set(runs) == {"first", "2021-01", "2021-03"}
        assert {fold_run.info.status for fold_run in runs.values()} == {"FINISHED"}
        outer = runs["first"]
        assert (outer.info.run_id, outer.data.tags["type"]) == (run_id, "backtest")
        for fold in FOLDS:
            assert runs[fold.name].data.tags["mlflow.parentRunId"] == run_id
            assert runs[fold.name].data.tags["fold"] == fold.name
        assert runs["2021-01"].data.metrics == {
            "records/training": 30.0,
            "records/evaluated": 8.0,
            "quality_mae": 2.0,
            "quality/mae_low": 1.5,
            "quality/mae_high": 2.5,
            "baseline/plain_lightgbm/quality_mae": 4.0,
        }
        # The figure of all folds together stands beside the line over the months.
        assert outer.data.metrics["quality_mae"] == 1.5
        assert history(client, run_id, "month/quality_mae") == [
            (0, milliseconds(2021, 1, 1), 2.0),
            (1, milliseconds(2021, 3, 1), 1.0),
        ]
        assert history(client, run_id, "month/published_f1") == [(1, milliseconds(2021, 3, 1), 0.5)]
        folder = Path(client.download_artifacts(run_id, "folds.csv", str(tmp_path)))
    with folder.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["fold"], row["n_records"], row["published_f1"]) for row in rows] == [
        ("2021-01", "8.0", ""),
        ("2021-03", "2.0", "0.5"),
    ]


def test_sections_stand_at_the_moment_of_the_run(store: Store, run: BacktestRun) -> None:
    folds = (FoldResult("Tea", 10, 5, {"quality_mae": Figure(3.0)}, {}),)
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    run_id = log_backtest(store, BacktestRun(**(values | {"by": "section", "folds": folds})))
    with opened(store, "read", writes=False) as client:
        expected = [(0, milliseconds(2021, 4, 1, 12), 3.0)]
        assert history(client, run_id, "section/quality_mae") == expected


def test_a_folder_that_cannot_be_written_is_named(run: BacktestRun, tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("")
    with pytest.raises(ScoringError, match=f"{file}: cannot write the backtest: "):
        write_backtest(run.evaluation, FOLDS, {}, file)
