"""Regression of least absolute error: equations as the dense ones, search as the naive one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.training.design_matrix import distinct
from scoring.training.lad_regression import CensoredLAD, SparseDesign
from scoring.training.term_selection import TermSelector

N_RECORDS = 200


def draw_marks(n_marks: int, seed: int) -> csr_array:
    random = np.random.default_rng(seed)
    marks = csr_array((random.random((N_RECORDS, n_marks)) < 0.06).astype(float))
    marks.sort_indices()
    return marks


def draw_numbers(n_numbers: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(N_RECORDS, n_numbers)) * (random.random((N_RECORDS, n_numbers)) < 0.5)
    return np.column_stack([np.ones(N_RECORDS), numbers])


@pytest.mark.parametrize(("n_marks", "n_numbers"), [(0, 0), (0, 4), (30, 0), (30, 4), (300, 4)])
def test_weights_are_those_of_the_dense_equations(n_marks: int, n_numbers: int) -> None:
    random = np.random.default_rng(3)
    marks, numbers = draw_marks(n_marks, 1), draw_numbers(n_numbers, 2)
    penalty = random.uniform(0.01, 1, n_marks + n_numbers + 1)
    importance, y = random.uniform(0.01, 1, N_RECORDS), random.normal(size=N_RECORDS)
    columns = SparseDesign(marks, numbers, penalty)
    dense = np.hstack([marks.toarray(), numbers])
    normal = dense.T @ (dense * importance[:, None]) + np.diag(penalty)
    weights = columns.solve(importance, y)
    assert weights == pytest.approx(np.linalg.solve(normal, dense.T @ (importance * y)))
    assert columns.predict(weights) == pytest.approx(dense @ weights)


def test_fit_passes_through_most_records_and_below_the_floor() -> None:
    numbers, slopes = draw_numbers(3, 2), np.array([1.0, 8.0, -5.0, 3.0])
    y = np.maximum(numbers @ slopes, -4.0)
    y[::9] += 30
    columns = SparseDesign(draw_marks(0, 0), numbers, np.full(4, 1e-6))
    fit = CensoredLAD(y)
    first = np.abs(fit.run(columns, 1) - slopes).max()
    found = fit.run(columns, 60)
    assert np.abs(found - slopes).max() < 0.1 < first
    assert np.median(np.abs(fit.left)) < 0.1
    assert fit.points.min() < fit.floor == -4.0


def test_more_passes_never_raise_the_error() -> None:
    random = np.random.default_rng(0)
    y = np.maximum(random.normal(size=N_RECORDS), -0.5)
    columns = SparseDesign(draw_marks(30, 1), draw_numbers(4, 2), np.full(35, 1e-9))
    fit, errors = CensoredLAD(y), []
    for _ in range(20):
        fit.run(columns, 1)
        errors.append(float(np.abs(fit.left).sum()))
    assert errors[-1] < errors[0]
    assert np.diff(errors).max() < 0.5 * fit.tolerance * N_RECORDS


def naive_choice(terms: Floats, left: Floats, min_gain: float, min_purity: float) -> list[int]:
    left, chosen = left.copy(), dict[int, None]()
    while True:
        best, best_gain, best_points = 0, 0.0, 0.0
        for term in range(terms.shape[1]):
            missed = np.sort(left[terms[:, term] > 0])
            points = missed[(len(missed) - 1) // 2]
            gains = np.abs(missed) - np.abs(missed - points)
            if np.mean(gains >= 0) >= min_purity and gains.sum() > best_gain:
                best, best_gain, best_points = term, gains.sum(), points
        if best_gain < min_gain:
            return list(chosen)
        left[terms[:, best] > 0] -= best_points
        chosen[best] = None


@pytest.mark.parametrize("min_purity", [0.0, 0.6])
def test_terms_are_those_of_a_search_through_all(min_purity: float) -> None:
    terms = draw_marks(60, 5)
    terms = terms[:, distinct(terms, 2)]
    random = np.random.default_rng(1)
    left = terms[:, :6] @ np.array([9.0, -7, 5, 4, -3, 2]) + random.normal(size=N_RECORDS)
    expected = naive_choice(terms.toarray(), left, 6.0, min_purity)
    assert len(expected) > 3
    assert TermSelector(terms, min_purity).choose(left.copy(), 6.0) == expected


def test_distinct_marks_are_of_enough_records_not_of_all_and_not_repeated() -> None:
    marks = csr_array(np.array([[1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=float))
    assert distinct(marks, 2).tolist() == [1, 2]
