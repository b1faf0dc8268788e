"""Names of metrics in the MLflow store, grouped by ``/`` so that MLflow's charts fold.

The rest of the package has one name per metric (``quality_r2``, ``baseline.global_median.quality_mae``,
``n_train``), as had the runs of earlier versions. An upload translates it to the name in the store, and
reading a run translates either spelling back.
"""

from __future__ import annotations

from collections.abc import Mapping

HEADLINES = (
    *("quality_mae", "quality_within_1", "quality_interval_score", "quality_interval_coverage"),
    *("lead_accuracy", "heat_mae", "heat_within_5", "heat_ndcg_10"),
    *("published_f1", "published_brier"),
)
"""Metrics that keep their plain name, so that MLflow shows them first."""

_COUNT, _COUNTS = "n_", "records/"
_FOLD_COUNT = "n_records"  # of a fold: those that it evaluated
_STUDY_COUNTS = frozenset({"n_trees", "n_trials"})  # these do not count records
_LABELS = ("quality", "lead", "heat", "published")
_SETS = ("baseline", "at_ingest", "forecast", "distance", "unseen", "mean")
_SERIES = ("month", "section")  # the folds of a backtest

BOOSTING = "boosting/"
"""Group of the boosters' errors over their trees."""
_CURVES = (BOOSTING, "system/")
"""Groups of metrics over the rounds or the time of a training, which are not results."""


def store_name(name: str) -> str:
    """Return the name in the store of a metric of this package.

    Parameters
    ----------
    name : str
        As :func:`scoring.tracking.evaluation_metrics` gives it.

    Returns
    -------
    str
        Itself if it is one of :data:`HEADLINES`, or of no group.

    Examples
    --------
    >>> [store_name(name) for name in ("quality_mae", "quality_mae_low", "quality_r2", "n_train")]
    ['quality_mae', 'quality/mae_low', 'quality/r2', 'records/train']
    >>> store_name("baseline.plain_lightgbm.quality_mae"), store_name("month/quality_r2")
    ('baseline/plain_lightgbm/quality_mae', 'month/quality/r2')
    """
    series, slash, rest = name.partition("/")
    if slash:
        return f"{series}/{store_name(rest)}" if series in _SERIES else name
    if name in HEADLINES or name in _STUDY_COUNTS:
        return name
    if name == _FOLD_COUNT:
        return f"{_COUNTS}evaluated"
    if name.startswith(_COUNT):
        return _COUNTS + name.removeprefix(_COUNT)
    group, dot, rest = name.partition(".")
    if dot and group in _SETS:
        return name.replace(".", "/", 2 if group in _SETS[:3] else 1)
    group, _, rest = name.partition("_")
    return f"{group}/{rest}" if rest and group in _LABELS else name


def own_name(name: str) -> str:
    """Return the name in this package of a metric of the store, in either spelling.

    Parameters
    ----------
    name : str
        As a run of this or an earlier version has it, or as a person types it.

    Returns
    -------
    str
        Itself if it is in no group.

    Examples
    --------
    >>> own_name("quality/r2"), own_name("quality_r2"), own_name("quality/mae")
    ('quality_r2', 'quality_r2', 'quality_mae')
    >>> own_name("baseline/plain_lightgbm/quality_mae"), own_name("records/train")
    ('baseline.plain_lightgbm.quality_mae', 'n_train')
    """
    group, slash, rest = name.partition("/")
    if not slash:
        return name
    if group in _SERIES:
        return f"{group}/{own_name(rest)}"
    if f"{group}/" == _COUNTS:
        return _COUNT + rest
    if group in _SETS:
        return name.replace("/", ".", 2 if group in _SETS[:3] else 1)
    return f"{group}_{rest}" if group in _LABELS else name


def own_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a run by their names in this package, without those over rounds and time."""
    return {own_name(name): value for name, value in metrics.items() if not name.startswith(_CURVES)}
