"""Fit the cascade: lead, heat and published, each given the true labels of the steps before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder
from scoring.features.table import TEXT_NAMES, FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.cascade import (
    HEAT_NAMES,
    LEAD_NAMES,
    NOT_LEADING,
    PUBLISHED_NAMES,
    Cascade,
    has_wide_lead,
    has_wide_published,
    heat_matrix,
    is_wide,
    lead_matrix,
    names_of,
    published_matrix,
    wide_published_matrix,
)
from scoring.model.targets import TARGETS, Targets
from scoring.training.config import BoosterConfig, ModelConfig
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.story_policy import plan_stories

#: Booster that has all features, where there is no label of an earlier step to learn a rule from.
WIDE = BoosterConfig(
    400,
    {
        "objective": "binary",
        "learning_rate": 0.03,
        "num_leaves": 7,
        "min_data_in_leaf": 10,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "min_data_per_group": 10,
        "cat_smooth": 10.0,
    },
)


@dataclass(frozen=True, slots=True)
class CascadeLabels:
    """Labels, shapes (n_records,): heat is -1 where another leads; published is 0 or 1; NaN: unknown."""

    quality: Floats
    heat: Floats
    published: Floats

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> CascadeLabels:
        """Labels by index, or of a mask of shape (n_records,)."""
        return CascadeLabels(self.quality[rows], self.heat[rows], self.published[rows])


def fit_cascade(
    table: FeatureTable,
    labels: CascadeLabels,
    config: ModelConfig,
    *,
    num_threads: int,
    seed: int,
    trainer: BoosterTrainer = train_booster,
    targets: Targets = TARGETS,
    encoder: Encoder | None = None,
) -> Cascade:
    """Fit lead, heat and published on records whose labels are known.

    Parameters
    ----------
    table : FeatureTable
        Training records, with the coverage known when they were labelled.
    labels : CascadeLabels
        Their labels.
    config : ModelConfig
        Fit options.
    num_threads, seed : int
        Number of threads and random seed of LightGBM.
    trainer : callable
        Trains the boosters of heat and published.
    targets : tuple of str
        The labels that are no stand-ins.
    encoder : Encoder, optional
        Encoder of the boosters that have all features; by default it is fitted to the records.

    Returns
    -------
    Cascade
    """
    options: dict[str, Any] = {"num_threads": num_threads, "seed": seed}
    if not is_wide(targets):
        encoder = None
    elif encoder is None:
        encoder = Encoder.fit(table, labels.quality)
    names = names_of(targets, encoder)
    # A booster that has all features has the section too, so no section needs a rule of its own.
    decisions = np.full(len(table), np.nan) if has_wide_published(targets) else labels.published
    plan = plan_stories(table, labels.quality, labels.heat, decisions, config.sections)
    is_known = ~np.isnan(labels.heat)
    is_lead = is_known & (labels.heat > NOT_LEADING)
    lead = _fit_lead(
        table.take(is_known),
        labels.quality[is_known],
        is_lead[is_known].astype(float),
        encoder if has_wide_lead(targets) else None,
        names["lead"],
        config.lead,
        **options,
    )
    options["trainer"] = trainer
    heat = _fit_heat(table, labels, is_lead & plan.has_shared_bonus, config.heat, **options)
    is_known = is_known & ~np.isnan(labels.published) & plan.has_shared_publication
    published = _fit_published(
        table.take(is_known),
        labels.take(is_known),
        targets,
        encoder if has_wide_published(targets) else None,
        names["published"],
        config.published,
        **options,
    )
    return Cascade(lead, heat, published, dict(sorted(plan.policies.items())), encoder, targets)


def _fit_lead(
    table: FeatureTable,
    quality: Floats,
    is_lead: Floats,
    encoder: Encoder | None,
    names: tuple[str, ...],
    config: BoosterConfig,
    **options: Any,
) -> Booster:
    """Fit who leads; with an encoder on all features, else on the quality and the coverage."""
    if encoder is not None:
        return _fit(encoder.transform(table), is_lead, names, WIDE, {}, **options)
    monotone = [1 if name == "quality_margin" else 0 for name in LEAD_NAMES]
    X = lead_matrix(table, quality)
    return _fit(X, is_lead, names, config, {"monotone_constraints": monotone}, **options)


def _fit_heat(
    table: FeatureTable,
    labels: CascadeLabels,
    is_lead: NDArray[np.bool_],
    config: BoosterConfig,
    **options: Any,
) -> Booster:
    """Fit the bonus of a lead for each related record."""
    leads = table.take(is_lead)
    coverage_count = np.maximum(leads.number("coverage_count"), 1.0)
    heat_per_coverage = (labels.heat - labels.quality)[is_lead] / coverage_count
    X = heat_matrix(leads, labels.quality[is_lead])
    # Age is missing unless scoring is given a time, so each record is seen with its age and without.
    X_without_age = X.copy()
    X_without_age[:, HEAT_NAMES.index("age_hours")] = np.nan
    y = np.concatenate([heat_per_coverage, heat_per_coverage])
    return _fit(np.vstack([X, X_without_age]), y, HEAT_NAMES, config, {}, **options)


def _fit_published(
    table: FeatureTable,
    labels: CascadeLabels,
    targets: Targets,
    encoder: Encoder | None,
    names: tuple[str, ...],
    config: BoosterConfig,
    **options: Any,
) -> Booster:
    """Fit what is published; with an encoder on all features, else on the quality and the heat."""
    if encoder is not None:
        X = wide_published_matrix(encoder, targets, table, labels.quality)
        return _fit(X, labels.published, names, WIDE, {}, **options)
    monotone = [1 if name == "heat" else 0 for name in PUBLISHED_NAMES]
    X = published_matrix(table, labels.quality, labels.heat)
    return _fit(X, labels.published, names, config, {"monotone_constraints": monotone}, **options)


def _fit(
    X: Floats,
    y: Floats,
    names: tuple[str, ...],
    config: BoosterConfig,
    extra_params: dict[str, Any],
    *,
    trainer: BoosterTrainer = train_booster,
    **options: Any,
) -> Booster:
    params = {**config.params, **extra_params}
    if config is WIDE:
        options["categories"] = TEXT_NAMES
    if config.params["objective"] == "binary" and len(np.unique(y)) < 2:
        # With a single class the log-odds are infinite: fit the constant by regression instead.
        params = {"objective": "regression"}
    return trainer(X, y, names=names, params=params, num_iterations=config.num_iterations, **options)
