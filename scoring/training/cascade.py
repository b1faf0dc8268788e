"""Fit the cascade: lead, heat and published, each given the true labels of the steps before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.cascade import (
    HEAT_NAMES,
    LEAD_NAMES,
    NOT_LEADING,
    PUBLISHED_NAMES,
    Cascade,
    heat_matrix,
    lead_matrix,
    published_matrix,
)
from scoring.training.config import BoosterConfig, ModelConfig
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.story_policy import plan_stories


@dataclass(frozen=True, slots=True)
class CascadeLabels:
    """Labels, shapes (n_records,): heat is -1 where another leads; published is 0 or 1; NaN: unknown."""

    quality: Floats
    heat: Floats
    published: Floats


def fit_cascade(
    table: FeatureTable,
    labels: CascadeLabels,
    config: ModelConfig,
    *,
    num_threads: int,
    seed: int,
    trainer: BoosterTrainer = train_booster,
) -> Cascade:
    """Fit lead, heat and published on records whose labels are known.

    Parameters
    ----------
    table : FeatureTable
        Training records, with the coverage known when they were labelled.
    labels : CascadeLabels
        Their labels.
    config : ModelConfig
        Fit options.
    num_threads, seed : int
        Number of threads and random seed of LightGBM.
    trainer : callable
        Trains the boosters of heat and published.

    Returns
    -------
    Cascade
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    plan = plan_stories(table, labels.quality, labels.heat, labels.published, config.sections)
    is_known = ~np.isnan(labels.heat)
    is_lead = is_known & (labels.heat > NOT_LEADING)
    X = lead_matrix(table, labels.quality)
    monotone = [1 if name == "quality_margin" else 0 for name in LEAD_NAMES]
    lead = _fit(
        X[is_known],
        is_lead[is_known].astype(float),
        LEAD_NAMES,
        config.lead,
        {"monotone_constraints": monotone},
        **options,
    )

    is_lead &= plan.has_shared_bonus
    leads = table.take(is_lead)
    coverage_count = np.maximum(leads.number("coverage_count"), 1.0)
    heat_per_coverage = (labels.heat - labels.quality)[is_lead] / coverage_count
    X = heat_matrix(leads, labels.quality[is_lead])
    # Age is missing unless scoring is given a time, so each record is seen with its age and without.
    X_without_age = X.copy()
    X_without_age[:, HEAT_NAMES.index("age_hours")] = np.nan
    options["trainer"] = trainer
    heat = _fit(
        np.vstack([X, X_without_age]),
        np.concatenate([heat_per_coverage, heat_per_coverage]),
        HEAT_NAMES,
        config.heat,
        {},
        **options,
    )

    is_known = is_known & ~np.isnan(labels.published) & plan.has_shared_publication
    X = published_matrix(table, labels.quality, labels.heat)
    monotone = [1 if name == "heat" else 0 for name in PUBLISHED_NAMES]
    published = _fit(
        X[is_known],
        labels.published[is_known],
        PUBLISHED_NAMES,
        config.published,
        {"monotone_constraints": monotone},
        **options,
    )
    return Cascade(lead, heat, published, dict(sorted(plan.policies.items())))


def _fit(
    X: Floats,
    y: Floats,
    names: tuple[str, ...],
    config: BoosterConfig,
    extra_params: dict[str, Any],
    *,
    trainer: BoosterTrainer = train_booster,
    **options: Any,
) -> Booster:
    params = {**config.params, **extra_params}
    if config.params["objective"] == "binary" and len(np.unique(y)) < 2:
        # With a single class the log-odds are infinite: fit the constant by regression instead.
        params = {"objective": "regression"}
    return trainer(X, y, names=names, params=params, num_iterations=config.num_iterations, **options)
