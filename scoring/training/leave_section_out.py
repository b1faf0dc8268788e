"""Errors of rubrics fitted without one section, as for a section that the model has not seen."""

from __future__ import annotations

from collections import Counter

import numpy as np

from scoring.features.table import FeatureTable, Floats
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric

MIN_SECTION = 20  # records on either side of a leave-section-out split


def leave_section_out_errors(
    table: FeatureTable, design_matrix: DesignMatrix, y: Floats, config: ModelConfig
) -> Floats:
    """Errors of leave-one-section-out rubrics, as 101 quantiles of each section.

    Sections have equal weight. With a single section, the errors are the distances from the median.

    Returns
    -------
    ndarray of shape (n_errors,)
        Label minus prediction; points.
    """
    sections, errors = table.text("topic_section"), []
    for section in left_out_sections(table):
        is_held = sections == section
        rubric = fit_rubric(design_matrix.take(~is_held), y[~is_held], config.rubric)
        errors.append(np.quantile(y[is_held] - rubric.predict(table.take(is_held)), np.linspace(0, 1, 101)))
    return np.concatenate(errors) if errors else y - np.median(y)


def left_out_sections(table: FeatureTable) -> list[str]:
    """Sections that are left out in turn: those with :data:`MIN_SECTION` records, and as many elsewhere."""
    counts = Counter(table.text("topic_section"))
    return sorted(
        section for section, count in counts.items() if MIN_SECTION <= count <= len(table) - MIN_SECTION
    )
