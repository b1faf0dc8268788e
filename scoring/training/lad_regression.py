"""Regression of least absolute error on marks and numbers.

Iteratively reweighted least squares (Holland & Welsch, 1977). Each pass solves the normal equations,
which are sparse where columns are marks of a few records each: their pattern is found once, and a pass
only fills it in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from scoring.features.table import Floats

Places = NDArray[np.intp]


class SparseDesign:
    """The columns of a regression: marks (ones, for few records each), then numbers.

    Parameters
    ----------
    marks : csr_array of shape (n_records, n_marks)
        Ones and zeros.
    numbers : ndarray of shape (n_records, n_numbers)
        Dense columns.
    penalty : ndarray of shape (n_marks + n_numbers,)
        Ridge penalty on each weight.
    """

    def __init__(self, marks: csr_array, numbers: Floats, penalty: Floats) -> None:
        self.marks, self.numbers, self.penalty = marks, numbers, penalty
        self.n_marks, self.n_columns = marks.shape[1], len(penalty)
        self._marks_of = csr_array(marks.T)
        self._scaled = np.empty_like(numbers)  # once for all passes: the system is slow to give memory
        self._find_pattern()

    def predict(self, weights: Floats) -> Floats:
        """Sum of the columns, each times its weight; shape (n_records,)."""
        points: Floats = self.marks @ weights[: self.n_marks] + self.numbers @ weights[self.n_marks :]
        return points

    def solve(self, importance: Floats, target: Floats) -> Floats:
        """Weights of least squares, each record's error counted by its importance; shape (n_columns,)."""
        scaled = np.multiply(self.numbers, importance[:, None], out=self._scaled)
        entries = np.concatenate(
            [
                self._pairs @ importance,
                (self._marks_of @ scaled).ravel(),
                (self.numbers.T @ scaled).ravel(),
                self.penalty,
            ]
        )
        normal = csc_array((self._sum @ entries, self._rows, self._starts), shape=(self.n_columns,) * 2)
        weighted = importance * target
        moments = np.concatenate([self._marks_of @ weighted, self.numbers.T @ weighted])[self._order]
        factors = splu(normal, "NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        weights = np.empty(self.n_columns)
        weights[self._order] = factors.solve(moments)
        return weights

    def _find_pattern(self) -> None:
        """Find which entries of the normal equations differ from zero, and what each is the sum of."""
        n_marks, n_numbers = self.n_marks, self.n_columns - self.n_marks
        # Every two marks of one record, and each with itself.
        sizes = np.diff(self.marks.indptr)
        others = ragged(self.marks.indptr[:-1].repeat(sizes), sizes.repeat(sizes))
        left, right = self.marks.indices.repeat(sizes.repeat(sizes)), self.marks.indices[others]
        is_once = left <= right
        record = np.arange(len(sizes)).repeat(sizes**2)[is_once]
        first, second, self._pairs = added_up(left[is_once], right[is_once], record, len(sizes))
        n_pairs, is_two = len(first), first != second
        mark, number = np.indices((n_marks, n_numbers)).reshape(2, -1)
        number_row, number_column = np.indices((n_numbers, n_numbers)).reshape(2, -1) + n_marks
        met = np.flatnonzero(self._marks_of @ (self.numbers != 0).astype(np.float64))
        at_mark, at_number = n_pairs + met, n_pairs + n_marks * n_numbers
        at_penalty = at_number + n_numbers**2
        diagonal = np.arange(self.n_columns)
        rows = [first, second[is_two], mark[met], number[met] + n_marks, number_row, diagonal]
        columns = [second, first[is_two], number[met] + n_marks, mark[met], number_column, diagonal]
        entries = [np.arange(n_pairs), np.flatnonzero(is_two), at_mark, at_mark]
        row, column = np.concatenate(rows), np.concatenate(columns)
        entry = np.concatenate([*entries, at_number + np.arange(n_numbers**2), at_penalty + diagonal])
        # Columns that meet the fewest others come first: so the factors stay as sparse as the equations.
        self._order = np.argsort(np.bincount(column, minlength=self.n_columns), kind="stable")
        place = np.argsort(self._order)
        columns_of, rows_of, self._sum = added_up(
            place[column], place[row], entry, at_penalty + self.n_columns
        )
        self._rows = rows_of.astype(np.int32)
        self._starts = np.searchsorted(columns_of, np.arange(self.n_columns + 1)).astype(np.int32)


def added_up(
    first: Places, second: Places, addend: Places, n_addends: int
) -> tuple[Places, Places, csr_array]:
    """The pairs of two numbers that occur, sorted, and the matrix that adds up the addends of each.

    Examples
    --------
    >>> first, second, matrix = added_up(np.array([7, 2, 7]), np.array([70_000, 9, 70_000]), np.arange(3), 3)
    >>> first.tolist(), second.tolist(), (matrix @ np.array([1.0, 10.0, 100.0])).tolist()
    ([2, 7], [9, 70000], [10.0, 101.0])
    """
    # Numbers of 16 bits are sorted in linear time.
    small = np.min_scalar_type(max(first.max(initial=0), second.max(initial=0)))
    order = np.lexsort((second.astype(small), first.astype(small)))
    first, second = first[order], second[order]
    is_new = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0)
    starts = np.flatnonzero(is_new)
    ends = np.append(starts, len(order))
    matrix = csr_array((np.ones(len(order)), addend[order], ends), shape=(len(starts), n_addends))
    return first[starts], second[starts], matrix


class CensoredLAD:
    """A regression of least absolute error that is under way: more passes bring it nearer.

    Where the label stands on the floor, a lower prediction is no error.

    Parameters
    ----------
    y : ndarray of shape (n_records,)
        Labels; points.
    """

    def __init__(self, y: Floats) -> None:
        self.y, self.points, self.floor = y, y, float(y.min())
        self.on_floor = y <= self.floor
        # Error below which all errors count alike: a hundredth of the labels' spread.
        self.tolerance = max(float(np.std(y)) / 100, 1e-9)

    def run(self, columns: SparseDesign, n_passes: int) -> Floats:
        """Weights after some passes, from what the last columns said of each record; shape (n_columns,)."""
        for _ in range(n_passes):
            off = np.abs(self.points - self.y)
            # A parabola that touches the loss where the points are, and lies above it elsewhere.
            target = np.where(self.on_floor, self.floor - off, self.y)
            importance = np.where(self.on_floor, 0.5, 1.0) / np.maximum(off, self.tolerance)
            weights = columns.solve(importance / importance.max(), target)
            self.points = columns.predict(weights)
        return weights

    @property
    def left(self) -> Floats:
        """What the labels exceed the points by, which do not fall below the floor; shape (n_records,)."""
        return self.y - np.maximum(self.points, self.floor)


def ragged(starts: Places, sizes: Places) -> Places:
    """Places of runs, one after another: ``sizes[k]`` places from ``starts[k]`` on.

    Examples
    --------
    >>> ragged(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    places: Places = np.arange(ends[-1] if len(ends) else 0) + (starts - ends + sizes).repeat(sizes)
    return places
