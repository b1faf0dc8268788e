"""Fit of the forecast of lead and heat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.features.table import FeatureTable
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
    """Fit how lead and heat change between the age of a record and its settled story.

    Parameters
    ----------
    cascade : Cascade
        Fitted cascade; predicts the current state.
    early : sequence of FeatureTable
        Features of the `n_records` training records at several ages; at least one table.
    labels : CascadeLabels
        Settled labels.
    config : ModelConfig
        Fit options.
    num_threads, seed : int
        Number of threads and random seed of LightGBM.

    Returns
    -------
    Forecast
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    is_known = ~np.isnan(labels.heat)
    quality, heat = labels.quality[is_known], labels.heat[is_known]
    is_lead = heat > NOT_LEADING
    # Age is missing unless scoring is given a time, so each record is seen with its age and without.
    known_tables = [table.take(is_known) for table in early]
    tables = [variant for table in known_tables for variant in (table, _without_age(table))]
    log_odds = [_log_odds(cascade.lead_probability(table, quality, num_threads)) for table in tables]
    lead = train_booster(
        np.vstack(
            [_matrix(table, quality, current) for table, current in zip(tables, log_odds, strict=True)]
        ),
        np.tile(is_lead.astype(float), len(tables)),
        names=SETTLED_LEAD_NAMES,
        params=config.settled_lead.params,
        num_iterations=config.settled_lead.num_iterations,
        start=np.concatenate(log_odds),
        **options,
    )
    tables = [table.take(is_lead) for table in tables]
    heats = [cascade.heat_if_lead(table, quality[is_lead], num_threads) for table in tables]
    settled_heat = np.maximum(heat[is_lead], 1.0)
    growth = train_booster(
        np.vstack(
            [_matrix(table, quality[is_lead], current) for table, current in zip(tables, heats, strict=True)]
        ),
        np.concatenate([np.log(settled_heat / np.maximum(current, 1.0)) for current in heats]),
        names=GROWTH_NAMES,
        params=config.growth.params,
        num_iterations=config.growth.num_iterations,
        **options,
    )
    return Forecast(cascade, lead, growth)


def _without_age(table: FeatureTable) -> FeatureTable:
    return table.with_number("age_hours", np.full(len(table), np.nan))
