"""The forecast: who leads, and with what heat, once the story's coverage has come.

A record is scored while its story is young, and judged by what the story became. The cascade says what
holds now; the forecast begins there and learns, from training records as they stood at some ages, what
still changes: a booster adds to the log-odds of leading, another says by what factor heat grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.cascade import Cascade

_SEEN = (
    "age_hours",
    "published_hour",
    "published_weekday",
    "first_coverage_hours",
    "last_coverage_hours",
    "earlier_coverage_count",
    "coverage_count",
    "coverage_quality_max",
    "coverage_quality_mean",
    "coverage_near_max_count",
    "coverage_best_lead_hours",
    "coverage_provider_count",
    "coverage_own_provider_count",
    "coverage_same_title_count",
    "topic_count",
    "title_names_topic_count",
    "has_image",
)
SETTLED_LEAD_NAMES = ("lead_log_odds", "quality", "quality_margin", *_SEEN)
GROWTH_NAMES = ("heat", "quality", "quality_margin", *_SEEN)
_CERTAIN = 1e-4  # what is nearer to 0 or 1 than this is taken for this: log-odds must be finite


@dataclass(frozen=True, slots=True)
class Forecast:
    """The cascade's rules as they will hold once coverage has come."""

    cascade: Cascade
    lead: Booster
    growth: Booster

    def lead_probability(
        self, table: FeatureTable, quality: Floats, num_threads: int = 1, *, now: Floats | None = None
    ) -> Floats:
        """Probability that each record will lead its story, shape (n_records,); `now` if that is known."""
        if now is None:
            now = self.cascade.lead_probability(table, quality, num_threads)
        odds = _log_odds(now)
        change = self.lead.predict(_matrix(table, quality, odds), num_threads, is_raw=True)
        # The logistic function, which this form keeps from overflowing.
        probability: Floats = 0.5 * (1 + np.tanh((odds + change) / 2))
        return probability

    def heat_if_lead(
        self, table: FeatureTable, quality: Floats, num_threads: int = 1, *, now: Floats | None = None
    ) -> Floats:
        """Heat that each record will have if it leads, shape (n_records,); points; `now` if that is known."""
        if now is None:
            now = self.cascade.heat_if_lead(table, quality, num_threads)
        factor = np.exp(self.growth.predict(_matrix(table, quality, now), num_threads))
        heat: Floats = now + np.maximum(now, 1.0) * (factor - 1)
        return heat


def _matrix(table: FeatureTable, quality: Floats, now: Floats) -> Floats:
    """Features of both boosters, shape (n_records, len(GROWTH_NAMES)); `now` is what the cascade says."""
    margin = quality - table.number("coverage_quality_max")
    return np.column_stack([now, quality, margin, table.columns(_SEEN)])


def _log_odds(probability: Floats) -> Floats:
    probability = np.clip(probability, _CERTAIN, 1 - _CERTAIN)
    odds: Floats = np.log(probability / (1 - probability))
    return odds
