"""Fit of every component on one block of labelled records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.features.encoding import Encoder
from scoring.model.baselines import Baselines, Medians
from scoring.model.cascade import NOT_LEADING, Cascade, is_wide
from scoring.model.components import FittedComponents, Thresholds
from scoring.model.forecast import Forecast
from scoring.model.marginalize import marginalize_now
from scoring.model.quality import QualityModel
from scoring.model.targets import needed_label
from scoring.training.baselines import fit_baselines
from scoring.training.cascade import CascadeLabels, fit_cascade
from scoring.training.config import ModelConfig, SplitConfig, TrainConfig
from scoring.training.forecast import fit_forecast
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.parallel import N_WORKERS, fit_pool
from scoring.training.policy_changes import with_changes
from scoring.training.quality import QualityFit, start_quality
from scoring.training.rules import learned_rules
from scoring.training.splits import Mask, latest_mask
from scoring.training.stand_ins import with_stand_ins
from scoring.training.thresholds import best_threshold
from scoring.training.training_set import TrainingSet

MIN_RECORDS = 15
MIN_VALIDATION = 5

_Policy = TypeVar("_Policy")


def fit_models(
    training: TrainingSet,
    config: TrainConfig,
    *,
    num_threads: int = 2,
    trainer: BoosterTrainer = train_booster,
    on_step: Callable[[str], None] = lambda step: None,
    has_baselines: bool = True,
) -> FittedComponents:
    """Fit every component: tune on the latest records, then refit on all of them.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : TrainConfig
        Training configuration.
    num_threads : int
        Threads of LightGBM; they do not change the models.
    trainer : callable
        Trains the boosters of quality, heat and published; the rest is always fitted in this process.
    on_step : callable
        Called with the name of each step when it begins.
    has_baselines : bool
        Whether to fit the baselines, which evaluations compare with.

    Returns
    -------
    FittedComponents

    Raises
    ------
    ModelError
        If there are too few records, none leads, or none has both heat and published.
    """
    targets = training.targets
    training, config, is_measured = _prepared(training, config, num_threads)
    is_validation = validation_mask(training.moments, training.sections, config.split)
    table, labels = training.table, training.labels
    # A distributed trainer fits one booster at a time; this process fits two in parallel.
    n_workers = N_WORKERS if trainer is train_booster else 1
    with fit_pool(num_threads, len(table), n_workers) as pool:
        options: dict[str, Any] = {"num_threads": pool.num_threads, "seed": config.seed}
        stories = training.by_regime("heat", "published")
        cascade_draft = pool.executor.submit(
            _draft_cascade, stories.take(~is_validation), config.model, trainer=trainer, **options
        )

        def start_cascade(encoder: Encoder | None) -> Future[tuple[Cascade, Forecast]]:
            return pool.executor.submit(
                _fit_cascade_and_forecast, stories, config.model, trainer, encoder=encoder, **options
            )

        cascade_fit = None if is_wide(targets) else start_cascade(None)
        on_step("quality")
        finish_quality = start_quality(
            table,
            labels.quality,
            training.copies,
            is_validation,
            config.model,
            regimes=training.regimes("quality"),
            pool=pool,
            seed=config.seed,
            trainer=trainer,
            is_measured=is_measured,
        )
        quality = finish_quality()
        quality_model = for_scoring(quality.model, training)
        encoder = quality_model.encoder
        cascade_fit = cascade_fit or start_cascade(encoder)
        baselines = (
            pool.executor.submit(fit_baselines, table, labels, quality.model.encoder, **options)
            if has_baselines
            else None
        )
        on_step("lead, heat and published")
        cascade, forecast = cascade_fit.result()
        draft, validation = cascade_draft.result(), training.take(is_validation)
        thresholds = _choose_thresholds(draft, cascade, validation, quality, pool.num_threads)
        on_step("baselines")
        story_policies = _present(cascade.policies, training)
        cascade = replace(cascade, policies=story_policies, encoder=encoder if is_wide(targets) else None)
        return FittedComponents(
            quality_model,
            cascade,
            replace(forecast, cascade=cascade),
            thresholds,
            baselines.result() if baselines else Baselines(Medians({}, {}, {}), {}),
            learned_rules(training, quality_model, cascade),
            training.changes,
            targets=targets,
        )


def _prepared(
    training: TrainingSet, config: TrainConfig, num_threads: int
) -> tuple[TrainingSet, TrainConfig, Mask | None]:
    """The training set with stand-ins for missing labels and its changes of policy, its configuration, and
    the mask of measured labels, if there are stand-ins."""

    def latent_quality(leads: TrainingSet) -> QualityModel:
        return fit_quality(leads, config, num_threads=num_threads).model

    targets = training.targets
    training, is_measured = with_stand_ins(training, latent_quality, min_records=MIN_RECORDS)
    if targets == ("published",):  # without labels in points, sections do not differ
        sections = msgspec.structs.replace(config.model.sections, design="shared")
        model = msgspec.structs.replace(config.model, sections=sections)
        config = msgspec.structs.replace(config, model=model)
    counted(training)
    training = with_changes(training, config.model)
    if missing := _missing_labels(training.labels):
        raise ModelError(f"training records: got none with {missing}, expected some")
    return training, config, is_measured


def fit_quality(training: TrainingSet, config: TrainConfig, *, num_threads: int = 2) -> QualityFit:
    """Fit the quality alone, with the model that :func:`fit_models` gives it.

    Parameters
    ----------
    training : TrainingSet
        Labelled records; heat and published are not used.
    config : TrainConfig
        Training configuration.
    num_threads : int
        Threads of LightGBM; they do not change the model.

    Returns
    -------
    QualityFit

    Raises
    ------
    ModelError
        If there are too few records.
    """
    n_records = counted(training)
    training = with_changes(training, config.model)
    is_validation = validation_mask(training.moments, training.sections, config.split)
    with fit_pool(num_threads, n_records) as pool:
        finish = start_quality(
            training.table,
            training.labels.quality,
            training.copies,
            is_validation,
            config.model,
            regimes=training.regimes("quality"),
            pool=pool,
            seed=config.seed,
        )
        return finish()


def for_scoring(model: QualityModel, training: TrainingSet) -> QualityModel:
    """The fitted quality with the rule of sections, and the policies that hold now."""
    encoder = msgspec.structs.replace(model.encoder, sections_=training.section_rule)
    return replace(model, encoder=encoder, policies=_present(model.policies, training))


def _present(policies: Mapping[str, _Policy], training: TrainingSet) -> dict[str, _Policy]:
    """Policies of the sections, without those of their past regimes."""
    present = set(training.sections)
    return {name: policy for name, policy in policies.items() if name in present}


def validation_mask(moments: NDArray[np.datetime64], sections: Sequence[str], split: SplitConfig) -> Mask:
    """Mask of the validation block, shape (n_records,).

    It has the latest records of each section, or the latest of all if those are too few.

    Parameters
    ----------
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication of the training records.
    sections : sequence of str
        Section of each record.
    split : SplitConfig
        Share of the block.
    """
    n_records = len(moments)
    is_validation = latest_mask(moments, sections, split.validation_ratio)
    if not MIN_VALIDATION <= is_validation.sum() < n_records:
        order = np.argsort(moments, kind="stable")
        is_validation = np.zeros(n_records, dtype=bool)
        is_validation[order[-max(n_records // 5, MIN_VALIDATION) :]] = True
    return is_validation


def counted(training: TrainingSet, left_out: str = "") -> int:
    """Number of training records, if there are enough.

    Parameters
    ----------
    training : TrainingSet
        The records.
    left_out : str
        Which records were left out, and why, for the message.

    Raises
    ------
    ModelError
        If there are too few.
    """
    n_records = len(training.table)
    if n_records < MIN_RECORDS:
        raise ModelError(
            f"training records: got {n_records} with {needed_label(training.targets)} and a date, expected "
            f"{MIN_RECORDS} or more" + (f": {left_out}" if left_out else "")
        )
    return n_records


def _fit_cascade_and_forecast(
    training: TrainingSet,
    config: ModelConfig,
    trainer: BoosterTrainer,
    *,
    encoder: Encoder | None,
    **options: Any,
) -> tuple[Cascade, Forecast]:
    cascade = fit_cascade(
        training.table,
        training.labels,
        config,
        trainer=trainer,
        targets=training.targets,
        encoder=encoder,
        **options,
    )
    early_tables = training.early or (training.table,)
    return cascade, fit_forecast(cascade, early_tables, training.labels, config, **options)


def _missing_labels(labels: CascadeLabels) -> str:
    """Labels of lead, heat and published that every record lacks; empty if none."""
    if not (labels.heat > NOT_LEADING).any():
        return "a usable heat of 0 or more"
    if not (np.isfinite(labels.heat) & np.isfinite(labels.published)).any():
        return "both a usable heat and whether it was published"
    return ""


def _draft_cascade(earlier: TrainingSet, config: ModelConfig, **options: Any) -> Cascade | None:
    """Cascade fitted without the validation block; None if the earlier records lack its labels."""
    return (
        None
        if _missing_labels(earlier.labels)
        else fit_cascade(earlier.table, earlier.labels, config, targets=earlier.targets, **options)
    )


def _choose_thresholds(
    draft: Cascade | None,
    cascade: Cascade,
    validation: TrainingSet,
    quality: QualityFit,
    num_threads: int,
) -> Thresholds:
    """Thresholds on the validation block, from components fitted without it."""
    heat, published = validation.labels.heat, validation.labels.published
    is_known = np.isfinite(heat) & np.isfinite(published)
    # Records are left out if their policy was not known to the drafts.
    regimes = validation.regimes("quality", "heat", "published")
    new = {*quality.model.policies} - quality.draft_policies
    new |= {*cascade.policies} - ({*draft.policies} if draft else set())
    is_known &= np.isin(regimes, validation.sections) & ~np.isin(regimes, list(new))
    if draft is None or not is_known.any():
        return Thresholds()
    quality_mode = np.round(quality.validation_quality)
    distribution = quality.model.distribution(validation.table, quality_mode, quality.validation_spread)
    outlook = marginalize_now(draft, validation.table, distribution, num_threads)
    return Thresholds(
        best_threshold(outlook.lead_probability[is_known], heat[is_known] > NOT_LEADING),
        best_threshold(outlook.published_probability[is_known], published[is_known] > 0.5),
    )
