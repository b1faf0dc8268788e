"""Split-conformal prediction intervals and residual distribution of the quality (Lei et al., 2018)."""

from __future__ import annotations

from functools import cached_property

import msgspec
import numpy as np

from scoring.features.table import Floats

MIN_SPREAD = 0.25  # points; labels are integers, so the error is never surer than that
MAX_ATOMS = 15


class ResidualDistribution(msgspec.Struct, frozen=True, dict=True):
    """Residual distribution of the quality, by groups of records with similar spread.

    Parameters
    ----------
    edges_ : list of float
        Spreads that separate the groups; points.
    atoms_ : list of list of float
        Support of each group: residuals (label minus prediction); points.
    weights_ : list of list of float
        Probabilities of the support; each list sums to 1.
    half_width_ : float
        Conformal quantile: half width of the interval in units of spread.
    foreign_spread_ : float
        Spread of a record of a section that the training data lack; beyond the last edge. Its residuals are
        from leave-section-out fits. 0 if there are none.
    unseen_provider_half_width_ : float
        Least half width of the interval of a record of a provider that the training data lack, from fits
        without some of the providers; points. 0 if there are too few providers to tell.
    """

    edges_: list[float]
    atoms_: list[list[float]]
    weights_: list[list[float]]
    half_width_: float
    foreign_spread_: float = 0.0
    unseen_provider_half_width_: float = 0.0

    def spread_out(self, quality: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Distribution of the quality of each record.

        Parameters
        ----------
        quality, spread : ndarray of shape (n_records,)
            Predicted quality and spread; points.

        Returns
        -------
        support, probabilities : ndarray of shape (n_records, n_support)
            Possible qualities in points, and their probabilities.
        """
        edges, support, probabilities = self._columns
        groups = np.searchsorted(edges, spread, side="right")
        return quality[:, None] + support[groups], probabilities[groups]

    @cached_property
    def _columns(self) -> tuple[Floats, Floats, Floats]:
        """Edges; support and probabilities, one row per group, padded with zeros."""
        n_values = max(map(len, self.atoms_))
        support, probabilities = np.zeros((2, len(self.atoms_), n_values))
        for group, (values, value_probabilities) in enumerate(zip(self.atoms_, self.weights_, strict=True)):
            support[group, : len(values)] = values
            probabilities[group, : len(value_probabilities)] = value_probabilities
        return np.asarray(self.edges_), support, probabilities


NO_ERRORS = ResidualDistribution([], [[0.0]], [[1.0]], 0.0)
