"""The threshold that separates two classes with the fewest errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats


def best_threshold(probability: Floats, truth: NDArray[np.bool_]) -> float:
    """Probability from which to say yes so that F1 is highest, as far as the records can tell.

    Cuts whose F1 differs by no more than one record makes are alike; of these the nearest to 0.5 is taken.

    Parameters
    ----------
    probability : ndarray of shape (n_records,)
        Probabilities of later records.
    truth : ndarray of bool, shape (n_records,)
        Their labels.

    Returns
    -------
    float
        0 to 1; the lowest probability where yes to all is best.

    Examples
    --------
    >>> best_threshold(np.array([0.1, 0.3, 0.4, 0.9]), np.array([False, True, True, True]))
    0.35
    """
    if not truth.any():
        return 0.5
    values = np.unique(probability)
    cuts = np.unique(np.concatenate([[0.5], values[:1], (values[1:] + values[:-1]) / 2]))
    order = np.argsort(probability, kind="stable")
    at = np.searchsorted(probability[order], cuts)
    n_missed = np.concatenate([[0], np.cumsum(truth[order])])[at]
    n_said_or_true = len(truth) - at + truth.sum()
    f1 = 2 * (truth.sum() - n_missed) / n_said_or_true
    one_record = 2 / n_said_or_true[np.argmax(f1)]
    best = cuts[f1 >= f1.max() - one_record - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])
