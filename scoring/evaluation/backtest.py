"""Backtest: which records each fold learns from and is judged on, and what all folds found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from scoring.errors import ModelError
from scoring.evaluation.metrics import bootstrap
from scoring.evaluation.results import Evaluation, Figure
from scoring.training.fit import MIN_RECORDS
from scoring.training.splits import Mask

#: Figures that a table or a plot of the folds has room for; everything else is in the files.
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
    """What one training learns from and is judged on.

    Parameters
    ----------
    name : str
        The month (``2021-03``, UTC) or the section.
    is_training, is_test : ndarray of bool, shape (n_records,)
        Which records.
    as_of : datetime or None
        Moment after which the training sees nothing, aware UTC; None where time is not what parts them.
    """

    name: str
    is_training: Mask
    is_test: Mask
    as_of: datetime | None = None


class FoldResult(msgspec.Struct, frozen=True):
    """What one fold found: records, figures with intervals, and the figures of each baseline."""

    name: str
    n_training: int
    n_records: int
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, float]]


def month_folds(moments: np.ndarray, first: str | None = None) -> list[Fold]:
    """A fold for each month that has records: learn from all that precedes it, judge on it.

    Parameters
    ----------
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication, UTC.
    first : str, optional
        First month to judge, ``2021-01``. Without it, the first that has :data:`ENOUGH_RECORDS` records
        before it, or :data:`ENOUGH_RATIO` of all where that is less.

    Returns
    -------
    list of Fold

    Raises
    ------
    ModelError
        If no month is left, or the first has fewer records before it than a training needs.

    Examples
    --------
    >>> days = np.arange("2021-01-01", "2021-04-01", dtype="datetime64[D]").astype("datetime64[us]")
    >>> for fold in month_folds(days):
    ...     print(fold.name, fold.is_training.sum(), fold.is_test.sum(), fold.as_of)
    2021-02 31 28 2021-01-31 23:59:59.999999+00:00
    2021-03 59 31 2021-02-28 23:59:59.999999+00:00
    """
    month_of = moments.astype("datetime64[M]")
    months = np.unique(month_of)
    enough = max(MIN_RECORDS, min(ENOUGH_RECORDS, int(np.ceil(ENOUGH_RATIO * len(moments)))))
    n_before = np.array([int((month_of < month).sum()) for month in months])
    is_judged = n_before >= enough if first is None else months >= np.datetime64(first, "M")
    if not is_judged.any():
        sought = f"with {enough} records before it" if first is None else f"from {first} on"
        raise ModelError(f"backtest: got no month {sought}, expected records to evaluate on")
    if n_before[is_judged][0] < MIN_RECORDS:
        got = f"{n_before[is_judged][0]} records before {months[is_judged][0]}"
        raise ModelError(f"backtest: got {got}, expected {MIN_RECORDS} or more to learn from")
    return [
        Fold(
            str(month),
            month_of < month,
            month_of == month,
            # A record of the month's first moment may be others' coverage, and its quality is a label.
            month.astype("datetime64[us]").item().replace(tzinfo=UTC) - timedelta(microseconds=1),
        )
        for month in months[is_judged]
    ]


def section_folds(sections: Sequence[str]) -> list[Fold]:
    """A fold for each section: learn from the others, judge on it.

    Raises
    ------
    ModelError
        If there is one section only.

    Examples
    --------
    >>> [(fold.name, fold.is_test.tolist()) for fold in section_folds(["Tea", "Rain", "Tea"])]
    [('Rain', [False, True, False]), ('Tea', [True, False, True])]
    """
    names = np.asarray(sections, dtype=object)
    found = sorted(set(sections))
    if len(found) < 2:
        raise ModelError(f"backtest: got {len(found)} section, expected two or more to leave one out")
    return [Fold(name or "(none)", names != name, names == name) for name in found]


def pool(evaluations: Sequence[Evaluation], folds: Sequence[Fold], *, n_draws: int, seed: int) -> Evaluation:
    """All folds as one evaluation: each record was judged once, by a model that had not seen it.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        One for each fold; at least one.
    folds : sequence of Fold
        Their folds; the predictions gain the column ``fold`` with their names.
    n_draws, seed : int
        Draws of the intervals over days, and their seed.

    Returns
    -------
    Evaluation
        Without baselines and slices, which stand with the folds.
    """
    columns = {
        name: np.concatenate([one.predictions[name] for one in evaluations])
        for name in evaluations[0].predictions
    }
    names = [np.full(one.n_records, fold.name) for one, fold in zip(evaluations, folds, strict=True)]
    begins = [one.begins_at for one in evaluations if one.begins_at is not None]
    ends = [one.ends_at for one in evaluations if one.ends_at is not None]
    return Evaluation(
        sum(one.n_records for one in evaluations),
        min(begins, default=None),
        max(ends, default=None),
        bootstrap(columns, n_draws=n_draws, seed=seed),
        {},
        (),
        columns | {"fold": np.concatenate(names).astype(object)},
    )
