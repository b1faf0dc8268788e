"""How far off a quality may be: split-conformal intervals, and the distribution behind the probabilities."""

from __future__ import annotations

from functools import cached_property

import msgspec
import numpy as np

from scoring.features.table import Floats

MIN_SPREAD = 0.25  # of a point: labels are integers, so nothing is surer than half a step
MAX_ATOMS = 15


class ResidualDistribution(msgspec.Struct, frozen=True, dict=True):
    """What the quality may be off by, for groups of records that are sure alike.

    Parameters
    ----------
    edges_ : list of float
        Spreads that part the groups; points.
    atoms_ : list of list of float
        Errors (label less prediction) of each group; points.
    weights_ : list of list of float
        Their probabilities; each list sums to 1.
    half_width_ : float
        Interval half width in spreads (split conformal: Lei et al., 2018).
    foreign_spread_ : float
        Spread of a record of a section that the training records do not have; beyond the last edge. Its
        errors were learned by leaving sections out. 0 where they were not.
    """

    edges_: list[float]
    atoms_: list[list[float]]
    weights_: list[list[float]]
    half_width_: float
    foreign_spread_: float = 0.0

    def spread_out(self, quality: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Qualities that each record may have, and their probabilities.

        Parameters
        ----------
        quality, spread : ndarray of shape (n_records,)
            Likeliest quality and typical error; points.

        Returns
        -------
        atoms, weights : ndarray of shape (n_records, n_atoms)
        """
        edges, atoms, weights = self._columns
        groups = np.searchsorted(edges, spread, side="right")
        return quality[:, None] + atoms[groups], weights[groups]

    @cached_property
    def _columns(self) -> tuple[Floats, Floats, Floats]:
        """Edges; atoms and weights, a row for each group, zeros where it has fewer."""
        n_atoms = max(map(len, self.atoms_))
        atoms, weights = np.zeros((2, len(self.atoms_), n_atoms))
        for group, (values, shares) in enumerate(zip(self.atoms_, self.weights_, strict=True)):
            atoms[group, : len(values)] = values
            weights[group, : len(shares)] = shares
        return np.asarray(self.edges_), atoms, weights


NO_ERRORS = ResidualDistribution([], [[0.0]], [[1.0]], 0.0)
