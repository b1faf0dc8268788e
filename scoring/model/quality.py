"""Quality model: additive rubric, boosted residual, prediction interval."""

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
    """Predicts the quality, its interval and its residual distribution."""

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
        """Features of the boosters, shape (n_records, len(names)); the rubric's prediction is last."""
        return np.column_stack([self.encoder.transform(table), self.rubric.predict(table)])

    def predict(self, X: Floats, num_threads: int = 1) -> Floats:
        """Predicted quality, shape (n_records,); points."""
        return np.maximum(X[:, -1] + self.booster.predict(X, num_threads), self.rubric.floor_)

    def predict_spread(self, X: Floats, num_threads: int = 1) -> Floats:
        """Predicted scale of the error, shape (n_records,); points, above 0."""
        spread = np.maximum(self.spread.predict(X, num_threads), MIN_SPREAD)
        foreign_spread = self.errors.foreign_spread_
        if not foreign_spread:
            return spread
        is_unseen_section = np.isnan(X[:, self.encoder.place_of("topic_section")])
        # Known sections stay below the edge of the group of unseen sections.
        return np.where(
            is_unseen_section, foreign_spread, np.minimum(spread, self.errors.edges_[-1] - MIN_SPREAD)
        )

    def interval(self, quality: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends of the interval, shapes (n_records,); points."""
        half_width = self.errors.half_width_ * spread
        return np.maximum(quality - half_width, self.rubric.floor_), quality + half_width
