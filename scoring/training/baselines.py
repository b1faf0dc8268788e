"""Fits of the baseline models."""

from __future__ import annotations

import numpy as np

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats
from scoring.model.baselines import Baselines, Medians
from scoring.model.booster import Booster
from scoring.model.cascade import NOT_LEADING
from scoring.model.targets import TARGETS
from scoring.training.cascade import CascadeLabels
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.thresholds import best_threshold


def fit_baselines(
    table: FeatureTable, labels: CascadeLabels, encoder: Encoder, *, num_threads: int, seed: int
) -> Baselines:
    """Fit the baseline models on the training records.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    labels : CascadeLabels
        Labels; NaN where unknown.
    encoder : Encoder
        Encoder of the quality model, which also encodes the records that the baselines predict.
    num_threads, seed : int
        Number of threads and random seed of LightGBM.
    """
    X, domains = encoder.transform(table), table.text("provider_domain")
    is_heat_known, is_published_known = ~np.isnan(labels.heat), ~np.isnan(labels.published)
    global_medians: dict[str, float] = {}
    provider_medians: dict[str, dict[str, float]] = {}
    boosters: dict[str, Booster] = {}
    for target in TARGETS:
        values: Floats = getattr(labels, target)
        is_known = ~np.isnan(values)
        global_medians[target] = float(np.median(values[is_known])) if is_known.any() else 0.0
        names, codes, counts = np.unique(domains[is_known], return_inverse=True, return_counts=True)
        groups = np.split(values[is_known][np.argsort(codes)], np.cumsum(counts))  # the last group is empty
        provider_medians[target] = {
            name: float(np.median(group)) for name, group in zip(names, groups, strict=False)
        }
        boosters[target] = train_booster(
            X[is_known],
            values[is_known],
            names=encoder.names,
            categories=encoder.categories,
            params={"objective": "regression"},
            num_iterations=100,
            num_threads=num_threads,
            seed=seed,
        )
    thresholds = {
        "heat": best_threshold(
            boosters["heat"].predict(X[is_heat_known]), labels.heat[is_heat_known] > NOT_LEADING
        ),
        "published": best_threshold(
            boosters["published"].predict(X[is_published_known]), labels.published[is_published_known] > 0.5
        ),
    }
    return Baselines(Medians(global_medians, provider_medians, thresholds), boosters)
