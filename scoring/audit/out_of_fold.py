"""What models say of labelled records that they have not seen: fitted fold by fold, copies kept together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.features.table import Floats
from scoring.model import cascade
from scoring.model.cascade import NOT_LEADING
from scoring.model.quality import QualityModel
from scoring.training.cascade import fit_cascade
from scoring.training.config import TrainConfig
from scoring.training.fit import MIN_RECORDS
from scoring.training.parallel import fit_pool
from scoring.training.quality import start_quality
from scoring.training.splits import group_folds
from scoring.training.training_set import TrainingSet

N_FOLDS = 3
N_INNER_FOLDS = 5  # one of them tells when to stop, and how wide the intervals are
THRESHOLD_TOLERANCE = 2.0  # points: a label is not called wrong by a rule that turns over within so much


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What models that have not seen a record, nor a copy, say of it, as arrays of shape (n_records,).

    ``quality`` and ``half_width`` (of its interval) are in points. The rest is what the learned rules
    say of the record's *true* quality: ``lead_probability``; ``heat``, if it leads, and ``heat_off``,
    how far the label is from that; ``published_probability``, by its true heat. Near a threshold the
    last two have the value that is kindest to the label. NaN where the labels do not suffice.
    """

    folds: NDArray[np.intp]
    models: tuple[QualityModel, ...]
    quality: Floats
    half_width: Floats
    lead_probability: Floats
    heat: Floats
    heat_off: Floats
    published_probability: Floats


def out_of_fold(
    training: TrainingSet,
    config: TrainConfig,
    *,
    num_threads: int = 1,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> OutOfFold:
    """Predict each record by models that were fitted on the other folds; copies share a fold.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : TrainConfig
        How the models are fitted.
    num_threads : int
        Threads of LightGBM.
    on_step : callable
        Told how many folds are done, of how many.

    Returns
    -------
    OutOfFold

    Raises
    ------
    ModelError
        If there are too few records.
    """
    n_records = len(training.table)
    folds = group_folds(training.copies, N_FOLDS, config.seed)
    if n_records < MIN_RECORDS or len(set(folds)) < N_FOLDS:
        raise ModelError(
            f"audited records: got {n_records} of which {len(set(training.copies))} are no copies, "
            f"expected {MIN_RECORDS} or more records with a quality and a date"
        )
    columns = np.full((6, n_records), np.nan)
    models = []
    for fold in range(N_FOLDS):
        on_step(fold, N_FOLDS)
        held = folds == fold
        rest, part = training.take(~held), training.take(held)
        options: dict[str, Any] = {"num_threads": num_threads, "seed": config.seed}
        is_inner = group_folds(rest.copies, N_INNER_FOLDS, config.seed) == 0
        with fit_pool(num_threads, len(rest.table)) as pool:
            finish = start_quality(
                rest.table,
                rest.labels.quality,
                rest.copies,
                is_inner,
                config.model,
                pool=pool,
                seed=config.seed,
            )
            model = finish().model
        models.append(model)
        X = model.matrix(part.table)
        columns[:2, held] = (
            model.predict(X, num_threads),
            model.errors.half_width_ * model.predict_spread(X, num_threads),
        )
        if _is_judged(rest):
            rules = fit_cascade(rest.table, rest.labels, config.model, **options)
            columns[2:, held] = _apply(rules, part, num_threads)
    on_step(N_FOLDS, N_FOLDS)
    return OutOfFold(folds, tuple(models), *columns)


def _is_judged(training: TrainingSet) -> bool:
    """Whether the labels suffice to learn who leads, what heat adds and what is shown."""
    heat, published = training.labels.heat, training.labels.published
    return bool((heat > NOT_LEADING).any() and (np.isfinite(heat) & np.isfinite(published)).any())


def _apply(rules: cascade.Cascade, part: TrainingSet, num_threads: int) -> Floats:
    """Lead, heat, its distance and published of records whose labels are known, shape (4, n_records)."""
    table, labels = part.table, part.labels
    lead = rules.lead_probability(table, labels.quality, num_threads)
    heats, shown = [], []
    for step in (0.0, -THRESHOLD_TOLERANCE, THRESHOLD_TOLERANCE):
        heats.append(rules.heat_if_lead(table, labels.quality + step, num_threads) - step)
        heat = np.maximum(labels.heat + step, NOT_LEADING)
        shown.append(rules.published_probability(table, labels.quality, heat, num_threads))
    off = np.min(np.abs(labels.heat - np.array(heats)), axis=0)
    kindest = np.where(labels.published > 0.5, np.max(shown, axis=0), np.min(shown, axis=0))
    is_lead, is_known = labels.heat > NOT_LEADING, np.isfinite(labels.heat)
    return np.array(
        [
            np.where(is_known, lead, np.nan),
            heats[0],
            np.where(is_lead, off, np.nan),
            np.where(is_known & np.isfinite(labels.published), kindest, np.nan),
        ]
    )
