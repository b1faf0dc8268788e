"""Cascade of boosters: quality to lead, to heat, to published.

Each booster is fitted on the true labels of the steps before it, so it learns a site's near-exact rules.
For a new record the quality is a distribution, and the predictions are averaged over it
(:mod:`scoring.model.marginalize`): hard thresholds on quality become probabilities.

Where the labels of an earlier step are missing, there is no such rule to learn. Then the booster has all
features instead: that of leads without a quality, that of publication without both quality and heat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.story_policy import StoryPolicy
from scoring.model.targets import TARGETS, Targets

NOT_LEADING = -1.0

LEAD_NAMES = (
    "quality_margin",
    "coverage_count",
    "coverage_best_lead_hours",
    "coverage_near_max_count",
    "earlier_coverage_count",
    "coverage_same_title_count",
)
HEAT_NAMES = (
    "quality",
    "coverage_count",
    "coverage_quality_mean",
    "coverage_quality_max",
    "coverage_provider_count",
    "coverage_own_provider_count",
    "age_hours",
)
PUBLISHED_NAMES = ("heat", "quality", "has_image", "coverage_count")


def has_wide_lead(targets: Targets) -> bool:
    """Whether the lead booster has all features, since there are no labels of quality."""
    return "heat" in targets and "quality" not in targets


def has_wide_published(targets: Targets) -> bool:
    """Whether the published booster has all features, since there are no labels of quality or of heat."""
    return "published" in targets and targets != TARGETS


def is_wide(targets: Targets) -> bool:
    """Whether a booster has all features."""
    return has_wide_lead(targets) or has_wide_published(targets)


def names_of(targets: Targets, encoder: Encoder | None) -> dict[str, tuple[str, ...]]:
    """Columns of the boosters of the cascade, by booster.

    Parameters
    ----------
    targets : tuple of str
        Labels of the model.
    encoder : Encoder or None
        Its encoder; None if no booster has all features.
    """
    all_names = encoder.names if encoder else ()
    return {
        "lead": all_names if has_wide_lead(targets) else LEAD_NAMES,
        "heat": HEAT_NAMES,
        "published": ("quality", *all_names) if has_wide_published(targets) else PUBLISHED_NAMES,
    }


def lead_matrix(table: FeatureTable, quality: Floats) -> Floats:
    """Features of the lead booster, shape (n_records, len(LEAD_NAMES))."""
    margin = quality - table.number("coverage_quality_max")
    return np.column_stack([margin, table.columns(LEAD_NAMES[1:])])


def heat_matrix(table: FeatureTable, quality: Floats) -> Floats:
    """Features of the heat booster, shape (n_records, len(HEAT_NAMES))."""
    return np.column_stack([quality, table.columns(HEAT_NAMES[1:])])


def published_matrix(table: FeatureTable, quality: Floats, heat: Floats) -> Floats:
    """Features of the published booster, shape (n_records, len(PUBLISHED_NAMES))."""
    return np.column_stack([heat, quality, table.columns(PUBLISHED_NAMES[2:])])


def wide_published_matrix(encoder: Encoder, targets: Targets, table: FeatureTable, quality: Floats) -> Floats:
    """All features, after the quality, shape (n_records, 1 + len(encoder.names)).

    The quality is NaN if there are no labels of it: its stand-in is the label that is to be predicted.
    """
    known = quality if "quality" in targets else np.full(len(table), np.nan)
    return np.column_stack([known, encoder.transform(table)])


@dataclass(frozen=True, slots=True)
class LearnedThresholds:
    """Thresholds of the learned rules; points, None if there is none.

    ``bonus_from_quality`` is the quality at which the heat per related record increases most,
    ``published_from_heat`` the heat from which the probability of being published is at least 0.5.
    """

    bonus_from_quality: float | None
    published_from_heat: float | None


MAX_STEP = 100_000.0
"""Highest quality or heat at which thresholds are searched; points."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The boosters of lead, heat and published, and the sections whose rules differ from the learned ones.

    ``encoder`` gives the columns of a booster that has all features; ``targets`` says which has.
    """

    lead: Booster
    heat: Booster
    published: Booster
    policies: Mapping[str, StoryPolicy] = field(default_factory=dict)
    encoder: Encoder | None = None
    targets: Targets = TARGETS

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Columns of each booster, by booster."""
        return names_of(self.targets, self.encoder)

    def lead_probability(self, table: FeatureTable, quality: Floats, num_threads: int = 1) -> Floats:
        """Probability of leading the story, shape (n_records,)."""
        return self.lead.predict(self.lead_matrix(table, quality), num_threads)

    def lead_matrix(self, table: FeatureTable, quality: Floats) -> Floats:
        """Features of the lead booster."""
        if self.encoder is not None and has_wide_lead(self.targets):
            return self.encoder.transform(table)
        return lead_matrix(table, quality)

    def heat_if_lead(self, table: FeatureTable, quality: Floats, num_threads: int = 1) -> Floats:
        """Heat if the record leads: quality plus heat per related record; shape (n_records,), points."""
        ratio, shift = self._by_section(table, "bonus_ratio_"), self._by_section(table, "bonus_shift_")
        heat_per_coverage = ratio * self.heat.predict(heat_matrix(table, quality - shift), num_threads)
        return quality + heat_per_coverage * np.maximum(table.number("coverage_count"), 1.0)

    def published_probability(
        self, table: FeatureTable, quality: Floats, heat: Floats, num_threads: int = 1
    ) -> Floats:
        """Probability of being published, shape (n_records,)."""
        return self.published.predict(self.published_matrix(table, quality, heat), num_threads)

    def published_matrix(self, table: FeatureTable, quality: Floats, heat: Floats) -> Floats:
        """Features of the published booster, with quality and heat on the scale of the shared rule."""
        if self.encoder is not None and has_wide_published(self.targets):
            return wide_published_matrix(self.encoder, self.targets, table, quality)
        shift = self._by_section(table, "published_shift_")
        shared_heat = np.where(heat > NOT_LEADING, np.maximum(heat - shift, 0.0), heat)
        return published_matrix(table, quality - shift, shared_heat)

    def _by_section(self, table: FeatureTable, name: str) -> Floats:
        """A parameter of the rules of each record's section, shape (n_records,)."""
        values = np.full(len(table), getattr(StoryPolicy(), name))
        if self.policies:
            sections = table.text("topic_section")
            for section, policy in self.policies.items():
                values[sections == section] = getattr(policy, name)
        return values

    def learned_thresholds(self, highest: float) -> LearnedThresholds:
        """Find the thresholds of the boosters for qualities and heats from 0 to `highest` points.

        The search ends at :data:`MAX_STEP`, which only mistyped labels exceed.
        """
        if self.encoder is not None:
            return LearnedThresholds(None, None)  # its boosters have more features than quality and heat
        points = np.arange(0.0, min(highest, MAX_STEP) + 1.0)
        X = np.full((len(points), len(HEAT_NAMES)), np.nan)
        X[:, HEAT_NAMES.index("quality")] = points
        for name in ("coverage_count", "coverage_provider_count"):
            X[:, HEAT_NAMES.index(name)] = 1.0
        for name in ("coverage_quality_mean", "coverage_quality_max"):
            X[:, HEAT_NAMES.index(name)] = points / 2
        X[:, HEAT_NAMES.index("coverage_own_provider_count")] = 0.0
        increases = np.diff(self.heat.predict(X))
        largest = int(np.argmax(increases)) if len(increases) else 0
        X = np.zeros((len(points), len(PUBLISHED_NAMES)))
        X[:, PUBLISHED_NAMES.index("heat")] = X[:, PUBLISHED_NAMES.index("quality")] = points
        published_rows = np.flatnonzero(self.published.predict(X) >= 0.5)
        return LearnedThresholds(
            float(points[largest + 1]) if len(increases) and increases[largest] >= 1.0 else None,
            float(points[published_rows[0]]) if len(published_rows) else None,
        )
