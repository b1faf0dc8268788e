"""The forecast: who leads, and with what heat, once the story's coverage has come.

A record is scored while its story is young, and judged by what the story became. The cascade says what
holds now; the forecast begins there and learns, from training records as they stood at some ages, what
still changes: a booster adds to the log-odds of leading, another says by what factor heat grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.features.table import NUMBER_INDEX, FeatureTable, Floats
from scoring.model.boosters import train_booster
from scoring.model.cascade import NOT_LEADING, Cascade, CascadeLabels
from scoring.model.config import ModelConfig
from scoring.model.trees import Booster

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


def fit_forecast(
    cascade: Cascade,
    early: Sequence[FeatureTable],
    labels: CascadeLabels,
    config: ModelConfig,
    *,
    num_threads: int,
    seed: int,
) -> Forecast:
    """Learn what still changes after a record was looked at.

    Parameters
    ----------
    cascade : Cascade
        What holds now.
    early : sequence of FeatureTable
        The training records, `n_records` of them, as they stood at some ages; at least one table.
    labels : CascadeLabels
        Their labels as they settled.
    config : ModelConfig
    num_threads, seed : int

    Returns
    -------
    Forecast
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    known = ~np.isnan(labels.heat)
    quality, heat = labels.quality[known], labels.heat[known]
    is_lead = heat > NOT_LEADING
    # Age is known only where a moment is given, so each record is seen with its age and without.
    tables = [each for table in early for each in (table.take(known), _ageless(table.take(known)))]
    odds = [_log_odds(cascade.lead_probability(table, quality, num_threads)) for table in tables]
    lead = train_booster(
        np.vstack([_matrix(table, quality, now) for table, now in zip(tables, odds, strict=True)]),
        np.tile(is_lead.astype(float), len(tables)),
        names=SETTLED_LEAD_NAMES,
        params=config.settled_lead.params,
        num_iterations=config.settled_lead.num_iterations,
        start=np.concatenate(odds),
        **options,
    )
    tables = [table.take(is_lead) for table in tables]
    heats = [cascade.heat_if_lead(table, quality[is_lead], num_threads) for table in tables]
    settled = np.maximum(heat[is_lead], 1.0)
    growth = train_booster(
        np.vstack([_matrix(table, quality[is_lead], now) for table, now in zip(tables, heats, strict=True)]),
        np.concatenate([np.log(settled / np.maximum(now, 1.0)) for now in heats]),
        names=GROWTH_NAMES,
        params=config.growth.params,
        num_iterations=config.growth.num_iterations,
        **options,
    )
    return Forecast(cascade, lead, growth)


def _matrix(table: FeatureTable, quality: Floats, now: Floats) -> Floats:
    """Features of both boosters, shape (n_records, len(GROWTH_NAMES)); `now` is what the cascade says."""
    margin = quality - table.number("coverage_quality_max")
    return np.column_stack([now, quality, margin, table.columns(_SEEN)])


def _log_odds(probability: Floats) -> Floats:
    probability = np.clip(probability, _CERTAIN, 1 - _CERTAIN)
    odds: Floats = np.log(probability / (1 - probability))
    return odds


def _ageless(table: FeatureTable) -> FeatureTable:
    numbers = table.numbers.copy()
    numbers[:, NUMBER_INDEX["age_hours"]] = np.nan
    return FeatureTable(numbers, table.texts, table.topics, table.title_words)
