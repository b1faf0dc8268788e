"""Stand-ins for labels that no record has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.evaluation.metrics import mean_absolute_error
from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.scorer import Scorer
from scoring.model.targets import Targets
from scoring.records.synthetic.generate import sample_documents
from scoring.training.cascade import CascadeLabels
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from scoring.training.stand_ins import with_stand_ins
from scoring.training.training_set import TrainingSet
from tests.conftest import training_set_of
from tests.sites import QUICK

EVERYTHING = training_set_of(list(sample_documents(n_records=500, seed=4)))
EARLIER, LATER = EVERYTHING.take(np.arange(500) < 400), EVERYTHING.take(np.arange(500) >= 400)


def having(training: TrainingSet, targets: Targets) -> TrainingSet:
    """The records with these labels alone."""
    labels = {
        name: getattr(training.labels, name) if name in targets else np.full(len(training.table), np.nan)
        for name in ("quality", "heat", "published")
    }
    return replace(training, labels=CascadeLabels(**labels), targets=targets)


class Estimator:
    """Estimates a quality of 40 for all records; keeps the records that it was fitted on."""

    def __init__(self) -> None:
        self.fitted: list[TrainingSet] = []

    def __call__(self, training: TrainingSet) -> Any:
        self.fitted.append(training)
        return self

    def estimate(self, table: Any) -> tuple[Any, None]:
        return np.full(len(table), 40.2), None


def test_all_labels_stay_as_they_are() -> None:
    training, is_measured = with_stand_ins(EARLIER)
    assert training.labels == EARLIER.labels
    assert is_measured.all()


def test_heat_stands_for_the_quality_of_leads_without_coverage() -> None:
    estimator = Estimator()
    training, is_measured = with_stand_ins(having(EARLIER, ("heat",)), estimator, min_records=15)
    heat, count = EARLIER.labels.heat, EARLIER.table.number("coverage_count")
    assert np.array_equal(is_measured, (heat > NOT_LEADING) & ~(count > 0))
    (leads,) = estimator.fitted
    assert np.array_equal(leads.labels.quality, heat[is_measured])
    assert np.array_equal(training.labels.quality[is_measured], heat[is_measured])
    assert set(training.labels.quality[~is_measured]) == {40.0}
    assert np.array_equal(training.labels.heat, heat)
    assert not training.labels.published.any()


def test_few_leads_without_coverage_make_all_leads_count() -> None:
    estimator = Estimator()
    heat = EARLIER.labels.heat
    n_leads = int((heat > NOT_LEADING).sum())
    _, is_measured = with_stand_ins(having(EARLIER, ("heat",)), estimator, min_records=n_leads)
    assert np.array_equal(is_measured, heat > NOT_LEADING)
    with pytest.raises(ModelError, match=f"got {n_leads} with a heat of 0 or more, expected {n_leads + 1}"):
        with_stand_ins(having(EARLIER, ("heat",)), estimator, min_records=n_leads + 1)


def test_publication_alone_leaves_out_records_of_unknown_publication() -> None:
    published = np.where(np.arange(400) % 5, EARLIER.labels.published, np.nan)
    alone = replace(having(EARLIER, ("published",)), labels=replace(EARLIER.labels, published=published))
    training, is_measured = with_stand_ins(alone)
    assert len(training.table) == len(is_measured) == 320
    assert np.array_equal(training.labels.quality, 100 * training.labels.published)


@pytest.mark.parametrize("targets", [("published",), ("quality", "published")], ids="+".join)
def test_publication_is_learned_from_all_features(targets: Targets) -> None:
    models = fit_models(having(EARLIER, targets), TrainConfig(model=QUICK), num_threads=1)
    assert models.cascade.names["published"] == ("quality", *models.quality.encoder.names)
    predictions = Scorer("some", models).predict(LATER.table)
    truth = LATER.labels.published == 1
    brier = np.mean((predictions.published_probability - truth) ** 2)
    assert brier < 0.75 * truth.mean() * (1 - truth.mean())


def test_publication_alone_does_not_learn_from_its_stand_in() -> None:
    models = fit_models(having(EARLIER, ("published",)), TrainConfig(model=QUICK), num_threads=1)
    gain, _ = models.cascade.published.importances()
    assert gain[models.cascade.names["published"].index("quality")] == 0


def test_heat_is_learned_without_quality() -> None:
    models = fit_models(having(EARLIER, ("heat",)), TrainConfig(model=QUICK), num_threads=1)
    assert models.cascade.names["lead"] == models.quality.encoder.names
    predictions = Scorer("some", models).predict(LATER.table)
    heat = LATER.labels.heat
    assert np.mean(predictions.is_lead == (heat > NOT_LEADING)) > 0.85
    median = np.full(len(heat), np.median(heat))
    assert mean_absolute_error(heat, predictions.heat) < 0.5 * mean_absolute_error(heat, median)


def test_ratings_are_predicted_as_ratings() -> None:
    edges = np.quantile(EARLIER.labels.quality, [0.1, 0.35, 0.7, 0.9])

    def rated(training: TrainingSet) -> TrainingSet:
        steps = 1 + np.searchsorted(edges, training.labels.quality, side="right")
        quality: Floats = (20 * steps).astype(np.float64)
        return having(replace(training, labels=replace(training.labels, quality=quality)), ("quality",))

    models = fit_models(rated(EARLIER), TrainConfig(model=QUICK), num_threads=1)
    predictions, truth = Scorer("some", models).predict(LATER.table), rated(LATER).labels.quality
    for column in (predictions.quality, predictions.quality_low, predictions.quality_high):
        assert set(column) <= {20, 40, 60, 80, 100}
    error = mean_absolute_error(truth, predictions.quality)
    assert error < 0.4 * mean_absolute_error(truth, np.full(100, np.median(truth)))
    assert np.mean((predictions.quality_low <= truth) & (truth <= predictions.quality_high)) > 0.8


def test_other_qualities_have_no_steps() -> None:
    assert fit_models(EARLIER, TrainConfig(model=QUICK), num_threads=1).quality.steps is None
