"""Fit all parts on one block of labelled records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scoring.errors import ModelError
from scoring.model.cascade import NOT_LEADING, Cascade
from scoring.model.components import FittedComponents, Thresholds
from scoring.model.forecast import Forecast
from scoring.model.marginalize import QualityDistribution, marginalize_now
from scoring.training.baselines import fit_baselines
from scoring.training.cascade import CascadeLabels, fit_cascade
from scoring.training.config import ModelConfig, TrainConfig
from scoring.training.forecast import fit_forecast
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.parallel import N_LANES, fit_pool
from scoring.training.quality import QualityFit, start_quality
from scoring.training.splits import latest_mask
from scoring.training.thresholds import best_threshold
from scoring.training.training_set import TrainingSet

MIN_RECORDS = 20
MIN_VALIDATION = 5


def fit_models(
    training: TrainingSet,
    config: TrainConfig,
    *,
    num_threads: int = 2,
    trainer: BoosterTrainer = train_booster,
    on_step: Callable[[str], None] = lambda step: None,
) -> FittedComponents:
    """Fit every part; choices are made on the latest of the records, then all are used.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : TrainConfig
        How.
    num_threads : int
        Threads of LightGBM; the models are the same for any number.
    trainer : callable
        What trains the boosters of quality, heat and published; all else is fitted here.
    on_step : callable
        Told what begins.

    Returns
    -------
    Models

    Raises
    ------
    ModelError
        If there are too few records, none leads, or none has both a heat and whether it was published.
    """
    n_records = len(training.table)
    if n_records < MIN_RECORDS:
        raise ModelError(
            f"training records: got {n_records} with a quality and a date, expected {MIN_RECORDS} or more"
        )
    if lacking := _lacking(training.labels):
        raise ModelError(f"training records: got none with {lacking}, expected some")
    is_validation = latest_mask(training.moments, training.sections, config.split.validation_ratio)
    if not MIN_VALIDATION <= is_validation.sum() < n_records:
        order = np.argsort(training.moments, kind="stable")
        is_validation = np.zeros(n_records, dtype=bool)
        is_validation[order[-max(n_records // 5, MIN_VALIDATION) :]] = True
    table, labels = training.table, training.labels
    # Many machines fit one booster after another; this one fits two at a time.
    with fit_pool(num_threads, n_records, N_LANES if trainer is train_booster else 1) as lanes:
        options: dict[str, Any] = {"num_threads": lanes.num_threads, "seed": config.seed}
        drafted = lanes.executor.submit(
            _draft_cascade, training.take(~is_validation), config.model, trainer=trainer, **options
        )
        ruled = lanes.executor.submit(_fit_rules, training, config.model, trainer, **options)
        on_step("quality")
        finish_quality = start_quality(
            table,
            labels.quality,
            training.copies,
            is_validation,
            config.model,
            lanes=lanes,
            seed=config.seed,
            trainer=trainer,
        )
        baselines = lanes.executor.submit(fit_baselines, table, labels, **options)
        quality = finish_quality()
        on_step("lead, heat and published")
        cascade, forecast = ruled.result()
        later = training.take(is_validation)
        thresholds = _choose_thresholds(drafted.result(), later, quality, lanes.num_threads)
        on_step("baselines")
        return FittedComponents(quality.model, cascade, forecast, thresholds, baselines.result())


def _fit_rules(
    training: TrainingSet, config: ModelConfig, trainer: BoosterTrainer, **options: Any
) -> tuple[Cascade, Forecast]:
    cascade = fit_cascade(training.table, training.labels, config, trainer=trainer, **options)
    early = training.early or (training.table,)
    return cascade, fit_forecast(cascade, early, training.labels, config, **options)


def _lacking(labels: CascadeLabels) -> str:
    """What no record has that lead, heat and published are learned from; empty where nothing lacks."""
    if not (labels.heat > NOT_LEADING).any():
        return "a usable heat of 0 or more"
    if not (np.isfinite(labels.heat) & np.isfinite(labels.published)).any():
        return "both a usable heat and whether it was published"
    return ""


def _draft_cascade(earlier: TrainingSet, config: ModelConfig, **options: Any) -> Cascade | None:
    """A cascade that has not seen the validation block, where what precedes that can teach one."""
    return None if _lacking(earlier.labels) else fit_cascade(earlier.table, earlier.labels, config, **options)


def _choose_thresholds(
    draft: Cascade | None, later: TrainingSet, quality: QualityFit, num_threads: int
) -> Thresholds:
    """Thresholds on the validation block, from parts that have not seen it."""
    heat, published = later.labels.heat, later.labels.published
    known = np.isfinite(heat) & np.isfinite(published)
    if draft is None or not known.any():
        return Thresholds()
    likeliest = np.round(quality.validation_quality)
    atoms, weights = quality.model.errors.spread_out(likeliest, quality.validation_spread)
    atoms = np.maximum(atoms, quality.model.rubric.floor_)
    said = marginalize_now(draft, later.table, QualityDistribution(likeliest, atoms, weights), num_threads)
    return Thresholds(
        best_threshold(said.lead_probability[known], heat[known] > NOT_LEADING),
        best_threshold(said.published_probability[known], published[known] > 0.5),
    )
