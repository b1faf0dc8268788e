"""Calibration: conformal quantile, groups by spread, the group of unseen sections."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.model.conformal import MIN_SPREAD, NO_ERRORS, ResidualDistribution
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals

CONFIG = ModelConfig()  # an interval of 90 %, four groups


@pytest.mark.parametrize(
    ("n_errors", "rank"),
    [(10, 10), (19, 18), (20, 19), (29, 27)],  # 0.9 of the number plus one, rounded up
)
def test_half_width_is_the_error_of_the_conformal_rank(n_errors: int, rank: int) -> None:
    errors = np.arange(1.0, n_errors + 1)
    assert fit_residuals(errors, np.ones(n_errors), CONFIG).half_width_ == rank


def test_half_width_of_few_errors_is_the_largest() -> None:
    assert fit_residuals(np.array([3.0, -7.0, 5.0]), np.ones(3), CONFIG).half_width_ == 7


def test_half_width_is_in_units_of_the_spread() -> None:
    assert fit_residuals(np.array([1.0, 8.0]), np.array([1.0, 16.0]), CONFIG).half_width_ == 1


def test_a_spread_on_an_edge_is_in_the_group_above() -> None:
    fitted = fit_residuals(np.arange(10.0, 60.0, 10.0), np.arange(1.0, 6.0), CONFIG)
    assert fitted.edges_ == [2, 3, 4]  # the quartiles of the spreads 1 to 5
    assert fitted.atoms_ == [[10], [20], [30], [40, 50]]
    assert fitted.weights_ == [[1], [1], [1], [0.5, 0.5]]


def test_a_group_without_records_has_all_errors() -> None:
    fitted = fit_residuals(np.array([1.0, 2.0, 2.0, 3.0]), np.full(4, 2.0), CONFIG)
    assert fitted.edges_ == [2]
    assert fitted.atoms_ == [[1, 2, 3]] * 2
    assert fitted.weights_ == [[0.25, 0.5, 0.25]] * 2


def test_errors_are_whole_points() -> None:
    fitted = fit_residuals(np.array([0.4, 0.6, 1.4, -0.6]), np.ones(4), CONFIG)
    assert fitted.atoms_[1] == [-1, 0, 1]
    assert fitted.weights_[1] == [0.25, 0.25, 0.5]
    unseen = add_unseen_section(fitted, 1.0, np.array([0.4, 0.6, 1.4, -0.6]), CONFIG.interval_level)
    assert unseen.atoms_[-1] == [-1, 0, 1]
    assert unseen.weights_[-1] == [0.25, 0.25, 0.5]


def test_fifteen_different_errors_are_kept_and_more_are_averaged() -> None:
    twice = np.array([*np.arange(15.0), 14.0])
    kept = fit_residuals(twice, np.ones(16), CONFIG)
    assert kept.atoms_[1] == list(range(15))
    assert kept.weights_[1] == [*[1 / 16] * 14, 1 / 8]
    # Of 17 errors in 15 parts, the first two have two each: their means, 0.5 and 2.5, are rounded to 0 and 2.
    averaged = fit_residuals(np.arange(17.0), np.ones(17), CONFIG)
    assert averaged.atoms_[1] == [0, 2, *range(4, 17)]
    assert averaged.weights_[1] == [2 / 17, 2 / 17, *[1 / 17] * 13]


def known(half_width: float = 2.0) -> ResidualDistribution:
    return ResidualDistribution([1.0, 3.0], [[0.0]] * 3, [[1.0]] * 3, half_width)


def test_interval_of_an_unseen_section_covers_its_errors_of_either_sign() -> None:
    foreign = -np.arange(0.0, 41.0)
    fitted = add_unseen_section(known(), 2.0, foreign, CONFIG.interval_level)
    assert fitted.half_width_ * fitted.foreign_spread_ == 36  # 90 % of the way from 0 to 40


@pytest.mark.parametrize(("highest_spread", "edge"), [(2.0, 3.5), (8.0, 8.5)])
def test_unseen_sections_are_beyond_every_spread_and_edge(highest_spread: float, edge: float) -> None:
    fitted = add_unseen_section(known(), highest_spread, np.zeros(3), CONFIG.interval_level)
    assert fitted.edges_ == [1, 3, edge]
    assert fitted.foreign_spread_ == edge  # however small the errors
    assert fitted.atoms_[:3] == known().atoms_


def test_unseen_sections_without_errors_of_known_ones() -> None:
    fitted = add_unseen_section(NO_ERRORS, 0.0, np.array([-5.0, 5.0]), CONFIG.interval_level)
    assert fitted.edges_ == [3 * MIN_SPREAD]
    assert fitted.foreign_spread_ == 3 * MIN_SPREAD
    assert fitted.half_width_ == 0
