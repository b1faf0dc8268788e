"""Least absolute deviations (LAD) regression, censored at the floor, on sparse and dense columns.

Censored LAD (Powell, 1984), fitted by iteratively reweighted least squares (Holland & Welsch, 1977), a
majorize-minimize algorithm (Hunter & Lange, 2000). Each pass solves the normal equations. These are sparse,
since an indicator has few records: their pattern is computed once, and a pass only fills in the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from scoring.features.table import Floats

Indices = NDArray[np.signedinteger[Any]]


class SparseDesign:
    """Design of a regression: sparse indicator columns, then dense columns.

    Parameters
    ----------
    indicators : csr_array of shape (n_records, n_indicators)
        Ones and zeros.
    dense : ndarray of shape (n_records, n_dense)
        Dense columns.
    penalty : ndarray of shape (n_indicators + n_dense,)
        Ridge penalty of each coefficient.
    """

    def __init__(self, indicators: csr_array, dense: Floats, penalty: Floats) -> None:
        self.indicators, self.dense, self.penalty = indicators, dense, penalty
        self.n_indicators, self.n_columns = indicators.shape[1], len(penalty)
        self._indicators_t = csr_array(indicators.T)
        self._scaled = np.empty_like(dense)  # allocated once: it is slow
        self._find_pattern()

    def predict(self, coef: Floats) -> Floats:
        """Fitted values, shape (n_records,)."""
        fitted: Floats = self.indicators @ coef[: self.n_indicators] + self.dense @ coef[self.n_indicators :]
        return fitted

    def solve(self, weights: Floats, y: Floats) -> Floats:
        """Coefficients of weighted least squares, shape (n_columns,)."""
        scaled = np.multiply(self.dense, weights[:, None], out=self._scaled)
        entries = np.concatenate(
            [
                self._pairs @ weights,
                (self._indicators_t @ scaled).ravel(),
                (self.dense.T @ scaled).ravel(),
                self.penalty,
            ]
        )
        normal = csc_array((self._sum @ entries, self._rows, self._starts), shape=(self.n_columns,) * 2)
        weighted_y = weights * y
        moments = np.concatenate([self._indicators_t @ weighted_y, self.dense.T @ weighted_y])[self._order]
        factors = splu(normal, "NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        coef = np.empty(self.n_columns)
        coef[self._order] = factors.solve(moments)
        return coef

    def _find_pattern(self) -> None:
        """Find the nonzero entries of the normal equations, and the addends of each."""
        n_indicators, n_dense = self.n_indicators, self.n_columns - self.n_indicators
        # Every pair of indicators of one record, each with itself too.
        sizes = np.diff(self.indicators.indptr)
        other_entries = ragged(self.indicators.indptr[:-1].repeat(sizes), sizes.repeat(sizes))
        first_column = self.indicators.indices.repeat(sizes.repeat(sizes))
        second_column = self.indicators.indices[other_entries]
        is_once = first_column <= second_column
        record = np.arange(len(sizes)).repeat(sizes**2)[is_once]
        first, second, self._pairs = sum_matrix(
            first_column[is_once], second_column[is_once], record, len(sizes)
        )
        n_pairs, is_two = len(first), first != second
        indicator, dense_column = np.indices((n_indicators, n_dense)).reshape(2, -1)
        gram_row, gram_column = np.indices((n_dense, n_dense)).reshape(2, -1) + n_indicators
        nonzero = np.flatnonzero(self._indicators_t @ (self.dense != 0).astype(np.float64))
        indicator_entries, dense_start = n_pairs + nonzero, n_pairs + n_indicators * n_dense
        penalty_start = dense_start + n_dense**2
        diagonal = np.arange(self.n_columns)
        indicator, dense_column = indicator[nonzero], dense_column[nonzero] + n_indicators
        rows = [first, second[is_two], indicator, dense_column, gram_row, diagonal]
        columns = [second, first[is_two], dense_column, indicator, gram_column, diagonal]
        entries = [np.arange(n_pairs), np.flatnonzero(is_two), indicator_entries, indicator_entries]
        row, column = np.concatenate(rows), np.concatenate(columns)
        entry = np.concatenate([*entries, dense_start + np.arange(n_dense**2), penalty_start + diagonal])
        # Minimum degree ordering, which keeps the factors sparse.
        self._order = np.argsort(np.bincount(column, minlength=self.n_columns), kind="stable")
        position = np.argsort(self._order)
        columns_of, rows_of, self._sum = sum_matrix(
            position[column], position[row], entry, penalty_start + self.n_columns
        )
        self._rows = rows_of.astype(np.int32)
        self._starts = np.searchsorted(columns_of, np.arange(self.n_columns + 1)).astype(np.int32)


def sum_matrix(
    first: Indices, second: Indices, addend: Indices, n_addends: int
) -> tuple[Indices, Indices, csr_array]:
    """Distinct pairs of two integers, sorted, and the matrix that sums the addends of each.

    Examples
    --------
    >>> first, second = np.array([7, 2, 7]), np.array([70_000, 9, 70_000])
    >>> first, second, matrix = sum_matrix(first, second, np.arange(3), 3)
    >>> first.tolist(), second.tolist(), (matrix @ np.array([1.0, 10.0, 100.0])).tolist()
    ([2, 7], [9, 70000], [10.0, 101.0])
    """
    # Integers of 16 bits are sorted in linear time.
    small = np.min_scalar_type(max(first.max(initial=0), second.max(initial=0)))
    order = np.lexsort((second.astype(small), first.astype(small)))
    first, second = first[order], second[order]
    is_new = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0)
    starts = np.flatnonzero(is_new)
    ends = np.append(starts, len(order))
    matrix = csr_array((np.ones(len(order)), addend[order], ends), shape=(len(starts), n_addends))
    return first[starts], second[starts], matrix


class CensoredLAD:
    """Censored least absolute deviations, fitted by passes that continue from the last fitted values.

    Where the label is at the floor, a prediction below it is no error (Powell, 1984).

    Parameters
    ----------
    y : ndarray of shape (n_records,)
        Labels; points.
    """

    def __init__(self, y: Floats) -> None:
        self.y, self.fitted, self.floor = y, y, float(y.min())
        self.is_at_floor = y <= self.floor
        # Smaller errors have equal weights: a hundredth of the labels' standard deviation.
        self.tolerance = max(float(np.std(y)) / 100, 1e-9)

    def run(self, columns: SparseDesign, n_passes: int) -> Floats:
        """Coefficients after some passes from the last fitted values; shape (n_columns,)."""
        for _ in range(n_passes):
            coef = columns.solve(*self._majorized(self.fitted))
            self.fitted = columns.predict(coef)
        return coef

    def candidate_errors(self, dense: Floats, candidates: Floats, penalty: float, n_passes: int) -> Floats:
        """Mean absolute error with each candidate as an additional column; passes start from the labels.

        All candidates are fitted at once; this fit is not changed.

        Parameters
        ----------
        dense : ndarray of shape (n_records, n_dense)
            Dense columns, of which the first is the intercept.
        candidates : ndarray of shape (n_candidates, n_records)
            Candidate columns.
        penalty : float
            Ridge penalty of each coefficient but the intercept.
        n_passes : int
            Number of passes.

        Returns
        -------
        ndarray of shape (n_candidates,)
        """
        n_candidates, n_dense = len(candidates), dense.shape[1]
        normal = np.empty((n_candidates, n_dense + 1, n_dense + 1))
        moments = np.empty((n_candidates, n_dense + 1, 1))
        ridge = np.diag([0.0] + [penalty] * n_dense)
        products = (dense[:, :, None] * dense[:, None, :]).reshape(len(dense), -1)
        fitted = np.broadcast_to(self.y, candidates.shape)
        for _ in range(n_passes):
            weights, target = self._majorized(fitted)
            weighted = weights * candidates
            normal[:, :-1, :-1] = (weights @ products).reshape(-1, n_dense, n_dense)
            normal[:, :-1, -1] = normal[:, -1, :-1] = weighted @ dense
            normal[:, -1, -1] = (weighted * candidates).sum(axis=1)
            moments[:, :-1, 0] = (weights * target) @ dense
            moments[:, -1, 0] = (weighted * target).sum(axis=1)
            coef = np.linalg.solve(normal + ridge, moments)[:, :, 0]
            fitted = coef[:, :-1] @ dense.T + coef[:, -1:] * candidates
        return np.asarray(np.abs(self.residual_of(fitted)).mean(axis=1))

    def _majorized(self, fitted: Floats) -> tuple[Floats, Floats]:
        """Weights and targets of the quadratic majorizer at the fitted values (Hunter & Lange, 2000)."""
        abs_error = np.abs(fitted - self.y)
        target = np.where(self.is_at_floor, self.floor - abs_error, self.y)
        weights = np.where(self.is_at_floor, 0.5, 1.0) / np.maximum(abs_error, self.tolerance)
        return weights / weights.max(axis=-1, keepdims=True), target

    @property
    def residual(self) -> Floats:
        """Labels minus fitted values, which are clipped at the floor; shape (n_records,)."""
        return self.residual_of(self.fitted)

    def residual_of(self, fitted: Floats) -> Floats:
        """Labels minus other fitted values, of shape (..., n_records)."""
        return np.asarray(self.y - np.maximum(fitted, self.floor))


def ragged(starts: Indices, sizes: Indices) -> Indices:
    """Concatenated ranges of indices: ``sizes[k]`` indices from ``starts[k]``.

    Examples
    --------
    >>> ragged(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    indices: Indices = np.arange(ends[-1] if len(ends) else 0) + (starts - ends + sizes).repeat(sizes)
    return indices
