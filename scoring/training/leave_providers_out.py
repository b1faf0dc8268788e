"""Errors of rubrics fitted without some providers, as for a provider that the model has not seen."""

from __future__ import annotations

from collections import Counter

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric

N_FOLDS = 4
MIN_PROVIDERS = 3  # fewer say nothing of others


def leave_providers_out_errors(
    table: FeatureTable, design_matrix: DesignMatrix, y: Floats, config: ModelConfig, level: float
) -> Floats:
    """Errors of rubrics that are fitted without a quarter of the providers, on the records of these.

    Each provider has the same weight: a new one is as likely to be like a small one as like a large one.
    Records without a provider are fitted on, and not predicted. With fewer than three providers, the errors
    are the distances from the median.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    design_matrix : DesignMatrix
        Of these.
    y : ndarray of shape (n_records,)
        Quality labels; points.
    config : ModelConfig
        Fit options.
    level : float
        Which quantile of a provider's absolute errors stands for it; 0 to 1.

    Returns
    -------
    ndarray of shape (n_providers,)
        Quantile of the absolute errors of each provider; points.
    """
    domains = table.text("provider_domain")
    counts = Counter(domain for domain in domains.tolist() if domain)
    if len(counts) < MIN_PROVIDERS:
        return np.abs(y - np.median(y))
    ordered = sorted(counts, key=lambda domain: (-counts[domain], domain))
    fold_of = {domain: place % N_FOLDS for place, domain in enumerate(ordered)}
    folds = np.array([fold_of.get(domain, -1) for domain in domains.tolist()])
    errors = np.full(len(y), np.nan)
    for fold in sorted(set(fold_of.values())):
        is_held = folds == fold
        rubric = fit_rubric(design_matrix.take(~is_held), y[~is_held], config.rubric)
        errors[is_held] = np.abs(y[is_held] - rubric.predict(table.take(is_held)))
    return np.array([np.quantile(errors[domains == domain], level) for domain in ordered])
