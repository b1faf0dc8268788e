"""Decision threshold: small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.training.thresholds import best_threshold


@pytest.mark.parametrize(
    ("probability", "truth", "threshold"),
    [
        ([0.2, 0.3], [False, False], 0.5),  # nothing to find
        ([0.2, 0.6, 0.7, 0.9], [False, False, True, True], 0.5),  # at most one record worse than 0.65
        # 0.1 has an F1 of 1; 0.2 has 4/5, which is within one record's worth: 2 of 6.
        ([0.1, 0.3, 0.9], [True, True, True], 0.2),
        # 0.25 loses two records at once, and 0.5 all: publishing all is best.
        ([0.1, 0.1, 0.1, 0.4], [True, True, True, True], 0.1),
        ([0.1, 0.3, 0.4, 0.9], [False, True, True, True], 0.35),
    ],
)
def test_threshold_is_the_one_nearest_to_a_half_within_one_record(
    probability: list[float], truth: list[bool], threshold: float
) -> None:
    assert best_threshold(np.array(probability), np.array(truth)) == pytest.approx(threshold)


def test_threshold_lies_midway_between_two_probabilities() -> None:
    probability = np.repeat([0.1, 0.2, 0.3], 20)
    assert best_threshold(probability, probability > 0.15) == pytest.approx(0.15)
