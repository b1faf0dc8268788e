"""Step between the labels of a section, in points."""

from __future__ import annotations

import numpy as np

from scoring.features.table import Floats

MIN_ON_STEP = 0.95  # share of the labels that are a whole number of steps apart
MIN_LEVELS = 5  # different labels, without which the labels tell no step but 1
MAX_STEP = 100  # points


def label_step(y: Floats) -> float:
    """Largest whole number of points by which nearly all labels differ from one another.

    Labels are whole numbers, so the step is at least 1. It is larger where an editor gives multiples of 5, or
    where all points have the same factor.

    Parameters
    ----------
    y : ndarray of shape (n_records,)
        Labels; points.

    Examples
    --------
    >>> label_step(np.array([12.0, 17, 42, 57, 62])), label_step(np.array([12.0, 17, 42, 57, 63]))
    (5.0, 1.0)
    """
    levels = np.unique(y)
    if len(levels) < MIN_LEVELS:
        return 1.0
    labels = np.round(y).astype(np.intp)
    largest = min(MAX_STEP, int(np.ptp(levels)) // (MIN_LEVELS - 1))
    for step in range(largest, 1, -1):
        if np.bincount(labels % step).max() >= MIN_ON_STEP * len(labels):
            return float(step)
    return 1.0
