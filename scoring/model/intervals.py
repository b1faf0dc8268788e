"""How far off a quality may be: split-conformal intervals, and the distribution behind the probabilities."""

from __future__ import annotations

from functools import cached_property

import msgspec
import numpy as np

from scoring.features.table import Floats
from scoring.model.config import ModelConfig

MIN_SPREAD = 0.25  # of a point: labels are integers, so nothing is surer than half a step
MAX_ATOMS = 15


class ErrorDistribution(msgspec.Struct, frozen=True, dict=True):
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


NO_ERRORS = ErrorDistribution([], [[0.0]], [[1.0]], 0.0)


def fit_errors(errors: Floats, spread: Floats, config: ModelConfig) -> ErrorDistribution:
    """Learn the interval's width and each group's distribution from errors on unseen records.

    Parameters
    ----------
    errors : ndarray of shape (n_records,)
        Label less prediction; points.
    spread : ndarray of shape (n_records,)
        Predicted typical error; points.
    config : ModelConfig
        Number of groups and level of the interval.

    Returns
    -------
    ErrorDistribution
    """
    if not len(errors):
        return NO_ERRORS
    quantiles = np.quantile(spread, np.arange(1, config.n_spread_bins) / config.n_spread_bins)
    edges = sorted(set(map(float, quantiles)))
    groups = np.searchsorted(np.asarray(edges), spread, side="right")
    atoms, weights = [], []
    for group in range(len(edges) + 1):
        own = errors[groups == group] if (groups == group).any() else errors
        values, counts = np.unique(_compress(np.round(own)), return_counts=True)
        atoms.append([float(value) for value in values])
        weights.append([float(count) / len(own) for count in counts])
    scaled = np.sort(np.abs(errors) / spread)
    rank = min(int(np.ceil((len(scaled) + 1) * config.interval_level)), len(scaled))
    return ErrorDistribution(edges, atoms, weights, float(scaled[rank - 1]))


def add_foreign(
    errors: ErrorDistribution, highest_spread: float, foreign: Floats, config: ModelConfig
) -> ErrorDistribution:
    """Add the group of records of unknown sections.

    Parameters
    ----------
    errors : ErrorDistribution
        That of records of known sections.
    highest_spread : float
        Highest spread among those; points.
    foreign : ndarray of shape (n_errors,)
        Errors on records of sections that were left out; points.
    config : ModelConfig
        Level of the interval: it holds that share of the `foreign` errors.
    """
    edge = max(highest_spread, *errors.edges_, MIN_SPREAD) + 2 * MIN_SPREAD
    width = float(np.quantile(np.abs(foreign), config.interval_level))
    # The width is a multiple of the spread, so a wide enough spread gives the interval that was asked for.
    spread = max(width / errors.half_width_ if errors.half_width_ else 0.0, edge)
    values, counts = np.unique(_compress(np.round(foreign)), return_counts=True)
    return ErrorDistribution(
        [*errors.edges_, edge],
        [*errors.atoms_, [float(value) for value in values]],
        [*errors.weights_, [float(count) / len(foreign) for count in counts]],
        errors.half_width_,
        spread,
    )


def _compress(values: Floats) -> Floats:
    """At most MAX_ATOMS distinct values: beyond that, means of neighbours of equal number."""
    if len(np.unique(values)) <= MAX_ATOMS:
        return values
    ordered = np.sort(values)
    return np.concatenate(
        [np.full(len(part), part.mean().round()) for part in np.array_split(ordered, MAX_ATOMS)]
    )
