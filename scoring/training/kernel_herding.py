"""Kernel herding: a few rows that represent many (Chen, Welling & Smola, 2010).

Rows are chosen one after another so that their mean, in the feature space of a kernel, approaches the mean of
all rows. Such rows lie where rows are dense, and far from the rows already chosen. A single outlier hardly
lowers the distance of the means, so it is chosen late.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

Rows = NDArray[np.intp]

_BLOCK = 256  # rows whose kernel values are in memory at a time


def kernel(rows: Floats, others: Floats, rate: float) -> Floats:
    """Laplacian kernel ``exp(-rate * distance)``, shape (n_rows, n_others).

    Examples
    --------
    >>> kernel(np.zeros((1, 2)), np.array([[0.0, 0.0], [3.0, 4.0]]), 0.2).round(2).tolist()
    [[1.0, 0.37]]
    """
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2.0 * rows @ others.T
    similarity: Floats = np.exp(-rate * np.sqrt(np.maximum(squares, 0.0)))
    return similarity


def summed_kernel(rows: Floats, others: Floats, weights: Floats, rate: float) -> Floats:
    """Weighted sum of the kernel over the others, shape (n_rows,); 0 if there are none."""
    if not len(others):
        return np.zeros(len(rows))
    blocks = [
        kernel(rows[start : start + _BLOCK], others, rate) @ weights for start in range(0, len(rows), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def herding(
    X: Floats,
    mean: Floats,
    known: Floats,
    n_known: float,
    is_late: NDArray[np.bool_],
    groups: Rows,
    count: int,
    rate: float,
) -> list[int]:
    """Choose rows, the most representative first.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Rows to choose from.
    mean : ndarray of shape (n_rows,)
        Mean kernel of each row with the rows that the chosen ones should represent.
    known : ndarray of shape (n_rows,)
        Sum of the kernel of each row with the known rows.
    n_known : float
        Number of known rows.
    is_late : ndarray of bool, shape (n_rows,)
        Rows that are chosen only when no other is left.
    groups : ndarray of int, shape (n_rows,)
        Group of each row; at most one row of a group is chosen.
    count : int
        Maximum number of rows.
    rate : float
        Rate of the kernel.

    Returns
    -------
    list of int
        Rows, in the order in which they were chosen.
    """
    chosen: list[int] = []
    repulsion, is_left = known.copy(), ~is_late
    while len(chosen) < count:
        if not is_left.any():
            is_left = is_late & ~np.isin(groups, groups[chosen])
            is_late = np.zeros_like(is_late)
            if not is_left.any():
                break
        gain = mean - (repulsion + 0.5) / (n_known + len(chosen) + 1)
        row = int(np.argmax(np.where(is_left, gain.round(12), -np.inf)))
        chosen.append(row)
        repulsion += kernel(X, X[[row]], rate)[:, 0]
        is_left &= groups != groups[row]
    return chosen
