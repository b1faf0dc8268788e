"""Reference windows: typical differences between time windows of the training data, and drift limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

LEVEL = 0.99  # of the prediction limits
MIN_WINDOW = 10  # records
MIN_WINDOWS = 4  # per size, to compute a limit


class ReferenceLimits(msgspec.Struct, frozen=True):
    """Typical values and prediction limits of statistics, by window size.

    Parameters
    ----------
    sizes_ : list of int
        Sizes of the windows, ascending; records.
    usual_ : dict of str to list of float
        Mean of each statistic over the windows of each size.
    limits_ : dict of str to list of float
        Prediction limit at :data:`LEVEL` of each statistic, or family of them, for one more window.
    """

    sizes_: list[int]
    usual_: dict[str, list[float]]
    limits_: dict[str, list[float]]

    def typical(self, name: str, n_records: int) -> float:
        """Mean for a number of records, interpolated in the logarithm of the size."""
        return self._interpolate(self.usual_[name], n_records)

    def limit(self, name: str, n_records: int) -> float:
        """Limit for a number of records, interpolated in the logarithm of the size."""
        return self._interpolate(self.limits_[name], n_records)

    def _interpolate(self, values: list[float], n_records: int) -> float:
        return float(np.interp(np.log(max(n_records, 1)), np.log(self.sizes_), values))


class Means(msgspec.Struct, frozen=True):
    """Means over records, and limits of the shift of a window's mean.

    Parameters
    ----------
    means_ : dict of str to float
        Mean of each statistic.
    shifts_ : ReferenceLimits
        Typical value and two-sided limit of the shift.
    """

    means_: dict[str, float]
    shifts_: ReferenceLimits


def time_blocks(moments: NDArray[np.datetime64], sections: Sequence[str]) -> NDArray[np.intp]:
    """Block of :data:`MIN_WINDOW` consecutive records of each record, from 0, in order of time.

    Records are ordered by their relative rank within their section, so that every section is spread over
    all blocks. The first block may be short.

    Parameters
    ----------
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication; n_records >= 1.
    sections : sequence of str
        Section of each record.

    Returns
    -------
    ndarray of int, shape (n_records,)
    """
    relative_rank = np.empty(len(moments))
    record_sections = np.asarray(sections, dtype=object)
    for section in set(sections):
        rows = np.flatnonzero(record_sections == section)
        rows = rows[np.argsort(moments[rows], kind="stable")]
        relative_rank[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    blocks = np.empty(len(relative_rank), dtype=np.intp)
    blocks[np.argsort(relative_rank, kind="stable")[::-1]] = np.arange(len(relative_rank)) // MIN_WINDOW
    from_oldest: NDArray[np.intp] = blocks.max() - blocks
    return from_oldest


def later_half_start(blocks: NDArray[np.intp]) -> int:
    """First block of the later half of the blocks."""
    return (int(blocks.max()) + 1) // 2


def reference_windows(blocks: NDArray[np.intp], first: int) -> tuple[list[int], dict[int, NDArray[np.intp]]]:
    """Disjoint windows of 1, 2, 4, ... blocks, from block `first` on.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_records,)
        Blocks of :func:`time_blocks`.
    first : int
        First block of the windows.

    Returns
    -------
    sizes : list of int
        Sizes with :data:`MIN_WINDOWS` windows or more, ascending; records.
    begins : dict of int to ndarray of int
        First blocks of the windows, by size in blocks.

    Examples
    --------
    >>> sizes, begins = reference_windows(np.repeat(np.arange(9), 10), first=1)
    >>> sizes, {size: at.tolist() for size, at in begins.items()}
    ([10, 20], {1: [8, 7, 6, 5, 4, 3, 2, 1], 2: [7, 5, 3, 1]})
    """
    n_blocks, windows, size = int(blocks.max()) + 1, {}, 1
    while len(begins := np.arange(n_blocks - size, first - 1, -size)) >= MIN_WINDOWS:
        windows[size] = begins
        size *= 2
    return [size * MIN_WINDOW for size in windows], windows


def cumulative_sums(blocks: NDArray[Any]) -> Floats:
    """Cumulative sums along the first axis, starting with 0."""
    return np.concatenate([np.zeros_like(blocks[:1], dtype=float), np.cumsum(blocks, axis=0, dtype=float)])


def prediction_limit(values: Floats, *, least_scatter: float = 0.0) -> float:
    """Upper prediction limit at :data:`LEVEL` for one more value, by Student's t.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Observed values; n_values >= 2.
    least_scatter : float
        Minimum of the standard deviation.

    Examples
    --------
    >>> round(prediction_limit(np.array([1.0, 2.0, 3.0, 2.0])), 2)
    6.15
    """
    std = max(float(values.std(ddof=1)), least_scatter)
    factor = _student_t_quantile(len(values) - 1, LEVEL) * float(np.sqrt(1 + 1 / len(values)))
    return float(values.mean()) + factor * std


def shift_limit(values: Floats) -> float:
    """Two-sided prediction limit at :data:`LEVEL` around 0; see :func:`prediction_limit`.

    Examples
    --------
    >>> round(shift_limit(np.array([-1.0, 1.0, 1.0, -1.0])), 2)
    6.53
    """
    factor = _student_t_quantile(len(values) - 1, (1 + LEVEL) / 2) * float(np.sqrt(1 + 1 / len(values)))
    return factor * float(np.sqrt(np.mean(values**2)))


def _student_t_quantile(degrees_of_freedom: int, level: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit  # training needs scipy, scoring must not

    return float(stdtrit(degrees_of_freedom, level))


def fit_means(values: Mapping[str, Floats], blocks: NDArray[np.intp], *, first: int = 0) -> Means:
    """Fit means, and the limits of the shift between a window and the rest.

    Parameters
    ----------
    values : mapping of str to ndarray of shape (n_records,)
        Values of each statistic.
    blocks : ndarray of int, shape (n_records,)
        Blocks of :func:`time_blocks`.
    first : int
        First block to use.

    Returns
    -------
    Means
    """
    sizes, windows = reference_windows(blocks, first)
    counts = cumulative_sums(np.bincount(blocks))
    means: dict[str, float] = {}
    typical: dict[str, list[float]] = {}
    limits: dict[str, list[float]] = {}
    for name, column in values.items():
        sums = cumulative_sums(np.bincount(blocks, weights=column))
        total, n_records = sums[-1] - sums[first], counts[-1] - counts[first]
        shifts = []
        for size, begins in windows.items():
            window_sum = sums[begins + size] - sums[begins]
            window_count = counts[begins + size] - counts[begins]
            shifts.append(window_sum / window_count - (total - window_sum) / (n_records - window_count))
        means[name] = float(total / n_records)
        typical[name] = [float(np.abs(shift).mean()) for shift in shifts]
        limits[name] = []
        for shift in shifts:
            # Doubling a window shrinks the scatter of its mean by at most the root of two, so a few larger
            # windows that happen to agree must not lower the limit further.
            lower_bound = limits[name][-1] / 2**0.5 if limits[name] else 0.0
            limits[name].append(max(shift_limit(shift), lower_bound))
    return Means(means, ReferenceLimits(sizes, typical, limits))
