"""Forecast of lead and heat once the story's coverage is complete.

A record is scored while its story is young, and its labels settle later. The forecast starts from the
cascade's current predictions and is fitted on training records at several ages: one booster adds to the
log-odds of leading, another predicts the growth factor of heat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.cascade import Cascade

_TABLE_NAMES = (
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
SETTLED_LEAD_NAMES = ("lead_log_odds", "quality", "quality_margin", *_TABLE_NAMES)
GROWTH_NAMES = ("heat", "quality", "quality_margin", *_TABLE_NAMES)
_MIN_PROBABILITY = 1e-4  # probabilities are clipped to keep log-odds finite


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predicts lead and heat once the story has settled, from the cascade's current predictions."""

    cascade: Cascade
    lead: Booster
    growth: Booster

    def lead_probability(
        self, table: FeatureTable, quality: Floats, num_threads: int = 1, *, now: Floats | None = None
    ) -> Floats:
        """Probability of leading the settled story, shape (n_records,); `now` avoids predicting it again."""
        if now is None:
            now = self.cascade.lead_probability(table, quality, num_threads)
        log_odds = _log_odds(now)
        log_odds_change = self.lead.predict(_matrix(table, quality, log_odds), num_threads, is_raw=True)
        # The logistic function, in a form that does not overflow.
        probability: Floats = 0.5 * (1 + np.tanh((log_odds + log_odds_change) / 2))
        return probability

    def heat_if_lead(
        self, table: FeatureTable, quality: Floats, num_threads: int = 1, *, now: Floats | None = None
    ) -> Floats:
        """Settled heat if it leads, shape (n_records,), points; `now` avoids predicting it again."""
        if now is None:
            now = self.cascade.heat_if_lead(table, quality, num_threads)
        growth = np.exp(self.growth.predict(_matrix(table, quality, now), num_threads))
        heat: Floats = now + np.maximum(now, 1.0) * (growth - 1)
        return heat


def _matrix(table: FeatureTable, quality: Floats, now: Floats) -> Floats:
    """Features of both boosters, shape (n_records, len(GROWTH_NAMES)); `now` is the cascade's output."""
    margin = quality - table.number("coverage_quality_max")
    return np.column_stack([now, quality, margin, table.columns(_TABLE_NAMES)])


def _log_odds(probability: Floats) -> Floats:
    probability = np.clip(probability, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    log_odds: Floats = np.log(probability / (1 - probability))
    return log_odds
