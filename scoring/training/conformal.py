"""Calibrate split-conformal intervals on held-out residuals."""

from __future__ import annotations

import numpy as np

from scoring.features.table import Floats
from scoring.model.conformal import MAX_ATOMS, MIN_SPREAD, NO_ERRORS, ResidualDistribution
from scoring.training.config import ModelConfig


def fit_residuals(errors: Floats, spread: Floats, config: ModelConfig) -> ResidualDistribution:
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
    return ResidualDistribution(edges, atoms, weights, float(scaled[rank - 1]))


def add_unseen_section(
    errors: ResidualDistribution, highest_spread: float, foreign: Floats, config: ModelConfig
) -> ResidualDistribution:
    """Add the group of records of unknown sections.

    Parameters
    ----------
    errors : ResidualDistribution
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
    return ResidualDistribution(
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
