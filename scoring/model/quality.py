"""Quality: what the rubric adds up, what a booster makes of the rest, and how sure both are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.conformal import MIN_SPREAD, ResidualDistribution
from scoring.model.rubric import Rubric

RUBRIC_COLUMN = "rubric_quality"


@dataclass(frozen=True, slots=True)
class QualityModel:
    """Predicts quality, its interval and its distribution of errors."""

    encoder: Encoder
    rubric: Rubric
    booster: Booster
    spread: Booster
    errors: ResidualDistribution

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the boosters, in order."""
        return (*self.encoder.names, RUBRIC_COLUMN)

    def matrix(self, table: FeatureTable) -> Floats:
        """Features of the boosters, shape (n_records, len(names)); the rubric's points in the last column."""
        return np.column_stack([self.encoder.transform(table), self.rubric.predict(table)])

    def predict(self, X: Floats, num_threads: int = 1) -> Floats:
        """Expected quality of a matrix's records, shape (n_records,); points."""
        return np.maximum(X[:, -1] + self.booster.predict(X, num_threads), self.rubric.floor_)

    def predict_spread(self, X: Floats, num_threads: int = 1) -> Floats:
        """Typical error of each, shape (n_records,); points, above 0."""
        spread = np.maximum(self.spread.predict(X, num_threads), MIN_SPREAD)
        foreign = self.errors.foreign_spread_
        if not foreign:
            return spread
        is_foreign = np.isnan(X[:, self.encoder.place_of("topic_section")])
        # Below the edge of the foreign group, whatever the booster says.
        return np.where(is_foreign, foreign, np.minimum(spread, self.errors.edges_[-1] - MIN_SPREAD))

    def interval(self, quality: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Low and high end for each record, shapes (n_records,); points."""
        half = self.errors.half_width_ * spread
        return np.maximum(quality - half, self.rubric.floor_), quality + half
