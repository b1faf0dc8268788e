"""Forecast of lead and heat from records at earlier ages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from scoring.features.table import NUMBER_INDEX, FeatureTable, build_table
from scoring.model.cascade import Cascade
from scoring.model.forecast import GROWTH_NAMES, SETTLED_LEAD_NAMES, Forecast, _matrix
from scoring.model.marginalize import QualityDistribution, marginalize
from scoring.records.synthetic.generate import sample_documents
from scoring.training.cascade import fit_cascade
from scoring.training.config import BoosterConfig, ModelConfig
from scoring.training.forecast import fit_forecast
from scoring.training.training_set import TrainingSet
from tests.model.doubles import booster_of, table_of

CONFIG = ModelConfig()
#: Fast learning from few records.
_FAST = {"learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 10, "lambda_l2": 1.0}
EAGER = ModelConfig(
    settled_lead=BoosterConfig(60, {"objective": "binary", **_FAST}),
    growth=BoosterConfig(60, {"objective": "regression_l1", **_FAST}),
)
AGES = (0, 12)


@pytest.fixture(scope="module")
def earlier(make_training: Callable[[Any], TrainingSet]) -> TrainingSet:
    labelled = list(sample_documents(n_records=500, seed=5))
    tables = tuple(build_table([record for record, _ in labelled], timedelta(hours=age)) for age in AGES)
    return replace(make_training(labelled), early=tables)


@pytest.fixture(scope="module")
def cascade(earlier: TrainingSet) -> Cascade:
    return fit_cascade(earlier.table, earlier.labels, CONFIG, num_threads=1, seed=0)


@pytest.fixture(scope="module")
def forecast(earlier: TrainingSet, cascade: Cascade) -> Forecast:
    return fit_forecast(cascade, earlier.early, earlier.labels, CONFIG, num_threads=1, seed=0)


def with_columns(table: FeatureTable, **columns: Any) -> FeatureTable:
    numbers = table.numbers.copy()
    for name, values in columns.items():
        numbers[:, NUMBER_INDEX[name]] = values
    return replace(table, numbers=numbers)


def test_growth_of_coverage_is_learned(earlier: TrainingSet, cascade: Cascade) -> None:
    """With half of the coverage missing, the settled heat is forecast."""
    young = with_columns(earlier.table, coverage_count=earlier.table.number("coverage_count") // 2)
    is_later = np.arange(len(young)) >= 300
    learned = earlier.take(~is_later)
    fitted = fit_forecast(cascade, [young.take(~is_later)], learned.labels, EAGER, num_threads=1, seed=0)
    later = earlier.take(is_later)
    quality, heat = later.labels.quality, later.labels.heat
    has_grown = heat > quality + 25
    assert has_grown.sum() > 15
    mean_errors = [
        np.abs(rules.heat_if_lead(young.take(is_later), quality) - heat)[has_grown].mean()
        for rules in (cascade, fitted)
    ]
    assert mean_errors[1] < 0.6 * mean_errors[0]


def test_who_will_lead_is_learned(earlier: TrainingSet, cascade: Cascade) -> None:
    """No better coverage is known yet; records published before noon lose the lead later."""
    young = with_columns(earlier.table, coverage_quality_max=np.nan)
    is_overtaken = young.number("published_hour") < 12
    labels = replace(earlier.labels, heat=np.where(is_overtaken, -1.0, 40.0))
    assert 100 < is_overtaken.sum() < 400
    fitted = fit_forecast(cascade, [young], labels, EAGER, num_threads=1, seed=0)
    probability = fitted.lead_probability(young, labels.quality)
    assert np.mean((probability >= 0.5) == ~is_overtaken) > 0.98
    now = cascade.lead_probability(young, labels.quality)
    assert np.mean((now >= 0.5) == ~is_overtaken) < 0.8


def test_nothing_changes_where_training_saw_nothing_change(earlier: TrainingSet, cascade: Cascade) -> None:
    still = fit_forecast(cascade, [earlier.table], earlier.labels, CONFIG, num_threads=1, seed=0)
    quality = earlier.labels.quality
    heats = [rules.heat_if_lead(earlier.table, quality) for rules in (cascade, still)]
    assert np.median(np.abs(heats[1] - heats[0])) < 0.5
    leads = [rules.lead_probability(earlier.table, quality) for rules in (cascade, still)]
    assert np.mean((leads[0] >= 0.5) == (leads[1] >= 0.5)) > 0.99


def test_age_may_be_unknown(earlier: TrainingSet, cascade: Cascade, forecast: Forecast) -> None:
    ageless = earlier.table.take(np.arange(50))
    assert np.isnan(ageless.number("age_hours")).all()
    quality = earlier.labels.quality[:50]
    _, settled = marginalize(
        cascade, forecast, ageless, QualityDistribution(quality, quality[:, None], np.ones((50, 1)))
    )
    assert np.isfinite(settled.heat_expected).all()
    assert ((settled.lead_probability >= 0) & (settled.lead_probability <= 1)).all()
    assert (settled.heat_expected >= -1).all()


def test_labels_that_are_unknown_teach_nothing(
    earlier: TrainingSet, cascade: Cascade, forecast: Forecast
) -> None:
    """Features of records without a heat label do not influence the fit."""
    n_records = len(earlier.table)
    hidden = np.arange(n_records) % 10 == 0
    labels = replace(earlier.labels, heat=np.where(hidden, np.nan, earlier.labels.heat))
    spoilt = []
    for table in earlier.early:
        numbers = table.numbers.copy()
        numbers[hidden] = 999.0
        spoilt.append(replace(table, numbers=numbers))
    fitted = [
        fit_forecast(cascade, tables, labels, EAGER, num_threads=1, seed=0)
        for tables in (earlier.early, spoilt)
    ]
    quality = earlier.labels.quality
    first, second = (forecast_fit.heat_if_lead(earlier.table, quality) for forecast_fit in fitted)
    assert first.tolist() == second.tolist()
    assert first.tolist() != forecast.heat_if_lead(earlier.table, quality).tolist()


def test_certain_probabilities_stay_finite(forecast: Forecast, earlier: TrainingSet) -> None:
    quality = np.full(len(earlier.table), 1e6)
    assert np.isfinite(forecast.lead_probability(earlier.table, quality)).all()


NOTHING = booster_of(lambda columns: 0.0)


def test_odds_of_leading_are_multiplied() -> None:
    tripled = Forecast(Cascade(NOTHING, NOTHING, NOTHING), booster_of(lambda columns: np.log(3.0)), NOTHING)
    now = np.array([0.5, 0.25, 0.0, 1.0])
    settled = tripled.lead_probability(table_of(4), np.zeros(4), now=now)
    # Probabilities end at 0.0001 and 0.9999 before.
    assert settled == pytest.approx([0.75, 0.5, 3 / (3 + 9999), 3 * 9999 / (3 * 9999 + 1)])


def test_heat_is_multiplied_and_grows_from_a_point_at_least() -> None:
    tripled = Forecast(Cascade(NOTHING, NOTHING, NOTHING), NOTHING, booster_of(lambda columns: np.log(3.0)))
    settled = tripled.heat_if_lead(table_of(3), np.zeros(3), now=np.array([40.0, 0.0, -8.0]))
    assert settled == pytest.approx([120, 2, -6])


def test_columns_are_in_the_order_of_their_names() -> None:
    table = table_of(2, coverage_quality_max=[30, 70], coverage_count=[3, 4], has_image=[0, 1])
    X = _matrix(table, np.array([50.0, 60.0]), np.array([7.0, 8.0]))
    for names in (SETTLED_LEAD_NAMES, GROWTH_NAMES):
        columns = dict(zip(names, X.T.tolist(), strict=True))
        assert columns[names[0]] == [7, 8]
        assert (columns["quality"], columns["quality_margin"]) == ([50, 60], [20, -10])
        assert (columns["coverage_count"], columns["has_image"]) == ([3, 4], [0, 1])
