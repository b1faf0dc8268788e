"""Fit the baseline models."""

from __future__ import annotations

import numpy as np

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats
from scoring.model.baselines import TARGETS, Baselines, Medians
from scoring.model.cascade import NOT_LEADING
from scoring.training.cascade import CascadeLabels
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.thresholds import best_threshold


def fit_baselines(table: FeatureTable, labels: CascadeLabels, *, num_threads: int, seed: int) -> Baselines:
    """Fit the baselines on the same records as the models.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    labels : CascadeLabels
        Labels; NaN where unknown.
    num_threads, seed : int
        Threads, and the seed of LightGBM.
    """
    encoder = Encoder.fit(table, labels.quality)
    X, domains = encoder.transform(table), table.text("provider_domain")
    known_heat, known_shown = ~np.isnan(labels.heat), ~np.isnan(labels.published)
    of_all, of_provider, boosters = {}, {}, {}
    for target in TARGETS:
        values: Floats = getattr(labels, target)
        known = ~np.isnan(values)
        of_all[target] = float(np.median(values[known])) if known.any() else 0.0
        names, code, counts = np.unique(domains[known], return_inverse=True, return_counts=True)
        groups = np.split(values[known][np.argsort(code)], np.cumsum(counts))  # one more than names, empty
        of_provider[target] = {
            name: float(np.median(group)) for name, group in zip(names, groups, strict=False)
        }
        boosters[target] = train_booster(
            X[known],
            values[known],
            names=encoder.names,
            categories=encoder.categories,
            params={"objective": "regression"},
            num_iterations=100,
            num_threads=num_threads,
            seed=seed,
        )
    cuts = {
        "heat": best_threshold(
            boosters["heat"].predict(X[known_heat]), labels.heat[known_heat] > NOT_LEADING
        ),
        "published": best_threshold(
            boosters["published"].predict(X[known_shown]), labels.published[known_shown] > 0.5
        ),
    }
    return Baselines(Medians(of_all, of_provider, cuts), boosters)
