"""Metrics of bootstrap samples of days, from sums by day.

All metrics but Spearman's correlation are ratios of sums over records, so it is enough to know how often each
day is in a sample. Spearman's needs the ranks within each sample, which are cumulative sums of these counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.metrics import INTERVAL_LEVEL, MEANINGS, PredictionColumns, has_published
from scoring.features.table import Floats

Flags = NDArray[np.bool_]
_MAX_CELLS = 2_000_000  # records times samples of which ranks are held at a time
_ROUNDING = 1e-12  # share of a sum of squares that is taken for a rounding error


@dataclass(frozen=True, slots=True)
class DaySamples:
    """Bootstrap samples of the days of some records.

    Parameters
    ----------
    day : ndarray of int, shape (n_records,)
        Index of each record's day.
    n_times : ndarray of shape (n_samples, n_days)
        Number of times that each sample has each day.
    """

    day: NDArray[np.intp]
    n_times: Floats

    @classmethod
    def draw(cls, day: NDArray[np.intp], n_samples: int, seed: int) -> DaySamples:
        """Draw as many days as there are, with replacement, for each sample."""
        n_days = int(day.max()) + 1 if len(day) else 0
        drawn = np.random.default_rng(seed).integers(0, max(n_days, 1), (n_samples, n_days))
        cells = (drawn + n_days * np.arange(n_samples)[:, None]).ravel()
        n_times = np.bincount(cells, minlength=n_samples * n_days).reshape(n_samples, n_days)
        return cls(day, n_times.astype(np.float64))

    def take(self, mask: Flags) -> DaySamples:
        """The same samples of the records of a mask of shape (n_records,)."""
        return DaySamples(self.day[mask], self.n_times)

    def total(self, values: Floats | Flags) -> Floats:
        """Sum of the values of all records of each sample, shape (n_samples,).

        Parameters
        ----------
        values : ndarray of shape (n_records,)
        """
        return np.asarray(self.n_times @ np.bincount(self.day, values, self.n_times.shape[1]))

    def mean(self, values: Floats | Flags) -> Floats:
        """Mean of the values of each sample, shape (n_samples,); NaN if it is empty."""
        return self.total(values) / self.total(np.ones(len(self.day)))

    def spearman(self, truth: Floats, predicted: Floats) -> Floats:
        """Spearman rank correlation in each sample, shape (n_samples,); NaN if either is constant."""
        step = max(_MAX_CELLS // max(len(truth), 1), 1)
        parts = [
            _spearman(self.n_times[start : start + step, self.day], truth, predicted)
            for start in range(0, len(self.n_times), step)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def r2(self, truth: Floats, predicted: Floats) -> Floats:
        """Coefficient of determination in each sample, shape (n_samples,); NaN if its labels are constant."""
        centred = truth - truth.mean()  # so that no digits cancel out
        squares = self.total(centred**2)
        variation = squares - self.total(centred) ** 2 / self.total(np.ones(len(truth)))
        variation[variation <= _ROUNDING * squares] = np.nan
        return 1.0 - self.total((truth - predicted) ** 2) / variation


def resampled(
    columns: PredictionColumns,
    samples: DaySamples,
    daily_ndcg: Floats | None = None,
    *,
    names: Collection[str] = MEANINGS,
) -> dict[str, Floats]:
    """Metrics of each sample, as :func:`scoring.evaluation.metrics.compute` defines them.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        See :func:`scoring.evaluation.metrics.compute`.
    samples : DaySamples
        Samples of the days of these records.
    daily_ndcg : ndarray of shape (n_days,), optional
        NDCG of each day; without it, that metric is left out.
    names : collection of str
        Metrics to compute.

    Returns
    -------
    dict of str to ndarray of shape (n_samples,)
        NaN where a metric is not defined.
    """
    values: dict[str, Floats] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, metric in _metrics(columns, samples, daily_ndcg):
            if name in names:
                values[name] = metric()
    return values


def _metrics(
    columns: PredictionColumns, samples: DaySamples, daily_ndcg: Floats | None
) -> Iterator[tuple[str, Callable[[], Floats]]]:
    """Name and computation of each metric of labels that are predicted."""
    if "quality_predicted" in columns:
        is_known = ~np.isnan(np.asarray(columns["quality"], dtype=np.float64))
        yield from _quality_metrics(_Columns(columns, is_known), samples.take(is_known)).items()
    if "heat_predicted" in columns:
        is_known = ~np.isnan(np.asarray(columns["heat"], dtype=np.float64))
        yield from _heat_metrics(_Columns(columns, is_known), samples.take(is_known)).items()
        if daily_ndcg is not None:
            has_ndcg, ndcg = np.isfinite(daily_ndcg), np.nan_to_num(daily_ndcg)
            n_times = samples.n_times
            yield "heat_ndcg_10", lambda: n_times @ ndcg / (n_times @ has_ndcg)
    if "published_predicted" in columns:
        is_known = has_published(columns)
        yield from _published_metrics(_Columns(columns, is_known), samples.take(is_known)).items()


class _Columns:
    """Columns of the records of a mask."""

    def __init__(self, columns: PredictionColumns, mask: Flags) -> None:
        self._columns, self._mask = columns, mask

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def floats(self, name: str) -> Floats:
        return np.asarray(self._columns[name], dtype=np.float64)[self._mask]

    def flags(self, name: str) -> Flags:
        return np.asarray(self._columns[name])[self._mask].astype(np.bool_)


def _quality_metrics(columns: _Columns, samples: DaySamples) -> dict[str, Callable[[], Floats]]:
    truth, predicted = columns.floats("quality"), columns.floats("quality_predicted")
    if not len(truth):
        return {}
    errors = np.abs(truth - predicted)
    metrics: dict[str, Callable[[], Floats]] = {
        "quality_mae": lambda: samples.mean(errors),
        "quality_r2": lambda: samples.r2(truth, predicted),
        "quality_spearman": lambda: samples.spearman(truth, predicted),
        "quality_within_1": lambda: samples.mean(errors <= 1),
        "quality_within_5": lambda: samples.mean(errors <= 5),
    }
    if "quality_low" in columns:
        low, high = columns.floats("quality_low"), columns.floats("quality_high")
        outside = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
        metrics["quality_interval_coverage"] = lambda: samples.mean((truth >= low) & (truth <= high))
        metrics["quality_interval_width"] = lambda: samples.mean(high - low)
        metrics["quality_interval_score"] = lambda: samples.mean(
            high - low + 2 / (1 - INTERVAL_LEVEL) * outside
        )
    return metrics


def _heat_metrics(columns: _Columns, samples: DaySamples) -> dict[str, Callable[[], Floats]]:
    errors = np.abs(columns.floats("heat") - columns.floats("heat_predicted"))
    is_lead = columns.flags("lead")
    metrics: dict[str, Callable[[], Floats]] = {
        "lead_accuracy": lambda: samples.mean(is_lead == columns.flags("lead_predicted")),
        "heat_mae": lambda: samples.mean(errors),
        "heat_within_5": lambda: samples.mean(errors <= 5),
    }
    if "lead_probability" in columns:
        metrics["lead_brier"] = lambda: samples.mean((is_lead - columns.floats("lead_probability")) ** 2)
    return metrics


def _published_metrics(columns: _Columns, samples: DaySamples) -> dict[str, Callable[[], Floats]]:
    published, predicted = columns.flags("published"), columns.flags("published_predicted")
    metrics: dict[str, Callable[[], Floats]] = {
        "published_precision": lambda: samples.total(published & predicted) / samples.total(predicted),
        "published_recall": lambda: samples.total(published & predicted) / samples.total(published),
        "published_f1": lambda: (
            2 * samples.total(published & predicted) / (samples.total(published) + samples.total(predicted))
        ),
    }
    if "published_probability" in columns:
        metrics["published_brier"] = lambda: samples.mean(
            (published - columns.floats("published_probability")) ** 2
        )
    return metrics


def _spearman(n_times: Floats, truth: Floats, predicted: Floats) -> Floats:
    """Rank correlation in each sample, given the number of times that it has each record."""
    n_records = n_times.sum(axis=1)
    centre = (n_records[:, None] + 1) / 2
    truth_ranks, predicted_ranks = (_ranks(n_times, values) - centre for values in (truth, predicted))
    variances = [np.einsum("ij,ij,ij->i", n_times, ranks, ranks) for ranks in (truth_ranks, predicted_ranks)]
    covariance = np.einsum("ij,ij,ij->i", n_times, truth_ranks, predicted_ranks)
    is_defined = (n_records >= 2) & (variances[0] > 0) & (variances[1] > 0)
    return np.where(is_defined, covariance / np.sqrt(variances[0] * variances[1]), np.nan)


def _ranks(n_times: Floats, values: Floats) -> Floats:
    """Mean rank of each value in each sample, shape (n_samples, n_records)."""
    order = np.argsort(values, kind="stable")
    is_first = np.diff(values[order], prepend=np.nan) != 0
    n_equal = np.add.reduceat(n_times[:, order], np.flatnonzero(is_first), axis=1)
    ranks = np.cumsum(n_equal, axis=1) - (n_equal - 1) / 2
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.cumsum(is_first) - 1
    return np.asarray(ranks[:, group])
