"""Residual distribution: group of a spread, and the qualities it gives."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.model.conformal import ResidualDistribution

ERRORS = ResidualDistribution(
    [1.0, 2.0], [[0.0], [-1.0, 4.0], [-5.0, 0.0, 9.0]], [[1.0], [0.75, 0.25], [0.5, 0.25, 0.25]], 2.0
)


@pytest.mark.parametrize(
    ("spread", "distribution"),
    [
        (0.5, {50: 1}),
        (1.0, {49: 0.75, 54: 0.25}),  # a spread on an edge is in the group above
        (1.99, {49: 0.75, 54: 0.25}),
        (2.0, {45: 0.5, 50: 0.25, 59: 0.25}),
        (80.0, {45: 0.5, 50: 0.25, 59: 0.25}),
    ],
)
def test_quality_plus_the_errors_of_the_group(spread: float, distribution: dict[float, float]) -> None:
    support, probabilities = ERRORS.spread_out(np.array([50.0, 7.0]), np.array([spread, spread]))
    assert support.shape == probabilities.shape == (2, 3)
    for row, shift in ((0, 0), (1, -43)):
        possible = {
            value: share
            for value, share in zip(support[row].tolist(), probabilities[row].tolist(), strict=True)
            if share
        }
        assert possible == {value + shift: share for value, share in distribution.items()}
