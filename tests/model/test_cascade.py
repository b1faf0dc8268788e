"""Cascade: columns of its boosters, heat by related record, thresholds read off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.model.cascade import (
    HEAT_NAMES,
    LEAD_NAMES,
    MAX_STEP,
    PUBLISHED_NAMES,
    Cascade,
    LearnedThresholds,
    heat_matrix,
    lead_matrix,
    published_matrix,
)
from tests.model.doubles import booster_of, table_of

NOTHING = booster_of(lambda columns: 0.0)


def test_columns_are_in_the_order_of_their_names() -> None:
    table = table_of(2, coverage_quality_max=[30, np.nan], coverage_count=[3, 0], has_image=[1, 0])
    quality, heat = np.array([50.0, 60.0]), np.array([70.0, -1.0])
    lead = dict(zip(LEAD_NAMES, lead_matrix(table, quality).T, strict=True))
    assert lead["quality_margin"][0] == 20
    assert np.isnan(lead["quality_margin"][1])
    assert lead["coverage_count"].tolist() == [3, 0]
    hot = dict(zip(HEAT_NAMES, heat_matrix(table, quality).T, strict=True))
    assert hot["quality"].tolist() == [50, 60]
    assert hot["coverage_count"].tolist() == [3, 0]
    published = dict(zip(PUBLISHED_NAMES, published_matrix(table, quality, heat).T, strict=True))
    assert {name: column.tolist() for name, column in published.items()} == {
        "heat": [70, -1],
        "quality": [50, 60],
        "has_image": [1, 0],
        "coverage_count": [3, 0],
    }


def test_heat_grows_with_each_related_record_and_with_the_first_one_without_any() -> None:
    cascade = Cascade(NOTHING, booster_of(lambda columns: 7.0), NOTHING)
    heat = cascade.heat_if_lead(table_of(3, coverage_count=[0, 1, 4]), np.array([50.0, 50.0, 50.0]))
    assert heat.tolist() == [57, 57, 78]


def zeros(columns: Floats) -> Floats:
    return np.zeros(columns.shape[1])


def thresholds(
    heat: Callable[[Floats], Floats], published: Callable[[Floats], Floats], highest: float = 100.0
) -> LearnedThresholds:
    return Cascade(NOTHING, booster_of(heat), booster_of(published)).learned_thresholds(highest)


@pytest.mark.parametrize(
    ("step", "bonus", "expected"), [(30, 10.0, 30), (100, 10.0, 100), (30, 1.0, 30), (30, 0.99, None)]
)
def test_bonus_begins_where_heat_rises_most_by_a_point_or_more(
    step: int, bonus: float, expected: float | None
) -> None:
    def heat(columns: Floats) -> Floats:
        quality = columns[HEAT_NAMES.index("quality")]
        points: Floats = np.where(quality >= step, bonus, 0.0)
        return points

    assert thresholds(heat, zeros).bonus_from_quality == expected


@pytest.mark.parametrize(
    ("step", "probability", "expected"), [(45, 0.5, 45), (100, 0.9, 100), (45, 0.499, None), (101, 1.0, None)]
)
def test_published_begins_where_the_probability_is_a_half(
    step: int, probability: float, expected: float | None
) -> None:
    def published(columns: Floats) -> Floats:
        heat = columns[PUBLISHED_NAMES.index("heat")]
        probabilities: Floats = np.where(heat >= step, probability, 0.0)
        return probabilities

    learned = thresholds(zeros, published)
    assert learned == LearnedThresholds(None, expected)


def test_thresholds_are_those_of_a_record_with_one_worse_related_record() -> None:
    calls: list[dict[str, Floats]] = []

    def heat(columns: Floats) -> Floats:
        calls.append(dict(zip(HEAT_NAMES, columns.copy(), strict=True)))
        return zeros(columns)

    thresholds(heat, zeros, highest=4.0)
    (record,) = calls
    assert record["quality"].tolist() == [0, 1, 2, 3, 4]
    for name in ("coverage_count", "coverage_provider_count"):
        assert record[name].tolist() == [1] * 5
    for name in ("coverage_quality_mean", "coverage_quality_max"):
        assert record[name].tolist() == [0, 0.5, 1, 1.5, 2]
    assert record["coverage_own_provider_count"].tolist() == [0] * 5  # of another provider
    assert np.isnan(record["age_hours"]).all()


def test_search_ends_at_the_highest_step() -> None:
    highest_steps: list[float] = []

    def published(columns: Floats) -> Floats:
        highest_steps.append(float(columns[0].max()))
        return zeros(columns)

    thresholds(zeros, published, highest=1e15)
    assert highest_steps == [MAX_STEP]
