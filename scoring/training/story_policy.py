"""Fit of the sections' own rules of heat and publication, as differences from the shared rules.

Both rules are thresholds that can be read from labels: the quality from which related records add heat, with
the heat that each adds; and the heat from which a record is published. The section with the most labels sets
the shared rule. Another section gets its own rule if its labels contradict the shared one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.section_policy import LABEL_STEP
from scoring.model.story_policy import StoryPolicy
from scoring.training.config import SectionConfig

MIN_RECORDS = 3  # records by which the section's own rule must fit more than the shared rule does
MAX_THRESHOLDS = 200  # candidate thresholds of a bonus
MIN_BONUS = 1.0  # points; a lower bonus of the shared rule is not scaled


@dataclass(frozen=True, slots=True)
class StoryPlan:
    """Records that the boosters of heat and publication are fitted on, and the other sections' policies.

    Parameters
    ----------
    has_shared_bonus, has_shared_publication : ndarray of bool, shape (n_records,)
        Whether the shared rule holds for a record's section.
    policies : dict of str to StoryPolicy
        Policies of the sections for which a shared rule does not hold.
    """

    has_shared_bonus: NDArray[np.bool_]
    has_shared_publication: NDArray[np.bool_]
    policies: dict[str, StoryPolicy]


@dataclass(frozen=True, slots=True)
class BonusRule:
    """Heat that each related record adds to a lead of at least some quality; points."""

    bonus: float
    from_quality: float

    def heat(self, quality: Floats, n_related: Floats) -> Floats:
        """Heat of leads, shape (n_records,)."""
        return quality + self.bonus * n_related * (quality >= self.from_quality)


def plan_stories(
    table: FeatureTable, quality: Floats, heat: Floats, published: Floats, config: SectionConfig
) -> StoryPlan:
    """Find the sections whose labels contradict the rules of the section with the most labels.

    Parameters
    ----------
    table : FeatureTable
        `n_records` labelled records.
    quality, heat, published : ndarray of shape (n_records,)
        Their labels; NaN: unknown.
    config : SectionConfig
        Design of the sections' policies.

    Returns
    -------
    StoryPlan
    """
    sections = table.text("topic_section")
    n_related = np.nan_to_num(table.number("coverage_count"))
    everything = np.ones(len(table), dtype=bool)
    plan = StoryPlan(everything.copy(), everything.copy(), {})
    if config.design == "shared":
        return plan
    has_bonus = np.isfinite(heat) & (heat > NOT_LEADING) & (n_related > 0)
    has_decision = np.isfinite(heat) & np.isfinite(published)
    for name, rows in _other_sections(sections, has_bonus):
        reference = has_bonus & (sections == _largest(sections, has_bonus))
        shared = fit_bonus(quality[reference], heat[reference], n_related[reference])
        own = fit_bonus(quality[rows], heat[rows], n_related[rows])
        labels = quality[rows], heat[rows], n_related[rows]
        if shared.bonus >= MIN_BONUS and _is_contradicted(shared, own, *labels):
            plan.has_shared_bonus[sections == name] = False
            plan.policies[name] = StoryPolicy(
                bonus_ratio_=own.bonus / shared.bonus,
                bonus_shift_=own.from_quality - shared.from_quality,
                n_bonus_records_=int(rows.sum()),
            )
    for name, rows in _other_sections(sections, has_decision):
        reference = has_decision & (sections == _largest(sections, has_decision))
        threshold = fit_threshold(heat[reference], published[reference] > 0.5)
        own_threshold = fit_threshold(heat[rows], published[rows] > 0.5, threshold)
        if abs(own_threshold - threshold) >= LABEL_STEP * 2:
            plan.has_shared_publication[sections == name] = False
            plan.policies[name] = msgspec.structs.replace(
                plan.policies.get(name, StoryPolicy()),
                published_shift_=own_threshold - threshold,
                n_published_records_=int(rows.sum()),
            )
    return plan


def _largest(sections: NDArray[np.object_], mask: NDArray[np.bool_]) -> str:
    """The section with the most records of a mask; of several, the first by name."""
    counts = Counter(section for section in sections[mask] if section)
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _other_sections(
    sections: NDArray[np.object_], mask: NDArray[np.bool_]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """The other sections with at least :data:`MIN_RECORDS` records of a mask, and masks of those records."""
    names = sorted({section for section in sections[mask] if section} - {_largest(sections, mask)})
    masks = [(name, mask & (sections == name)) for name in names]
    return [(name, rows) for name, rows in masks if rows.sum() >= MIN_RECORDS]


def fit_bonus(quality: Floats, heat: Floats, n_related: Floats) -> BonusRule:
    """Rule with the least absolute errors of the heat.

    Parameters
    ----------
    quality, heat, n_related : ndarray of shape (n_records,)
        Quality, heat and number of related records of leads with at least one related record.

    Examples
    --------
    >>> quality, n_related = np.array([30.0, 48.0, 50.0, 70.0]), np.array([3.0, 1.0, 2.0, 1.0])
    >>> fit_bonus(quality, np.array([30.0, 48.0, 90.0, 90.0]), n_related)
    BonusRule(bonus=20.0, from_quality=50.0)
    """
    thresholds = np.unique(quality)
    if len(thresholds) > MAX_THRESHOLDS:
        thresholds = np.unique(np.quantile(quality, np.linspace(0, 1, MAX_THRESHOLDS)).round())
    added, rules = heat - quality, []
    for threshold in thresholds.tolist():
        rows = quality >= threshold
        if rows.any():
            bonus = _weighted_median(added[rows] / n_related[rows], n_related[rows])
            error = np.abs(added - bonus * n_related * rows).sum()
            rules.append((float(error), threshold, bonus))
    _, threshold, bonus = min(rules)
    return BonusRule(float(bonus), threshold)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def _is_contradicted(
    shared: BonusRule, own: BonusRule, quality: Floats, heat: Floats, n_related: Floats
) -> bool:
    """Whether the section's own rule fits some records clearly better than the shared one."""
    gains = np.abs(heat - shared.heat(quality, n_related)) - np.abs(heat - own.heat(quality, n_related))
    n_better, n_worse = np.count_nonzero(gains > MIN_BONUS), np.count_nonzero(gains < -MIN_BONUS)
    deviation = float(gains.std()) / np.sqrt(len(gains))
    return bool(n_better - n_worse >= MIN_RECORDS and gains.mean() > 2 * deviation)


def fit_threshold(heat: Floats, is_published: NDArray[np.bool_], shared: float | None = None) -> float:
    """Fit the heat from which records are published: the threshold with the fewest errors.

    Parameters
    ----------
    heat : ndarray of shape (n_records,)
        Heat of labelled records; points.
    is_published : ndarray of bool, shape (n_records,)
        Whether each was published.
    shared : float, optional
        The threshold that holds unless :data:`MIN_RECORDS` or more records contradict it.

    Returns
    -------
    float
        A value between two observed heats; the middle one if several thresholds are equally good.

    Examples
    --------
    >>> heat, is_published = np.array([10.0, 40.0, 60.0, 80.0]), np.array([False, False, True, True])
    >>> fit_threshold(heat, is_published), fit_threshold(heat, is_published, 70.0)
    (50.0, 70.0)
    """
    values, index = np.unique(heat, return_inverse=True)
    thresholds = np.concatenate([values[:1] - 0.5, (values[1:] + values[:-1]) / 2, values[-1:] + 0.5])
    n_published, n_records = np.bincount(index, is_published), np.bincount(index)
    # Records published below the threshold, and records at or above it that were not published.
    n_missed = np.concatenate([[0.0], np.cumsum(n_published)])
    n_extra = np.concatenate([np.cumsum((n_records - n_published)[::-1])[::-1], [0.0]])
    errors = n_missed + n_extra
    if shared is not None:
        n_shared_errors = np.count_nonzero((heat >= shared) != is_published)
        if n_shared_errors - errors.min() < MIN_RECORDS:
            return shared
    best = thresholds[errors == errors.min()]
    return float(best[(len(best) - 1) // 2])
