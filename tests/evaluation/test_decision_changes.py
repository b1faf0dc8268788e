"""Decision changes between two models: rows, scores, labels and reasons."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from scoring.evaluation.decision_changes import (
    DecisionChangeCounts,
    count_decision_changes,
    decision_change_rows,
    decision_changes,
    diff_reasons,
)
from scoring.explanation.results import Explanation, Reason
from scoring.model.score import Score
from tests.known import known

NAN = float("nan")


def side(shown: list[float]) -> dict[str, Any]:
    """Five records, published if their probability is above 0.5; the label of the last is unknown."""
    probability = np.array(shown)
    return {
        "path": np.array(["a.md", "b.md", "c.md", "d.md", "e.md"], dtype=object),
        "published_at": np.array(["2021-03-01T05:06:07", "2021-03-02", "NaT", "2021-03-04", "2021-03-05"],
                                 "datetime64[us]"),
        "quality": np.array([80.0, 52, 67, 40, NAN]),
        "quality_predicted": np.round(100 * probability),
        "quality_low": 100 * probability - 4,
        "quality_high": 100 * probability + 4,
        "heat": np.array([100.0, -1, 87, 40, NAN]),
        "heat_predicted": np.where(probability > 0.5, 100 * probability, -1),
        "heat_expected": 90 * probability,
        "lead": np.array([True, False, True, True, False]),
        "lead_predicted": probability > 0.5,
        "lead_probability": probability,
        "published": np.array([True, False, True, False, False]),
        "published_predicted": probability > 0.5,
        "published_probability": probability,
        "lead_settled_probability": probability / 2,
        "heat_settled": 80 * probability,
        "published_settled_probability": probability / 4,
    }  # fmt: skip


FIRST = side([0.9, 0.6, 0.4, 0.2, 0.3])
SECOND = side([0.8, 0.2, 0.6, 0.1, 0.91234567])


def test_the_largest_change_comes_first() -> None:
    assert decision_change_rows(FIRST, SECOND).tolist() == [4, 1, 2]
    assert [flip.path for flip in decision_changes(FIRST, SECOND)] == ["e.md", "b.md", "c.md"]
    assert [flip.path for flip in decision_changes(FIRST, SECOND, rows=[1])] == ["b.md"]
    assert decision_changes(FIRST, FIRST) == ()


def test_both_explanations_and_who_was_right() -> None:
    unknown, hidden, shown = decision_changes(FIRST, SECOND, models=("old@1", "new@2"))
    assert hidden.first == Score(
        path="b.md", quality=60, quality_low=56.0, quality_high=64.0, heat=60, heat_expected=54.0,
        heat_settled=48.0, lead_probability=0.6, published=True, published_probability=0.6,
        lead_settled_probability=0.3, published_settled_probability=0.15, model="old@1",
    )  # fmt: skip
    assert (hidden.second.published, hidden.second.heat, hidden.second.model) == (False, -1, "new@2")
    assert hidden.published_at == datetime(2021, 3, 2, tzinfo=UTC)
    assert (hidden.label, hidden.right) == (False, "second")
    assert (shown.label, shown.right, shown.published_at) == (True, "second", None)
    assert (unknown.label, unknown.right) == (None, None)
    assert unknown.second.published_probability == 0.9123
    assert [flip.right for flip in decision_changes(SECOND, FIRST)] == [None, "first", "first"]


def test_runs_of_an_earlier_version_have_no_forecast() -> None:
    earlier = {name: values for name, values in FIRST.items() if "settled" not in name}
    flip = decision_changes(earlier, SECOND)[1]
    assert np.isnan([known(flip.first.heat_settled), known(flip.first.published_settled_probability)]).all()
    assert (flip.first.published_probability, flip.second.heat_settled) == (0.6, SECOND["heat_settled"][1])


def test_counts() -> None:
    assert count_decision_changes(FIRST, SECOND) == DecisionChangeCounts(3, 2, 1, 0, 2)
    assert count_decision_changes(SECOND, FIRST) == DecisionChangeCounts(3, 1, 2, 2, 0)
    assert count_decision_changes(FIRST, FIRST) == DecisionChangeCounts(0, 0, 0, 0, 0)


def explained(base: float, **added: float) -> Explanation:
    reasons = tuple(Reason(name, f"{name} of this model", value) for name, value in added.items())
    return Explanation(
        decision_changes(FIRST, SECOND)[0].first,
        0.0,
        {"quality": base, "lead": 0.0, "published": 1.0},
        {"quality": reasons, "lead": (), "published": (Reason("heat", "heat: 94", -base),)},
    )


def test_reasons_are_those_that_differ_most() -> None:
    first = explained(50.0, image=20.0, title=-3.0, excerpt=9.0)
    second = explained(49.0, image=20.5, provider=4.0, excerpt=1.0)
    pairs = diff_reasons(first, second)
    assert [(pair.target, pair.feature) for pair in pairs] == [
        ("quality", "excerpt"),
        ("quality", "provider"),
        ("published", "heat"),  # where all start from is the same
    ]
    assert (pairs[0].first, pairs[0].second) == (
        Reason("excerpt", "excerpt of this model", 9.0),
        Reason("excerpt", "excerpt of this model", 1.0),
    )
    assert pairs[1].first is None
    everything = diff_reasons(first, second, targets=("quality",), n=9)
    assert [pair.feature for pair in everything] == ["excerpt", "provider", "title", "base", "image"]
    assert everything[2].second is None


@pytest.mark.parametrize("rows", [[], [2, 4]])
def test_only_those_rows_that_are_asked_for(rows: list[int]) -> None:
    assert [flip.path for flip in decision_changes(FIRST, SECOND, rows=rows)] == [
        FIRST["path"][row] for row in rows
    ]
