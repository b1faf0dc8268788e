"""Ratings: the nearest one, and those within an interval."""

from __future__ import annotations

import numpy as np

from scoring.model.label_steps import LabelSteps
from scoring.model.scorer import rounded

STARS = LabelSteps(20, 20, 100)


def test_nearest_rating() -> None:
    assert STARS.nearest(np.array([-7.0, 29.0, 31.0, 100.0, 117.0])).tolist() == [20, 20, 40, 100, 100]


def test_scores_of_ratings_end_at_ratings() -> None:
    expected, low, high = (
        np.array([57.0, 95.0, 12.0]),
        np.array([41.0, 91.0, 2.0]),
        np.array([79.0, 99.0, 22.0]),
    )
    quality, lowest, highest = rounded(expected, low, high, STARS)
    assert quality.tolist() == [60, 100, 20]
    # Of the second, no rating is inside: the interval is the rating itself.
    assert lowest.tolist() == [60, 100, 20]
    assert highest.tolist() == [60, 100, 20]
    quality, lowest, highest = rounded(np.array([57.0]), np.array([19.0]), np.array([81.0]), STARS)
    assert (quality.tolist(), lowest.tolist(), highest.tolist()) == ([60], [20], [80])
