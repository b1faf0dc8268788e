"""Out-of-fold predictions for labelled records, by grouped cross-validation."""

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
N_INNER_FOLDS = 5  # one of them is the validation block
THRESHOLD_TOLERANCE = 2.0  # points; labels this near to a learned threshold are not flagged


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions by models fitted without the record and its copies, as arrays of shape (n_records,).

    ``quality`` and ``half_width`` (of its interval) are in points. The others are the cascade's predictions
    at the *true* quality: ``lead_probability``; ``heat`` if it leads, and ``heat_off``, its absolute error;
    ``published_probability``, at the true heat. Near a threshold the last two have the value that agrees
    best with the label. NaN where labels are missing.
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
    """Predict each record by models fitted on the other folds; copies share a fold.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : TrainConfig
        Fit options.
    num_threads : int
        Threads of LightGBM.
    on_step : callable
        Called with the number of finished folds and the total.

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
            f"audited records: got {n_records} ({len(set(training.copies))} without copies), "
            f"expected {MIN_RECORDS} or more with a quality and a date"
        )
    columns = np.full((6, n_records), np.nan)
    models = []
    for fold in range(N_FOLDS):
        on_step(fold, N_FOLDS)
        is_held_out = folds == fold
        training_part, held_out = training.take(~is_held_out), training.take(is_held_out)
        options: dict[str, Any] = {"num_threads": num_threads, "seed": config.seed}
        is_inner = group_folds(training_part.copies, N_INNER_FOLDS, config.seed) == 0
        with fit_pool(num_threads, len(training_part.table)) as pool:
            finish = start_quality(
                training_part.table,
                training_part.labels.quality,
                training_part.copies,
                is_inner,
                config.model,
                regimes=training_part.regimes("quality"),
                pool=pool,
                seed=config.seed,
            )
            model = finish().model
        models.append(model)
        regimes = held_out.regimes("quality")
        expected, spread = model.estimate(held_out.table, num_threads, regimes=regimes)
        columns[:2, is_held_out] = expected, model.half_widths(held_out.table, spread, regimes)
        training_part, held_out = (part.by_regime("heat", "published") for part in (training_part, held_out))
        if _has_cascade_labels(training_part):
            fold_cascade = fit_cascade(
                training_part.table,
                training_part.labels,
                config.model,
                targets=training_part.targets,
                **options,
            )
            columns[2:, is_held_out] = _cascade_predictions(fold_cascade, held_out, num_threads)
    on_step(N_FOLDS, N_FOLDS)
    return OutOfFold(folds, tuple(models), *columns)


def _has_cascade_labels(training: TrainingSet) -> bool:
    """Whether there are labels to fit lead, heat and published."""
    heat, published = training.labels.heat, training.labels.published
    return bool((heat > NOT_LEADING).any() and (np.isfinite(heat) & np.isfinite(published)).any())


def _cascade_predictions(fold_cascade: cascade.Cascade, held_out: TrainingSet, num_threads: int) -> Floats:
    """Lead, heat, its absolute error and published at the true labels, shape (4, n_records)."""
    table, labels = held_out.table, held_out.labels
    lead = fold_cascade.lead_probability(table, labels.quality, num_threads)
    heats, published_probabilities = [], []
    for shift in (0.0, -THRESHOLD_TOLERANCE, THRESHOLD_TOLERANCE):
        heats.append(fold_cascade.heat_if_lead(table, labels.quality + shift, num_threads) - shift)
        heat = np.maximum(labels.heat + shift, NOT_LEADING)
        published_probabilities.append(
            fold_cascade.published_probability(table, labels.quality, heat, num_threads)
        )
    heat_error = np.min(np.abs(labels.heat - np.array(heats)), axis=0)
    most_favourable = np.where(
        labels.published > 0.5,
        np.max(published_probabilities, axis=0),
        np.min(published_probabilities, axis=0),
    )
    is_lead, is_known = labels.heat > NOT_LEADING, np.isfinite(labels.heat)
    return np.array(
        [
            np.where(is_known, lead, np.nan),
            heats[0],
            np.where(is_lead, heat_error, np.nan),
            np.where(is_known & np.isfinite(labels.published), most_favourable, np.nan),
        ]
    )
