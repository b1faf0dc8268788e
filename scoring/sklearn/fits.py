"""Fit the models of an estimator, without evaluation, forecast, baselines or files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from scoring.api.inputs import PathLike, Warnings
from scoring.errors import SettingsError
from scoring.features.as_of import parse_as_of
from scoring.features.extraction import extracted
from scoring.features.sections import SectionRule, learn_sections, rule_named
from scoring.features.table import FeatureTable, assemble
from scoring.model.quality import QualityModel
from scoring.model.scorer import Scorer
from scoring.model.targets import Targets
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, latest_moments
from scoring.training.fit import fit_models, fit_quality, for_scoring
from scoring.training.leaders import count_leaders
from scoring.training.read_dataset import dataset_of
from scoring.training.training_set import TrainingSet
from scoring.tuning.search_space import with_values


def config_of(
    config: TrainConfig | PathLike | None,
    *,
    model_params: Mapping[str, Any] | None,
    as_of: str | None,
    seed: int | None,
) -> TrainConfig:
    """Training configuration in which the parameters of an estimator replace those of `config`.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a parameter is unknown or has a value that cannot be used.
    """
    if not isinstance(config, TrainConfig):
        from scoring.workflows.train import load_config

        config = load_config(None if config is None else Path(os.fspath(config)))
    try:
        model = with_values(config.model, dict(model_params or {}))
    except KeyError as error:
        raise SettingsError(f"model_params: got {error.args[0]!r}, expected a path in ModelConfig") from None
    except (TypeError, msgspec.ValidationError) as error:
        raise SettingsError(f"model_params: {error}") from None
    model = msgspec.structs.replace(model, forecast_ages_hours=())  # an estimator gives no forecast
    return msgspec.structs.replace(
        config,
        model=model,
        as_of=config.as_of if as_of is None else as_of,
        seed=config.seed if seed is None else seed,
    )


def age_of(as_of: str) -> timedelta | None:
    """Age at which records are used; None for records as they are.

    Raises
    ------
    SettingsError
        If `as_of` is a moment, which is a different age for each record.
    FeatureError
        If `as_of` is neither a moment nor an age.
    """
    age = parse_as_of(as_of) if as_of else None
    if age is not None and not isinstance(age, timedelta):
        raise SettingsError(f"as_of: got {as_of!r}, expected an age such as published+6h")
    return age


def thread_count(n_jobs: int | None) -> int:
    """Number of threads; as in scikit-learn, None means 1 and -1 means all."""
    n_threads = 1 if n_jobs is None else n_jobs
    return max(1, (os.cpu_count() or 1) + 1 + n_threads) if n_threads < 0 else max(1, n_threads)


def section_of(field_map: FieldMap | None) -> str:
    """The rule of sections that a field map names; empty if it names none."""
    return field_map.section if field_map else ""


def fit_quality_model(
    documents: Sequence[Document], config: TrainConfig, num_threads: int, section: str = ""
) -> QualityModel:
    """Fit the quality model only."""
    training = _training_set(_dataset(documents, ("quality",), section), config)
    return for_scoring(fit_quality(training, config, num_threads=num_threads).model, training)


def fit_scorer(
    documents: Sequence[Document],
    targets: Targets,
    config: TrainConfig,
    num_threads: int,
    section: str = "",
) -> Scorer:
    """Fit the models of the labels, without a forecast."""
    dataset = _dataset(documents, targets, section)
    training = _training_set(dataset, config)
    models = fit_models(training, config, num_threads=num_threads, has_baselines=False)
    return Scorer(config.name, replace(models, leaders=count_leaders(dataset.documents)))


def _dataset(documents: Sequence[Document], targets: Targets, section: str) -> LabelledDataset:
    sections = rule_named(section) or learn_sections([[document.record.topics for document in documents]])
    return dataset_of(documents, 0, reporter=Warnings(), sections=sections, targets=targets)


def _training_set(dataset: LabelledDataset, config: TrainConfig) -> TrainingSet:
    """Training set of all records."""
    is_held = np.zeros(len(dataset.documents), dtype=bool)
    return dataset.training_split(is_held, latest_moments(dataset, ~is_held), config)


def feature_table(
    documents: Sequence[Document], age: timedelta | None, sections: SectionRule
) -> FeatureTable:
    """Features of documents at an age."""
    return assemble([extracted(document, age, sections).row for document in documents])
