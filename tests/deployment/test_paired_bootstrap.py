"""Paired comparison of two models: all records, slices, simultaneous intervals."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoring.deployment.gate import HEADLINES, GateConfig
from scoring.deployment.paired_bootstrap import compare_paired, measure, simultaneous_half_widths
from scoring.evaluation.paired_figures import compare_predictions
from tests.evaluation.test_paired_figures import predictions

QUICK = GateConfig(n_draws=200)


def test_intervals_on_all_records_are_those_of_a_comparison() -> None:
    first, second = predictions(5), predictions(4)
    whole, _ = measure(first, second, QUICK, seed=3)
    compared = compare_predictions(first, second, n_draws=200, seed=3)
    assert whole.keys() == set(HEADLINES)
    for name in whole:
        assert whole[name] == compared[name]


@pytest.mark.parametrize(
    ("error", "width", "is_passed"),
    [
        (5, 8.0, True),  # about nine of ten in it
        (5, 100.0, False),  # all in it, and it says nothing
        (5, 1.0, False),  # few in it
        (0.1, 8.0, True),  # all in it, since nearly every prediction is right
    ],
)
def test_intervals_are_weighed_by_width_and_by_what_they_miss(
    error: float, width: float, is_passed: bool
) -> None:
    first, second = predictions(9), predictions(error)
    for side, half in ((first, 15.0), (second, width)):
        side["quality_low"], side["quality_high"] = (
            side["quality_predicted"] + sign * half for sign in (-1, 1)
        )
    verdict = compare_paired(first, second, QUICK, seed=0)
    assert verdict.is_passed == is_passed
    failed = {check.figure for check in verdict.checks if not check.is_passed}
    assert failed == (set() if is_passed else {"quality_interval_score"})


def test_a_better_challenger_is_let_through_and_a_worse_one_is_not() -> None:
    assert compare_paired(predictions(9), predictions(3), QUICK, seed=0).is_passed
    verdict = compare_paired(predictions(3), predictions(9), QUICK, seed=0)
    assert not verdict.is_passed
    assert (verdict.n_records, verdict.n_days) == (120, 60)
    assert verdict.reasons[0].startswith("quality_mae: champion ")


def test_the_same_model_is_no_gain_but_as_good() -> None:
    same = predictions(4)
    assert not compare_paired(same, same, QUICK, seed=0).is_passed
    assert compare_paired(same, same, msgspec.structs.replace(QUICK, margin=0.0), seed=0).is_passed


@pytest.mark.parametrize(
    ("n_records", "config", "lacking"),
    [
        (120, msgspec.structs.replace(QUICK, min_records=121), "got 120 labelled records of 60 days"),
        (120, msgspec.structs.replace(QUICK, min_days=61), "expected 30 or more of 61 days or more"),
        (28, QUICK, "got 28 labelled records of 14 days, expected 30 or more of 7 days or more"),
    ],
)
def test_too_few_records_or_days_refuse(n_records: int, config: GateConfig, lacking: str) -> None:
    verdict = compare_paired(predictions(9, n_records), predictions(3, n_records), config, seed=0)
    assert not verdict.is_passed
    assert verdict.checks == ()
    (reason,) = verdict.reasons
    assert reason.startswith("records to evaluate on: ")
    assert lacking in reason


def test_records_without_labels_do_not_count() -> None:
    first, second = predictions(9), predictions(3)
    for side in (first, second):
        side["quality"] = np.where(np.arange(120) < 40, side["quality"], np.nan)
    verdict = compare_paired(first, second, QUICK, seed=0)
    assert (verdict.n_records, verdict.n_days) == (40, 20)


def test_parts_have_enough_records_and_days() -> None:
    first, second = predictions(9), predictions(3)
    for side in (first, second):
        side["coverage_count"] = np.where(np.arange(120) < 50, 0, 5)
    slices = {(slice_.family, slice_.name): slice_ for slice_ in measure(first, second, QUICK, seed=0)[1]}
    assert slices.keys() == {
        ("section", "Land"),
        ("section", "Sea"),
        ("provider", "a.example"),
        ("coverage", "none"),
        ("coverage", "3 or more"),
    }  # b.example has 5 records, and months do not come again
    assert slices["coverage", "none"].n_records == 50
    busy = msgspec.structs.replace(QUICK, min_days=30)
    assert ("coverage", "none") not in {
        (slice_.family, slice_.name) for slice_ in measure(first, second, busy, seed=0)[1]
    }


@pytest.mark.parametrize(
    ("changes", "is_judged"),
    [
        ({"min_records": 50}, True),
        ({"min_records": 51}, False),
        ({"min_records": 50, "min_days": 25}, True),  # 50 records, one each twelve hours
        ({"min_records": 50, "min_days": 26}, False),
    ],
)
def test_a_part_may_have_just_enough(changes: dict[str, int], is_judged: bool) -> None:
    side = predictions(4)
    side["coverage_count"] = np.where(np.arange(120) < 50, 0, 5)
    slices = measure(side, side, msgspec.structs.replace(QUICK, **changes), seed=0)[1]
    assert (("coverage", "none") in {(entry.family, entry.name) for entry in slices}) is is_judged


def test_all_records_are_no_part_of_themselves() -> None:
    side = predictions(4)
    side["section"] = np.full(120, "Sea", dtype=object)
    assert {entry.family for entry in measure(side, side, QUICK, seed=0)[1]} == {"provider"}


def test_a_part_that_falls_refuses_where_the_whole_gains() -> None:
    first, second = predictions(6), predictions(1)
    is_sea = first["section"] == "Sea"
    for name in ("quality_predicted", "quality_low", "quality_high"):
        second[name] = np.where(
            is_sea, first[name] + 3 * np.sign(first["quality_predicted"] - first["quality"]), second[name]
        )
    verdict = compare_paired(first, second, QUICK, seed=0)
    assert verdict.checks[0].is_passed
    assert not verdict.is_passed
    assert any(reason.startswith("quality_mae of section: Sea: ") for reason in verdict.reasons)
    assert not any("section: Land" in reason for reason in verdict.reasons)


def test_intervals_of_parts_hold_together() -> None:
    """Of many parts on which nobody gains, each alone seems to fall by chance, but hardly any of all."""
    random = np.random.default_rng(0)
    refused = alone = 0
    for _ in range(200):
        gains = random.normal(0, 1, 40)
        draws = gains + random.normal(0, 1, (300, 40))
        refused += bool((gains + simultaneous_half_widths(gains, draws, 0.95) < 0).any())
        alone += bool((gains + 1.96 < 0).any())
    assert refused <= 12  # 2.5 % of 200 is asked for
    assert alone > 100


def test_a_figure_that_most_draws_do_not_have_is_not_judged() -> None:
    draws = np.array([[0.1, np.nan], [-0.1, np.nan], [0.1, np.nan], [np.nan, 0.3]])
    first, second = simultaneous_half_widths(np.array([0.0, 0.3]), draws, 1.0)
    assert first == pytest.approx(0.1)
    assert np.isnan(second)
