"""Leave-providers-out errors: the errors to expect for a provider that the model has not seen."""

from __future__ import annotations

from collections import Counter

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric

N_FOLDS = 4
MIN_PROVIDERS = 3  # with fewer, errors say nothing about unseen providers


def leave_providers_out_errors(
    table: FeatureTable, design_matrix: DesignMatrix, y: Floats, config: ModelConfig, level: float
) -> Floats:
    """Compute the errors of rubrics on the records of providers that they were not fitted to.

    Each rubric is fitted without a quarter of the providers. Each provider has the same weight, since a new
    provider may resemble a small provider as well as a large provider. Records without a provider are used
    in every fit, but not predicted. With fewer than three providers, the errors are the distances from the
    median.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    design_matrix : DesignMatrix
        Design matrix of the training records.
    y : ndarray of shape (n_records,)
        Quality labels, in points.
    config : ModelConfig
        Fit options.
    level : float
        Level of the quantile of a provider's absolute errors; 0 to 1.

    Returns
    -------
    ndarray of shape (n_providers,), or (n_records,) with fewer than three providers
        Quantile of the absolute errors of each provider, or distance of each label from the median; points.
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
