"""The words that are worth points under a topic: which of them to choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.model.absolute import ragged

Places = NDArray[np.intp]


class TermSearch:
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
        self._terms, self._records = terms, terms.tocsc()
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
        gains, points = self._weigh(np.arange(len(self._sizes)), left)
        while gains[best := int(np.argmax(gains))] >= min_gain:
            records = self._records.indices[slice(*self._records.indptr[best : best + 2])]
            left[records] -= points[best]
            chosen[best] = None
            starts = self._terms.indptr[records]
            touched = np.unique(self._terms.indices[ragged(starts, self._terms.indptr[records + 1] - starts)])
            gains[touched], points[touched] = self._weigh(touched, left)
        return list(chosen)

    def _weigh(self, terms: Places, left: Floats) -> tuple[Floats, Floats]:
        """Absolute error that each term takes away in all, and what it is worth; shapes (n_terms,)."""
        sizes = self._sizes[terms]
        at = ragged(self._records.indptr[terms].astype(np.intp), sizes)
        term = np.arange(len(terms)).repeat(sizes)
        missed = left[self._records.indices[at]]
        missed = missed[np.lexsort((missed, term))]
        # The lower median, which takes as much away as any other.
        points = missed[np.cumsum(sizes) - sizes + (sizes - 1) // 2]
        taken = np.abs(missed) - np.abs(missed - points[term])
        gains = np.bincount(term, taken, len(terms))
        is_pure = np.bincount(term, taken >= 0, len(terms)) >= self.min_purity * sizes
        return np.where(is_pure, gains, 0.0), points
