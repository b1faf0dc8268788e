"""Models of two invented sites that are judged without noise: the same records, other constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scoring.model.config import TrainConfig
from scoring.model.fit import Models, TrainingSet, fit_models
from scoring.model.scorer import Predictions, Scorer
from scoring.records.sample import sample_documents
from scoring.records.sample_policy import DEFAULT_POLICY


class Judged(NamedTuple):
    """A site's models, and the later records that they have not seen."""

    models: Models
    later: TrainingSet
    predictions: Predictions


def judge(make_training: Callable[[Any], TrainingSet], **constants: Any) -> Judged:
    policy = replace(DEFAULT_POLICY, **constants).without_noise()
    everything = make_training(list(sample_documents(n_records=1500, seed=5, policy=policy)))
    is_later = np.arange(1500) >= 1100
    models = fit_models(everything.take(~is_later), TrainConfig(), num_threads=1)
    later = everything.take(is_later)
    return Judged(models, later, Scorer("site", models).predict(later.table))


@pytest.fixture(scope="session")
def first_site(make_training: Callable[[Any], TrainingSet]) -> Judged:
    return judge(make_training)


@pytest.fixture(scope="session")
def other_site(make_training: Callable[[Any], TrainingSet]) -> Judged:
    """Quality halved and shifted, another bonus from another quality, another cut of what is shown."""
    return judge(
        make_training, scale=0.5, shift=4.0, heat_bonus=7, bonus_from_quality=30, published_from_heat=45
    )
