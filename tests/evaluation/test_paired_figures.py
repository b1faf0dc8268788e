"""Paired comparison of two sets of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.evaluation.cluster_bootstrap import bootstrap
from scoring.evaluation.metrics import compute
from scoring.evaluation.paired_figures import (
    MIN_PART,
    PART_FIGURES,
    Difference,
    align,
    compare_predictions,
    parts,
    slice_differences,
)

Columns = dict[str, Any]


def predictions(noise: float, n_records: int = 120, seed: int = 0) -> Columns:
    """Predictions with a given noise; records and labels are always the same."""
    random = np.random.default_rng(seed)
    quality = random.integers(20, 100, n_records).astype(float)
    heat = np.where(random.random(n_records) < 0.3, -1.0, quality)
    off = noise * random.normal(0, 1, n_records)
    predicted = heat + off
    return {
        "path": np.array([f"{row}.md" for row in range(n_records)], dtype=object),
        "published_at": np.datetime64("2021-03-01", "us")
        + np.arange(n_records) * np.timedelta64(12 * 3600, "s"),
        "section": np.array(["Sea", "Land"] * (n_records // 2), dtype=object),
        "provider": np.array(["a.example"] * (n_records - 5) + ["b.example"] * 5, dtype=object),
        "quality": quality,
        "quality_predicted": quality + off,
        "quality_low": quality + off - 8,
        "quality_high": quality + off + 8,
        "heat": heat,
        "heat_predicted": predicted,
        "heat_expected": predicted,
        "lead": heat > -1,
        "lead_predicted": predicted > 10,
        "lead_probability": np.clip(predicted / 100, 0, 1),
        "published": heat > 70,
        "published_predicted": predicted > 70,
        "published_probability": np.clip(predicted / 140, 0, 1),
    }


def test_gain_is_above_0_where_the_second_is_better() -> None:
    differences = compare_predictions(predictions(9), predictions(3), n_draws=200, seed=1)
    first_side, second_side = compute(predictions(9)), compute(predictions(3))
    assert differences.keys() == first_side.keys()
    error, share = differences["quality_mae"], differences["quality_within_5"]
    assert (error.first, error.second) == (first_side["quality_mae"], second_side["quality_mae"])
    assert error.gain == first_side["quality_mae"] - second_side["quality_mae"] > 0
    assert share.gain == second_side["quality_within_5"] - first_side["quality_within_5"] > 0
    assert error.verdict == share.verdict == "better"
    back = compare_predictions(predictions(3), predictions(9), n_draws=200, seed=1)
    assert back["quality_mae"].gain == -error.gain
    assert back["quality_mae"].verdict == "worse"


def test_interval_is_that_of_the_same_days_drawn_for_both() -> None:
    first, second = predictions(5), predictions(4)
    differences = compare_predictions(first, second, n_draws=50, seed=7)["quality_mae"]
    random, gains = np.random.default_rng(7), []
    errors = [np.abs(side["quality"] - side["quality_predicted"]) for side in (first, second)]
    for _ in range(50):  # two records a day
        rows = [row for day in random.integers(0, 60, 60) for row in (2 * day, 2 * day + 1)]
        gains.append(errors[0][rows].mean() - errors[1][rows].mean())
    assert [differences.low, differences.high] == pytest.approx(np.quantile(gains, [0.025, 0.975]).tolist())


def test_pairs_tell_apart_what_intervals_of_each_do_not() -> None:
    first, second = predictions(20), predictions(20)
    second["quality_predicted"] = second["quality"] + 0.9 * (first["quality_predicted"] - first["quality"])
    intervals = [bootstrap(side, n_draws=200, seed=0)["quality_mae"] for side in (first, second)]
    assert intervals[0].low is not None
    assert intervals[1].high is not None
    assert intervals[0].low < intervals[1].high
    assert compare_predictions(first, second, n_draws=200, seed=0)["quality_mae"].verdict == "better"


def test_same_predictions_are_the_same() -> None:
    differences = compare_predictions(predictions(5), predictions(5), n_draws=20, seed=0)
    assert {first_side.verdict for first_side in differences.values()} == {"same"}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.5, "better"), (-0.5, -0.1, "worse"), (-0.1, 0.5, "unsure"), (0.0, 0.5, "unsure"),
     (None, None, "unsure")],
)  # fmt: skip
def test_verdict_needs_the_whole_interval(low: float | None, high: float | None, verdict: str) -> None:
    assert Difference("quality_mae", 2.0, 1.8, 0.2, low, high).verdict == verdict


def test_no_draws_no_intervals() -> None:
    differences = compare_predictions(predictions(5), predictions(4), n_draws=0, seed=0)["quality_mae"]
    assert (differences.low, differences.high, differences.verdict) == (None, None, "unsure")


def test_records_without_labels_count_for_nothing() -> None:
    first, second = predictions(5), predictions(4)
    whole = compare_predictions(first, second, n_draws=0, seed=0)
    for side in (first, second):
        side["quality"] = np.where(np.arange(120) < 60, side["quality"], np.nan)
        side["heat"] = np.where(np.arange(120) < 40, side["heat"], np.nan)
    part = compare_predictions(first, second, n_draws=30, seed=0)
    half = [{name: values[:60] for name, values in side.items()} for side in (first, second)]
    assert part["quality_mae"].first == compute(half[0])["quality_mae"] != whole["quality_mae"].first
    fewer = [{name: values[:40] for name, values in side.items()} for side in (first, second)]
    assert part["heat_ndcg_10"].second == pytest.approx(compute(fewer[1])["heat_ndcg_10"])
    assert part["heat_ndcg_10"].low is not None
    for side in (first, second):
        side["quality"] = np.full(120, np.nan)
    assert compare_predictions(first, second, n_draws=5, seed=0) == {}
    assert slice_differences(first, second, n_draws=5, seed=0) == ()


def test_only_the_figures_that_are_wanted() -> None:
    first, second = predictions(5), predictions(4)
    whole = compare_predictions(first, second, n_draws=30, seed=0)
    some = compare_predictions(first, second, n_draws=30, seed=0, names=PART_FIGURES)
    assert some == {name: whole[name] for name in PART_FIGURES}


def test_records_without_a_date_are_a_part() -> None:
    first, second = predictions(5), predictions(4)
    for side in (first, second):
        side["published_at"] = np.where(np.arange(120) < 20, np.datetime64("NaT", "us"), side["published_at"])
    months = [part for part in slice_differences(first, second, n_draws=5, seed=0) if part.family == "month"]
    assert [(part.name, part.n_records) for part in months] == [
        ("2021-03", 42),
        ("2021-04", 58),
        ("(none)", 20),
    ]


def test_parts_are_sections_providers_and_months() -> None:
    first, second = predictions(5), predictions(5)
    is_land = second["section"] == "Land"
    second["quality_predicted"] = np.where(is_land, second["quality"], second["quality_predicted"])
    differences = {
        (part.family, part.name): part for part in slice_differences(first, second, n_draws=50, seed=0)
    }
    assert {key: part.n_records for key, part in differences.items()} == {
        ("section", "Land"): 60,
        ("section", "Sea"): 60,
        ("provider", "a.example"): 115,  # the other has fewer than MIN_PART
        ("month", "2021-03"): 62,
        ("month", "2021-04"): 58,
    }
    assert MIN_PART > 5
    assert tuple(differences["section", "Land"].differences) == PART_FIGURES
    assert differences["section", "Land"].differences["quality_mae"].verdict == "better"
    assert differences["section", "Land"].differences["quality_mae"].second == 0
    assert differences["section", "Sea"].differences["quality_mae"].verdict == "same"


@pytest.mark.parametrize(("n_others", "is_compared"), [(MIN_PART - 1, False), (MIN_PART, True)])
def test_a_part_has_enough_records_and_not_all(n_others: int, is_compared: bool) -> None:
    side = predictions(5)
    side["provider"] = np.where(np.arange(120) < n_others, "b.example", "a.example").astype(object)
    side["section"] = np.full(120, "Sea", dtype=object)
    names = {(entry.family, entry.name) for entry in slice_differences(side, side, n_draws=0, seed=0)}
    assert ("provider", "a.example") in names
    assert (("provider", "b.example") in names) is is_compared
    assert ("section", "Sea") not in names


def test_records_are_joined_by_path_and_date_in_the_order_of_the_first() -> None:
    whole = predictions(5)
    first = {name: values[20:] for name, values in whole.items()}
    second = {name: values[::-1][:110] for name, values in predictions(4).items()}  # rows 10 to 119
    second["published_at"] = np.where(
        second["path"] == "50.md", np.datetime64("2001-01-01"), second["published_at"]
    )
    first_side, second_side = align([first, second], ["one", "two"])
    expected = [f"{row}.md" for row in range(20, 120) if row != 50]
    assert first_side["path"].tolist() == second_side["path"].tolist() == expected
    assert second_side["quality_predicted"].tolist() == [
        predictions(4)["quality_predicted"][row] for row in range(20, 120) if row != 50
    ]


def test_records_that_cannot_be_told_apart_are_left_out_where_one_side_has_more() -> None:
    first, second = predictions(5), predictions(4)
    for side in (first, second):
        side["path"] = np.where(np.arange(120) < 3, "all.jsonl", side["path"])
        side["published_at"][:3] = np.datetime64("NaT", "us")
    both = align([first, second], ["one", "two"])
    assert [len(side["path"]) for side in both] == [120, 120]
    fewer = {name: values[1:] for name, values in second.items()}
    first_side, second_side = align([first, fewer], ["one", "two"])
    assert (
        first_side["path"].tolist() == second_side["path"].tolist() == [f"{row}.md" for row in range(3, 120)]
    )


def test_nothing_in_common() -> None:
    other = predictions(5)
    other["path"] = np.array([f"elsewhere/{path}" for path in other["path"]], dtype=object)
    with pytest.raises(ModelError, match="records of one and two: got none in common by path and date"):
        align([predictions(5), other], ["one", "two"])


@pytest.mark.parametrize("label", ["quality", "heat", "published"])
def test_other_labels(label: str) -> None:
    other = predictions(5)
    other[label] = np.where(np.arange(120) == 7, 1 - other[label], other[label])
    with pytest.raises(ModelError, match=r"labels of one and two: got others for 1 of 120 .*first: 7\.md"):
        align([predictions(5), other], ["one", "two"])


def test_labels_that_nobody_knows_are_the_same() -> None:
    first, second = predictions(5), predictions(4)
    for side in (first, second):
        side["heat"][3] = np.nan
    assert len(align([first, second], ["one", "two"])[0]["path"]) == 120
    second["heat"][3] = 50
    with pytest.raises(ModelError, match="got others for 1 of 120"):
        align([first, second], ["one", "two"])


def test_coverage_divides_the_records_where_it_is_configured() -> None:
    columns = predictions(3)
    assert "coverage" not in {family for family, _, _ in parts(columns)}
    columns["coverage_count"] = np.arange(120) % 4
    sizes = {name: int(mask.sum()) for family, name, mask in parts(columns) if family == "coverage"}
    assert sizes == {"none": 30, "1 to 2": 60, "3 or more": 30}
