"""The gate at its limits: what a challenger needs to replace the champion."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.deployment.gate import GateConfig, judge, judge_first, too_few
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.model.targets import Targets

EQUAL = GateConfig(margin=0.05)


def difference(name: str, first: float, gain: float, low: float, high: float) -> Difference:
    sign = -1 if name == "quality_mae" else 1
    return Difference(name, first, first + sign * gain, gain, low, high)


def part(metric_difference: Difference, n_records: int = 40) -> SliceDifference:
    return SliceDifference("provider", "a.example", n_records, {metric_difference.name: metric_difference})


GAINED = difference("quality_mae", 4.0, 0.5, 0.1, 0.9)


@pytest.mark.parametrize(
    ("config", "low", "is_passed"),
    [
        (GateConfig(), 1e-9, True),
        (GateConfig(), 0.0, False),
        (GateConfig(), -0.1, False),
        (EQUAL, -0.2, True),  # 5 % of 4.0
        (EQUAL, -0.2001, False),
        (GateConfig(margin=0.0), 0.0, True),
        (GateConfig(margin=0.0), -1e-9, False),
    ],
)
def test_the_figure_has_to_gain_or_be_as_good(config: GateConfig, low: float, is_passed: bool) -> None:
    verdict = judge({"quality_mae": difference("quality_mae", 4.0, 0.1, low, 1.0)}, (), config, n_records=40)
    assert verdict.is_passed is is_passed
    (check,) = verdict.checks
    assert (check.figure, check.is_passed, check.n_records) == ("quality_mae", is_passed, 40)


@pytest.mark.parametrize(("low", "is_passed"), [(-0.2, True), (-0.2001, False)])
def test_margin_is_a_ratio_of_the_size_of_the_figure(low: float, is_passed: bool) -> None:
    below_0 = Difference("quality_mae", -4.0, -4.1, 0.1, low, 1.0)
    assert judge({"quality_mae": below_0}, (), EQUAL, n_records=40).is_passed is is_passed


@pytest.mark.parametrize(
    ("n_records", "n_days", "suffices"), [(30, 7, True), (29, 7, False), (30, 6, False), (29, 6, False)]
)
def test_a_verdict_takes_enough_records_and_days(n_records: int, n_days: int, suffices: bool) -> None:
    message = too_few(n_records, n_days, GateConfig(min_records=30, min_days=7))
    expected = f"got {n_records} labelled records of {n_days} days, expected 30 or more of 7 days or more"
    assert message == ("" if suffices else expected)


def test_no_other_headline_may_be_surely_worse() -> None:
    unsure = difference("published_f1", 0.8, -0.1, -0.2, 0.0)
    worse = difference("published_f1", 0.8, -0.1, -0.2, -0.001)
    assert judge({"quality_mae": GAINED, "published_f1": unsure}, (), GateConfig(), n_records=40).is_passed
    verdict = judge({"quality_mae": GAINED, "published_f1": worse}, (), GateConfig(), n_records=40)
    assert not verdict.is_passed
    assert verdict.reasons == (
        "published_f1: champion 0.800, challenger 0.700, gain -0.1 (-0.2 to -0.001), "
        "expected its interval not below 0",
    )


def test_other_figures_are_not_guarded() -> None:
    worse = difference("heat_mae", 8.0, -2.0, -3.0, -1.0)
    assert judge({"quality_mae": GAINED, "heat_mae": worse}, (), GateConfig(), n_records=40).is_passed


def test_another_figure_may_have_to_gain_and_the_rest_is_guarded_then() -> None:
    config = GateConfig(figure="published_f1")
    better = difference("published_f1", 0.8, 0.1, 0.01, 0.2)
    worse = difference("quality_mae", 4.0, -0.5, -0.9, -0.1)
    assert judge({"published_f1": better}, (), config, n_records=40).is_passed
    verdict = judge({"published_f1": better, "quality_mae": worse}, (), config, n_records=40)
    assert [check.is_passed for check in verdict.checks] == [True, False]


@pytest.mark.parametrize(("high", "is_passed"), [(-0.2, True), (-0.2001, False)])
def test_a_part_may_not_surely_fall_beyond_its_limit(high: float, is_passed: bool) -> None:
    fallen = part(difference("quality_mae", 4.0, -0.5, -0.9, high))
    verdict = judge({"quality_mae": GAINED}, [fallen], GateConfig(), n_records=100)
    assert verdict.is_passed is is_passed
    assert verdict.checks[1].part == "provider: a.example"
    assert verdict.checks[1].n_records == 40
    if not is_passed:
        assert verdict.reasons[0].startswith("quality_mae of provider: a.example: champion 4.000, ")


def test_every_failure_is_reported() -> None:
    lost = difference("quality_mae", 4.0, -0.1, -0.2, 0.1)
    worse = difference("lead_accuracy", 0.9, -0.1, -0.2, -0.1)
    fallen = part(difference("published_f1", 0.8, -0.5, -0.6, -0.3))
    verdict = judge({"quality_mae": lost, "lead_accuracy": worse}, [fallen], GateConfig(), n_records=100)
    assert [reason.partition(":")[0] for reason in verdict.reasons] == [
        "quality_mae",
        "lead_accuracy",
        "published_f1 of provider",
    ]


def test_a_figure_that_these_records_do_not_have_refuses() -> None:
    verdict = judge({"quality_mae": GAINED}, (), GateConfig(figure="published_f1"), n_records=40)
    assert not verdict.is_passed
    assert verdict.reasons == ("published_f1: not defined on these records",)


def test_what_was_gained_is_reported() -> None:
    verdict = judge({"quality_mae": GAINED}, [part(GAINED)], GateConfig(), n_records=100)
    assert verdict.reasons == (
        "quality_mae: champion 4.000, challenger 3.500, gain +0.5 (+0.1 to +0.9); "
        "nothing else is significantly worse (1 subsets checked)",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figure": "loss"}, "figure: got 'loss', expected one of quality_mae, "),
        ({"margin": -0.1}, "margin: got -0.1, expected a ratio, 0 or more and below 1"),
        ({"margin": 1.0}, "margin: got 1, expected"),
    ],
)
def test_a_wrong_configuration_is_reported(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GateConfig(**changes)


def test_rule_in_words() -> None:
    assert "its interval above 0; no other" in GateConfig().rule
    assert "published_f1 must improve, its interval above -2%; " in GateConfig("published_f1", 0.02).rule


def test_the_first_has_to_beat_every_baseline() -> None:
    baselines = {
        "median": {"quality_mae": 9.0},
        "plain": {"quality_mae": 5.0},
        "other": {"lead_accuracy": 1.0},
    }
    verdict = judge_first({"quality_mae": 4.9}, baselines, GateConfig(), n_records=60)
    assert verdict.is_passed
    assert [check.against for check in verdict.checks] == ["median", "plain"]
    assert verdict.reasons == (
        "there was no champion, and quality_mae 4.900 beats every baseline: median 9.000, plain 5.000",
    )
    verdict = judge_first({"quality_mae": 5.0}, baselines, GateConfig(), n_records=60)
    assert not verdict.is_passed
    assert verdict.reasons == (
        "quality_mae: plain 5.000, challenger 5.000, gain +0, expected its gain above 0",
    )
    for figures, others in (({}, baselines), ({"quality_mae": 1.0}, {})):
        assert not judge_first(figures, others, GateConfig(), n_records=60).is_passed


@pytest.mark.parametrize(
    ("targets", "figure"),
    [
        (("quality", "heat", "published"), "quality_mae"),
        (("heat", "published"), "published_brier"),
        (("heat",), "heat_mae"),
        ((), "quality_mae"),
    ],
)
def test_default_metric_is_of_a_label_that_the_models_have(targets: Targets, figure: str) -> None:
    config = GateConfig(margin=0.1).of_models(targets)
    assert (config.figure, config.margin) == (figure, 0.1)
    assert figure in config.rule


def test_chosen_metric_is_kept() -> None:
    assert GateConfig(figure="published_f1").of_models(("heat",)).figure == "published_f1"
