"""How the values of a column spread over bins, and how far two such spreads lie apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats

N_PARTS = 5  # of equal number; more of them tell less of some dozen records
MAX_LEVELS = 20
Values = Floats | Sequence[tuple[str, ...]]
Counts = NDArray[np.int64]


class Histogram(msgspec.Struct, frozen=True):
    """Where the values of one column fell.

    Parameters
    ----------
    family : str
        Family of the column: ``provider``, ``topic``, ``recency``, ``coverage``, ``content`` or ``scores``.
    counts_ : list of int
        Values in each bin. Of a number: below all edges, at the first, up to each further one, above all,
        missing. Of texts: each level, any other, none.
    edges_ : list of float
        Lowest value, those that part the values into :data:`N_PARTS` of equal number, highest value; empty
        for texts.
    levels_ : list of str
        The most frequent texts, at most :data:`MAX_LEVELS`; empty for numbers.

    Examples
    --------
    >>> has_image = Bins.fit("content", np.array([0.0, 1.0, 1.0, np.nan]))
    >>> has_image.edges_, has_image.counts_
    ([0.0, 1.0], [0, 1, 2, 0, 1])
    >>> Bins.fit("topic", [("Sea", "Gulls"), ("Sea",), ()]).counts_
    [2, 1, 0, 1]
    """

    family: str
    counts_: list[int]
    edges_: list[float] = []
    levels_: list[str] = []

    @classmethod
    def fit(cls, family: str, values: Values) -> Histogram:
        """Learn bins from one value (a number, or some texts) of each of `n_records` records, and count."""
        if isinstance(values, np.ndarray):
            known = values[~np.isnan(values)]
            parts = np.linspace(0, 1, N_PARTS + 1)
            # Observed values, so that a step of a stepwise column is never parted from itself.
            edges = np.unique(np.quantile(known, parts, method="lower")) if known.size else known
            bins = cls(family, [], [float(edge) for edge in edges])
        else:
            texts = Counter(text for row in values for text in row)
            frequent = sorted(texts, key=lambda text: (-texts[text], text))
            bins = cls(family, [], [], frequent[:MAX_LEVELS])
        return msgspec.structs.replace(bins, counts_=bins.tally(values)[0].tolist())

    def tally(self, values: Values, groups: NDArray[np.intp] | None = None) -> Counts:
        """Values of each group in each bin.

        Parameters
        ----------
        values : ndarray of shape (n_records,), or sequence of tuple of str
            Of the kind that the bins were fitted on.
        groups : ndarray of int, shape (n_records,), optional
            Group of each record, from 0; all are of one if not given.

        Returns
        -------
        ndarray of int, shape (n_groups, n_bins)
        """
        groups = np.zeros(len(values), dtype=np.intp) if groups is None else groups
        if isinstance(values, np.ndarray):
            rows, places, n_bins = self._places_of_numbers(values)
        else:
            rows, places, n_bins = self._places_of_texts(values)
        n_groups = int(groups.max(initial=0)) + 1
        counts = np.bincount(groups[rows] * n_bins + places, minlength=n_groups * n_bins)
        return counts.reshape(n_groups, n_bins).astype(np.int64)

    def _places_of_numbers(self, values: Floats) -> tuple[NDArray[Any], NDArray[np.intp], int]:
        edges = np.asarray(self.edges_)
        is_within = values >= edges[0] if edges.size else np.zeros(len(values), dtype=bool)
        places = np.searchsorted(edges, values, side="left") + is_within
        missing = len(edges) + 2
        return np.arange(len(values)), np.where(np.isnan(values), missing, places), missing + 1

    def _places_of_texts(
        self, values: Sequence[tuple[str, ...]]
    ) -> tuple[NDArray[Any], NDArray[np.intp], int]:
        place = {level: at for at, level in enumerate(self.levels_)}
        other = len(place)
        pairs = [
            (row, place.get(text, other) if text is not None else other + 1)
            for row, texts in enumerate(values)
            for text in texts or (None,)
        ]
        rows, places = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        return rows, places, other + 2


def distance(counts: NDArray[Any], others: NDArray[Any]) -> Floats:
    """Jensen-Shannon distance between two spreads over the same bins; 0 (alike) to 1 (nothing shared).

    It is bounded, and defined where a bin is empty on one side, as many are of some dozen records
    (a population stability index is not). D. M. Endres and J. E. Schindelin (2003), A new metric for
    probability distributions, IEEE Transactions on Information Theory 49; logarithms to base 2.

    Parameters
    ----------
    counts, others : ndarray of shape (..., n_bins)
        Values in each bin; each row has one or more.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> distance(np.array([[5, 5], [10, 0]]), np.array([[50, 50], [0, 100]]))
    array([0., 1.])
    """
    shares = counts / counts.sum(axis=-1, keepdims=True)
    other_shares = others / others.sum(axis=-1, keepdims=True)
    middle = (shares + other_shares) / 2
    divergence = (_relative_entropy(shares, middle) + _relative_entropy(other_shares, middle)) / 2
    root: Floats = np.sqrt(np.maximum(divergence, 0.0))
    return root


def _relative_entropy(shares: Floats, middle: Floats) -> Floats:
    """Kullback-Leibler divergence in bits; a bin with no share adds nothing."""
    is_there = shares > 0
    ratio = np.divide(shares, middle, out=np.ones_like(shares), where=is_there)
    total: Floats = (shares * np.log2(ratio)).sum(axis=-1)
    return total
