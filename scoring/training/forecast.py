"""Fit the forecast of lead and heat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.features.table import NUMBER_INDEX, FeatureTable
from scoring.model.cascade import NOT_LEADING, Cascade
from scoring.model.forecast import GROWTH_NAMES, SETTLED_LEAD_NAMES, Forecast, _log_odds, _matrix
from scoring.training.cascade import CascadeLabels
from scoring.training.config import ModelConfig
from scoring.training.lightgbm_trainer import train_booster


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


def _ageless(table: FeatureTable) -> FeatureTable:
    numbers = table.numbers.copy()
    numbers[:, NUMBER_INDEX["age_hours"]] = np.nan
    return FeatureTable(numbers, table.texts, table.topics, table.title_words)
