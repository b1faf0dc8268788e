"""From quality to lead, to heat, to published: each part learned where its parents are known.

On labelled records the quality is known, so who leads, what heat adds and what is shown are learned
from true values, as the near-exact rules that they are. On new records the quality is a
distribution, and the rules are averaged over it. That is how thresholds that switch on quality
(a better record in the story, a bonus, a place on the page) become probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster

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


def lead_matrix(table: FeatureTable, quality: Floats) -> Floats:
    """Features of the lead booster, shape (n_records, len(LEAD_NAMES)); the margin is over the coverage."""
    margin = quality - table.number("coverage_quality_max")
    return np.column_stack([margin, table.columns(LEAD_NAMES[1:])])


def heat_matrix(table: FeatureTable, quality: Floats) -> Floats:
    """Features of the heat booster, shape (n_records, len(HEAT_NAMES))."""
    return np.column_stack([quality, table.columns(HEAT_NAMES[1:])])


def published_matrix(table: FeatureTable, quality: Floats, heat: Floats) -> Floats:
    """Features of the published booster, shape (n_records, len(PUBLISHED_NAMES))."""
    return np.column_stack([heat, quality, table.columns(PUBLISHED_NAMES[2:])])


@dataclass(frozen=True, slots=True)
class LearnedThresholds:
    """Where the learned rules switch; points, None where they do not.

    ``bonus_from_quality`` is the quality from which a related record adds most more heat than below it,
    ``published_from_heat`` the heat from which a record is rather shown than not.
    """

    bonus_from_quality: float | None
    published_from_heat: float | None


MAX_STEP = 100_000.0
"""Points up to which rules are looked at point by point."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The boosters of lead, heat and published."""

    lead: Booster
    heat: Booster
    published: Booster

    def lead_probability(self, table: FeatureTable, quality: Floats, num_threads: int = 1) -> Floats:
        """Probability that each record leads its story, shape (n_records,)."""
        return self.lead.predict(lead_matrix(table, quality), num_threads)

    def heat_if_lead(self, table: FeatureTable, quality: Floats, num_threads: int = 1) -> Floats:
        """Heat of each record if it leads, shape (n_records,): quality, and what each related record adds."""
        each = self.heat.predict(heat_matrix(table, quality), num_threads)
        return quality + each * np.maximum(table.number("coverage_count"), 1.0)

    def published_probability(
        self, table: FeatureTable, quality: Floats, heat: Floats, num_threads: int = 1
    ) -> Floats:
        """Probability that the site shows each record, shape (n_records,)."""
        return self.published.predict(published_matrix(table, quality, heat), num_threads)

    def learned_thresholds(self, highest: float) -> LearnedThresholds:
        """Read the steps off the boosters, for qualities and heats from 0 to `highest` points.

        None is looked for beyond :data:`MAX_STEP`, which only a label that is a slip of the pen reaches.
        """
        points = np.arange(0.0, min(highest, MAX_STEP) + 1.0)
        X = np.full((len(points), len(HEAT_NAMES)), np.nan)
        X[:, HEAT_NAMES.index("quality")] = points
        for name in ("coverage_count", "coverage_provider_count"):
            X[:, HEAT_NAMES.index(name)] = 1.0
        for name in ("coverage_quality_mean", "coverage_quality_max"):
            X[:, HEAT_NAMES.index(name)] = points / 2
        X[:, HEAT_NAMES.index("coverage_own_provider_count")] = 0.0
        rises = np.diff(self.heat.predict(X))
        largest = int(np.argmax(rises)) if len(rises) else 0
        X = np.zeros((len(points), len(PUBLISHED_NAMES)))
        X[:, PUBLISHED_NAMES.index("heat")] = X[:, PUBLISHED_NAMES.index("quality")] = points
        shown = np.flatnonzero(self.published.predict(X) >= 0.5)
        return LearnedThresholds(
            float(points[largest + 1]) if len(rises) and rises[largest] >= 1.0 else None,
            float(points[shown[0]]) if len(shown) else None,
        )
