"""Quality model: additive rubric, boosted residual, policies of sections, prediction interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.features.encoding import Encoder
from scoring.features.table import NUMBER_INDEX, FeatureTable, Floats
from scoring.model.booster import Booster
from scoring.model.conformal import MIN_SPREAD, ResidualDistribution
from scoring.model.label_steps import LabelSteps
from scoring.model.marginalize import QualityDistribution
from scoring.model.rubric import Rubric
from scoring.model.section_policy import SectionPolicy

RUBRIC_COLUMN = "rubric_quality"


@dataclass(frozen=True, slots=True)
class QualityModel:
    """Predicts the quality, its interval and its residual distribution.

    The encoder, the rubric and the boosters make up the policy that sections share; ``policies`` holds those
    of the sections that differ from it. ``steps`` are those of the labels, if these are ratings.
    """

    encoder: Encoder
    rubric: Rubric
    booster: Booster
    spread: Booster
    errors: ResidualDistribution
    policies: Mapping[str, SectionPolicy] = field(default_factory=dict)
    steps: LabelSteps | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the boosters, in order."""
        return (*self.encoder.names, RUBRIC_COLUMN)

    def matrix(self, table: FeatureTable) -> Floats:
        """Features of the boosters, shape (n_records, len(names)); the rubric's prediction is last."""
        return np.column_stack([self.encoder.transform(table), self.rubric.predict(table)])

    def estimate(
        self, table: FeatureTable, num_threads: int = 1, *, regimes: NDArray[np.object_] | None = None
    ) -> tuple[Floats, Floats]:
        """Predicted quality, and scale of its error, by the policy of each record's section.

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records.
        num_threads : int
            Threads of the boosters.
        regimes : ndarray of str, shape (n_records,), optional
            Names by which the policies are looked up, for records of the past. Default: the sections.

        Returns
        -------
        quality, spread : ndarray of shape (n_records,)
            Points; the spread is above 0.
        """
        X = self.matrix(table)
        quality, spread = self.predict(X, num_threads), self.predict_spread(X, num_threads)
        for rows, policy in self.policies_of(table, regimes):
            part = table.take(rows)
            quality[rows] = policy.predict(part, quality[rows])
            spread[rows] = policy.spread(part, self.known_spread(X[rows], num_threads))
        return quality, spread

    def predict(self, X: Floats, num_threads: int = 1) -> Floats:
        """Quality by the shared policy, shape (n_records,); points."""
        return np.maximum(X[:, -1] + self.booster.predict(X, num_threads), self.rubric.floor_)

    def predict_spread(self, X: Floats, num_threads: int = 1) -> Floats:
        """Scale of the error of the shared policy, shape (n_records,); points, above 0."""
        spread = self.known_spread(X, num_threads)
        foreign_spread = self.errors.foreign_spread_
        if not foreign_spread:
            return spread
        is_unseen_section = np.isnan(X[:, self.encoder.place_of("topic_section")])
        # Known sections stay below the edge of the group of unseen sections.
        return np.where(
            is_unseen_section, foreign_spread, np.minimum(spread, self.errors.edges_[-1] - MIN_SPREAD)
        )

    def known_spread(self, X: Floats, num_threads: int) -> Floats:
        """Scale of the error if every section is known, shape (n_records,); points."""
        return np.maximum(self.spread.predict(X, num_threads), MIN_SPREAD)

    def is_of_unseen_section(self, table: FeatureTable) -> NDArray[np.bool_]:
        """Whether the training data lack the section of each record, shape (n_records,)."""
        known = [*self.encoder.levels_["topic_section"], *self.policies]
        return ~np.isin(table.text("topic_section"), np.array(known, dtype=object))

    def is_of_unseen_provider(self, table: FeatureTable) -> NDArray[np.bool_]:
        """Whether the training data lack the provider of each record, shape (n_records,)."""
        known = np.array([*self.encoder.providers_.counts_], dtype=object)
        return ~np.isin(table.text("provider_domain"), known)

    def policies_of(
        self, table: FeatureTable, regimes: NDArray[np.object_] | None = None
    ) -> Iterator[tuple[NDArray[np.intp], SectionPolicy]]:
        """Rows of a table whose section, or regime, has a policy of its own, with that policy."""
        if self.policies:
            sections = table.text("topic_section") if regimes is None else regimes
            for name, policy in self.policies.items():
                rows = np.flatnonzero(sections == name)
                if len(rows):
                    yield rows, policy

    def unknown(self, domain: str, section: str, topics: tuple[str, ...]) -> list[str]:
        """Describe provider, section and topics of a record that were not in the training records."""
        policy = self.policies.get(section)
        if policy is None:
            return self.encoder.unknown(domain, section, topics)
        return self.encoder.unknown(
            "" if domain in policy.providers_ else domain,
            section,
            tuple(topic for topic in topics if topic not in policy.topics_),
            is_section_known=True,
        )

    def novel_values(self, section: str, numbers: Sequence[float]) -> list[str]:
        """Describe the values of a record that no training record has, if its section has its own policy.

        Parameters
        ----------
        section : str
            Its section.
        numbers : sequence of float
            Its values of :data:`scoring.features.table.NUMBER_COLUMNS`.
        """
        policy = self.policies.get(section)
        if policy is None:
            return []
        values = ((name, numbers[NUMBER_INDEX[name]], known) for name, known in policy.constants_.items())
        return [
            f"value unknown to the model: {name} {value:g}"
            for name, value, known in values
            if (0.0 if np.isnan(value) else value) != known
        ]

    def floors(self, table: FeatureTable) -> Floats:
        """Lowest quality of each record's section, shape (n_records,); points."""
        floors = np.full(len(table), self.rubric.floor_)
        for rows, policy in self.policies_of(table):
            floors[rows] = policy.difference_.floor_
        return floors

    def half_widths(
        self, table: FeatureTable, spread: Floats, regimes: NDArray[np.object_] | None = None
    ) -> Floats:
        """Half width of the interval of each record, shape (n_records,); points."""
        half_widths = self.errors.half_width_ * spread
        if self.errors.unseen_provider_half_width_:
            wide = np.maximum(half_widths, self.errors.unseen_provider_half_width_)
            half_widths = np.where(self.is_of_unseen_provider(table), wide, half_widths)
        for rows, policy in self.policies_of(table, regimes):
            half_widths[rows] = policy.errors_.half_width_ * spread[rows]
        return half_widths

    def interval(self, table: FeatureTable, quality: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Lower and upper ends of the interval, shapes (n_records,); points."""
        half_widths = self.half_widths(table, spread)
        return np.maximum(quality - half_widths, self.floors(table)), quality + half_widths

    def distribution(self, table: FeatureTable, quality: Floats, spread: Floats) -> QualityDistribution:
        """Distribution of the quality around its estimate."""
        support, probabilities = self.errors.spread_out(quality, spread)
        for rows, policy in self.policies_of(table):
            own = policy.errors_.spread_out(quality[rows], spread[rows])
            n_more = own[0].shape[1] - support.shape[1]
            if n_more > 0:  # values without probability make the rows equally long
                support = np.column_stack([support, np.repeat(quality[:, None], n_more, axis=1)])
                probabilities = np.pad(probabilities, ((0, 0), (0, n_more)))
            n_own = own[0].shape[1]
            support[rows, :n_own], probabilities[rows, :n_own] = own
            support[rows, n_own:], probabilities[rows, n_own:] = quality[rows, None], 0.0
        return QualityDistribution(quality, np.maximum(support, self.floors(table)[:, None]), probabilities)
