"""Fit the cascade: lead, heat and published, each from the labels of what precedes it."""

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


@dataclass(frozen=True, slots=True)
class CascadeLabels:
    """Labels, shapes (n_records,): heat is -1 where another leads; published is 0 or 1; NaN where unknown."""

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
        Training records, with the coverage that their labels were given under.
    labels : CascadeLabels
        Their labels.
    config : ModelConfig
    num_threads, seed : int
    trainer : callable
        What trains the boosters of heat and published.

    Returns
    -------
    Cascade
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    known = ~np.isnan(labels.heat)
    is_lead = known & (labels.heat > NOT_LEADING)
    X = lead_matrix(table, labels.quality)
    rising = [1 if name == "quality_margin" else 0 for name in LEAD_NAMES]
    lead = _fit(
        X[known],
        is_lead[known].astype(float),
        LEAD_NAMES,
        config.lead,
        {"monotone_constraints": rising},
        **options,
    )

    leads = table.take(is_lead)
    count = np.maximum(leads.number("coverage_count"), 1.0)
    each = (labels.heat - labels.quality)[is_lead] / count
    X = heat_matrix(leads, labels.quality[is_lead])
    # Age is known only where a moment is given, so each record is seen with its age and without.
    ageless = X.copy()
    ageless[:, HEAT_NAMES.index("age_hours")] = np.nan
    options["trainer"] = trainer
    heat = _fit(np.vstack([X, ageless]), np.concatenate([each, each]), HEAT_NAMES, config.heat, {}, **options)

    known = known & ~np.isnan(labels.published)
    X = published_matrix(table, labels.quality, labels.heat)
    rising = [1 if name == "heat" else 0 for name in PUBLISHED_NAMES]
    published = _fit(
        X[known],
        labels.published[known],
        PUBLISHED_NAMES,
        config.published,
        {"monotone_constraints": rising},
        **options,
    )
    return Cascade(lead, heat, published)


def _fit(
    X: Floats,
    y: Floats,
    names: tuple[str, ...],
    config: BoosterConfig,
    extra: dict[str, Any],
    *,
    trainer: BoosterTrainer = train_booster,
    **options: Any,
) -> Booster:
    params = {**config.params, **extra}
    if config.params["objective"] == "binary" and len(np.unique(y)) < 2:
        # One class only: LightGBM's log-odds are infinite, so the constant is learned as a number.
        params = {"objective": "regression"}
    return trainer(X, y, names=names, params=params, num_iterations=config.num_iterations, **options)
