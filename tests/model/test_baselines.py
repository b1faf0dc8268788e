"""Baselines: medians of providers, and the decisions of numeric predictions."""

from __future__ import annotations

import numpy as np

from scoring.features.table import build_table
from scoring.model.baselines import Baselines, Medians
from scoring.model.targets import TARGETS
from scoring.records.record import Provider, Record
from tests.model.doubles import booster_of

MEDIANS = Medians(
    {"quality": 40.0, "heat": 50.0, "published": 1.0},
    {"quality": {"a.example": 10.0}, "heat": {"a.example": -1.0}, "published": {"a.example": 0.0}},
    {"heat": 5.0, "published": 0.4},
)
BASELINES = Baselines(MEDIANS, {target: booster_of(lambda columns: columns[0]) for target in TARGETS})


def test_an_unknown_provider_has_the_median_of_all() -> None:
    table = build_table([Record(provider=Provider("", f"{name}.example")) for name in "ab"])
    predictions = BASELINES.predict(table, np.array([[3.0], [4.0]]))
    medians = {
        name: {target: values.tolist() for target, values in by_target.items()}
        for name, by_target in predictions.items()
    }
    assert medians == {
        "global median": {"quality": [40, 40], "heat": [50, 50], "published": [1, 1]},
        "provider median": {"quality": [10, 40], "heat": [-1, 50], "published": [0, 1]},
        "plain LightGBM": {target: [3, 4] for target in TARGETS},
    }


def test_a_prediction_at_the_threshold_decides_for_it() -> None:
    leads, published = BASELINES.decide(
        {"heat": np.array([4.9, 5.0, 5.1]), "published": np.array([0.39, 0.4, 0.41])}
    )
    assert leads.tolist() == published.tolist() == [False, True, True]
