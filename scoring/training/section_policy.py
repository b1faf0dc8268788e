"""Fit of a section's own policy of quality, as a sparse difference from the shared one."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.conformal import NO_ERRORS
from scoring.model.rubric import Rubric
from scoring.model.section_policy import SectionPolicy, is_other
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals
from scoring.training.design_matrix import ADDITIVE_NAMES
from scoring.training.section_difference import Difference, fit_difference
from scoring.training.section_effects import MIN_SEEN, Groups
from scoring.training.splits import group_folds


def fit_policy(
    shared: Rubric,
    table: FeatureTable,
    quality: Floats,
    spread: Floats,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    deviation: float,
    constants: dict[str, float],
    shared_half_width: float,
) -> SectionPolicy:
    """Fit the policy of a section that is not part of the shared fit.

    Parameters
    ----------
    shared, table, quality, y, deviation
        See :func:`scoring.training.section_difference.fit_difference`.
    spread : ndarray of shape (n_records,)
        Scale of the error by the shared policy; points.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    config : ModelConfig
        Fit options.
    constants : dict of str to float
        Columns that have one value in all records of the shared fit.
    shared_half_width : float
        Half width of the interval of the shared policy, in units of the spread.

    Returns
    -------
    SectionPolicy
    """
    residual = np.empty(len(y))
    is_novel = np.zeros(len(y), dtype=bool)
    folds = group_folds(copies, config.sections.n_folds, 0)
    for fold in np.unique(folds):
        is_held = folds == fold
        known, held = table.take(~is_held), table.take(is_held)
        if len(known):
            fitted = fit_difference(
                shared, known, quality[~is_held], y[~is_held], config.sections, deviation, constants
            )
            predicted = policy_of(fitted, shared, known, constants).predict(held, quality[is_held])
        else:
            predicted = quality[is_held]
        residual[is_held] = y[is_held] - predicted
        is_novel[is_held] = is_other(held, still_constant(known, constants))
    difference = fit_difference(shared, table, quality, y, config.sections, deviation, constants)
    policy = policy_of(difference, shared, table, constants)
    return with_residuals(policy, table, residual, spread, y, is_novel, config, shared_half_width)


def policy_of(
    difference: Difference, shared: Rubric, table: FeatureTable, constants: dict[str, float]
) -> SectionPolicy:
    """Make a policy from a fitted difference, without residuals."""
    return SectionPolicy(
        difference.scale,
        difference.rubric(shared),
        NO_ERRORS,
        len(table),
        sorted(set(filter(None, table.text("provider_domain")))),
        sorted({topic for row in table.topics for topic in row}),
        still_constant(table, constants),
    )


def with_residuals(
    policy: SectionPolicy,
    table: FeatureTable,
    residual: Floats,
    spread: Floats,
    y: Floats,
    is_novel: NDArray[np.bool_],
    config: ModelConfig,
    shared_half_width: float,
) -> SectionPolicy:
    """Add the residual distributions of the section's records, and of records with a novel value.

    Its interval is never narrower than that of the shared policy that it rests on, in units of the spread.
    """
    scaled = policy.spread(table, spread)
    usual = fit_residuals(residual[~is_novel], scaled[~is_novel], _one_group(config))
    usual = msgspec.structs.replace(usual, half_width_=max(usual.half_width_, shared_half_width))
    errors = add_unseen_section(usual, float(scaled.max()), y - np.median(y), config.interval_level)
    return msgspec.structs.replace(policy, errors_=errors)


def _one_group(config: ModelConfig) -> ModelConfig:
    """Use a single group, since the residuals are few."""
    return msgspec.structs.replace(config, n_spread_bins=1)


def still_constant(table: FeatureTable, constants: dict[str, float]) -> dict[str, float]:
    """The constants that fewer than :data:`MIN_SEEN` records of a section contradict."""
    return {
        name: value
        for name, value in constants.items()
        if np.count_nonzero(np.nan_to_num(table.number(name)) != value) < MIN_SEEN
    }


def constants_of(table: FeatureTable) -> dict[str, float]:
    """Name and value of each column that has the same value in all records."""
    values = np.nan_to_num(table.columns(ADDITIVE_NAMES))
    return {
        name: float(column[0])
        for name, column in zip(ADDITIVE_NAMES, values.T, strict=True)
        if len(column) and np.ptp(column) == 0
    }
