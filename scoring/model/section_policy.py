"""A section's own policy of quality, as its difference from the shared policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.conformal import ResidualDistribution
from scoring.model.rubric import Rubric

LABEL_STEP = 0.5  # points; rounding a label to an integer moves it by up to that much


class SectionPolicy(msgspec.Struct, frozen=True):
    """A section's own policy of quality, as its difference from the shared one.

    The quality of its records is ``scale_`` times the shared quality, plus the points of ``difference_``, and
    not below the floor of ``difference_``.

    Parameters
    ----------
    scale_ : float
        Points for each point of the shared quality.
    difference_ : Rubric
        Points that are added to the scaled shared quality; its terms are empty.
    errors_ : ResidualDistribution
        Residuals of the section's labelled records, predicted without their own labels.
    n_records_ : int
        Number of those records.
    providers_, topics_ : list of str
        Their provider domains and topics, sorted.
    constants_ : dict of str to float
        Columns that have the same value in all training records, with that value. The policy does not know
        what another value is worth.
    """

    scale_: float
    difference_: Rubric
    errors_: ResidualDistribution
    n_records_: int
    providers_: list[str]
    topics_: list[str]
    constants_: dict[str, float] = {}

    def points(self, table: FeatureTable) -> Floats:
        """Points that are added to the scaled shared quality, shape (n_records,)."""
        parts = list(self.difference_.parts(table).values())
        points: Floats = self.difference_.intercept_ + np.sum(parts, axis=0)
        return points

    def predict(self, table: FeatureTable, shared: Floats) -> Floats:
        """Quality of the section's records, shape (n_records,); points.

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records of the section.
        shared : ndarray of shape (n_records,)
            Their quality by the shared policy; points.
        """
        return np.maximum(self.scale_ * shared + self.points(table), self.difference_.floor_)

    def rubric(self, shared: Rubric) -> Rubric:
        """The rubric of the section: the shared one, scaled, plus the difference."""
        own, scale = self.difference_, self.scale_
        hinges = {}
        for name in {**shared.hinges_, **own.hinges_}:
            slopes: dict[float, float] = defaultdict(float)
            for knot, points in shared.hinges_.get(name, ()):
                slopes[knot] += scale * points
            for knot, points in own.hinges_.get(name, ()):
                slopes[knot] += points
            hinges[name] = sorted(slopes.items())
        levels = {
            kind: _sum(shared.levels_.get(kind, {}), own.levels_.get(kind, {}), scale)
            for kind in {**shared.levels_, **own.levels_}
        }
        terms = {
            topic: {term: scale * value for term, value in by.items()} for topic, by in shared.terms_.items()
        }
        return Rubric(
            scale * shared.intercept_ + own.intercept_,
            _sum(shared.numbers_, own.numbers_, scale),
            hinges,
            levels,
            terms,
            own.floor_,
        )

    def spread(self, table: FeatureTable, shared: Floats) -> Floats:
        """Scale of the error of the section's records, shape (n_records,); points.

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records of the section.
        shared : ndarray of shape (n_records,)
            Scale of the error by the shared policy; points.
        """
        spread = abs(self.scale_) * shared + LABEL_STEP * (1.0 + abs(self.scale_))
        if not self.errors_.foreign_spread_:
            return spread
        below = np.minimum(spread, np.nextafter(self.errors_.edges_[-1], 0.0))
        return np.where(self.is_novel(table), self.errors_.foreign_spread_, below)

    def is_novel(self, table: FeatureTable) -> NDArray[np.bool_]:
        """Whether a record has a value that no training record has, shape (n_records,)."""
        return is_other(table, self.constants_)


def _sum(shared: Mapping[str, float], own: Mapping[str, float], scale: float) -> dict[str, float]:
    return {name: scale * shared.get(name, 0.0) + own.get(name, 0.0) for name in {**shared, **own}}


def is_other(table: FeatureTable, constants: dict[str, float]) -> NDArray[np.bool_]:
    """Whether any column of a record differs from its constant, shape (n_records,)."""
    values = np.nan_to_num(table.columns(list(constants)))
    is_any: NDArray[np.bool_] = np.any(values != np.array(list(constants.values())), axis=1)
    return is_any
