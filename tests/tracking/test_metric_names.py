"""Names of metrics in the store, and back."""

from __future__ import annotations

import pytest

from scoring.deployment.gate import DEFAULT_FIGURES
from scoring.deployment.gate import HEADLINES as GATE_HEADLINES
from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.results import Figure
from scoring.tracking.metric_names import HEADLINES, own_name, own_names, store_name
from scoring.tracking.runs import figure_metrics

NAMES = [
    *figure_metrics(
        {name: Figure(1.0, 0.5, 1.5) for name in MEANINGS},
        baseline={"plain LightGBM": dict.fromkeys(MEANINGS, 2.0)},
        at_ingest={"published+6h": dict.fromkeys(MEANINGS, 2.0)},
        forecast={"published": dict.fromkeys(MEANINGS, 2.0)},
    ),
    *("n_train", "n_all", "n_evaluated", "n_new", "n_trials", "n_trees", "best_quality_mae", "rubric_mae"),
    *("distance.content_limit", "unseen.provider_ratio", "mean.quality_before", "error_ratio", "label_error"),
    *("month/quality_r2", "section/quality_mae_low", "month/baseline.plain_lightgbm.quality_r2"),
    *("labels/quality/quality_mae", "labels/quality_mae", "trial/rubric_mae", "loss"),
]


def test_each_name_comes_back_from_the_store() -> None:
    assert [own_name(store_name(name)) for name in NAMES] == NAMES
    assert len({store_name(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_earlier_name_stays_as_it_is(name: str) -> None:
    assert own_name(name) == name


def test_ten_metrics_have_no_group() -> None:
    assert len(HEADLINES) == 10
    assert {*GATE_HEADLINES, *DEFAULT_FIGURES.values()} < set(HEADLINES) < set(MEANINGS)
    assert {name for name in MEANINGS if "/" not in store_name(name)} == set(HEADLINES)


def test_the_curves_of_a_training_are_not_results() -> None:
    metrics = {"quality/r2": 0.5, "system/cpu_utilization_percentage": 80.0, "boosting/heat/training_l1": 1.0}
    assert own_names(metrics) == {"quality_r2": 0.5}
