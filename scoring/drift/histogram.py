"""Histograms of feature values, and the Jensen-Shannon distance between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

N_PARTS = 5  # quantile bins; more are too noisy for a few dozen records
MAX_LEVELS = 20
Values = Floats | Sequence[tuple[str, ...]]
Counts = NDArray[np.int64]


class Histogram(msgspec.Struct, frozen=True):
    """Histogram of the values of one column.

    Parameters
    ----------
    family : str
        Family of the column: ``provider``, ``topic``, ``recency``, ``coverage``, ``content`` or ``scores``.
    counts_ : list of int
        Counts of the bins. Numbers: below all edges, at the first, up to each further one, above all,
        missing. Texts: each level, any other, none.
    edges_ : list of float
        Minimum, quantiles that split the values into :data:`N_PARTS` equal parts, maximum; empty for texts.
    levels_ : list of str
        The most frequent texts, at most :data:`MAX_LEVELS`; empty for numbers.

    Examples
    --------
    >>> has_image = Histogram.fit("content", np.array([0.0, 1.0, 1.0, np.nan]))
    >>> has_image.edges_, has_image.counts_
    ([0.0, 1.0], [0, 1, 2, 0, 1])
    >>> Histogram.fit("topic", [("Sea", "Gulls"), ("Sea",), ()]).counts_
    [2, 1, 0, 1]
    """

    family: str
    counts_: list[int]
    edges_: list[float] = []
    levels_: list[str] = []

    @classmethod
    def fit(cls, family: str, values: Values) -> Histogram:
        """Fit bins to the values (a number or some texts per record) and count them."""
        if isinstance(values, np.ndarray):
            present = values[~np.isnan(values)]
            quantile_levels = np.linspace(0, 1, N_PARTS + 1)
            # Edges are observed values, so that no step of a discrete column is split.
            edges = (
                np.unique(np.quantile(present, quantile_levels, method="lower")) if present.size else present
            )
            histogram = cls(family, [], [float(edge) for edge in edges])
        else:
            text_counts = Counter(text for row in values for text in row)
            frequent = sorted(text_counts, key=lambda text: (-text_counts[text], text))
            histogram = cls(family, [], [], frequent[:MAX_LEVELS])
        return msgspec.structs.replace(histogram, counts_=histogram.tally(values)[0].tolist())

    def tally(self, values: Values, groups: NDArray[np.intp] | None = None) -> Counts:
        """Count the values of each group in each bin.

        Parameters
        ----------
        values : ndarray of shape (n_records,), or sequence of tuple of str
            Values of the type that the bins were fitted on.
        groups : ndarray of int, shape (n_records,), optional
            Group of each record, from 0; default one group.

        Returns
        -------
        ndarray of int, shape (n_groups, n_bins)
        """
        groups = np.zeros(len(values), dtype=np.intp) if groups is None else groups
        if isinstance(values, np.ndarray):
            rows, bins, n_bins = self._number_bins(values)
        else:
            rows, bins, n_bins = self._text_bins(values)
        n_groups = int(groups.max(initial=0)) + 1
        counts = np.bincount(groups[rows] * n_bins + bins, minlength=n_groups * n_bins)
        return counts.reshape(n_groups, n_bins).astype(np.int64)

    def _number_bins(self, values: Floats) -> tuple[NDArray[Any], NDArray[np.intp], int]:
        edges = np.asarray(self.edges_)
        is_within = values >= edges[0] if edges.size else np.zeros(len(values), dtype=bool)
        bins = np.searchsorted(edges, values, side="left") + is_within
        missing_bin = len(edges) + 2
        return np.arange(len(values)), np.where(np.isnan(values), missing_bin, bins), missing_bin + 1

    def _text_bins(self, values: Sequence[tuple[str, ...]]) -> tuple[NDArray[Any], NDArray[np.intp], int]:
        bin_of = {level: index for index, level in enumerate(self.levels_)}
        other_bin = len(bin_of)
        pairs = [
            (row, bin_of.get(text, other_bin) if text is not None else other_bin + 1)
            for row, texts in enumerate(values)
            for text in texts or (None,)
        ]
        rows, bins = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        return rows, bins, other_bin + 2


def distance(counts: NDArray[Any], others: NDArray[Any]) -> Floats:
    """Jensen-Shannon distance between histograms over the same bins; 0 (equal) to 1 (disjoint).

    Bounded, and defined with empty bins, which small samples have (unlike the population stability index).
    D. M. Endres and J. E. Schindelin (2003), A new metric for probability distributions, IEEE Transactions
    on Information Theory 49; logarithms to base 2.

    Parameters
    ----------
    counts, others : ndarray of shape (..., n_bins)
        Counts of the bins; each row has a sum of 1 or more.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> distance(np.array([[5, 5], [10, 0]]), np.array([[50, 50], [0, 100]]))
    array([0., 1.])
    """
    first_shares = counts / counts.sum(axis=-1, keepdims=True)
    second_shares = others / others.sum(axis=-1, keepdims=True)
    mixture = (first_shares + second_shares) / 2
    divergence = (_relative_entropy(first_shares, mixture) + _relative_entropy(second_shares, mixture)) / 2
    distances: Floats = np.sqrt(np.maximum(divergence, 0.0))
    return distances


def _relative_entropy(shares: Floats, mixture: Floats) -> Floats:
    """Kullback-Leibler divergence in bits; empty bins add 0."""
    is_positive = shares > 0
    ratio = np.divide(shares, mixture, out=np.ones_like(shares), where=is_positive)
    divergence: Floats = (shares * np.log2(ratio)).sum(axis=-1)
    return divergence
