"""Fit of the rubric: knots, terms and regression columns, each tested on its own."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.table import Floats, build_table
from scoring.model.rubric import TERMS
from scoring.records.record import Provider, Record
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.lad_regression import CensoredLAD
from scoring.training.rubric import (
    _absolute_error,
    _DesignBuilder,
    _initial_knot,
    _refine_knots,
    fit_rubric,
)

CONFIG = RubricConfig()


def with_lengths(lengths: list[int]) -> list[Record]:
    """Records whose titles have these numbers of characters; half of them have another provider."""
    return [
        Record(title="x" * length, provider=Provider("", f"{index % 2}.example"))
        for index, length in enumerate(lengths)
    ]


def builder_of(records: list[Record], config: RubricConfig = CONFIG) -> _DesignBuilder:
    return _DesignBuilder(DesignMatrix.of(build_table(records), config), config)


def test_absolute_error_is_that_of_the_best_slope() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        x = np.maximum(random.integers(-4, 10, 15), 0).astype(float)
        y = random.normal(size=15)
        # The sum is piecewise linear, so that it is least at one of its corners.
        corners = y[x > 0] / x[x > 0]
        expected = min((float(np.abs(y - slope * x).sum()) for slope in corners), default=np.abs(y).sum())
        assert _absolute_error(x, y) == pytest.approx(expected)
    assert _absolute_error(np.zeros(2), np.array([3.0, -4.0])) == 7


@pytest.mark.parametrize("knot", [20, 48, 80])
def test_first_knot_is_the_percentile_nearest_to_where_the_points_change(knot: int) -> None:
    lengths = list(range(101)) * 2
    builder = builder_of(with_lengths(lengths))
    y = 60.0 - np.maximum(np.array(lengths) - knot, 0)
    # The candidates are every fourth percentile, which are these lengths.
    assert abs(_initial_knot(builder, "title_chars", y, CONFIG) - knot) <= 4


@pytest.mark.parametrize(
    ("start", "knot", "floor"), [(52, 48, 0.0), (40, 48, 0.0), (7, 0, 0.0), (52, 48, 180.0), (40, 48, 180.0)]
)
def test_knot_is_moved_to_where_the_points_change(start: int, knot: int, floor: float) -> None:
    lengths = np.array(list(range(101)) * 2)
    builder = builder_of(with_lengths(lengths.tolist()))
    # Labels at the floor, which are those of most long titles, tell nothing of the knot.
    y = np.maximum(200.0 - np.maximum(lengths - knot, 0), floor)
    builder.set_knot("title_chars", start)
    columns = builder.columns()
    # All else is right already: a label above the floor is off by what the moved knot changes.
    coef = np.zeros(columns.n_columns)
    for name, points in (("intercept", 200.0), ("title_chars", -builder.scales["title_chars"])):
        coef[list(builder.dense).index(name) - len(builder.dense)] = points
    fit = CensoredLAD(y)
    fit.fitted = columns.predict(coef)
    _refine_knots(builder, ["title_chars"], fit, coef)
    assert builder.knots["title_chars"] == knot


def test_design_follows_the_knot() -> None:
    lengths = np.arange(60)
    builder = builder_of(with_lengths(lengths.tolist()))
    for knot in (20.0, 30.0):
        builder.set_knot("title_chars", knot)
        column = list(builder.dense).index("title_chars")
        hinge = builder.columns().dense[:, column] * builder.scales["title_chars"]
        assert hinge == pytest.approx(np.maximum(lengths - knot, 0))
    assert builder.columns() is builder.columns()


def test_constant_columns_and_shifted_copies_are_left_out() -> None:
    builder = builder_of(with_lengths(list(range(30))))
    values = np.random.default_rng(0).normal(size=30)
    assert not builder._add("constant", np.full(30, 7.0))
    assert builder._add("first", values)
    assert not builder._add("shifted", 3 * values + 8)
    # Alike at both ends, but not between.
    bent = values.copy()
    middle = np.argsort(values)[15]
    bent[middle] = (bent[middle] + values.max()) / 2
    bent *= values.std() / bent.std()
    bent = np.where(
        values == values.max(), values.max(), np.where(values == values.min(), values.min(), bent)
    )
    assert builder._add("bent", bent)
    assert builder._add("first", values + 1)  # its own former values do not count


def topic_records() -> list[Record]:
    return [
        Record(
            title=f"kite {index % 7}",
            topics=("Sea", "Wrecks") if index % 3 else ("Sea",),
            excerpt="x" * index,
        )
        for index in range(42)
    ]


def test_design_without_topics_has_neither_their_levels_nor_their_count() -> None:
    records = topic_records()
    builder = builder_of(records)
    n_topics = sum(kind == "topics" for kind, _ in builder.level_names)
    assert n_topics == 1  # all have the other one
    assert "topic_count" in builder.dense
    whole, without = builder.columns(), builder.columns(with_topics=False)
    assert without.n_indicators == whole.n_indicators - n_topics
    topic_count = builder.dense["topic_count"]
    assert any(np.array_equal(column, topic_count) for column in whole.dense.T)
    assert not any(np.array_equal(column, topic_count) for column in without.dense.T)
    assert without.dense.shape[1] == whole.dense.shape[1] - 1


def test_penalties_are_those_of_levels_and_of_columns_and_none_of_the_intercept() -> None:
    config = RubricConfig(level_ridge=0.5, ridge=0.25)
    columns = builder_of(topic_records(), config).columns()
    assert columns.dense[:, 0].tolist() == [1] * 42
    expected = [0.5] * columns.n_indicators + [0.0] + [0.25] * (columns.dense.shape[1] - 1)
    assert columns.penalty.tolist() == expected


def test_levels_of_too_few_of_the_records_have_no_points() -> None:
    records = [
        Record(provider=Provider("", f"{index // 2}.example"), title="x" * index) for index in range(8)
    ]
    whole = DesignMatrix.of(build_table(records), CONFIG)
    fitted = fit_rubric(whole.take(np.arange(8) != 0), np.arange(1.0, 8.0))
    assert sorted(fitted.levels_["provider_domain"]) == ["1.example", "2.example", "3.example"]


WORDS = ("pier", "buoy", "keel", "reef", "sloop", "cove")


def titled(n_records: int, seed: int) -> tuple[list[Record], Floats]:
    """Records, and whether each has the word ``storm``, as all records of the topic Wrecks have."""
    random = np.random.default_rng(seed)
    has_word = random.random(n_records) < 0.3
    records = [
        Record(
            title=" ".join([*random.choice(WORDS, 4), "storm" if storm else "brisk"]),
            topics=("Wrecks",) if storm else ("Tides",),
        )
        for storm in has_word
    ]
    return records, has_word.astype(float)


def test_a_word_of_one_topic_is_found_beside_the_topic() -> None:
    records, has_word = titled(80, seed=0)
    y = 50 + 20 * has_word
    fitted = fit_rubric(DesignMatrix.of(build_table(records), CONFIG), y)
    assert "storm" in fitted.terms_["Wrecks"]
    assert fitted.predict(build_table(records)) == pytest.approx(y, abs=0.1)


def test_a_term_that_two_searches_find_has_its_points_once() -> None:
    # A strong penalty leaves so much of the residual that the second search finds the term again.
    records, has_word = titled(80, seed=0)
    table = build_table(records)
    config = RubricConfig(level_ridge=20.0)
    fitted = fit_rubric(DesignMatrix.of(table, config), 50 + 20 * has_word, config)
    parts = fitted.parts(table)
    assert float(parts[TERMS].mean()) == pytest.approx(fitted.means_[TERMS])
    assert fitted.terms_


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_terms_do_not_depend_on_the_scale_of_the_labels(scale: float) -> None:
    records, has_word = titled(80, seed=0)
    noise = np.random.default_rng(1).normal(size=80)
    design_matrix = DesignMatrix.of(build_table(records), CONFIG)
    y = 50 + 20 * has_word + 5 * noise
    expected = fit_rubric(design_matrix, y).terms_
    scaled = fit_rubric(design_matrix, scale * y).terms_
    assert {topic: set(terms) for topic, terms in scaled.items()} == {
        topic: set(terms) for topic, terms in expected.items()
    }
