"""How far off quality is for records that are sure alike, and what that says of other records."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

PARTS = (0.25, 0.5, 0.75)
SHRINK_COUNT = 20


class ErrorGroups(msgspec.Struct, frozen=True):
    """Mean errors of groups of held-back records.

    Parameters
    ----------
    edges_ : list of float
        Predicted typical errors that part the groups; points.
    counts_ : list of list of int
        Records of each group: with a provider or topic that training had not seen, and without.
    errors_ : list of list of float
        Their mean distances between label and prediction; points. To each, :data:`SHRINK_COUNT` records
        of the whole group's mean are added, since a few tell little.
    """

    edges_: list[float]
    counts_: list[list[int]]
    errors_: list[list[float]]

    @classmethod
    def fit(cls, spread: Floats, is_seen: NDArray[np.bool_], errors: Floats) -> ErrorGroups:
        """Learn from held-back records.

        Parameters
        ----------
        spread : ndarray of shape (n_records,)
            Predicted typical error; points, n_records >= 1.
        is_seen : ndarray of bool, shape (n_records,)
            Whether training had seen the provider and every topic.
        errors : ndarray of shape (n_records,)
            Distance between label and prediction; points.
        """
        edges = np.unique(np.quantile(spread, PARTS, method="lower"))
        edges = edges[edges > spread.min()]
        groups = np.searchsorted(edges, spread, side="right")
        counts, means = [], []
        for group in range(len(edges) + 1):
            mean = errors[groups == group].mean()
            parts = [errors[(groups == group) & (is_seen == seen)] for seen in (False, True)]
            counts.append([len(part) for part in parts])
            means.append(
                [float((part.sum() + SHRINK_COUNT * mean) / (len(part) + SHRINK_COUNT)) for part in parts]
            )
        return cls([float(edge) for edge in edges], counts, means)

    def expected(self, spread: Floats, is_seen: NDArray[np.bool_]) -> Floats:
        """Mean error of the group that each record would be in; points, shape (n_records,)."""
        groups = np.searchsorted(np.asarray(self.edges_), spread, side="right")
        errors: Floats = np.asarray(self.errors_)[groups, is_seen.astype(np.intp)]
        return errors
