"""Step between labels."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.label_step import label_step
from tests.conftest import training_set_of
from tests.sites import SIX_TIMES

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(("step", "shift"), [(1, 0), (5, 0), (5, 3), (10, 7), (6, 0)])
def test_it_is_found_with_any_shift_and_a_few_slips(step: int, shift: int) -> None:
    y = shift + step * RANDOM.integers(0, 20, 200).astype(float)
    y[:6] += 1
    assert label_step(y) == step


def test_few_levels_or_labels_tell_nothing() -> None:
    assert label_step(np.array([0.0, 50, 100, 0, 50])) == 1
    assert label_step(np.array([])) == 1
    assert label_step(np.array([-5.0, 0, 5, 10, 15, 20])) == 5


def test_points_that_are_all_multiplied_have_a_larger_step() -> None:
    for policy, step in ((DEFAULT_POLICY, 1), (SIX_TIMES, 6)):
        training = training_set_of(list(sample_documents(n_records=200, seed=2, policy=policy)))
        assert label_step(training.labels.quality) == step
