"""Errors of boosters over their trees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scoring.evaluation import boosting_curves as module
from scoring.evaluation.boosting_curves import boosting_curves
from scoring.records.synthetic.generate import sample_documents
from scoring.training.cascade import fit_cascade
from scoring.training.training_set import TrainingSet
from tests.sites import QUICK, Deployed


@pytest.fixture(scope="module")
def later(deployed: Deployed, make_training: Callable[[Any], TrainingSet]) -> TrainingSet:
    return make_training(deployed.later)


def test_the_last_point_is_the_error_of_the_model(deployed: Deployed, later: TrainingSet) -> None:
    models = deployed.scorer.models
    curves = boosting_curves(models, deployed.training, later)
    boosters = {"quality/{}_mae", "spread/{}_mae", "lead/{}_log_loss", "heat/{}_mae", "published/{}_log_loss"}
    assert set(curves) == {name.format(block) for name in boosters for block in ("training", "test")}
    for block, records in (("training", deployed.training), ("test", later)):
        y, heat = records.labels.quality, records.labels.heat
        quality = curves[f"quality/{block}_mae"]
        assert list(quality)[-1] == models.quality.booster.num_trees
        estimated = models.quality.estimate(records.table)[0]
        assert list(quality.values())[-1] == pytest.approx(np.mean(np.abs(y - estimated)))
        is_known = np.isfinite(heat)
        probability = models.cascade.lead_probability(records.table, y)[is_known]
        of_truth = np.where(heat[is_known] > -1, probability, 1 - probability)
        assert curves[f"lead/{block}_log_loss"][30] == pytest.approx(-np.mean(np.log(of_truth)))
        is_lead = heat > -1
        leads = records.table.take(is_lead)
        error = np.abs(heat[is_lead] - models.cascade.heat_if_lead(leads, y[is_lead]))
        assert curves[f"heat/{block}_mae"][30] == pytest.approx(np.mean(error))
        assert list(curves[f"heat/{block}_mae"]) == [10, 20, 30]


def test_the_error_falls_on_the_training_records(deployed: Deployed, later: TrainingSet) -> None:
    for name, curve in boosting_curves(deployed.scorer.models, deployed.training, later).items():
        if "/training_" in name and not name.startswith("spread"):
            first, *_, last = curve.values()
            assert last <= first, name


def test_labels_that_a_model_lacks_have_no_curves(deployed: Deployed, later: TrainingSet) -> None:
    models = replace(deployed.scorer.models, targets=("heat",))
    unknown = replace(later.labels, quality=np.full(len(later.table), np.nan))
    curves = boosting_curves(models, deployed.training, replace(later, labels=unknown))
    assert {name.partition("/")[0] for name in curves} == {"lead", "heat"}
    none = later.take(np.zeros(len(later.table), dtype=bool))
    assert {name.split("/")[1] for name in boosting_curves(models, later, none)} == {
        "training_log_loss",
        "training_mae",
    }


def test_many_records_are_sampled(
    deployed: Deployed, later: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECORDS", 50)
    rows = np.linspace(0, len(later.table) - 1, 50).astype(int)
    sampled = boosting_curves(deployed.scorer.models, later, later)
    assert sampled == boosting_curves(deployed.scorer.models, later.take(rows), later.take(rows))


def test_a_constant_rule_has_a_curve(make_training: Callable[[Any], TrainingSet], deployed: Deployed) -> None:
    """With one class the booster is a regression, whose raw scores are probabilities."""
    everything = make_training(list(sample_documents(n_records=100, seed=3)))
    labels = replace(everything.labels, published=np.ones(100))
    cascade = fit_cascade(everything.table, labels, QUICK, num_threads=1, seed=0)
    models = replace(deployed.scorer.models, cascade=cascade)
    records = replace(everything, labels=labels)
    curve = boosting_curves(models, records, records)["published/test_log_loss"]
    assert list(curve.values())[-1] == pytest.approx(0.0, abs=1e-6)
