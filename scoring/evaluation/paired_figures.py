"""Whether one model's predictions are better than another's for the same records, and how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.evaluation.metrics import (
    LOWER_IS_BETTER,
    MEANINGS,
    PredictionColumns,
    compute,
    draw_figures,
    interval_of,
)

MIN_PART = 10
PART_FIGURES = ("quality_mae", "lead_accuracy", "heat_within_5", "published_f1")
_LABELS = ("quality", "heat", "published")


class Difference(msgspec.Struct, frozen=True):
    """A figure of two models on the same records.

    Parameters
    ----------
    name : str
        See :data:`scoring.evaluation.metrics.MEANINGS`.
    first, second : float
        The figure of each.
    gain : float
        By how much the second is better; below 0 where it is worse, whichever way the figure counts.
    low, high : float or None
        95 % interval of the gain by a paired bootstrap over days; None where it was not drawn.
    """

    name: str
    first: float
    second: float
    gain: float
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """What the interval says of the second: ``better``, ``worse``, ``same`` or ``unsure``."""
        if self.gain == 0 and not self.low and not self.high:
            return "same"
        if self.low is not None and self.low > 0:
            return "better"
        return "worse" if self.high is not None and self.high < 0 else "unsure"


class SliceDifference(msgspec.Struct, frozen=True):
    """Differences on one part of the records: ``family`` is what they are split by, ``name`` the part."""

    family: str
    name: str
    n_records: int
    differences: dict[str, Difference]


def align(sides: Sequence[PredictionColumns], names: Sequence[str]) -> list[PredictionColumns]:
    """The records that all sides have, in the order of the first, by path and date.

    Parameters
    ----------
    sides : sequence of (mapping of str to ndarray)
        The predictions of each side, as in :class:`scoring.evaluation.results.Evaluation`.
    names : sequence of str
        What a message calls each side.

    Returns
    -------
    list of mapping of str to ndarray of shape (n_common,)

    Raises
    ------
    ModelError
        If no record is in all of them, or the labels of one differ.
    """
    places = [_rows_by_record(columns) for columns in sides]
    # Records of one file may share a path and a date; where one side has more of them, none can be told.
    common = [key for key in places[0] if len({len(place.get(key, ())) for place in places}) == 1]
    if not common:
        raise ModelError(
            f"records of {' and '.join(names)}: got none in common by path and date, expected some; "
            "name records for the models to score"
        )
    aligned: list[PredictionColumns] = []
    for columns, place in zip(sides, places, strict=True):
        rows = [row for key in common for row in place[key]]
        aligned.append({name: values[rows] for name, values in columns.items()})
    for name, columns in zip(names[1:], aligned[1:], strict=True):
        _check_labels(names[0], aligned[0], name, columns)
    return aligned


def _rows_by_record(columns: PredictionColumns) -> dict[tuple[Any, ...], list[int]]:
    places: dict[tuple[Any, ...], list[int]] = {}
    moments = np.asarray(columns["published_at"], dtype="datetime64[us]").astype(np.int64)
    for row, key in enumerate(zip(columns["path"].tolist(), moments.tolist(), strict=True)):
        places.setdefault(key, []).append(row)
    return places


def _check_labels(first: str, one: PredictionColumns, second: str, two: PredictionColumns) -> None:
    n_records = len(one["quality"])
    differs = np.zeros(n_records, dtype=bool)
    for name in _LABELS:
        left, right = (np.asarray(side[name], dtype=np.float64) for side in (one, two))
        differs |= (left != right) & ~(np.isnan(left) & np.isnan(right))
    if differs.any():
        path = one["path"][np.flatnonzero(differs)[0]]
        raise ModelError(
            f"labels of {first} and {second}: got others for {int(differs.sum())} of {n_records} records "
            f"(first: {path}), expected the same; name records for the models to score"
        )


def is_labelled(columns: PredictionColumns) -> NDArray[np.bool_]:
    """Which records have a quality to compare with, shape (n_records,)."""
    return ~np.isnan(np.asarray(columns["quality"], dtype=np.float64))


def compare_predictions(
    first: PredictionColumns,
    second: PredictionColumns,
    *,
    n_draws: int,
    seed: int,
    level: float = 0.95,
    names: Collection[str] = MEANINGS,
) -> dict[str, Difference]:
    """Figures of both on the records with labels, and the gain with its interval.

    Days are drawn (Efron & Tibshirani, 1993), the same for both: what makes a day hard for both cancels out.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        Predictions for the same records in the same order, as in
        :class:`scoring.evaluation.results.Evaluation`; see :func:`align`.
    n_draws, seed : int
        Draws, and their seed; 0 draws leave the intervals out.
    level : float
        Share of draws that an interval holds; 0 to 1.
    names : collection of str
        Figures that are wanted.

    Returns
    -------
    dict of str to Difference
        Empty where no record has labels.
    """
    known = is_labelled(first)
    if not known.any():
        return {}
    # Text is in no figure, and costs most to draw.
    one, two = (
        {name: values[known] for name, values in side.items() if values.dtype != np.object_}
        for side in (first, second)
    )
    figures = partial(compute, names=names)
    before, after = figures(one), figures(two)
    draws = list(draw_figures(one, two, n_draws=n_draws, seed=seed, figures=figures))
    nan = float("nan")
    return {
        name: Difference(
            name,
            before[name],
            after[name],
            gain_of(name, before[name], after[name]),
            *interval_of([gain_of(name, a.get(name, nan), b.get(name, nan)) for a, b in draws], level=level),
        )
        for name in before
        if name in after
    }


def gain_of(name: str, first: float, second: float) -> float:
    """By how much the second figure is better; below 0 where it is worse."""
    return first - second if name in LOWER_IS_BETTER else second - first


def slice_differences(
    first: PredictionColumns, second: PredictionColumns, *, n_draws: int, seed: int, level: float = 0.95
) -> tuple[SliceDifference, ...]:
    """Differences by section, provider, coverage and month.

    Parts have :data:`MIN_PART` labelled records or more. One that holds all of them is left out: the figures
    of the whole say the same.

    Parameters
    ----------
    first, second, n_draws, seed, level
        As :func:`compare_predictions` takes them. Of many parts, ``1 - level`` seem to differ by chance.

    Returns
    -------
    tuple of SliceDifference
        Each with the figures of :data:`PART_FIGURES`.
    """
    known = is_labelled(first)
    found = []
    for family, name, mask in parts(first):
        part = mask & known
        n_records = int(part.sum())
        if n_records < MIN_PART or n_records == known.sum():
            continue
        one, two = ({column: values[part] for column, values in side.items()} for side in (first, second))
        differences = compare_predictions(
            one, two, n_draws=n_draws, seed=seed, level=level, names=PART_FIGURES
        )
        found.append(SliceDifference(family, name, n_records, differences))
    return tuple(found)


def parts(columns: PredictionColumns) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Parts of the records: family, name and mask of shape (n_records,) of each.

    By section, provider, coverage and month, as far as there are columns for it.
    """
    families = {name: columns[name].astype(str) for name in ("section", "provider") if name in columns}
    if "coverage_count" in columns:
        count = np.asarray(columns["coverage_count"], dtype=np.float64)
        families["coverage"] = np.select([count == 0, count <= 2], ["none", "1 to 2"], "3 or more")
    families["month"] = np.asarray(columns["published_at"], dtype="datetime64[M]").astype(str)
    for family, texts in families.items():
        for name in np.unique(texts):
            yield family, "(none)" if name in ("", "NaT") else str(name), texts == name
