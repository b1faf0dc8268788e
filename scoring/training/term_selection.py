"""The words that are worth points under a topic: which of them to choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.training.lad_regression import Places, ragged


class TermSelector:
    """A greedy search for the terms that take most absolute error from what is left.

    Parameters
    ----------
    terms : csr_array of shape (n_records, n_terms)
        One where a record bears a term.
    min_purity : float
        Share of the records that bear a term whose error its points must not raise; 0 to 1.
    """

    def __init__(self, terms: csr_array, min_purity: float) -> None:
        self.min_purity = min_purity
        self._terms, self._records = terms, csr_array(terms.T)
        self._sizes = np.diff(self._records.indptr).astype(np.intp)

    def choose(self, left: Floats, min_gain: float) -> list[int]:
        """Terms that, one after another, take most absolute error from what is left.

        Each is worth the median of what its records miss. It ends where the best gains less than
        `min_gain` points in all.

        Parameters
        ----------
        left : ndarray of shape (n_records,)
            What the labels exceed the points by; the points of what is chosen are taken off.
        min_gain : float
            Points.

        Returns
        -------
        list of int
            Columns of the terms.
        """
        # Where all labels are alike nothing is left to gain, and a gain of nothing would be taken for ever.
        min_gain = max(min_gain, 1e-9)
        chosen: dict[int, None] = {}
        if not len(self._sizes):
            return []
        order = np.argsort(left)
        gains, points = self._weigh(np.arange(len(self._sizes)), left, order, min_gain)
        while gains[best := int(np.argmax(gains))] >= min_gain:
            records = self._records.indices[slice(*self._records.indptr[best : best + 2])]
            left[records] -= points[best]
            chosen[best] = None
            starts = self._terms.indptr[records]
            touched = np.unique(self._terms.indices[ragged(starts, self._terms.indptr[records + 1] - starts)])
            # Most are in order still: so this is soon done.
            order = order[np.argsort(left[order], kind="stable")]
            gains[touched], points[touched] = self._weigh(touched, left, order, min_gain)
        return list(chosen)

    def _weigh(self, terms: Places, left: Floats, order: Places, min_gain: float) -> tuple[Floats, Floats]:
        """Absolute error that each term takes away in all, and what it is worth; shapes (n_terms,).

        `order` is what sorts what is left. A term that cannot gain `min_gain` takes nothing away.
        """
        gains, points = np.zeros(len(terms)), np.zeros(len(terms))
        candidates = self._may_gain(left, min_gain)[terms]
        if not candidates.any():
            return gains, points
        starts = self._records.indptr[terms[candidates]].astype(np.intp)
        sizes = self._sizes[terms[candidates]]
        term = np.arange(len(sizes)).repeat(sizes)
        records = self._records.indices[ragged(starts, sizes)]
        # Sorted within each term: by whole numbers, which is several times as fast as by two keys.
        rank = np.empty(len(left), dtype=np.intp)
        rank[order] = np.arange(len(left))
        left_of = left[order[np.sort(term * len(left) + rank[records]) - term * len(left)]]
        # The lower median, which takes as much away as any other.
        medians = left_of[np.cumsum(sizes) - sizes + (sizes - 1) // 2]
        taken = np.abs(left_of) - np.abs(left_of - medians[term])
        is_pure = np.bincount(term, taken >= 0, len(sizes)) >= self.min_purity * sizes
        gains[candidates] = np.where(is_pure, np.bincount(term, taken, len(sizes)), 0.0)
        points[candidates] = medians
        return gains, points

    def _may_gain(self, left: Floats, min_gain: float) -> NDArray[np.bool_]:
        """Which terms may be pure and gain so much: most need not be sorted to see that they do not.

        Points help only records that miss something of their sign, and none by more than it misses.
        """
        n_helped = (self._sizes + np.abs(self._records @ np.sign(left))) / 2  # at most
        is_much = self._records @ np.abs(left) >= min_gain
        found: NDArray[np.bool_] = is_much & (n_helped >= self.min_purity * self._sizes)
        return found
