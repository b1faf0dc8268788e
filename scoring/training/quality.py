"""Fit of the quality model: rubric, boosted residual, then the conformal residual distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder, ProviderStatistics
from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.conformal import MIN_SPREAD, NO_ERRORS
from scoring.model.label_steps import LabelSteps
from scoring.model.quality import RUBRIC_COLUMN, QualityModel
from scoring.model.rubric import Rubric
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals
from scoring.training.design_matrix import DesignMatrix
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.parallel import FitPool
from scoring.training.rubric import fit_rubric
from scoring.training.section_plan import SectionPlan, plan_sections, with_policies
from scoring.training.splits import group_folds

Groups = NDArray[np.intp]
MIN_SECTION = 20  # records on either side of a leave-section-out split
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

    def finish() -> QualityFit:
        draft = draft_fit.result()
        final = msgspec.structs.replace(config.quality, num_iterations=draft.booster.num_trees)
        final_config = msgspec.structs.replace(config, quality=final)
        inputs = inputs_fit.result()
        final_fit = submit(inputs.fit, final_config, None, trainer=trainer, **options)
        expected, spread = draft.estimate(table.take(is_validation))
        is_calibrated, calibration = is_validation & is_counted, config
        if is_calibrated.sum() >= MIN_CALIBRATION:
            rows = is_calibrated[is_validation]
            residual, scale = y[is_calibrated] - expected[rows], spread[rows]
        else:  # too few: every record, predicted by the rubric of the other folds
            rows = is_counted[plan.is_shared]
            labels, predicted = plan.y[plan.is_shared][rows], inputs.X[rows, -1]
            residual = labels - predicted
            if 0 < len(residual) < MIN_CALIBRATION:
                # So few say nothing of rare errors: the interval is as wide as the labels.
                from_median = labels - np.median(labels)
                residual = np.where(np.abs(residual) < np.abs(from_median), from_median, residual)
            scale = np.maximum(inputs.spread.predict(inputs.X[rows], pool.num_threads), MIN_SPREAD)
            calibration = _with_half_the_misses(config)
        errors = fit_residuals(residual, scale, calibration)
        errors = add_unseen_section(
            errors,
            float(scale.max(initial=0.0)),
            unseen_section_errors.result(),
            # One section says nothing of others: their interval is as wide as the labels.
            config.interval_level if left_out_sections(table) else 1.0,
        )
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


def _with_half_the_misses(config: ModelConfig) -> ModelConfig:
    """Options of an interval from cross-validated residuals.

    Such an interval may miss twice as many records as it is meant to (Barber, Candès, Ramdas & Tibshirani,
    2021, "Predictive inference with the jackknife+"), so it is made for half as many.
    """
    return msgspec.structs.replace(config, interval_level=(1.0 + config.interval_level) / 2)


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


def fit_once(
    table: FeatureTable,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    validation: tuple[FeatureTable, Floats] | None,
    *,
    num_threads: int,
    seed: int,
    design_matrix: DesignMatrix | None = None,
    trainer: BoosterTrainer = train_booster,
    on_rubric: Callable[[Rubric], None] = lambda rubric: None,
) -> QualityModel:
    """Fit a quality model without its residual distribution.

    Parameters
    ----------
    table, y, copies, config
        See :func:`start_quality`.
    validation : tuple of FeatureTable and ndarray, or None
        Later records and their qualities, for early stopping.
    num_threads, seed : int
        Number of threads and random seed.
    design_matrix : DesignMatrix, optional
        Design matrix of the table, if already built.
    trainer : callable
        Trains the booster of quality.
    on_rubric : callable
        Called with the rubric before the boosters are fitted; an exception aborts the fit.

    Returns
    -------
    QualityModel
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    if design_matrix is None:
        design_matrix = DesignMatrix.of(table, config.rubric)
    inputs = prepare(table, design_matrix, y, copies, config, on_rubric=on_rubric, **options)
    return inputs.fit(config, validation, trainer=trainer, **options)


@dataclass(frozen=True, slots=True)
class QualityFitInputs:
    """Fitted parts of a quality model, and the matrix and residuals that its booster is fitted on."""

    encoder: Encoder
    rubric: Rubric
    spread: Booster
    X: Floats
    residual: Floats

    def fit(
        self,
        config: ModelConfig,
        validation: tuple[FeatureTable, Floats] | None,
        *,
        num_threads: int,
        seed: int,
        trainer: BoosterTrainer,
    ) -> QualityModel:
        """Fit the booster and return the quality model."""
        validation_data = None
        if validation is not None:
            later_table, later_y = validation
            fitted = self.rubric.predict(later_table)
            validation_data = (
                np.column_stack([self.encoder.transform(later_table), fitted]),
                later_y - fitted,
            )
        booster = trainer(
            self.X,
            self.residual,
            names=(*self.encoder.names, RUBRIC_COLUMN),
            categories=self.encoder.categories,
            params=config.quality.params,
            num_iterations=config.quality.num_iterations,
            validation=validation_data,
            patience=config.patience,
            num_threads=num_threads,
            seed=seed,
        )
        return QualityModel(self.encoder, self.rubric, booster, self.spread, NO_ERRORS)


def prepare(
    table: FeatureTable,
    design_matrix: DesignMatrix,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    *,
    num_threads: int,
    seed: int,
    on_rubric: Callable[[Rubric], None] = lambda rubric: None,
) -> QualityFitInputs:
    """Fit everything in :func:`fit_once` that does not depend on the validation records."""
    encoder, rubric = Encoder.fit(table, y), fit_rubric(design_matrix, y, config.rubric)
    on_rubric(rubric)
    X = _out_of_fold(
        table, design_matrix, y, encoder, rubric, config, group_folds(copies, config.n_folds, seed)
    )
    residual = y - X[:, -1]
    abs_error = np.minimum(np.abs(residual), np.percentile(np.abs(residual), 99))
    spread = train_booster(
        X,
        abs_error,
        names=(*encoder.names, RUBRIC_COLUMN),
        categories=encoder.categories,
        params=config.spread.params,
        num_iterations=config.spread.num_iterations,
        num_threads=num_threads,
        seed=seed,
    )
    return QualityFitInputs(encoder, rubric, spread, X, residual)


def _out_of_fold(
    table: FeatureTable,
    design_matrix: DesignMatrix,
    y: Floats,
    encoder: Encoder,
    rubric: Rubric,
    config: ModelConfig,
    folds: Groups,
) -> Floats:
    """Matrix of the boosters with out-of-fold encodings and rubric predictions; the knots are shared."""
    # With a single fold the rubric column is the median.
    X = np.column_stack([encoder.transform(table), np.full(len(table), np.median(y))])
    domains = table.text("provider_domain")
    for fold in range(config.n_folds):
        is_held = folds == fold
        if is_held.any() and not is_held.all():
            providers = ProviderStatistics.fit(domains[~is_held], y[~is_held]).transform(domains[is_held])
            other_rubric = fit_rubric(design_matrix.take(~is_held), y[~is_held], config.rubric, rubric.knots)
            learned = np.column_stack([providers, other_rubric.predict(table.take(is_held))])
            X[is_held, -learned.shape[1] :] = learned
    return X


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
