"""Evaluation metrics of quality, lead, heat and publication."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

PredictionColumns = Mapping[str, NDArray[np.generic]]
TOP = 10
INTERVAL_LEVEL = 0.9
"""Nominal coverage of the prediction intervals; 0 to 1."""

#: Description of every metric; higher is better except for :data:`LOWER_IS_BETTER`.
MEANINGS = {
    "quality_mae": "mean absolute error of quality, in points",
    "quality_r2": "share of the variance of quality that is explained",
    "quality_spearman": "rank correlation of predicted and labelled quality",
    "quality_within_1": "share of records with a quality error of at most 1 point",
    "quality_within_5": "share of records with a quality error of at most 5 points",
    "quality_interval_coverage": "share of records whose quality lies in its 90 % interval",
    "quality_interval_width": "mean width of the interval, in points",
    "quality_interval_score": "mean width of the interval plus 20 times the distance of misses, in points",
    "lead_accuracy": "share of records classified correctly as lead or not",
    "lead_brier": "mean squared error of the lead probability",
    "heat_mae": "mean absolute error of heat, in points",
    "heat_within_5": "share of records with a heat error of at most 5 points",
    "heat_ndcg_10": "NDCG of the top 10 records by expected heat, mean over sections of a day, then days",
    "published_precision": "share of records predicted published that are",
    "published_recall": "share of published records that are predicted so",
    "published_f1": "harmonic mean of precision and recall",
    "published_brier": "mean squared error of the published probability",
}
LOWER_IS_BETTER = frozenset(
    {
        *("quality_mae", "quality_interval_width", "quality_interval_score"),
        *("lead_brier", "heat_mae", "published_brier"),
    }
)


def mean_absolute_error(truth: Floats, predicted: Floats) -> float:
    """Mean absolute error; NaN if empty."""
    return float(np.mean(np.abs(truth - predicted))) if len(truth) else float("nan")


def r2_score(truth: Floats, predicted: Floats) -> float:
    """Coefficient of determination; NaN if the labels are constant."""
    total = float(np.sum((truth - truth.mean()) ** 2)) if len(truth) else 0.0
    return 1.0 - float(np.sum((truth - predicted) ** 2)) / total if total else float("nan")


def spearman(truth: Floats, predicted: Floats) -> float:
    """Spearman rank correlation with mean ranks of ties; NaN if either is constant."""
    truth_ranks, predicted_ranks = _ranks(truth), _ranks(predicted)
    if len(truth) < 2 or not truth_ranks.std() or not predicted_ranks.std():
        return float("nan")
    return float(np.corrcoef(truth_ranks, predicted_ranks)[0, 1])


def interval_score(truth: Floats, low: Floats, high: Floats) -> float:
    """Mean interval score: width plus a penalty for labels outside; lower is better.

    A proper score (Gneiting & Raftery, 2007, section 6.2), at the level :data:`INTERVAL_LEVEL`.

    Examples
    --------
    >>> round(interval_score(np.array([5.0, 9.0]), np.array([4.0, 4.0]), np.array([8.0, 8.0])), 6)
    14.0
    """
    outside = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return float(np.mean(high - low + 2 / (1 - INTERVAL_LEVEL) * outside))


def _ranks(values: Floats) -> Floats:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[index]
    return ranks


def within(truth: Floats, predicted: Floats, points: float) -> float:
    """Share of predictions with an absolute error of at most `points`; NaN if empty."""
    return float(np.mean(np.abs(truth - predicted) <= points)) if len(truth) else float("nan")


def precision_recall_f1(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Precision, recall and F1; NaN where undefined."""
    n_correct, n_predicted, n_true = (
        float((truth & predicted).sum()),
        float(predicted.sum()),
        float(truth.sum()),
    )
    return (
        n_correct / n_predicted if n_predicted else float("nan"),
        n_correct / n_true if n_true else float("nan"),
        2 * n_correct / (n_predicted + n_true) if n_predicted + n_true else float("nan"),
    )


def ndcg(gain: Floats, order_by: Floats, top: int = TOP) -> float:
    """Normalised discounted cumulative gain (Järvelin & Kekäläinen, 2002) of one list.

    Parameters
    ----------
    gain : ndarray of shape (n_records,)
        Gain of each record, >= 0.
    order_by : ndarray of shape (n_records,)
        Sort key, highest first; ties share the mean of their discounts.
    top : int
        Number of ranks that count.

    Returns
    -------
    float
        0 to 1; NaN if no gain is positive.
    """
    discount = np.zeros(len(gain))
    discount[:top] = 1.0 / np.log2(np.arange(2, min(top, len(gain)) + 2))
    ideal = float(np.sort(gain)[::-1] @ discount)
    if ideal <= 0:
        return float("nan")
    order = np.argsort(-order_by, kind="stable")
    _, group = np.unique(-order_by[order], return_inverse=True)
    mean_discount = np.bincount(group, discount) / np.bincount(group)
    return float(gain[order] @ mean_discount[group]) / ideal


def days_of(moments: NDArray[np.generic]) -> NDArray[np.intp]:
    """Index of each record's day, shape (n_records,); records without a date share one."""
    _, day = np.unique(np.asarray(moments, dtype="datetime64[D]").astype(np.int64), return_inverse=True)
    return np.asarray(day, dtype=np.intp)


def _floats(columns: PredictionColumns, name: str) -> Floats:
    return np.asarray(columns[name], dtype=np.float64)


def _flags(columns: PredictionColumns, name: str) -> NDArray[np.bool_]:
    return np.asarray(columns[name], dtype=np.bool_)


def compute(
    columns: PredictionColumns, daily_ndcg: Floats | None = None, *, names: Collection[str] = MEANINGS
) -> dict[str, float]:
    """Compute the defined metrics of :data:`MEANINGS`.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        As in :class:`scoring.evaluation.results.Evaluation`; metrics of absent columns are skipped, and
        records whose label is unknown.
    daily_ndcg : ndarray of shape (n_days,), optional
        Precomputed NDCG of each day.
    names : collection of str
        Metrics to compute.

    Returns
    -------
    dict of str to float
    """
    figures: dict[str, Callable[[], float]] = {}
    if "quality_predicted" in columns:
        is_known = ~np.isnan(_floats(columns, "quality"))
        figures |= _quality_figures(_where(columns, is_known)) if is_known.any() else {}
    if "heat_predicted" in columns:
        is_known = ~np.isnan(_floats(columns, "heat"))
        figures |= _heat_figures(_where(columns, is_known), daily_ndcg) if is_known.any() else {}
    if "published_predicted" in columns:
        is_known = has_published(columns)
        figures |= _published_figures(_where(columns, is_known)) if is_known.any() else {}
    values = {name: figure() for name, figure in figures.items() if name in names}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _where(columns: PredictionColumns, mask: NDArray[np.bool_]) -> PredictionColumns:
    return columns if mask.all() else {name: values[mask] for name, values in columns.items()}


def _quality_figures(columns: PredictionColumns) -> dict[str, Callable[[], float]]:
    truth, predicted = _floats(columns, "quality"), _floats(columns, "quality_predicted")
    figures: dict[str, Callable[[], float]] = {
        "quality_mae": lambda: mean_absolute_error(truth, predicted),
        "quality_r2": lambda: r2_score(truth, predicted),
        "quality_spearman": lambda: spearman(truth, predicted),
        "quality_within_1": lambda: within(truth, predicted, 1),
        "quality_within_5": lambda: within(truth, predicted, 5),
    }
    if "quality_low" in columns:
        low, high = _floats(columns, "quality_low"), _floats(columns, "quality_high")
        figures["quality_interval_coverage"] = lambda: float(np.mean((truth >= low) & (truth <= high)))
        figures["quality_interval_width"] = lambda: float(np.mean(high - low))
        figures["quality_interval_score"] = lambda: interval_score(truth, low, high)
    return figures


def has_published(columns: PredictionColumns) -> NDArray[np.bool_]:
    """Mask of the records known to be published or not, shape (n_records,).

    The column ``published`` has NaN where that is unknown; a column of flags is known where the heat is.
    """
    published = np.asarray(columns["published"])
    labels = _floats(columns, "heat") if published.dtype == np.bool_ else published.astype(np.float64)
    return ~np.isnan(labels)


def _squared_error(columns: PredictionColumns, name: str) -> float:
    return float(np.mean((_flags(columns, name) - _floats(columns, f"{name}_probability")) ** 2))


def _published_figures(columns: PredictionColumns) -> dict[str, Callable[[], float]]:
    published, predicted = _flags(columns, "published"), _flags(columns, "published_predicted")
    figures: dict[str, Callable[[], float]] = {
        "published_precision": lambda: precision_recall_f1(published, predicted)[0],
        "published_recall": lambda: precision_recall_f1(published, predicted)[1],
        "published_f1": lambda: precision_recall_f1(published, predicted)[2],
    }
    if "published_probability" in columns:
        figures["published_brier"] = lambda: _squared_error(columns, "published")
    return figures


def _heat_figures(columns: PredictionColumns, daily_ndcg: Floats | None) -> dict[str, Callable[[], float]]:
    heat, predicted = _floats(columns, "heat"), _floats(columns, "heat_predicted")
    lead = _flags(columns, "lead")

    def mean_ndcg() -> float:
        by_day = ndcg_by_day(columns) if daily_ndcg is None else daily_ndcg
        return float(np.nanmean(by_day)) if np.isfinite(by_day).any() else float("nan")

    figures: dict[str, Callable[[], float]] = {
        "lead_accuracy": lambda: float(np.mean(lead == _flags(columns, "lead_predicted"))),
        "lead_brier": lambda: _squared_error(columns, "lead"),
        "heat_mae": lambda: mean_absolute_error(heat, predicted),
        "heat_within_5": lambda: within(heat, predicted, 5),
        "heat_ndcg_10": mean_ndcg,
    }
    if "lead_probability" not in columns:
        del figures["lead_brier"]
    return figures


def ndcg_by_day(columns: PredictionColumns) -> Floats:
    """NDCG of each day's lists by expected heat, shape (n_days,); NaN without positive heat.

    Each section has a list of its own, since sections may have different scales of points; a day has the mean
    of its sections. Records of unknown heat are excluded.
    """
    day, section = days_of(columns["published_at"]), section_codes(columns)
    gain, order_by = np.maximum(_floats(columns, "heat"), 0.0), _floats(columns, "heat_expected")
    by_day = []
    for rows_of_day in rows_by_day(day):
        known = rows_of_day[~np.isnan(gain[rows_of_day])]
        lists = [known[section[known] == code] for code in np.unique(section[known])]
        values = [value for rows in lists if np.isfinite(value := ndcg(gain[rows], order_by[rows]))]
        by_day.append(float(np.mean(values)) if values else float("nan"))
    return np.array(by_day)


def section_codes(columns: PredictionColumns) -> NDArray[np.intp]:
    """Index of each record's section, shape (n_records,); 0 if the sections are not known."""
    if "section" not in columns:
        return np.zeros(len(columns["published_at"]), dtype=np.intp)
    return np.unique(columns["section"], return_inverse=True)[1].reshape(-1)


def rows_by_day(day: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Rows of each day, given the index of each record's day."""
    order = np.argsort(day, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(day[order])) + 1)
