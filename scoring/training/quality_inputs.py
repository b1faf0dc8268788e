"""Fit of all that the booster of quality rests on, and of the booster on the residuals that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder, ProviderStatistics
from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.conformal import NO_ERRORS
from scoring.model.quality import RUBRIC_COLUMN, QualityModel
from scoring.model.rubric import Rubric
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.rubric import fit_rubric
from scoring.training.splits import group_folds

Groups = NDArray[np.intp]


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
        See :func:`scoring.training.quality.start_quality`.
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
