"""Fit the quality model: the rubric, then the boosters on what it leaves, then how far off both are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder, ProviderStatistics
from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.conformal import NO_ERRORS
from scoring.model.quality import RUBRIC_COLUMN, QualityModel
from scoring.model.rubric import Rubric
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals
from scoring.training.design_matrix import DesignMatrix
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.parallel import FitPool
from scoring.training.rubric import fit_rubric
from scoring.training.splits import group_folds

Groups = NDArray[np.intp]
MIN_SECTION = 20  # records of a section whose rubric is tried on the others


@dataclass(frozen=True, slots=True)
class QualityFit:
    """The model, and what its draft said of the validation block: quality and spread, shapes (n_later,)."""

    model: QualityModel
    validation_quality: Floats
    validation_spread: Floats


def start_quality(
    table: FeatureTable,
    y: Floats,
    copies: Groups,
    is_validation: NDArray[np.bool_],
    config: ModelConfig,
    *,
    lanes: FitPool,
    seed: int,
    trainer: BoosterTrainer = train_booster,
) -> Callable[[], QualityFit]:
    """Begin to fit the quality model.

    The number of trees and the distribution of errors come from the validation block, which the
    first fit has not seen; the second fit has all records and that many trees.

    Parameters
    ----------
    table : FeatureTable
        Training records.
    y : ndarray of shape (n_records,)
        Their qualities; points.
    copies : ndarray of int, shape (n_records,)
        Group of each; copies of one record share one, and a fold.
    is_validation : ndarray of bool, shape (n_records,)
        The latest of them.
    config : ModelConfig
        How.
    lanes : FitPool
        Where the parts are fitted.
    seed : int
        Of all that is drawn.
    trainer : callable
        What trains the booster of quality.

    Returns
    -------
    callable
        Waits for it, and gives the :class:`QualityFit`.
    """
    later, later_y = table.take(is_validation), y[is_validation]
    earlier, submit = ~is_validation, lanes.executor.submit
    options: dict[str, Any] = {"num_threads": lanes.num_threads, "seed": seed}
    material = DesignMatrix.of(table, config.rubric)
    drafted = submit(
        fit_once,
        table.take(earlier),
        y[earlier],
        copies[earlier],
        config,
        (later, later_y),
        material=material.take(earlier),
        trainer=trainer,
        **options,
    )
    prepared = submit(prepare, table, material, y, copies, config, **options)
    foreign = submit(leave_section_out_errors, table, material, y, config)

    def finish() -> QualityFit:
        draft = drafted.result()
        final = msgspec.structs.replace(config.quality, num_iterations=draft.booster.num_trees)
        final_config = msgspec.structs.replace(config, quality=final)
        ready = prepared.result()
        fitted = submit(ready.fit, final_config, None, trainer=trainer, **options)
        X = draft.matrix(later)
        expected, spread = draft.predict(X), draft.predict_spread(X)
        errors = fit_residuals(later_y - expected, spread, config)
        errors = add_unseen_section(errors, float(spread.max(initial=0.0)), foreign.result(), config)
        return QualityFit(replace(fitted.result(), errors=errors), expected, spread)

    return finish


def fit_once(
    table: FeatureTable,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    validation: tuple[FeatureTable, Floats] | None,
    *,
    num_threads: int,
    seed: int,
    material: DesignMatrix | None = None,
    trainer: BoosterTrainer = train_booster,
    on_rubric: Callable[[Rubric], None] = lambda rubric: None,
) -> QualityModel:
    """One fit, which knows nothing yet of its errors.

    Parameters
    ----------
    table, y, copies, config
        As for :func:`start_quality`.
    validation : tuple of FeatureTable and ndarray, or None
        Later records and their qualities, on which the booster stops early; it keeps its best trees.
    num_threads, seed : int
        Threads, and the seed of all that is drawn.
    material : DesignMatrix, optional
        That of the table, where it is at hand.
    trainer : callable
        What trains the booster of quality.
    on_rubric : callable
        Called with the rubric before the rest is fitted; what it raises ends the fit.

    Returns
    -------
    QualityModel
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    if material is None:
        material = DesignMatrix.of(table, config.rubric)
    ready = prepare(table, material, y, copies, config, on_rubric=on_rubric, **options)
    return ready.fit(config, validation, trainer=trainer, **options)


@dataclass(frozen=True, slots=True)
class QualityFitInputs:
    """A quality model without its booster of quality, and the matrix and points which that learns from."""

    encoder: Encoder
    rubric: Rubric
    spread: Booster
    X: Floats
    left: Floats

    def fit(
        self,
        config: ModelConfig,
        validation: tuple[FeatureTable, Floats] | None,
        *,
        num_threads: int,
        seed: int,
        trainer: BoosterTrainer,
    ) -> QualityModel:
        """The whole, as :func:`fit_once` gives it."""
        held = None
        if validation is not None:
            later, later_y = validation
            points = self.rubric.predict(later)
            held = (np.column_stack([self.encoder.transform(later), points]), later_y - points)
        booster = trainer(
            self.X,
            self.left,
            names=(*self.encoder.names, RUBRIC_COLUMN),
            categories=self.encoder.categories,
            params=config.quality.params,
            num_iterations=config.quality.num_iterations,
            validation=held,
            patience=config.patience,
            num_threads=num_threads,
            seed=seed,
        )
        return QualityModel(self.encoder, self.rubric, booster, self.spread, NO_ERRORS)


def prepare(
    table: FeatureTable,
    material: DesignMatrix,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    *,
    num_threads: int,
    seed: int,
    on_rubric: Callable[[Rubric], None] = lambda rubric: None,
) -> QualityFitInputs:
    """The part of :func:`fit_once` that does not depend on the validation records."""
    encoder, rubric = Encoder.fit(table, y), fit_rubric(material, y, config.rubric)
    on_rubric(rubric)
    X = _out_of_fold(table, material, y, encoder, rubric, config, group_folds(copies, config.n_folds, seed))
    left = y - X[:, -1]
    off = np.minimum(np.abs(left), np.percentile(np.abs(left), 99))
    spread = train_booster(
        X,
        off,
        names=(*encoder.names, RUBRIC_COLUMN),
        categories=encoder.categories,
        params=config.spread.params,
        num_iterations=config.spread.num_iterations,
        num_threads=num_threads,
        seed=seed,
    )
    return QualityFitInputs(encoder, rubric, spread, X, left)


def _out_of_fold(
    table: FeatureTable,
    material: DesignMatrix,
    y: Floats,
    encoder: Encoder,
    rubric: Rubric,
    config: ModelConfig,
    folds: Groups,
) -> Floats:
    """The boosters' matrix, whose learned columns come from the other folds' labels; the knots are shared."""
    # The median stands where there is one fold only.
    X = np.column_stack([encoder.transform(table), np.full(len(table), np.median(y))])
    domains = table.text("provider_domain")
    for fold in range(config.n_folds):
        held = folds == fold
        if held.any() and not held.all():
            providers = ProviderStatistics.fit(domains[~held], y[~held]).transform(domains[held])
            others = fit_rubric(material.take(~held), y[~held], config.rubric, rubric.knots)
            learned = np.column_stack([providers, others.predict(table.take(held))])
            X[held, -learned.shape[1] :] = learned
    return X


def leave_section_out_errors(
    table: FeatureTable, material: DesignMatrix, y: Floats, config: ModelConfig
) -> Floats:
    """What a section's qualities are off by where the rubric knows only the others.

    Each section counts alike. Where there is one only, nothing tells how far its rubric travels: then they
    are the distances from the median.

    Returns
    -------
    ndarray of shape (n_errors,)
        Label less prediction; points.
    """
    sections = table.text("topic_section")
    found = []
    for section in sorted(set(sections)):
        held = sections == section
        if held.sum() >= MIN_SECTION and (~held).sum() >= MIN_SECTION:
            rubric = fit_rubric(material.take(~held), y[~held], config.rubric)
            found.append(np.quantile(y[held] - rubric.predict(table.take(held)), np.linspace(0, 1, 101)))
    return np.concatenate(found) if found else y - np.median(y)
