"""Verdicts in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.deployment.gate import GateConfig, judge
from scoring.evaluation.comparison import Comparison, Side
from scoring.evaluation.decision_changes import DecisionChangeCounts
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.evaluation.section_changes import SectionChange
from scoring.evaluation.verdict import MIN_RECORDS, comparison_verdict, evaluation_verdict


def evaluation(
    figures: dict[str, Figure],
    baselines: dict[str, dict[str, float]],
    sections: dict[str, float] | None = None,
) -> Evaluation:
    slices = tuple(Slice("section", name, 2, {"quality_mae": mae}) for name, mae in (sections or {}).items())
    columns = {
        "section": np.array(["Sea", "Sea", "Sky", "Sky"], dtype=object),
        "quality": np.array([10, 30, 100, 500]),
        "quality_predicted": np.array([14.0, 34.0, 110.0, 510.0]),
    }
    return Evaluation(4, None, None, figures, baselines, slices, columns)


def test_model_is_compared_with_its_best_baseline() -> None:
    figures = {
        "quality_mae": Figure(2.0, 1.5, 2.5),
        "lead_accuracy": Figure(0.9, 0.85, 0.95),
        "heat_within_5": Figure(0.9),
        "published_f1": Figure(0.7, 0.6, 0.8),
    }
    baselines = {
        "median": {"quality_mae": 3.0, "lead_accuracy": 0.5, "heat_within_5": 0.5, "published_f1": 0.0},
        "plain": {"quality_mae": 2.6, "lead_accuracy": 0.94, "heat_within_5": 0.8, "published_f1": 0.81},
    }
    assert evaluation_verdict(evaluation(figures, baselines)) == (
        "Better than every baseline on quality and heat; about as good as the best baseline on leads; worse "
        "than a baseline on publication (plain)."
    )
    assert evaluation_verdict(evaluation(figures, {})) == ""


def test_worst_section_is_relative_to_the_spread_of_its_labels() -> None:
    made = evaluation(
        {"quality_mae": Figure(7.0)}, {"median": {"quality_mae": 90.0}}, {"Sea": 4.0, "Sky": 10.0}
    )
    assert evaluation_verdict(made) == (
        "Better than every baseline on quality. Worst section: Sea, where quality is off by 4.0 points on "
        "average."
    )


def test_what_is_not_defined_is_neither_better_nor_worse() -> None:
    figures = {"quality_mae": Figure(float("nan")), "published_f1": Figure(0.7, 0.6, 0.8)}
    baselines = {
        "median": {"quality_mae": 3.0, "published_f1": float("nan")},
        "plain": {"quality_mae": 4.0, "published_f1": 0.5},
    }
    made = evaluation(figures, baselines)
    assert evaluation_verdict(made) == "Better than every baseline on publication."


def difference(name: str, verdict: str) -> Difference:
    gain = {"better": 1.0, "worse": -1.0, "unsure": 0.5}[verdict]
    return Difference(name, 3.0, 3.0 - gain, gain, gain - 0.75, gain + 0.75)


@pytest.mark.parametrize(
    ("verdicts", "bad_section", "expected"),
    [
        (
            {"quality_mae": "better", "published_f1": "unsure", "lead_brier": "worse"},
            False,
            "The second model is better on quality and not significantly worse elsewhere: promote it.",
        ),
        (
            {"quality_mae": "unsure", "published_f1": "better"},
            False,
            "The second model is better on publication and not significantly worse elsewhere: promote it "
            "with --metric published_f1.",
        ),
        (
            {"quality_mae": "better", "heat_within_5": "better", "lead_accuracy": "worse"},
            True,
            "The second model is better on quality and heat, but worse on leads and section Sea: "
            "keep the first.",
        ),
        ({"quality_mae": "worse"}, False, "The second model is worse on quality: keep the first."),
        (
            {"quality_mae": "unsure"},
            False,
            "The second model is not significantly better in any headline metric: keep the first.",
        ),
        ({}, False, "No record has labels: only the decisions of the two models can be compared."),
    ],
)
def test_comparison_ends_with_what_follows(
    verdicts: dict[str, str], bad_section: bool, expected: str
) -> None:
    mae = difference("quality_mae", "worse")
    sections = (SectionChange(section="Sea", n_records=40, difference=mae, is_clearly_worse=True),)
    made = Comparison(
        first=Side("first", None, "a"), second=Side("second", None, "b"), n_records=90, n_labelled=90,
        begins_at=None, ends_at=None, parameters=(), data=(), features=(),
        differences={name: difference(name, verdict) for name, verdict in verdicts.items()},
        slices=(), flip_counts=DecisionChangeCounts(0, 0, 0, 0, 0), flips=(),
        sections=sections if bad_section else (),
    )  # fmt: skip
    assert comparison_verdict(made) == expected


def test_a_part_that_the_gate_may_refuse_is_named() -> None:
    better, worse = difference("quality_mae", "better"), difference("quality_mae", "worse")
    slices = tuple(SliceDifference("provider", name, 40, {"quality_mae": worse}) for name in ("a", "b"))
    slight = SliceDifference("month", "2021-05", 40, {"quality_mae": better})
    whole = {"quality_mae": better}
    made = Comparison(
        first=Side("first", None, "a"), second=Side("second", None, "b"), n_records=90, n_labelled=90,
        begins_at=None, ends_at=None, parameters=(), data=(), features=(), differences=whole,
        slices=(*slices, slight), flip_counts=DecisionChangeCounts(0, 0, 0, 0, 0), flips=(),
    )  # fmt: skip
    assert comparison_verdict(made) == (
        "The second model is better on quality, but looks worse on provider a and provider b: "
        'run "scoring promote --dry-run" to see whether the gate passes it.'
    )
    assert not judge(whole, made.slices, GateConfig(), n_records=90).is_passed


def test_few_records_promote_nothing() -> None:
    whole = {"quality_mae": difference("quality_mae", "better")}
    made = Comparison(
        first=Side("first", None, "a"), second=Side("second", None, "b"), n_records=90, n_labelled=29,
        begins_at=None, ends_at=None, parameters=(), data=(), features=(), differences=whole, slices=(),
        flip_counts=DecisionChangeCounts(0, 0, 0, 0, 0), flips=(),
    )  # fmt: skip
    assert comparison_verdict(made) == (
        "The second model is better on quality, but on 29 labelled records only: compare on 30 or more."
    )
    assert GateConfig().min_records == MIN_RECORDS
