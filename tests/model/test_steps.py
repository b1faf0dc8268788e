from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from scoring.features.table import build_table
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.cascade import CascadeLabels, fit_cascade
from scoring.training.config import ModelConfig

OTHER = Policy(scale=0.5, shift=5, heat_bonus=7, bonus_from_quality=30, published_from_heat=45)


@pytest.mark.parametrize("policy", [DEFAULT_POLICY.without_noise(), OTHER.without_noise()])
def test_steps_of_the_policy_are_read_off(policy: Policy) -> None:
    drawn = list(
        sample_documents(n_records=900, seed=5, policy=policy, begins_at=datetime(2021, 1, 1, tzinfo=UTC))
    )
    table = build_table([record for record, _ in drawn])
    quality, heat, published = (
        np.array([float(getattr(labels, name)) for _, labels in drawn])
        for name in ("quality", "heat", "published")
    )
    config = ModelConfig()
    cascade = fit_cascade(table, CascadeLabels(quality, heat, published), config, num_threads=1, seed=0)
    steps = cascade.learned_thresholds(200.0)
    assert steps.bonus_from_quality == pytest.approx(policy.bonus_from_quality, abs=2)
    assert steps.published_from_heat == pytest.approx(policy.published_from_heat, abs=2)
