"""LAD regression and term selection against dense and naive implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.training.design_matrix import distinct
from scoring.training.lad_regression import CensoredLAD, SparseDesign
from scoring.training.term_selection import TermSelector

N_RECORDS = 200


def draw_indicators(n_indicators: int, seed: int) -> csr_array:
    random = np.random.default_rng(seed)
    indicators = csr_array((random.random((N_RECORDS, n_indicators)) < 0.06).astype(float))
    indicators.sort_indices()
    return indicators


def draw_dense(n_dense: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    dense = random.normal(size=(N_RECORDS, n_dense)) * (random.random((N_RECORDS, n_dense)) < 0.5)
    return np.column_stack([np.ones(N_RECORDS), dense])


@pytest.mark.parametrize(("n_indicators", "n_dense"), [(0, 0), (0, 4), (30, 0), (30, 4), (300, 4)])
def test_weights_are_those_of_the_dense_equations(n_indicators: int, n_dense: int) -> None:
    random = np.random.default_rng(3)
    indicators, dense = draw_indicators(n_indicators, 1), draw_dense(n_dense, 2)
    penalty = random.uniform(0.01, 1, n_indicators + n_dense + 1)
    weights, y = random.uniform(0.01, 1, N_RECORDS), random.normal(size=N_RECORDS)
    columns = SparseDesign(indicators, dense, penalty)
    X = np.hstack([indicators.toarray(), dense])
    normal = X.T @ (X * weights[:, None]) + np.diag(penalty)
    coef = columns.solve(weights, y)
    assert coef == pytest.approx(np.linalg.solve(normal, X.T @ (weights * y)))
    assert columns.predict(coef) == pytest.approx(X @ coef)


def test_fit_passes_through_most_records_and_below_the_floor() -> None:
    dense, slopes = draw_dense(3, 2), np.array([1.0, 8.0, -5.0, 3.0])
    y = np.maximum(dense @ slopes, -4.0)
    y[::9] += 30
    columns = SparseDesign(draw_indicators(0, 0), dense, np.full(4, 1e-6))
    fit = CensoredLAD(y)
    first = np.abs(fit.run(columns, 1) - slopes).max()
    coef = fit.run(columns, 60)
    assert np.abs(coef - slopes).max() < 0.1 < first
    assert np.median(np.abs(fit.residual)) < 0.1
    assert fit.fitted.min() < fit.floor == -4.0


def dense_passes(X: Floats, y: Floats, penalty: Floats, n_passes: int) -> Floats:
    """Fitted values of each pass by dense linear algebra, row by row."""
    floor, tolerance, fitted = y.min(), np.std(y) / 100, y
    for _ in range(n_passes):
        targets, weights = [], []
        for label, value in zip(y, fitted, strict=True):
            error = abs(value - label)
            # Half of |t| + t: the slope is 0 below the floor and 1 above it.
            targets.append(floor - error if label == floor else label)
            weights.append((0.5 if label == floor else 1.0) / max(error, tolerance))
        scaled = np.array(weights) / max(weights)
        normal = X.T @ (X * scaled[:, None]) + np.diag(penalty)
        fitted = X @ np.linalg.solve(normal, X.T @ (scaled * np.array(targets)))
    return fitted


@pytest.mark.parametrize("n_passes", [1, 2, 5])
def test_passes_are_those_of_the_dense_equations(n_passes: int) -> None:
    random = np.random.default_rng(4)
    indicators, dense = draw_indicators(20, 1), draw_dense(3, 2)
    y = np.maximum(random.normal(size=N_RECORDS), -0.5)
    penalty = np.full(24, 0.02)
    fit = CensoredLAD(y)
    fit.run(SparseDesign(indicators, dense, penalty), n_passes)
    expected = dense_passes(np.hstack([indicators.toarray(), dense]), y, penalty, n_passes)
    assert fit.fitted == pytest.approx(expected)


def test_residual_is_0_where_label_and_prediction_are_at_the_floor_or_below() -> None:
    fit = CensoredLAD(np.array([2.0, 2.0, 5.0, 9.0]))
    fit.fitted = np.array([-3.0, 4.0, 1.0, 8.0])
    assert fit.residual.tolist() == [0, -2, 3, 1]


def test_more_passes_never_raise_the_error() -> None:
    random = np.random.default_rng(0)
    y = np.maximum(random.normal(size=N_RECORDS), -0.5)
    columns = SparseDesign(draw_indicators(30, 1), draw_dense(4, 2), np.full(35, 1e-9))
    fit, errors = CensoredLAD(y), []
    for _ in range(20):
        fit.run(columns, 1)
        errors.append(float(np.abs(fit.residual).sum()))
    assert errors[-1] < errors[0]
    assert np.diff(errors).max() < 0.5 * fit.tolerance * N_RECORDS


def naive_choice(terms: Floats, residual: Floats, min_gain: float, min_improved_ratio: float) -> list[int]:
    residual, chosen = residual.copy(), dict[int, None]()
    while True:
        best, best_gain, best_points = 0, 0.0, 0.0
        for term in range(terms.shape[1]):
            term_residual = np.sort(residual[terms[:, term] > 0])
            points = term_residual[(len(term_residual) - 1) // 2]
            gains = np.abs(term_residual) - np.abs(term_residual - points)
            if np.mean(gains >= 0) >= min_improved_ratio and gains.sum() > best_gain:
                best, best_gain, best_points = term, gains.sum(), points
        if best_gain < min_gain:
            return list(chosen)
        residual[terms[:, best] > 0] -= best_points
        chosen[best] = None


@pytest.mark.parametrize("min_improved_ratio", [0.0, 0.6])
def test_terms_are_those_of_a_search_through_all(min_improved_ratio: float) -> None:
    terms = draw_indicators(60, 5)
    terms = terms[:, distinct(terms, 2)]
    random = np.random.default_rng(1)
    residual = terms[:, :6] @ np.array([9.0, -7, 5, 4, -3, 2]) + random.normal(size=N_RECORDS)
    expected = naive_choice(terms.toarray(), residual, 6.0, min_improved_ratio)
    assert len(expected) > 3
    assert TermSelector(terms, min_improved_ratio).select(residual.copy(), 6.0) == expected


def test_distinct_marks_are_of_enough_records_not_of_all_and_not_repeated() -> None:
    indicators = csr_array(np.array([[1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=float))
    assert distinct(indicators, 2).tolist() == [1, 2]


def test_candidates_are_fitted_as_each_alone() -> None:
    dense, candidates = draw_dense(3, 2), draw_dense(6, 5).T[1:]
    y = np.maximum(dense @ np.array([1.0, 8.0, -5.0, 3.0]) + 4 * candidates[2], -4.0)
    y[::9] += 30
    errors = CensoredLAD(y).candidate_errors(dense, candidates, 0.1, 4)
    for error, candidate in zip(errors, candidates, strict=True):
        fit = CensoredLAD(y)
        penalty = np.array([0.0, *[0.1] * 4])
        fit.run(SparseDesign(draw_indicators(0, 0), np.column_stack([dense, candidate]), penalty), 4)
        assert error == pytest.approx(np.abs(fit.residual).mean())
    assert int(np.argmin(errors)) == 2
