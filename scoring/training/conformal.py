"""Calibration of split-conformal intervals on held-out residuals (Lei et al., 2018)."""

from __future__ import annotations

import numpy as np

from scoring.features.table import Floats
from scoring.model.conformal import MAX_ATOMS, MIN_SPREAD, NO_ERRORS, ResidualDistribution
from scoring.training.config import ModelConfig

MIN_HALF_WIDTH = 0.01
"""Half width of the interval in units of spread, where no error was found: a wide spread widens it."""


def fit_residuals(errors: Floats, spread: Floats, config: ModelConfig) -> ResidualDistribution:
    """Fit the conformal quantile and each group's residual distribution on held-out records.

    Parameters
    ----------
    errors : ndarray of shape (n_records,)
        Label minus prediction; points.
    spread : ndarray of shape (n_records,)
        Predicted scale of the error; points.
    config : ModelConfig
        Number of groups and level of the interval.

    Returns
    -------
    ResidualDistribution
    """
    if not len(errors):
        return NO_ERRORS
    quantiles = np.quantile(spread, np.arange(1, config.n_spread_bins) / config.n_spread_bins)
    edges = sorted(set(map(float, quantiles)))
    groups = np.searchsorted(np.asarray(edges), spread, side="right")
    support, probabilities = [], []
    for group in range(len(edges) + 1):
        group_errors = errors[groups == group] if (groups == group).any() else errors
        values, counts = np.unique(_compress(np.round(group_errors)), return_counts=True)
        support.append([float(value) for value in values])
        probabilities.append([float(count) / len(group_errors) for count in counts])
    half_width = max(half_width_of(errors / spread, config.interval_level), MIN_HALF_WIDTH)
    return ResidualDistribution(edges, support, probabilities, half_width)


def half_width_of(errors: Floats, level: float) -> float:
    """Conformal quantile of absolute errors; 0 if there are none.

    Parameters
    ----------
    errors : ndarray of shape (n_errors,)
        Errors of records that were not fitted on.
    level : float
        Coverage of the interval; 0 to 1.

    Examples
    --------
    >>> half_width_of(np.array([1.0, -4.0, 2.0]), 0.5)
    2.0
    """
    if not len(errors):
        return 0.0
    scores = np.sort(np.abs(errors))
    rank = min(int(np.ceil((len(scores) + 1) * level)), len(scores))
    return float(scores[rank - 1])


def add_unseen_section(
    errors: ResidualDistribution, highest_spread: float, foreign: Floats, level: float
) -> ResidualDistribution:
    """Add a group for records of sections that the training data lack.

    Parameters
    ----------
    errors : ResidualDistribution
        Residuals of the known sections.
    highest_spread : float
        Highest predicted spread of a known section; points.
    foreign : ndarray of shape (n_errors,)
        Leave-section-out errors; points.
    level : float
        Coverage of the interval of the `foreign` errors; 0 to 1.
    """
    edge = max(highest_spread, *errors.edges_, MIN_SPREAD) + 2 * MIN_SPREAD
    half_width = float(np.quantile(np.abs(foreign), level))
    # The interval is a multiple of the spread, so a wide enough spread gives the wanted coverage.
    spread = max(half_width / errors.half_width_ if errors.half_width_ else 0.0, edge)
    values, counts = np.unique(_compress(np.round(foreign)), return_counts=True)
    return ResidualDistribution(
        [*errors.edges_, edge],
        [*errors.atoms_, [float(value) for value in values]],
        [*errors.weights_, [float(count) / len(foreign) for count in counts]],
        errors.half_width_,
        spread,
        errors.unseen_provider_half_width_,
    )


def _compress(values: Floats) -> Floats:
    """Reduce to at most MAX_ATOMS distinct values: means of equally sized groups of neighbours."""
    if len(np.unique(values)) <= MAX_ATOMS:
        return values
    ordered = np.sort(values)
    return np.concatenate(
        [np.full(len(part), part.mean().round()) for part in np.array_split(ordered, MAX_ATOMS)]
    )
