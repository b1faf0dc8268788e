"""Fit of the quality model: rubric, boosted residual, then the conformal residual distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.conformal import MIN_SPREAD
from scoring.model.label_steps import LabelSteps
from scoring.model.quality import QualityModel
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals, half_width_of
from scoring.training.design_matrix import DesignMatrix
from scoring.training.leave_providers_out import leave_providers_out_errors
from scoring.training.leave_section_out import leave_section_out_errors, left_out_sections
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.parallel import FitPool
from scoring.training.quality_inputs import Groups, QualityFitInputs, fit_once, prepare
from scoring.training.section_plan import SectionPlan, plan_sections, with_policies

MAX_RATINGS = 20  # different labels, at most, if they are ratings
MIN_CALIBRATION = 30  # records of the validation block that the interval is calibrated on


@dataclass(frozen=True, slots=True)
class QualityFit:
    """A fitted quality model, and the predictions of its draft for the validation block.

    Parameters
    ----------
    model : QualityModel
        The model. Its policies are by regime, past regimes included.
    validation_quality, validation_spread : ndarray of shape (n_validation,)
        Predictions of the draft; points.
    plan : SectionPlan
        Plan of the shared fit.
    draft_policies : frozenset of str
        Regimes that have a policy in the draft.
    """

    model: QualityModel
    validation_quality: Floats
    validation_spread: Floats
    plan: SectionPlan
    draft_policies: frozenset[str]


def start_quality(
    table: FeatureTable,
    y: Floats,
    copies: Groups,
    is_validation: NDArray[np.bool_],
    config: ModelConfig,
    *,
    regimes: NDArray[np.object_] | None = None,
    pool: FitPool,
    seed: int,
    trainer: BoosterTrainer = train_booster,
    is_measured: NDArray[np.bool_] | None = None,
) -> Callable[[], QualityFit]:
    """Start to fit the quality model.

    A draft, fitted without the validation block, gives the number of trees and the residual distribution.
    The final model has that many trees and is fitted on all records.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    y : ndarray of shape (n_records,)
        Quality labels; points.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record; a group stays in one fold.
    is_validation : ndarray of bool, shape (n_records,)
        The validation block: the latest records.
    config : ModelConfig
        Fit options.
    regimes : ndarray of str, shape (n_records,), optional
        Regime of each record: see :meth:`scoring.training.training_set.TrainingSet.regimes`. Default: its
        section.
    pool : FitPool
        Pool that runs the fits.
    seed : int
        Random seed.
    trainer : callable
        Trains the booster of quality.
    is_measured : ndarray of bool, shape (n_records,), optional
        Records whose errors the interval is calibrated on. Default: all.

    Returns
    -------
    callable
        Waits for the fits and returns the :class:`QualityFit`.
    """
    submit = pool.executor.submit
    steps = label_steps(y)
    if steps is not None:
        config = _for_ratings(config)
    options: dict[str, Any] = {"num_threads": pool.num_threads, "seed": seed}
    design_matrix = DesignMatrix.of(table, config.rubric)
    if regimes is None:
        regimes = table.text("topic_section")
    whole = _Labelled(table, design_matrix, y, copies, regimes)
    plan, earlier_plan = whole.plan(config), whole.take(~is_validation).plan(config)
    inputs_fit = submit(prepare, *whole.planned(plan), config, **options)
    draft_fit = submit(
        _fit_draft, whole, is_validation, plan, earlier_plan, config, trainer=trainer, **options
    )
    is_counted = plan.in_shared_policy if is_measured is None else plan.in_shared_policy & is_measured
    unseen_section_errors = submit(leave_section_out_errors, table, design_matrix, y, config)
    unseen_provider_errors = submit(
        leave_providers_out_errors, table, design_matrix, y, config, config.interval_level
    )

    def finish() -> QualityFit:
        draft = draft_fit.result()
        final = msgspec.structs.replace(config.quality, num_iterations=draft.booster.num_trees)
        final_config = msgspec.structs.replace(config, quality=final)
        inputs = inputs_fit.result()
        final_fit = submit(inputs.fit, final_config, None, trainer=trainer, **options)
        expected, spread = draft.estimate(table.take(is_validation))
        is_calibrated = is_validation & is_counted
        if is_calibrated.sum() >= MIN_CALIBRATION:
            rows = is_calibrated[is_validation]
            residuals = _Residuals(y[is_calibrated] - expected[rows], spread[rows], config)
        else:  # too few: every record, predicted by the rubric of the other folds
            residuals = _out_of_fold_residuals(plan, inputs, is_counted, config, pool.num_threads)
        errors = fit_residuals(*residuals)
        errors = add_unseen_section(
            errors,
            float(residuals.scale.max(initial=0.0)),
            unseen_section_errors.result(),
            # One section says nothing of others: their interval is as wide as the labels.
            config.interval_level if left_out_sections(table) else 1.0,
        )
        least = half_width_of(unseen_provider_errors.result(), config.interval_level)
        errors = msgspec.structs.replace(errors, unseen_provider_half_width_=least)
        out_of_fold = np.full(len(table), np.nan)
        out_of_fold[plan.is_shared] = inputs.X[:, -1]
        model = with_policies(
            replace(final_fit.result(), errors=errors, steps=steps),
            plan,
            table,
            y,
            copies,
            config,
            out_of_fold,
        )
        return QualityFit(model, expected, spread, plan, frozenset(draft.policies))

    return finish


def label_steps(y: Floats) -> LabelSteps | None:
    """Steps of labels that are ratings: few values, all multiples of 2 points or more; None for others.

    Examples
    --------
    >>> label_steps(np.array([20.0, 100.0, 40.0]))
    LabelSteps(step_=20, lowest_=20, highest_=100)
    >>> label_steps(np.array([20.0, 41.0]))
    """
    values = np.unique(y).astype(np.int64)
    step = int(np.gcd.reduce(values)) if 2 <= len(values) <= MAX_RATINGS else 0
    return LabelSteps(step, int(values[0]), int(values[-1])) if step >= 2 else None


def _for_ratings(config: ModelConfig) -> ModelConfig:
    """Options of a fit to ratings: of a quality between two of them, the mean shows which is nearer.

    The median, which the absolute error finds, is one of the two even where they are nearly as likely.
    """
    if config.quality.params.get("objective") != "regression_l1":
        return config
    params = {**config.quality.params, "objective": "regression"}
    quality = msgspec.structs.replace(config.quality, params=params)
    return msgspec.structs.replace(config, quality=quality)


class _Residuals(NamedTuple):
    """Residuals and predicted spreads, shapes (n_calibrated,), and the options of an interval from them."""

    residual: Floats
    scale: Floats
    config: ModelConfig


def _out_of_fold_residuals(
    plan: SectionPlan,
    inputs: QualityFitInputs,
    is_counted: NDArray[np.bool_],
    config: ModelConfig,
    num_threads: int,
) -> _Residuals:
    """Residuals of records that the rubric of the other folds predicts.

    An interval from cross-validated residuals may miss twice as many records as it is meant to (Barber,
    Candès, Ramdas & Tibshirani, 2021, "Predictive inference with the jackknife+"), so it is made for half as
    many.
    """
    rows = is_counted[plan.is_shared]
    labels, predicted = plan.y[plan.is_shared][rows], inputs.X[rows, -1]
    residual = labels - predicted
    if 0 < len(residual) < MIN_CALIBRATION:
        # So few residuals show no rare errors: the interval is at least as wide as the spread of the labels.
        from_median = labels - np.median(labels)
        residual = np.where(np.abs(residual) < np.abs(from_median), from_median, residual)
    scale = np.maximum(inputs.spread.predict(inputs.X[rows], num_threads), MIN_SPREAD)
    level = (1.0 + config.interval_level) / 2
    return _Residuals(residual, scale, msgspec.structs.replace(config, interval_level=level))


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Labelled records: see :func:`start_quality`."""

    table: FeatureTable
    design_matrix: DesignMatrix
    y: Floats
    copies: Groups
    regimes: NDArray[np.object_]

    def take(self, mask: NDArray[np.bool_]) -> _Labelled:
        """Records of a mask of shape (n_records,)."""
        return _Labelled(
            self.table.take(mask),
            self.design_matrix.take(mask),
            self.y[mask],
            self.copies[mask],
            self.regimes[mask],
        )

    def plan(self, config: ModelConfig) -> SectionPlan:
        """Plan of their shared fit."""
        return plan_sections(self.table, self.design_matrix, self.y, self.copies, config, self.regimes)

    def planned(self, plan: SectionPlan) -> tuple[FeatureTable, DesignMatrix, Floats, Groups]:
        """Table, design matrix, labels and copies of the shared fit."""
        shared = self.take(plan.is_shared)
        return shared.table, shared.design_matrix, plan.y[plan.is_shared], shared.copies


def _fit_draft(
    whole: _Labelled,
    is_validation: NDArray[np.bool_],
    plan: SectionPlan,
    earlier_plan: SectionPlan,
    config: ModelConfig,
    **options: Any,
) -> QualityModel:
    """Fit without the validation block, whose shared records stop the booster early."""
    earlier = whole.take(~is_validation)
    table, design_matrix, y, copies = earlier.planned(earlier_plan)
    is_later = is_validation & plan.in_shared_policy
    validation = (whole.table.take(is_later), whole.y[is_later]) if is_later.any() else None
    model = fit_once(table, y, copies, config, validation, design_matrix=design_matrix, **options)
    threads: int = options["num_threads"]
    return with_policies(
        model, earlier_plan, earlier.table, earlier.y, earlier.copies, config, num_threads=threads
    )
