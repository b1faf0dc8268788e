"""Paired comparison of two models' metrics on the same records, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.evaluation.cluster_bootstrap import draw_days, draw_figures, interval_of
from scoring.evaluation.metrics import (
    LOWER_IS_BETTER,
    MEANINGS,
    PredictionColumns,
    compute,
    has_published,
    section_codes,
)
from scoring.features.table import Floats
from scoring.model.targets import TARGETS, Targets

MIN_PART = 10
PART_FIGURES = ("quality_mae", "lead_accuracy", "heat_within_5", "published_f1")
Value = TypeVar("Value", float, Floats)
_LABELS = ("quality", "heat", "published")


class Difference(msgspec.Struct, frozen=True):
    """A metric of two models on the same records.

    Parameters
    ----------
    name : str
        See :data:`scoring.evaluation.metrics.MEANINGS`.
    first, second : float
        Metric of each model.
    gain : float
        Improvement of the second over the first; below 0 if it is worse, for every metric.
    low, high : float or None
        95 % interval of the gain by a paired bootstrap over days; None if not computed.
    """

    name: str
    first: float
    second: float
    gain: float
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """Verdict on the second by the interval: ``better``, ``worse``, ``same`` or ``unsure``."""
        if self.gain == 0 and not self.low and not self.high:
            return "same"
        if self.low is not None and self.low > 0:
            return "better"
        return "worse" if self.high is not None and self.high < 0 else "unsure"


class SliceDifference(msgspec.Struct, frozen=True):
    """Differences on one slice: ``family`` is the split variable, ``name`` the slice."""

    family: str
    name: str
    n_records: int
    differences: dict[str, Difference]


def align(sides: Sequence[PredictionColumns], names: Sequence[str]) -> list[PredictionColumns]:
    """Rows of the records that all sides have, by path and date, in the order of the first.

    Parameters
    ----------
    sides : sequence of (mapping of str to ndarray)
        The predictions of each side, as in :class:`scoring.evaluation.results.Evaluation`.
    names : sequence of str
        Name of each side in messages.

    Returns
    -------
    list of mapping of str to ndarray of shape (n_common,)

    Raises
    ------
    ModelError
        If no record is in all of them, or labels differ.
    """
    rows_by_side = [_rows_by_record(columns) for columns in sides]
    # Records of one file may share path and date; unequal numbers of them cannot be matched.
    common = [
        key
        for key in rows_by_side[0]
        if len({len(side_rows.get(key, ())) for side_rows in rows_by_side}) == 1
    ]
    if not common:
        raise ModelError(
            f"records of {' and '.join(names)}: got none in common by path and date, expected some; "
            "name records for the models to score"
        )
    aligned: list[PredictionColumns] = []
    for columns, side_rows in zip(sides, rows_by_side, strict=True):
        rows = [row for key in common for row in side_rows[key]]
        aligned.append({name: values[rows] for name, values in columns.items()})
    for name, columns in zip(names[1:], aligned[1:], strict=True):
        _check_labels(names[0], aligned[0], name, columns)
    return aligned


def _rows_by_record(columns: PredictionColumns) -> dict[tuple[Any, ...], list[int]]:
    rows: dict[tuple[Any, ...], list[int]] = {}
    moments = np.asarray(columns["published_at"], dtype="datetime64[us]").astype(np.int64)
    for row, key in enumerate(zip(columns["path"].tolist(), moments.tolist(), strict=True)):
        rows.setdefault(key, []).append(row)
    return rows


def _check_labels(
    first: str, first_columns: PredictionColumns, second: str, second_columns: PredictionColumns
) -> None:
    n_records = len(first_columns["quality"])
    differs = np.zeros(n_records, dtype=bool)
    for name in _LABELS:
        first_values, second_values = (
            np.asarray(side[name], dtype=np.float64) for side in (first_columns, second_columns)
        )
        differs |= (first_values != second_values) & ~(np.isnan(first_values) & np.isnan(second_values))
    if differs.any():
        path = first_columns["path"][np.flatnonzero(differs)[0]]
        raise ModelError(
            f"labels of {first} and {second}: got others for {int(differs.sum())} of {n_records} records "
            f"(first: {path}), expected the same; name records for the models to score"
        )


def is_labelled(columns: PredictionColumns) -> NDArray[np.bool_]:
    """Mask of the records with the first label that is predicted, shape (n_records,)."""
    if predicted_labels(columns) == ("published",):
        return has_published(columns)
    name = "quality" if "quality" in predicted_labels(columns) else "heat"
    return ~np.isnan(np.asarray(columns[name], dtype=np.float64))


def predicted_labels(*sides: PredictionColumns) -> Targets:
    """Labels that all sides predict."""
    return tuple(name for name in TARGETS if all(f"{name}_predicted" in side for side in sides))


def compare_predictions(
    first: PredictionColumns,
    second: PredictionColumns,
    *,
    n_draws: int,
    seed: int,
    level: float = 0.95,
    names: Collection[str] = MEANINGS,
) -> dict[str, Difference]:
    """Metrics of both models on the labelled records, and the gain with its interval.

    Paired bootstrap over days (Efron & Tibshirani, 1993): the difficulty of a day cancels out.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        Predictions for the same records in the same order, as in
        :class:`scoring.evaluation.results.Evaluation`; see :func:`align`.
    n_draws, seed : int
        Number of draws, and their seed; 0 draws disable the intervals.
    level : float
        Level of the intervals; 0 to 1.
    names : collection of str
        Metrics to compute.

    Returns
    -------
    dict of str to Difference
        Empty if no record has labels.
    """
    has_label = is_labelled(first)
    if not has_label.any():
        return {}
    # No metric uses other text columns than the section, and they are the slowest to resample.
    first_labelled, second_labelled = (
        {name: values[has_label] for name, values in side.items() if values.dtype != np.object_}
        | {"section": section_codes(first)[has_label]}
        for side in (first, second)
    )
    first_values, second_values = (compute(side, names=names) for side in (first_labelled, second_labelled))
    samples = draw_days(first_labelled, n_draws=n_draws, seed=seed)
    first_draws, second_draws = (
        draw_figures(side, samples, names=names) for side in (first_labelled, second_labelled)
    )
    return {
        name: Difference(
            name,
            first_values[name],
            second_values[name],
            gain_of(name, first_values[name], second_values[name]),
            *interval_of(gain_of(name, first_draws[name], second_draws[name]), level=level),
        )
        for name in first_values
        if name in second_values
    }


def gain_of(name: str, first: Value, second: Value) -> Value:
    """Improvement of the second over the first; below 0 if it is worse."""
    return first - second if name in LOWER_IS_BETTER else second - first


def slice_differences(
    first: PredictionColumns, second: PredictionColumns, *, n_draws: int, seed: int, level: float = 0.95
) -> tuple[SliceDifference, ...]:
    """Differences by section, provider, coverage and month.

    Only parts with :data:`MIN_PART` labelled records or more, and not all of them.

    Parameters
    ----------
    first, second, n_draws, seed, level
        See :func:`compare_predictions`. About ``1 - level`` of the parts differ by chance.

    Returns
    -------
    tuple of SliceDifference
        Differences of the metrics :data:`PART_FIGURES`.
    """
    has_label = is_labelled(first)
    differing_slices = []
    for family, name, mask in parts(first):
        is_in_part = mask & has_label
        n_records = int(is_in_part.sum())
        if n_records < MIN_PART or n_records == has_label.sum():
            continue
        first_part, second_part = (
            {column: values[is_in_part] for column, values in side.items()} for side in (first, second)
        )
        differences = compare_predictions(
            first_part, second_part, n_draws=n_draws, seed=seed, level=level, names=PART_FIGURES
        )
        differing_slices.append(SliceDifference(family, name, n_records, differences))
    return tuple(differing_slices)


def parts(columns: PredictionColumns) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Parts of the records: family, name and mask of shape (n_records,) of each.

    By section, provider, coverage and month, where the columns exist.
    """
    families = {name: columns[name].astype(str) for name in ("section", "provider") if name in columns}
    if "coverage_count" in columns:
        coverage_count = np.asarray(columns["coverage_count"], dtype=np.float64)
        families["coverage"] = np.select(
            [coverage_count == 0, coverage_count <= 2], ["none", "1 to 2"], "3 or more"
        )
    families["month"] = np.asarray(columns["published_at"], dtype="datetime64[M]").astype(str)
    for family, values in families.items():
        for name in np.unique(values):
            yield family, "(none)" if name in ("", "NaT") else str(name), values == name
