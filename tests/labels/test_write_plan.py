"""Outcomes of a write by a model of some of the labels."""

from __future__ import annotations

import pytest

from scoring.labels.write_plan import outcomes_of, wanted_labels
from scoring.model.score import Score
from scoring.records.record import Labels

SCORE = Score(
    path="a.md",
    quality=40,
    quality_low=30.0,
    quality_high=50.0,
    heat=None,
    heat_expected=None,
    heat_settled=None,
    lead_probability=None,
    published=None,
    published_probability=None,
    lead_settled_probability=None,
    published_settled_probability=None,
    model="some@1",
)


@pytest.mark.parametrize("is_overwriting", [False, True])
def test_labels_that_the_model_lacks_are_never_touched(is_overwriting: bool) -> None:
    labels = Labels(None, 70, True)
    outcomes = outcomes_of(labels, SCORE, frozenset({"heat"}), is_overwriting=is_overwriting)
    # Of the others, the heat was scoring's own before, and stays so.
    assert outcomes == {"quality": "filled", "heat": "unchanged"}
    assert wanted_labels(SCORE, outcomes) == Labels(40, None, None)
