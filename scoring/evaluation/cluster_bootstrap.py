"""Intervals of metrics by a cluster bootstrap over days."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from scoring.evaluation.metrics import MEANINGS, PredictionColumns, compute, days_of, ndcg_by_day
from scoring.evaluation.resampled_metrics import DaySamples, resampled
from scoring.evaluation.results import Figure
from scoring.features.table import Floats


def bootstrap(
    columns: PredictionColumns, *, n_draws: int, seed: int, level: float = 0.95
) -> dict[str, Figure]:
    """Metrics with percentile intervals by a cluster bootstrap over days (Efron & Tibshirani, 1993).

    Days are resampled, not records: a day's records share stories, so they are not independent.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        See :func:`scoring.evaluation.metrics.compute`.
    n_draws : int
        Number of draws; 0 disables the intervals.
    seed : int
        Random seed.
    level : float
        Level of the interval; 0 to 1.

    Returns
    -------
    dict of str to Figure
    """
    values = compute(columns)
    if n_draws <= 0:
        return {name: Figure(value) for name, value in values.items()}
    draws = draw_figures(columns, draw_days(columns, n_draws=n_draws, seed=seed), names=values)
    return {name: Figure(value, *interval_of(draws[name], level=level)) for name, value in values.items()}


def draw_days(columns: PredictionColumns, *, n_draws: int, seed: int) -> DaySamples:
    """Bootstrap samples of the days of records; predictions of the same records have the same samples."""
    return DaySamples.draw(days_of(columns["published_at"]), n_draws, seed)


def draw_figures(
    columns: PredictionColumns, samples: DaySamples, *, names: Collection[str] = MEANINGS
) -> dict[str, Floats]:
    """Metrics of bootstrap samples of days.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        See :func:`scoring.evaluation.metrics.compute`.
    samples : DaySamples
        Samples of the days of all these records: see :func:`draw_days`.
    names : collection of str
        Metrics to compute.

    Returns
    -------
    dict of str to ndarray of shape (n_draws,)
        NaN where a metric is not defined.
    """
    has_ndcg = "heat_ndcg_10" in names and "heat_expected" in columns
    return resampled(columns, samples, ndcg_by_day(columns) if has_ndcg else None, names=names)


def interval_of(draws: Floats | Sequence[float], *, level: float = 0.95) -> tuple[float | None, float | None]:
    """Ends of the percentile interval of the finite draws; None if there are none."""
    finite = np.array(draws)[np.isfinite(draws)]
    if not len(finite):
        return None, None
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)
