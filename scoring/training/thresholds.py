"""Decision threshold with the highest F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats


def best_threshold(probability: Floats, truth: NDArray[np.bool_]) -> float:
    """Threshold on the probability with the highest F1.

    Thresholds within one record's worth of F1 of the best are ties; the one nearest to 0.5 wins.

    Parameters
    ----------
    probability : ndarray of shape (n_records,)
        Predicted probabilities.
    truth : ndarray of bool, shape (n_records,)
        True classes.

    Returns
    -------
    float
        0 to 1; the lowest probability if predicting all positive is best.

    Examples
    --------
    >>> best_threshold(np.array([0.1, 0.3, 0.4, 0.9]), np.array([False, True, True, True]))
    0.35
    """
    if not truth.any():
        return 0.5
    values = np.unique(probability)
    thresholds = np.unique(np.concatenate([[0.5], values[:1], (values[1:] + values[:-1]) / 2]))
    order = np.argsort(probability, kind="stable")
    first_positive = np.searchsorted(probability[order], thresholds)
    n_false_negatives = np.concatenate([[0], np.cumsum(truth[order])])[first_positive]
    n_predicted_plus_true = len(truth) - first_positive + truth.sum()
    f1 = 2 * (truth.sum() - n_false_negatives) / n_predicted_plus_true
    tolerance = 2 / n_predicted_plus_true[np.argmax(f1)]
    best = thresholds[f1 >= f1.max() - tolerance - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])
