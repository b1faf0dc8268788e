"""Models of two synthetic sites without label noise: equal records, different constants; of two sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from scoring.drift.reference_profile import AS_OF, Profile, fit_profile
from scoring.features.table import build_table
from scoring.model.components import FittedComponents
from scoring.model.scorer import Predictions, Scorer
from scoring.records.record import Labels, Record
from scoring.records.synthetic.generate import sample_documents, write_sample
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.settings import load_settings
from scoring.training.config import ModelConfig, TrainConfig
from scoring.training.fit import fit_models
from scoring.training.training_set import TrainingSet
from scoring.workflows.train import TrainOutcome, train
from tests.made_once import made_once


class LabelledSite(NamedTuple):
    """A site's models, and later records with their predictions."""

    models: FittedComponents
    later: TrainingSet
    predictions: Predictions


def label(make_training: Callable[[Any], TrainingSet], **constants: Any) -> LabelledSite:
    policy = replace(DEFAULT_POLICY, **constants).without_noise()
    everything = make_training(list(sample_documents(n_records=1500, seed=5, policy=policy)))
    is_later = np.arange(1500) >= 1100
    models = fit_models(everything.take(~is_later), TrainConfig(), num_threads=1)
    later = everything.take(is_later)
    return LabelledSite(models, later, Scorer("site", models).predict(later.table))


@pytest.fixture(scope="session")
def first_site(make_training: Callable[[Any], TrainingSet], shared_folder: Path) -> LabelledSite:
    return made_once(shared_folder, "first_site", lambda _: label(make_training))


@pytest.fixture(scope="session")
def other_site(make_training: Callable[[Any], TrainingSet], shared_folder: Path) -> LabelledSite:
    """Another scale and shift of quality, another heat bonus, another threshold of publication."""
    constants = {
        "scale": 0.5,
        "shift": 4.0,
        "heat_bonus": 7,
        "bonus_from_quality": 30,
        "published_from_heat": 45,
    }
    return made_once(shared_folder, "other_site", lambda _: label(make_training, **constants))


class Deployed(NamedTuple):
    """A model with its profile, its training records, and later records."""

    scorer: Scorer
    profile: Profile
    training: TrainingSet
    later: list[tuple[Record, Labels]]


N_TRAINING, N_EARLIER = 700, 595
QUICK = msgspec.structs.replace(
    ModelConfig(),
    **{
        name: msgspec.structs.replace(getattr(ModelConfig(), name), num_iterations=30)
        for name in ("quality", "spread", "lead", "heat", "published")
    },
)
"""Boosters of few trees."""


def deploy(make_training: Callable[[Any], TrainingSet], seed: int) -> Deployed:
    documents = list(sample_documents(n_records=1000, seed=seed))
    seen = documents[:N_TRAINING]
    training = replace(make_training(seen), table=build_table([record for record, _ in seen], AS_OF))
    config = TrainConfig(model=QUICK)
    is_held = np.arange(N_TRAINING) >= N_EARLIER
    earlier = Scorer("earlier", fit_models(training.take(~is_held), config, num_threads=1))
    scorer = Scorer("site", fit_models(training, config, num_threads=1))
    profile = fit_profile(training, training.take(is_held), earlier, scorer.models)
    assert profile is not None
    return Deployed(scorer, profile, training, documents[N_TRAINING:])


@pytest.fixture(scope="session")
def deployed(make_training: Callable[[Any], TrainingSet], shared_folder: Path) -> Deployed:
    return made_once(shared_folder, "deployed", lambda _: deploy(make_training, seed=1))


SIX_TIMES = replace(
    DEFAULT_POLICY, scale=6.0, published_from_heat=420, bonus_from_quality=300, heat_bonus=120
)
"""The policy of the section Meadow: its points are six times those of Harbour."""


@pytest.fixture(scope="session")
def two_scales(shared_folder: Path) -> TrainOutcome:
    """A small model of two sections, Harbour and Meadow, whose points have different scales."""

    def stop(error: Exception) -> None:
        raise error

    def make(folder: Path) -> TrainOutcome:
        write_sample(folder / "news" / "harbour", n_records=300, seed=1, section="Harbour")
        write_sample(folder / "news" / "meadow", n_records=200, seed=2, section="Meadow", policy=SIX_TIMES)
        return train(
            [str(folder / "news")],
            config=TrainConfig(name="two", n_bootstrap=20, model=QUICK),
            settings=load_settings(home=folder / "home", threads=1),
            now=datetime(2019, 1, 1, tzinfo=UTC),
            is_tracked=False,
            on_fault=stop,
        )

    return made_once(shared_folder, "two-scales", make)
