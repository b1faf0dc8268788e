"""Learning curves in the store: one run, whose metrics have the number of labels as their step."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import ScoringError
from scoring.evaluation.learning_curve import CurvePoint
from scoring.plots import learning_curve_figure
from scoring.tracking import LearningCurveRun, Store, log_learning_curve, write_learning_curve
from scoring.tracking.store import opened

DRAWS = ({"quality_mae": 4.0}, {"quality_mae": 2.0})
FIGURES = {"quality_mae": 3.0, "quality_mae_best": 2.0, "quality_mae_worst": 4.0}
TEA = (
    CurvePoint("Tea", 20, 90, 15, DRAWS, FIGURES),
    CurvePoint("Tea", 50, 90, 15, DRAWS[1:], FIGURES | {"quality_mae": 2.0}),
)
RAIN = (CurvePoint("A/B: Räin.", 7, 7, 1, error="too few"), CurvePoint("A/B: Räin.", 9, 9, 1, DRAWS, FIGURES))


def run_of(points: Sequence[CurvePoint]) -> LearningCurveRun:
    return LearningCurveRun(
        experiment="news",
        run_name="by labels",
        model="tiny",
        config={"by": "labels", "model": {"n_folds": 2}},
        data_path="archive",
        data_sha256="0" * 64,
        n_records=105,
        points=points,
        plots={"learning_curve": learning_curve_figure(points)},
        started_at=datetime(2021, 4, 1, tzinfo=UTC),
        tags={"section": "folder"},
    )


def history(client: Any, run_id: str, name: str) -> list[tuple[int, float]]:
    return sorted((metric.step, metric.value) for metric in client.get_metric_history(run_id, name))


def test_the_step_of_a_metric_is_the_number_of_labels(store: Store, tmp_path: Path) -> None:
    run_id = log_learning_curve(store, run_of(TEA))
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        (run,) = client.search_runs(ids)
        assert (run.info.run_id, run.info.status, run.info.run_name) == (run_id, "FINISHED", "by labels")
        assert (run.data.tags["type"], run.data.tags["section"]) == ("backtest", "folder")
        assert run.data.params == {"by": "labels", "model.n_folds": "2"}
        assert history(client, run_id, "labels/quality_mae") == [(20, 3.0), (50, 2.0)]
        assert history(client, run_id, "labels/quality_mae_worst") == [(20, 4.0), (50, 4.0)]
        folder = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    assert (folder / "plots" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "config.json").exists()
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["section"], row["n_labels"], row["n_draws"], row["quality_mae"]) for row in rows] == [
        ("Tea", "20", "2", "3.0"),
        ("Tea", "50", "1", "2.0"),
    ]


def test_each_of_several_sections_has_metrics_of_its_own(store: Store) -> None:
    run_id = log_learning_curve(store, run_of(TEA + RAIN))
    with opened(store, "read", writes=False) as client:
        assert history(client, run_id, "labels/Tea/quality_mae") == [(20, 3.0), (50, 2.0)]
        assert history(client, run_id, "labels/A_B_ Räin_/quality_mae") == [(9, 3.0)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("")
    with pytest.raises(ScoringError, match=f"{file}: cannot write the backtest: "):
        write_learning_curve(TEA, {}, file)
