"""Intervals of metrics by a cluster bootstrap over days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from scoring.evaluation.metrics import PredictionColumns, compute, days_of, ndcg_by_day, rows_by_day
from scoring.evaluation.results import Figure


def bootstrap(
    columns: PredictionColumns,
    *,
    n_draws: int,
    seed: int,
    level: float = 0.95,
    figures: Callable[..., dict[str, float]] = compute,
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
    figures : callable
        Function that computes the metrics; default :func:`scoring.evaluation.metrics.compute`.

    Returns
    -------
    dict of str to Figure
    """
    values = figures(columns)
    if n_draws <= 0:
        return {name: Figure(value) for name, value in values.items()}
    draws = [draw for (draw,) in draw_figures(columns, n_draws=n_draws, seed=seed, figures=figures)]
    return {
        name: Figure(value, *interval_of([draw.get(name, float("nan")) for draw in draws], level=level))
        for name, value in values.items()
    }


def draw_figures(
    *sides: PredictionColumns, n_draws: int, seed: int, figures: Callable[..., dict[str, float]] = compute
) -> Iterator[tuple[dict[str, float], ...]]:
    """Metrics of bootstrap samples of days, the same days for each side (paired bootstrap).

    Parameters
    ----------
    *sides : mapping of str to ndarray of shape (n_records,)
        Predictions for the same records in the same order; see :func:`scoring.evaluation.metrics.compute`.
    n_draws, seed : int
        Number of draws, and their seed.
    figures : callable
        Function that computes the metrics; default :func:`scoring.evaluation.metrics.compute`.

    Yields
    ------
    tuple of dict of str to float
        Metrics of each side, for each draw.
    """
    rows = rows_by_day(days_of(sides[0]["published_at"]))
    random = np.random.default_rng(seed)
    daily = [ndcg_by_day(side) if "heat_expected" in side else None for side in sides]
    for _ in range(n_draws):
        days = random.integers(0, len(rows), len(rows))
        index = np.concatenate([rows[day] for day in days])
        yield tuple(
            figures(
                {name: column[index] for name, column in side.items()},
                None if day_ndcg is None else day_ndcg[days],
            )
            for side, day_ndcg in zip(sides, daily, strict=True)
        )


def interval_of(draws: Sequence[float], *, level: float = 0.95) -> tuple[float | None, float | None]:
    """Ends of the percentile interval of the finite draws; None if there are none."""
    finite = np.array(draws)[np.isfinite(draws)]
    if not len(finite):
        return None, None
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)
