"""Features and labels of the records that a model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.training.cascade import CascadeLabels


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Labelled records, `n_records` of them.

    Parameters
    ----------
    table : FeatureTable
        Their features.
    labels : CascadeLabels
        Their labels; the quality of every one is known.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication, UTC.
    sections : sequence of str
        First topics.
    copies : ndarray of int, shape (n_records,)
        Group of each record; copies of one record share one.
    early : tuple of FeatureTable
        The same records as they stood at the ages of the forecast; without any, it learns from `table`.
    """

    table: FeatureTable
    labels: CascadeLabels
    moments: NDArray[np.datetime64]
    sections: Sequence[str]
    copies: NDArray[np.intp]
    early: tuple[FeatureTable, ...] = ()

    def take(self, mask: NDArray[np.bool_]) -> TrainingSet:
        """The records that a mask of shape (n_records,) names."""
        labels = CascadeLabels(self.labels.quality[mask], self.labels.heat[mask], self.labels.published[mask])
        sections = [section for section, is_taken in zip(self.sections, mask, strict=True) if is_taken]
        early = tuple(table.take(mask) for table in self.early)
        return TrainingSet(
            self.table.take(mask), labels, self.moments[mask], sections, self.copies[mask], early
        )


def as_floats(values: Sequence[float | int | bool | None]) -> Floats:
    """Labels as numbers, shape (n_records,); NaN for None."""
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
