"""Training set: features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.features.sections import FIRST_TOPIC, SectionRule
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
        Their labels; every quality is known.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication, UTC.
    sections : sequence of str
        Section of each record; empty if unknown.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    early : tuple of FeatureTable
        Features at the ages of the forecast; if empty, the forecast is fitted on `table`.
    section_rule : SectionRule
        How the section of each record was found.
    """

    table: FeatureTable
    labels: CascadeLabels
    moments: NDArray[np.datetime64]
    sections: Sequence[str]
    copies: NDArray[np.intp]
    early: tuple[FeatureTable, ...] = ()
    section_rule: SectionRule = FIRST_TOPIC

    def take(self, mask: NDArray[np.bool_]) -> TrainingSet:
        """Records of a mask of shape (n_records,)."""
        labels = CascadeLabels(self.labels.quality[mask], self.labels.heat[mask], self.labels.published[mask])
        sections = [section for section, is_taken in zip(self.sections, mask, strict=True) if is_taken]
        early_tables = tuple(table.take(mask) for table in self.early)
        return replace(
            self,
            table=self.table.take(mask),
            labels=labels,
            moments=self.moments[mask],
            sections=sections,
            copies=self.copies[mask],
            early=early_tables,
        )


def as_floats(values: Sequence[float | int | bool | None]) -> Floats:
    """Labels as floats, shape (n_records,); NaN for None."""
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
