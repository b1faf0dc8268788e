"""Stand-ins for labels that no record has, so that every part of a model can be fitted.

Nothing shows them. A booster that would learn a decision from a stand-in has all features instead: see
:func:`scoring.model.cascade.is_wide`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.model.cascade import NOT_LEADING
from scoring.model.quality import QualityModel
from scoring.training.training_set import TrainingSet

PUBLISHED_POINTS = 100.0  # quality of a published record, where publication is the only label


def with_stand_ins(
    training: TrainingSet,
    fit_quality: Callable[[TrainingSet], QualityModel] | None = None,
    *,
    min_records: int = 0,
) -> tuple[TrainingSet, NDArray[np.bool_]]:
    """Fill in the labels that are not among the targets.

    A lead without related records has the heat of its quality. So where there are no labels of quality, a
    model of these heats estimates the quality of all other records.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    fit_quality : callable, optional
        Fits a quality model to records; needed if there is heat without quality.
    min_records : int
        Number of records that this needs.

    Returns
    -------
    training : TrainingSet
        The records; if publication is the only label, those that have it.
    is_measured : ndarray of bool, shape (n_records,)
        Whether the quality of a record is a label, and not an estimate.

    Raises
    ------
    ModelError
        If there are too few leads to learn from, or all records have the same publication.
    """
    targets = training.targets
    if targets == ("published",):
        training = training.take(np.isfinite(training.labels.published))
    table, labels = training.table, training.labels
    is_measured = np.ones(len(table), dtype=bool)
    if targets == ("published",):
        if len(np.unique(labels.published)) < 2:
            raise ModelError("training records: all have the same published, expected both true and false")
        labels = replace(labels, quality=PUBLISHED_POINTS * labels.published)
    elif "quality" not in targets and fit_quality is not None:
        is_lead = labels.heat > NOT_LEADING
        is_measured = is_lead & ~(table.number("coverage_count") > 0)
        if is_measured.sum() < min_records:
            is_measured = is_lead
        if is_measured.sum() < min_records:
            raise ModelError(
                f"training records: got {is_measured.sum()} with a heat of 0 or more, expected {min_records} "
                "or more"
            )
        leads = replace(training, labels=replace(labels, quality=labels.heat)).take(is_measured)
        estimate, _ = fit_quality(leads).estimate(table)
        labels = replace(labels, quality=np.where(is_measured, labels.heat, np.round(estimate)))
    if "heat" not in targets:
        labels = replace(labels, heat=labels.quality)
    if "published" not in targets:
        labels = replace(labels, published=np.zeros(len(table)))
    return replace(training, labels=labels), is_measured
