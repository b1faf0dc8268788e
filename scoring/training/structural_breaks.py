"""Screening for a structural break of a linear model at an unknown point in time.

The supremum of the F statistics over all candidate points (Andrews, 1993) finds the most likely break.
Cumulative sums of products over blocks of records give the fits of all candidates at once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.training.design_matrix import ADDITIVE_NAMES, HINGED_NAMES

MIN_SEGMENT = 20  # records on either side of a break
MAX_BLOCKS = 32
MIN_LEVEL = 10  # records that a provider or topic must have to get a column
MAX_LEVELS = 40  # columns of providers, and as many of topics
RIDGE = 1.0  # ridge penalty, for columns of unit variance


def break_columns(table: FeatureTable) -> Floats:
    """Columns of the linear model, of unit variance, shape (n_records, n_columns); the first is constant.

    Parameters
    ----------
    table : FeatureTable
        `n_records` records.
    """
    columns = [np.nan_to_num(table.columns(ADDITIVE_NAMES))]
    for name in HINGED_NAMES:
        lengths = np.nan_to_num(table.number(name))
        knots = np.unique(np.percentile(lengths, [25, 50, 75, 90]))
        columns += [lengths[:, None], np.maximum(lengths[:, None] - knots, 0.0)]
    domains = [{domain} if domain else set() for domain in table.text("provider_domain")]
    for rows in (domains, [set(topics) for topics in table.topics]):
        counts = Counter(name for row in rows for name in row)
        frequent = [name for name, count in counts.most_common(MAX_LEVELS) if count >= MIN_LEVEL]
        columns += [np.array([[float(name in row)] for row in rows]) for name in frequent]
    X = np.hstack(columns)
    deviations = X.std(axis=0)
    varies = deviations > 0
    return np.hstack([np.ones((len(X), 1)), X[:, varies] / deviations[varies]])


def largest_f(X: Floats, y: Floats) -> tuple[float, int]:
    """Largest F statistic of a break, and the first row after that break.

    Parameters
    ----------
    X : ndarray of shape (n_records, n_columns)
        Columns, by time; n_records >= 2 * MIN_SEGMENT.
    y : ndarray of shape (n_records,)
        Labels; points.
    """
    n_records, n_columns = X.shape
    n_blocks = min(MAX_BLOCKS, n_records // (MIN_SEGMENT // 2))
    edges = np.unique(np.linspace(0, n_records, n_blocks + 1).astype(np.intp))
    augmented = np.column_stack([X, y])
    blocks = [augmented[start:end] for start, end in itertools.pairwise(edges)]
    sums = np.cumsum([block.T @ block for block in blocks], axis=0)
    ridge = RIDGE * np.eye(n_columns)

    def residual_sum(products: Floats) -> float:
        squares, with_y = products[:-1, :-1] + ridge, products[:-1, -1]
        return max(float(products[-1, -1] - with_y @ np.linalg.solve(squares, with_y)), 0.0)

    undivided, best = residual_sum(sums[-1]), (0.0, 0)
    n_free = max(n_records - 2 * n_columns, n_records / 4)
    for row, earlier in zip(edges[1:-1].tolist(), sums, strict=False):
        if MIN_SEGMENT <= row <= n_records - MIN_SEGMENT:
            divided = residual_sum(earlier) + residual_sum(sums[-1] - earlier)
            variance = max(divided / n_free, 1e-9)
            best = max(best, ((undivided - divided) / n_columns / variance, row))
    return best


def last_lengths(n_records: int) -> list[int]:
    """Candidate numbers of records after a recent break, each about 1.4 times the one before."""
    lengths, length = [], MIN_SEGMENT
    while length <= n_records:
        lengths.append(length)
        length += 2 * length // 5 + 1
    return lengths


def best_break(
    before: Floats, since: Floats, moments: NDArray[np.datetime64], min_before: int, min_since: int
) -> int | None:
    """First row of the second rule that gives the least sum of errors; None if no break is possible.

    If several breaks are equally good, the last one is returned: its row is the first that contradicts the
    first rule. Records of the same moment are not separated.

    Parameters
    ----------
    before, since : ndarray of shape (n_records,)
        Absolute error of each record by each rule, in order of time; n_records >= min_before + min_since.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of the records, ascending.
    min_before, min_since : int
        Records on either side of the break.

    Examples
    --------
    >>> days = np.array([1, 2, 3, 4, 4], dtype="datetime64[D]")
    >>> best_break(np.array([0.0, 0, 0, 5, 5]), np.array([5.0, 5, 0, 0, 0]), days, 1, 1)
    3
    """
    sums = np.concatenate([[0.0], np.cumsum(before)])
    sums[:-1] += np.cumsum(since[::-1])[::-1]
    is_possible = np.concatenate([[True], moments[1:] != moments[:-1], [True]])
    is_possible[:min_before] = False
    is_possible[len(before) - min_since + 1 :] = False
    if not is_possible.any():
        return None
    return int(np.flatnonzero(is_possible & (sums <= sums[is_possible].min() + 1e-9))[-1])


def settled_break(
    row: int,
    errors_of: Callable[[int], tuple[Floats, Floats] | None],
    moments: NDArray[np.datetime64],
    min_before: int,
    min_since: int,
    max_moves: int,
) -> int | None:
    """Move a break to where the rules of its sides fit best, until it stays; None if no break is possible.

    Parameters
    ----------
    row : int
        First row of the second rule, to begin with.
    errors_of : callable
        Absolute error of each record by the rule before a row and by the one since it, each of shape
        (n_records,); None if there are not two rules.
    moments, min_before, min_since
        See :func:`best_break`.
    max_moves : int
        Times that the break is moved.
    """
    for _ in range(max_moves):
        errors = errors_of(row)
        moved = None if errors is None else best_break(*errors, moments, min_before, min_since)
        if moved is None or moved == row:
            return moved
        row = moved
    return row


def breaks_within(
    n_records: int, min_records: int, find: Callable[[int, int], int | None], start: int = 0
) -> list[int]:
    """All breaks, by binary segmentation: find one, then look on either side of it.

    A rule that comes back hides both of its breaks from one look at all records, so where that finds none,
    the halves are looked at, and the half in the middle.

    Parameters
    ----------
    n_records : int
        Number of records of the segment that begins at `start`.
    min_records : int
        Records from which a segment is searched.
    find : callable
        Finds the break of a segment, given its first row and the one after its last; None if it has none.
    start : int
        First row of the segment.
    """
    if n_records < min_records:
        return []
    row = find(start, start + n_records)
    if row is None and n_records >= 2 * min_records:
        half, quarter = n_records // 2, n_records // 4
        begins = (start, start + quarter, start + n_records - half)
        found = (find(first, first + half) for first in begins)
        row = next((row for row in found if row is not None), None)
    if row is None:
        return []
    return [
        *breaks_within(row - start, min_records, find, start),
        row,
        *breaks_within(start + n_records - row, min_records, find, row),
    ]


def clear_gain(unchanged: Floats, changed: Floats, min_deviations: float) -> bool:
    """Whether the mean error is lower under two rules by more than a number of standard errors.

    Parameters
    ----------
    unchanged, changed : ndarray of shape (n_records,)
        Absolute error of each record under a single rule, and under two rules.
    min_deviations : float
        Number of standard errors of the mean difference.
    """
    gains = unchanged - changed
    return bool(gains.mean() > min_deviations * gains.std() / np.sqrt(len(gains)))
