"""Backtest folds by month or section, and pooled results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from scoring.errors import ModelError
from scoring.evaluation.cluster_bootstrap import bootstrap
from scoring.evaluation.results import Evaluation, Figure
from scoring.training.fit import MIN_RECORDS
from scoring.training.splits import Mask

#: Metrics shown in tables and plots of the folds; the files have all of them.
HEADLINES = (
    "quality_mae",
    "quality_within_1",
    "quality_r2",
    "lead_accuracy",
    "heat_within_5",
    "published_f1",
    "quality_interval_coverage",
    "quality_interval_width",
    "heat_ndcg_10",
)
ENOUGH_RECORDS = 200
ENOUGH_RATIO = 0.2


@dataclass(frozen=True, slots=True)
class Fold:
    """Training and test records of one fold.

    Parameters
    ----------
    name : str
        The month (``2021-03``, UTC) or the section.
    is_training, is_test : ndarray of bool, shape (n_records,)
        Masks of the records.
    as_of : datetime or None
        Training cutoff, aware UTC; None if the split is not by time.
    """

    name: str
    is_training: Mask
    is_test: Mask
    as_of: datetime | None = None


class FoldResult(msgspec.Struct, frozen=True):
    """Result of one fold: number of records, metrics with intervals, and metrics of each baseline."""

    name: str
    n_training: int
    n_records: int
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, float]]


def month_folds(moments: np.ndarray, first: str | None = None) -> list[Fold]:
    """Expanding-window folds by month: train on all earlier records, test on the month.

    Parameters
    ----------
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication, UTC.
    first : str, optional
        First test month, ``2021-01``. Default: the first with :data:`ENOUGH_RECORDS` earlier records, or
        :data:`ENOUGH_RATIO` of all if that is less.

    Returns
    -------
    list of Fold

    Raises
    ------
    ModelError
        If there is no test month, or the first has too few earlier records to train on.

    Examples
    --------
    >>> days = np.arange("2021-01-01", "2021-04-01", dtype="datetime64[D]").astype("datetime64[us]")
    >>> for fold in month_folds(days):
    ...     print(fold.name, fold.is_training.sum(), fold.is_test.sum(), fold.as_of)
    2021-02 31 28 2021-01-31 23:59:59.999999+00:00
    2021-03 59 31 2021-02-28 23:59:59.999999+00:00
    """
    record_months = moments.astype("datetime64[M]")
    months = np.unique(record_months)
    min_before = max(MIN_RECORDS, min(ENOUGH_RECORDS, int(np.ceil(ENOUGH_RATIO * len(moments)))))
    n_before = np.array([int((record_months < month).sum()) for month in months])
    is_tested = n_before >= min_before if first is None else months >= np.datetime64(first, "M")
    if not is_tested.any():
        missing = f"with {min_before} records before it" if first is None else f"from {first} on"
        raise ModelError(f"backtest: got no month {missing}, expected records to evaluate on")
    if n_before[is_tested][0] < MIN_RECORDS:
        shortage = f"{n_before[is_tested][0]} records before {months[is_tested][0]}"
        raise ModelError(f"backtest: got {shortage}, expected {MIN_RECORDS} or more to learn from")
    return [
        Fold(
            str(month),
            record_months < month,
            record_months == month,
            # The month's first record may be coverage of others, and its quality is a label.
            month.astype("datetime64[us]").item().replace(tzinfo=UTC) - timedelta(microseconds=1),
        )
        for month in months[is_tested]
    ]


def section_folds(sections: Sequence[str]) -> list[Fold]:
    """Leave-one-section-out folds.

    Raises
    ------
    ModelError
        If there is only one section.

    Examples
    --------
    >>> [(fold.name, fold.is_test.tolist()) for fold in section_folds(["Tea", "Rain", "Tea"])]
    [('Rain', [False, True, False]), ('Tea', [True, False, True])]
    """
    record_sections = np.asarray(sections, dtype=object)
    distinct_sections = sorted(set(sections))
    if len(distinct_sections) < 2:
        raise ModelError(
            f"backtest: got {len(distinct_sections)} section, expected two or more to leave one out"
        )
    return [
        Fold(name or "(none)", record_sections != name, record_sections == name) for name in distinct_sections
    ]


def pool(evaluations: Sequence[Evaluation], folds: Sequence[Fold], *, n_draws: int, seed: int) -> Evaluation:
    """Pool the folds into one evaluation, in which each record is predicted out of sample once.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Evaluation of each fold; at least one.
    folds : sequence of Fold
        The folds; their names become the column ``fold`` of the predictions.
    n_draws, seed : int
        Number of bootstrap draws over days, and their seed.

    Returns
    -------
    Evaluation
        Without baselines and slices, which the folds have.
    """
    columns = {
        name: np.concatenate([evaluation.predictions[name] for evaluation in evaluations])
        for name in evaluations[0].predictions
    }
    names = [
        np.full(evaluation.n_records, fold.name) for evaluation, fold in zip(evaluations, folds, strict=True)
    ]
    begins = [evaluation.begins_at for evaluation in evaluations if evaluation.begins_at is not None]
    ends = [evaluation.ends_at for evaluation in evaluations if evaluation.ends_at is not None]
    return Evaluation(
        sum(evaluation.n_records for evaluation in evaluations),
        min(begins, default=None),
        max(ends, default=None),
        bootstrap(columns, n_draws=n_draws, seed=seed),
        {},
        (),
        columns | {"fold": np.concatenate(names).astype(object)},
    )
