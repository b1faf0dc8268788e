"""Screening for breaks of a linear model."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.records.synthetic.generate import sample_documents
from scoring.training.structural_breaks import (
    best_break,
    break_columns,
    breaks_within,
    clear_gain,
    largest_f,
    last_lengths,
    settled_break,
)
from tests.conftest import training_set_of

RANDOM = np.random.default_rng(5)
X = np.column_stack([np.ones(400), RANDOM.normal(size=(400, 3))])
NOISE = RANDOM.normal(size=400)


@pytest.mark.parametrize("row", [100, 200, 320])
def test_the_largest_statistic_is_at_the_break(row: int) -> None:
    y = X @ [5.0, 2.0, 0.0, 0.0] + 3.0 * X[:, 2] * (np.arange(400) >= row) + NOISE
    f, found = largest_f(X, y)
    assert f > 20
    assert abs(found - row) <= 13  # records of a block


def test_the_statistic_is_that_of_two_regressions() -> None:
    y = X @ [5.0, 2.0, 0.0, 0.0] + X[:, 2] * (np.arange(400) >= 200) + NOISE
    f, row = largest_f(X, y)

    def residual_sum(rows: slice) -> float:
        coef = np.linalg.solve(X[rows].T @ X[rows] + np.eye(4), X[rows].T @ y[rows])
        return float(y[rows] @ y[rows] - y[rows] @ X[rows] @ coef)

    divided = residual_sum(slice(row)) + residual_sum(slice(row, None))
    assert f == pytest.approx((residual_sum(slice(None)) - divided) / 4 / (divided / (400 - 8)))
    assert 5 < f < 40


def test_columns_have_unit_variance() -> None:
    table = training_set_of(list(sample_documents(n_records=80, seed=2))).table
    columns = break_columns(table)
    assert (columns[:, 0] == 1).all()
    assert columns[:, 1:].std(axis=0) == pytest.approx(np.ones(columns.shape[1] - 1))


DAYS = np.arange(6).astype("datetime64[D]")


def test_of_equally_good_breaks_the_last_is_taken() -> None:
    before, since = np.array([0.0, 0, 0, 0, 4, 4]), np.array([4.0, 4, 0, 0, 0, 0])
    assert best_break(before, since, DAYS, 1, 1) == 4
    assert best_break(before, since, DAYS, 1, 3) == 3
    assert best_break(np.array([0.0, 0, 0, 4, 4, 4]), np.array([4.0, 4, 4, 0, 0, 0]), DAYS, 1, 1) == 3
    assert best_break(before * 0 + 1, since * 0, DAYS, 0, 1) == 0


def test_records_of_one_moment_are_not_divided() -> None:
    before, since = np.array([0.0, 0, 0, 0, 4, 4]), np.array([4.0, 4, 0, 0, 0, 0])
    assert best_break(before, since, DAYS[[0, 1, 2, 3, 3, 5]], 1, 1) == 3
    assert best_break(before, since, DAYS[[1] * 6], 1, 1) is None


def test_the_latest_records_are_taken_in_growing_numbers() -> None:
    assert last_lengths(60) == [20, 29, 41, 58]
    assert last_lengths(19) == []


def test_segments_are_divided_until_none_has_a_break() -> None:
    breaks = {(0, 100): 60, (0, 60): 20, (60, 100): None, (20, 60): None}
    asked = []

    def find(start: int, end: int) -> int | None:
        asked.append((start, end))
        return breaks[start, end]

    assert breaks_within(100, 30, find) == [20, 60]
    assert (0, 20) not in asked


def test_a_gain_is_clear_beyond_its_standard_error() -> None:
    assert clear_gain(np.full(50, 1.0), np.zeros(50), 3.0)
    uncertain = np.tile([1.0, -0.9], 25)
    assert not clear_gain(uncertain, np.zeros(50), 3.0)


def test_a_break_moves_until_it_stays() -> None:
    """Each fit of the later rule explains the records from one row earlier, as far as the fourth."""
    seen: list[int] = []

    def errors_of(row: int) -> tuple[Floats, Floats] | None:
        seen.append(row)
        is_before = np.arange(6) < max(row - 1, 3)
        return (np.where(is_before, 0.0, 5.0), np.where(is_before, 5.0, 0.0)) if row else None

    assert settled_break(5, errors_of, DAYS, 1, 1, 9) == 3
    assert seen == [5, 4, 3]
    assert settled_break(5, errors_of, DAYS, 1, 1, 1) == 4
    assert settled_break(0, errors_of, DAYS, 1, 1, 9) is None
    assert settled_break(5, errors_of, DAYS[[1] * 6], 1, 1, 9) is None
