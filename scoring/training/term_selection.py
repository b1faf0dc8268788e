"""Greedy selection of terms (a topic and words of the title) by reduction of the absolute error.

Matching pursuit (Mallat & Zhang, 1993) under absolute error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.training.lad_regression import Indices, ragged


class TermSelector:
    """Greedy search for the terms that reduce the absolute error of the residuals most.

    Parameters
    ----------
    terms : csr_array of shape (n_records, n_terms)
        1 where a record has a term.
    min_improved_ratio : float
        Minimum share of a term's records whose error its coefficient does not raise; 0 to 1.
    """

    def __init__(self, terms: csr_array, min_improved_ratio: float) -> None:
        self.min_improved_ratio = min_improved_ratio
        self._terms, self._records = terms, csr_array(terms.T)
        self._sizes = np.diff(self._records.indptr).astype(np.intp)

    def select(self, residual: Floats, min_gain: float) -> list[int]:
        """Select, one at a time, the terms that reduce the absolute error most.

        The coefficient of a term is the median residual of its records. The search ends when the best term
        gains less than `min_gain`.

        Parameters
        ----------
        residual : ndarray of shape (n_records,)
            Labels minus fitted values; points. Updated in place.
        min_gain : float
            Minimum total reduction of the absolute error; points.

        Returns
        -------
        list of int
            Columns of the selected terms.
        """
        # With equal labels every gain is 0: a positive minimum ends the search.
        min_gain = max(min_gain, 1e-9)
        chosen: dict[int, None] = {}
        if not len(self._sizes):
            return []
        order = np.argsort(residual)
        gains, coef = self._evaluate(np.arange(len(self._sizes)), residual, order, min_gain)
        while gains[best := int(np.argmax(gains))] >= min_gain:
            records = self._records.indices[slice(*self._records.indptr[best : best + 2])]
            residual[records] -= coef[best]
            chosen[best] = None
            starts = self._terms.indptr[records]
            touched = np.unique(self._terms.indices[ragged(starts, self._terms.indptr[records + 1] - starts)])
            # Mostly sorted already, so the stable sort is fast.
            order = order[np.argsort(residual[order], kind="stable")]
            gains[touched], coef[touched] = self._evaluate(touched, residual, order, min_gain)
        return list(chosen)

    def _evaluate(
        self, terms: Indices, residual: Floats, order: Indices, min_gain: float
    ) -> tuple[Floats, Floats]:
        """Total reduction of the absolute error by each term, and its coefficient; shapes (n_terms,).

        `order` sorts the residuals. Terms that cannot gain `min_gain` have a reduction of 0.
        """
        gains, coef = np.zeros(len(terms)), np.zeros(len(terms))
        candidates = self._may_gain(residual, min_gain)[terms]
        if not candidates.any():
            return gains, coef
        starts = self._records.indptr[terms[candidates]].astype(np.intp)
        sizes = self._sizes[terms[candidates]]
        term = np.arange(len(sizes)).repeat(sizes)
        records = self._records.indices[ragged(starts, sizes)]
        # Sort within each term by one integer key, several times as fast as by two keys.
        rank = np.empty(len(residual), dtype=np.intp)
        rank[order] = np.arange(len(residual))
        sorted_residual = residual[
            order[np.sort(term * len(residual) + rank[records]) - term * len(residual)]
        ]
        # Any median minimizes the absolute error: take the lower one.
        medians = sorted_residual[np.cumsum(sizes) - sizes + (sizes - 1) // 2]
        reduction = np.abs(sorted_residual) - np.abs(sorted_residual - medians[term])
        is_improving = np.bincount(term, reduction >= 0, len(sizes)) >= self.min_improved_ratio * sizes
        gains[candidates] = np.where(is_improving, np.bincount(term, reduction, len(sizes)), 0.0)
        coef[candidates] = medians
        return gains, coef

    def _may_gain(self, residual: Floats, min_gain: float) -> NDArray[np.bool_]:
        """Mask of the terms that could pass both minimums, by upper bounds that need no sorting.

        A coefficient improves only records whose residual has its sign, and none by more than the residual.
        """
        max_improved = (self._sizes + np.abs(self._records @ np.sign(residual))) / 2  # at most
        is_large_enough = self._records @ np.abs(residual) >= min_gain
        mask: NDArray[np.bool_] = is_large_enough & (max_improved >= self.min_improved_ratio * self._sizes)
        return mask
