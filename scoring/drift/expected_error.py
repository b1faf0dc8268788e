"""Expected quality error by groups of records with similar predicted error."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

PARTS = (0.25, 0.5, 0.75)
SHRINK_COUNT = 20


class ErrorGroups(msgspec.Struct, frozen=True):
    """Mean absolute errors of groups of held-out records.

    Parameters
    ----------
    edges_ : list of float
        Predicted errors that separate the groups; points.
    counts_ : list of list of int
        Records of each group: with an unseen provider or topic, and without.
    errors_ : list of list of float
        Their mean absolute errors, points; shrunk to the group's mean with the weight of
        :data:`SHRINK_COUNT` records.
    """

    edges_: list[float]
    counts_: list[list[int]]
    errors_: list[list[float]]

    @classmethod
    def fit(cls, spread: Floats, is_seen: NDArray[np.bool_], errors: Floats) -> ErrorGroups:
        """Fit on held-out records.

        Parameters
        ----------
        spread : ndarray of shape (n_records,)
            Predicted error; points, n_records >= 1.
        is_seen : ndarray of bool, shape (n_records,)
            Whether the training data have the provider and every topic.
        errors : ndarray of shape (n_records,)
            Absolute error; points.
        """
        edges = np.unique(np.quantile(spread, PARTS, method="lower"))
        edges = edges[edges > spread.min()]
        groups = np.searchsorted(edges, spread, side="right")
        counts, means = [], []
        for group in range(len(edges) + 1):
            mean = errors[groups == group].mean()
            errors_by_seen = [errors[(groups == group) & (is_seen == seen)] for seen in (False, True)]
            counts.append([len(errors_of_part) for errors_of_part in errors_by_seen])
            means.append(
                [
                    float((errors_of_part.sum() + SHRINK_COUNT * mean) / (len(errors_of_part) + SHRINK_COUNT))
                    for errors_of_part in errors_by_seen
                ]
            )
        return cls([float(edge) for edge in edges], counts, means)

    def expected(self, spread: Floats, is_seen: NDArray[np.bool_]) -> Floats:
        """Mean error of the group of each record; points, shape (n_records,)."""
        groups = np.searchsorted(np.asarray(self.edges_), spread, side="right")
        errors: Floats = np.asarray(self.errors_)[groups, is_seen.astype(np.intp)]
        return errors
