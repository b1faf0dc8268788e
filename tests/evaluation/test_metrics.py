"""Metrics against scikit-learn and scipy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as oracle

from scoring.evaluation import metrics

PAIRS = st.lists(st.tuples(st.integers(-5, 200), st.integers(-5, 200)), min_size=2, max_size=40)
FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
RANKED = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), min_size=2, max_size=30)


def split(pairs: list[tuple[Any, Any]], kind: type = float) -> tuple[Any, Any]:
    first, second = zip(*pairs, strict=True)
    return np.array(first, dtype=kind), np.array(second, dtype=kind)


@given(PAIRS)
def test_errors_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = split(pairs)
    assert metrics.mean_absolute_error(truth, predicted) == pytest.approx(
        oracle.mean_absolute_error(truth, predicted)
    )
    assume(len(set(truth)) > 1)
    assert metrics.r2_score(truth, predicted) == pytest.approx(oracle.r2_score(truth, predicted))


@given(PAIRS)
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = split(pairs)
    assume(len(set(truth)) > 1 and len(set(predicted)) > 1)
    assert metrics.spearman(truth, predicted) == pytest.approx(spearmanr(truth, predicted).statistic)


@given(FLAGS)
def test_precision_recall_and_f1_are_those_of_scikit_learn(flags: list[tuple[bool, bool]]) -> None:
    truth, predicted = split(flags, bool)
    expected = [
        score(truth, predicted, zero_division=np.nan)
        for score in (oracle.precision_score, oracle.recall_score, oracle.f1_score)
    ]
    assert metrics.precision_recall_f1(truth, predicted) == pytest.approx(expected, nan_ok=True)


@given(RANKED, st.integers(1, 12))
def test_ndcg_with_ties_is_that_of_scikit_learn(ranked: list[tuple[int, int]], top: int) -> None:
    gain, order_by = split(ranked)
    assume(gain.any())
    expected = oracle.ndcg_score(gain[None], order_by[None], k=top)
    assert metrics.ndcg(gain, order_by, top) == pytest.approx(expected)


def test_figures_of_nothing_are_not_made_up() -> None:
    nothing, alike = np.array([]), np.array([3.0, 3.0])
    assert math.isnan(metrics.mean_absolute_error(nothing, nothing))
    assert math.isnan(metrics.within(nothing, nothing, 1))
    assert math.isnan(metrics.r2_score(alike, alike))
    assert math.isnan(metrics.spearman(alike, np.array([1.0, 2.0])))
    assert math.isnan(metrics.ndcg(np.zeros(3), np.arange(3.0)))
    none = np.zeros(2, dtype=bool)
    assert all(map(math.isnan, metrics.precision_recall_f1(none, none)))


def test_within_counts_the_edge() -> None:
    assert metrics.within(np.array([10.0, 10.0, 10.0]), np.array([11.0, 9.0, 12.0]), 1) == pytest.approx(
        2 / 3
    )


DAYS = np.array(
    ["2021-03-01T08", "2021-03-01T23", "2021-03-02T01", "2021-03-03T00", "2021-03-03T12"], "datetime64[us]"
)


def by_hand() -> dict[str, Any]:
    return {
        "published_at": DAYS,
        "quality": np.array([10.0, 20.0, 30.0, 40.0, 50.0]),
        "quality_predicted": np.array([10.0, 21.0, 35.0, 40.0, 44.0]),
        "quality_low": np.array([5.0, 15.0, 31.0, 40.0, 40.0]),
        "quality_high": np.array([15.0, 25.0, 41.0, 40.0, 50.0]),
        "heat": np.array([-1.0, 40.0, np.nan, 40.0, 90.0]),
        "heat_predicted": np.array([-1.0, 45.0, 30.0, -1.0, 90.0]),
        "heat_expected": np.array([50.0, 40.0, 1.0, 9.0, 80.0]),
        "lead": np.array([False, True, False, True, True]),
        "lead_predicted": np.array([False, True, True, False, True]),
        "lead_probability": np.array([0.5, 1.0, 0.3, 0.0, 0.5]),
        "published": np.array([False, False, True, False, True]),
        "published_predicted": np.array([False, True, False, False, True]),
        "published_probability": np.array([0.0, 0.5, 0.1, 0.0, 0.5]),
    }


def test_every_figure_by_hand() -> None:
    # The third record has no heat, so it counts for quality alone. The first day's order is wrong.
    assert metrics.compute(by_hand()) == pytest.approx(
        {
            "quality_mae": 12 / 5,
            "quality_r2": 1 - 62 / 1000,
            "quality_spearman": 1.0,
            "quality_within_1": 3 / 5,
            "quality_within_5": 4 / 5,
            "quality_interval_coverage": 4 / 5,
            "quality_interval_width": 8.0,
            "quality_interval_score": (40 + 20 * 1) / 5,
            "lead_accuracy": 3 / 4,
            "lead_brier": (0.25 + 0 + 1 + 0.25) / 4,
            "heat_mae": (0 + 5 + 41 + 0) / 4,
            "heat_within_5": 3 / 4,
            "heat_ndcg_10": (1 / np.log2(3) + 1) / 2,
            "published_precision": 1 / 2,
            "published_recall": 1.0,
            "published_f1": 2 / 3,
            "published_brier": (0.25 + 0.25) / 4,
        }
    )
    assert set(metrics.compute(by_hand())) == set(metrics.MEANINGS)
    assert set(metrics.MEANINGS) > metrics.LOWER_IS_BETTER


def test_each_section_of_a_day_has_a_list_of_its_own() -> None:
    """The order of the section with few points is wrong, which one list of both would hardly show."""
    columns = {
        "published_at": np.array(["2019-01-01"] * 4 + ["2019-01-02"], dtype="datetime64[us]"),
        "section": np.array(["Harbour", "Meadow", "Harbour", "Meadow", "Harbour"], dtype=object),
        "heat": np.array([10.0, 600.0, 0.0, 300.0, 20.0]),
        "heat_expected": np.array([1.0, 590.0, 2.0, 310.0, 20.0]),
    }
    expected = [(1 / np.log2(3) + 1) / 2, 1.0]
    assert metrics.ndcg_by_day(columns) == pytest.approx(expected)
    codes = columns | {"section": metrics.section_codes(columns)}
    assert metrics.ndcg_by_day(codes) == pytest.approx(expected)
    del columns["section"]
    assert metrics.ndcg_by_day(columns)[0] > 0.99


def test_brier_is_that_of_scikit_learn() -> None:
    columns = {name: values[[0, 1, 3, 4]] for name, values in by_hand().items()}
    figures = metrics.compute(columns)
    for name in ("lead", "published"):
        expected = oracle.brier_score_loss(columns[name], columns[f"{name}_probability"])
        assert figures[f"{name}_brier"] == pytest.approx(expected)


def test_records_without_heat_have_figures_of_quality_alone() -> None:
    columns = by_hand() | {"heat": np.full(5, np.nan)}
    assert {name.partition("_")[0] for name in metrics.compute(columns)} == {"quality"}


def test_records_without_a_date_share_a_day() -> None:
    moments = np.array(["2021-03-01T08", "NaT", "2021-03-01T09", "NaT"], "datetime64[us]")
    days = metrics.days_of(moments)
    assert days[0] == days[2]
    assert days[1] == days[3]
    assert days[0] != days[1]


def test_publication_is_known_where_the_heat_is_or_where_it_has_a_value() -> None:
    heat, flags = np.array([np.nan, 5.0, -1.0]), np.array([True, False, True])
    known = metrics.has_published({"heat": heat, "published": flags})
    assert known.tolist() == [False, True, True]
    known = metrics.has_published({"heat": heat, "published": np.array([1.0, np.nan, 0.0])})
    assert known.tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["quality", "heat", "published"])
def test_figures_are_of_the_labels_that_are_predicted(name: str) -> None:
    columns = {column: values for column, values in by_hand().items() if column != f"{name}_predicted"}
    figures = {figure.partition("_")[0] for figure in metrics.compute(columns)}
    expected = {"quality": {"quality"}, "heat": {"heat", "lead"}, "published": {"published"}}[name]
    assert not figures & expected
    assert figures == {"quality", "heat", "lead", "published"} - expected
