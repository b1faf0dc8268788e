"""How far records of a site differ from one stretch of time to the next: only more than that is drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

LEVEL = 0.99  # share of windows that lie within a limit
MIN_WINDOW = 10  # records
MIN_WINDOWS = 4  # of a size, for a limit


class ReferenceLimits(msgspec.Struct, frozen=True):
    """What windows of so many records show by themselves.

    Parameters
    ----------
    sizes_ : list of int
        Sizes of the windows, ascending; records.
    usual_ : dict of str to list of float
        What is measured: its mean over the windows of each size.
    limits_ : dict of str to list of float
        The same or families of it: what one more window stays below in :data:`LEVEL` of cases.
    """

    sizes_: list[int]
    usual_: dict[str, list[float]]
    limits_: dict[str, list[float]]

    def usual(self, name: str, n_records: int) -> float:
        """The mean for so many records: between sizes by their logarithm, beyond them that of the nearest."""
        return self._at(self.usual_[name], n_records)

    def limit(self, name: str, n_records: int) -> float:
        """The limit for so many records, likewise."""
        return self._at(self.limits_[name], n_records)

    def _at(self, values: list[float], n_records: int) -> float:
        return float(np.interp(np.log(max(n_records, 1)), np.log(self.sizes_), values))


class Means(msgspec.Struct, frozen=True):
    """Means over records, and how far those of windows of them are from the rest's.

    Parameters
    ----------
    means_ : dict of str to float
        By what is averaged.
    shifts_ : ReferenceLimits
        Usual and limit of the distance, on either side.
    """

    means_: dict[str, float]
    shifts_: ReferenceLimits


def time_blocks(moments: NDArray[np.datetime64], sections: Sequence[str]) -> NDArray[np.intp]:
    """Which stretch of :data:`MIN_WINDOW` records each record lies in, from 0, in the order of time.

    Records stand by their place within their section, so that a section whose records end earlier than
    another's is spread over all blocks. Where the number does not divide, the first block is short.

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
    place = np.empty(len(moments))
    names = np.asarray(sections, dtype=object)
    for section in set(sections):
        rows = np.flatnonzero(names == section)
        rows = rows[np.argsort(moments[rows], kind="stable")]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    blocks = np.empty(len(place), dtype=np.intp)
    blocks[np.argsort(place, kind="stable")[::-1]] = np.arange(len(place)) // MIN_WINDOW
    from_first: NDArray[np.intp] = blocks.max() - blocks
    return from_first


def half(blocks: NDArray[np.intp]) -> int:
    """First block of the later half."""
    return (int(blocks.max()) + 1) // 2


def windows_of(blocks: NDArray[np.intp], first: int) -> tuple[list[int], dict[int, NDArray[np.intp]]]:
    """Windows side by side of 1, 2, 4, ... blocks, from block `first` on.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_records,)
        As :func:`time_blocks` gives them.
    first : int
        Block before which no window begins.

    Returns
    -------
    sizes : list of int
        Sizes of which there are :data:`MIN_WINDOWS` or more, ascending; records.
    begins : dict of int to ndarray of int
        First blocks of the windows, by their size in blocks.

    Examples
    --------
    >>> sizes, begins = windows_of(np.repeat(np.arange(9), 10), first=1)
    >>> sizes, {size: at.tolist() for size, at in begins.items()}
    ([10, 20], {1: [8, 7, 6, 5, 4, 3, 2, 1], 2: [7, 5, 3, 1]})
    """
    n_blocks, windows, size = int(blocks.max()) + 1, {}, 1
    while len(begins := np.arange(n_blocks - size, first - 1, -size)) >= MIN_WINDOWS:
        windows[size] = begins
        size *= 2
    return [size * MIN_WINDOW for size in windows], windows


def cumulated(blocks: NDArray[Any]) -> Floats:
    """Sums over the blocks before each, and over all, along the first axis."""
    return np.concatenate([np.zeros_like(blocks[:1], dtype=float), np.cumsum(blocks, axis=0, dtype=float)])


def prediction_limit(values: Floats, *, least_scatter: float = 0.0) -> float:
    """What one more value stays below in :data:`LEVEL` of cases: a prediction limit by Student's t.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        What was seen; n_values >= 2.
    least_scatter : float
        Standard deviation that is taken where the values show less.

    Examples
    --------
    >>> round(next_limit(np.array([1.0, 2.0, 3.0, 2.0])), 2)
    6.15
    """
    scatter = max(float(values.std(ddof=1)), least_scatter)
    reach = _student(len(values) - 1, LEVEL) * float(np.sqrt(1 + 1 / len(values)))
    return float(values.mean()) + reach * scatter


def next_shift(values: Floats) -> float:
    """How far from 0 one more value stays in :data:`LEVEL` of cases: see :func:`prediction_limit`.

    Examples
    --------
    >>> round(next_shift(np.array([-1.0, 1.0, 1.0, -1.0])), 2)
    6.53
    """
    reach = _student(len(values) - 1, (1 + LEVEL) / 2) * float(np.sqrt(1 + 1 / len(values)))
    return reach * float(np.sqrt(np.mean(values**2)))


def _student(n_free: int, level: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit  # learned with, not scored with

    return float(stdtrit(n_free, level))


def fit_means(values: Mapping[str, Floats], blocks: NDArray[np.intp], *, first: int = 0) -> Means:
    """Learn means, and how far windows are from the rest.

    Parameters
    ----------
    values : mapping of str to ndarray of shape (n_records,)
        What is averaged, by name.
    blocks : ndarray of int, shape (n_records,)
        As :func:`time_blocks` gives them.
    first : int
        Block before which records are left out.

    Returns
    -------
    Means
    """
    sizes, windows = windows_of(blocks, first)
    counts = cumulated(np.bincount(blocks))
    means: dict[str, float] = {}
    usual: dict[str, list[float]] = {}
    limits: dict[str, list[float]] = {}
    for name, each in values.items():
        sums = cumulated(np.bincount(blocks, weights=each))
        total, n_records = sums[-1] - sums[first], counts[-1] - counts[first]
        shifts = []
        for size, begins in windows.items():
            part, n_part = sums[begins + size] - sums[begins], counts[begins + size] - counts[begins]
            shifts.append(part / n_part - (total - part) / (n_records - n_part))
        means[name] = float(total / n_records)
        usual[name] = [float(np.abs(shift).mean()) for shift in shifts]
        limits[name] = []
        for shift in shifts:
            # Means of twice as many records that have nothing to do with one another are nearer by the root
            # of two, none are by more: a few windows that happen to agree do not tell otherwise.
            least = limits[name][-1] / 2**0.5 if limits[name] else 0.0
            limits[name].append(max(next_shift(shift), least))
    return Means(means, ReferenceLimits(sizes, usual, limits))
