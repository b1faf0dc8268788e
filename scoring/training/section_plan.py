"""Plan of the shared policy of quality: the sections whose labels it is fitted on, and their scale.

The section with the most labels sets the scale. If the labels of another section contradict its policy, the
difference is subtracted from them, so that the shared fit can use them for what the sections have in common.
A section with few labels is left out of the shared fit: its difference is fitted afterwards. If the policy of
a section changed, its records before the change and its records since then are treated as two sections,
called regimes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.quality import QualityModel
from scoring.model.rubric import Rubric
from scoring.model.section_policy import SectionPolicy
from scoring.training.config import ModelConfig, SectionConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric
from scoring.training.section_difference import Difference, fit_difference
from scoring.training.section_effects import Groups
from scoring.training.section_policy import constants_of, fit_policy, policy_of, with_residuals
from scoring.training.splits import group_folds

N_FOLDS = 5  # of the comparison of a section's policy with the shared one
MIN_ERRORS = 4.0  # standard errors by which a section's own policy has to predict better than the shared one
MIN_SCALE = 0.05  # a section with a lower scale is left out of the shared fit


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """Plan of the shared fit on `n_records` labelled records.

    Parameters
    ----------
    regimes : ndarray of str, shape (n_records,)
        Regime of each record: see :meth:`scoring.training.training_set.TrainingSet.regimes`.
    is_shared : ndarray of bool, shape (n_records,)
        The records that the shared policy is fitted on.
    y : ndarray of shape (n_records,)
        Labels of these records on the shared scale, and the original labels of the others; points.
    policies : dict of str to SectionPolicy
        Differences that were subtracted, by regime; without residuals.
    own : tuple of str
        The regimes that are left out of the shared fit.
    """

    regimes: NDArray[np.object_]
    is_shared: NDArray[np.bool_]
    y: Floats
    policies: Mapping[str, SectionPolicy]
    own: tuple[str, ...]

    @property
    def in_shared_policy(self) -> NDArray[np.bool_]:
        """Mask of the records of the shared fit whose regime has no policy of its own, shape (n_records,)."""
        return self.is_shared & ~np.isin(self.regimes, list(self.policies))


def plan_sections(
    table: FeatureTable,
    design_matrix: DesignMatrix,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    regimes: NDArray[np.object_],
) -> SectionPlan:
    """Decide for each regime whether and how it takes part in the shared fit.

    Parameters
    ----------
    table : FeatureTable
        `n_records` labelled records.
    design_matrix : DesignMatrix
        Their candidate columns of the rubric.
    y : ndarray of shape (n_records,)
        Their qualities; points.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    config : ModelConfig
        Fit options.
    regimes : ndarray of str, shape (n_records,)
        Regime of each record; empty if its section is unknown.

    Returns
    -------
    SectionPlan
    """
    sections = table.text("topic_section")
    ranked, small = rank_sections(Counter(regimes), config.sections)
    ranked = _with_reference(ranked, regimes, sections, config.sections)
    is_shared, aligned = np.ones(len(table), dtype=bool), y.copy()
    policies: dict[str, SectionPolicy] = {}
    own = []
    if len(ranked) < 2:
        return SectionPlan(regimes, is_shared, aligned, policies, ())
    reference, *others = ranked
    is_base = regimes == reference
    section = sections[is_base][0]
    # The other regimes of this section come first, since other sections are compared with all of it.
    others.sort(key=lambda name: bool(sections[regimes == name][0] != section))
    shared: Rubric | None = None
    constants: dict[str, float] = {}
    is_stale = True
    for name in others:
        rows = regimes == name
        if name in small:
            own.append(name)
            is_shared[rows] = False
            continue
        is_change = sections[rows][0] == section
        if shared is None or (is_stale and not is_change):
            shared = fit_rubric(design_matrix.take(is_base), aligned[is_base], config.rubric)
            constants, is_stale = constants_of(table.take(is_base)), False
        part, deviation = table.take(rows), float(aligned[is_base].std())
        quality = shared.predict(part)
        if is_change:  # an earlier regime is known to differ
            options = change_options(config.sections, len(part))
            difference: Difference | None = fit_difference(
                shared, part, quality, y[rows], options, deviation, constants
            ).contradiction
        else:
            difference = contradiction(
                shared, part, quality, y[rows], copies[rows], config, deviation, constants
            )
        if difference is None:
            continue
        if difference.scale < MIN_SCALE:
            own.append(name)
            is_shared[rows] = False
            continue
        # Moved knots are relative to the shared policy that the difference was fitted on.
        policies[name] = policy = policy_of(difference, shared, part, {})
        aligned[rows] = (y[rows] - policy.points(part)) / policy.scale_
        # A label at the floor is an upper bound of the points.
        is_shared[rows] = (y[rows] > difference.floor) | (aligned[rows] <= shared.floor_)
        aligned[rows] = np.maximum(aligned[rows], shared.floor_)
        if is_change:
            is_base |= rows & is_shared
            is_stale = True
    return SectionPlan(regimes, is_shared, aligned, policies, tuple(own))


def rank_sections(counts: Mapping[str, int], options: SectionConfig) -> tuple[list[str], set[str]]:
    """Rank the sections that may have a policy of their own, and find those too small for the shared fit.

    Parameters
    ----------
    counts : mapping of str to int
        Number of labelled records by section; records without a section are ignored.
    options : SectionConfig
        Fit options.

    Returns
    -------
    ranked : list of str
        The sections, the one with the most labels first; it sets the scale.
    small : set of str
        Sections with too few labels for the shared fit.
    """
    if options.design == "shared":
        return [], set()
    ranked = [name for name, count in counts.items() if name and count >= options.min_records]
    ranked.sort(key=lambda name: (-counts[name], name))
    small, n_shared = set(), 0
    for name in ranked:
        # n_shared is 0 for the first section, so it is never small.
        if counts[name] < min(options.min_shared_records, options.min_shared_ratio * n_shared):
            small.add(name)
        else:
            n_shared += counts[name]
    return ranked, small


def change_options(options: SectionConfig, n_records: int) -> SectionConfig:
    """Fit options for the difference across a change in time, given the records of the side that differs."""
    if n_records < options.min_shared_records:
        return options
    support = options.change_support
    return msgspec.structs.replace(options, support=support, own_support=2 * support)


def is_enough(n_records: int, n_of_section: int, options: SectionConfig) -> bool:
    """Whether the records since a change are enough to be the reference for the records before it."""
    return n_records >= max(options.min_shared_records, options.min_shared_ratio * n_of_section)


def _with_reference(
    ranked: list[str], regimes: NDArray[np.object_], sections: NDArray[np.object_], options: SectionConfig
) -> list[str]:
    """Put the regime that sets the scale first: the latest one of the largest section with enough records."""
    if not ranked:
        return ranked
    section = sections[regimes == ranked[0]][0]
    counts = Counter(regimes[sections == section])
    # Names of past regimes sort by time; the current regime has the name of the section.
    latest = [section, *sorted(set(counts) - {section}, reverse=True)]
    enough = [name for name in latest if is_enough(counts[name], counts.total(), options)]
    reference = next((name for name in enough if name in ranked), ranked[0])
    return [reference, *(name for name in ranked if name != reference)]


def contradiction(
    shared: Rubric,
    table: FeatureTable,
    quality: Floats,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    deviation: float,
    constants: Mapping[str, float],
) -> Difference | None:
    """Find how a section's labels contradict the shared policy.

    Parameters
    ----------
    shared, table, quality, y, deviation, constants
        See :func:`scoring.training.section_difference.fit_difference`.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    config : ModelConfig
        Fit options.

    Returns
    -------
    Difference or None
        None unless it predicts held-out records clearly better.
    """
    folds = group_folds(copies, N_FOLDS, 0)
    gains = np.zeros(len(y))
    for fold in np.unique(folds):
        is_held = folds == fold
        if is_held.all():
            return None
        known, held = table.take(~is_held), table.take(is_held)
        errors = []
        for is_own_only in (False, True):
            difference = fit_difference(
                shared,
                known,
                quality[~is_held],
                y[~is_held],
                config.sections,
                deviation,
                constants,
                is_own_only=is_own_only,
            )
            policy = policy_of(difference, shared, known, {})
            errors.append(np.abs(y[is_held] - policy.predict(held, quality[is_held])))
        gains[is_held] = errors[1] - errors[0]
    if gains.mean() <= MIN_ERRORS * gains.std() / np.sqrt(len(gains)):
        return None
    difference = fit_difference(shared, table, quality, y, config.sections, deviation, constants)
    return difference.contradiction if difference.contradiction.effects else None


def with_policies(
    model: QualityModel,
    plan: SectionPlan,
    table: FeatureTable,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    out_of_fold: Floats | None = None,
    num_threads: int = 1,
) -> QualityModel:
    """Add the policies of sections that differ from the shared policy to the model.

    Parameters
    ----------
    model : QualityModel
        The shared policy, fitted as planned.
    plan : SectionPlan
        The plan.
    table, y, copies, config
        See :func:`plan_sections`.
    out_of_fold : ndarray of shape (n_records,), optional
        Out-of-fold shared quality of each record of the shared fit; points. Where it is NaN or not given,
        the in-sample prediction is used.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    QualityModel
    """
    X = model.matrix(table)
    quality, spread = model.predict(X, num_threads), model.known_spread(X, num_threads)
    deviation = float(plan.y[plan.is_shared].std())
    constants = constants_of(table.take(plan.is_shared))
    half_width = model.errors.half_width_
    policies: dict[str, SectionPolicy] = {}
    for name in plan.own:
        rows = np.flatnonzero(plan.regimes == name)
        policies[name] = fit_policy(
            model.rubric,
            table.take(rows),
            quality[rows],
            spread[rows],
            y[rows],
            copies[rows],
            config,
            deviation,
            constants,
            half_width,
        )
    if out_of_fold is not None:
        quality = np.where(np.isnan(out_of_fold), quality, out_of_fold)
    for name, policy in plan.policies.items():
        rows = np.flatnonzero(plan.regimes == name)
        part = table.take(rows)
        residual = y[rows] - policy.predict(part, quality[rows])
        is_novel = np.zeros(len(rows), dtype=bool)
        policies[name] = with_residuals(
            policy, part, residual, spread[rows], y[rows], is_novel, config, half_width
        )
    return replace(model, policies=dict(sorted(policies.items())))
