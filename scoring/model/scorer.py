"""Scorer: batch prediction of records by a fitted model, shared by every interface."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from scoring.features.as_of import AsOf
from scoring.features.extraction import Extracted, extracted
from scoring.features.sections import SectionRule
from scoring.features.table import FeatureTable, Floats, assemble
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.label_steps import LabelSteps
from scoring.model.leaders import scored_with_one_leader
from scoring.model.marginalize import QualityDistribution, marginalize
from scoring.model.score import Score
from scoring.model.targets import TARGETS, Targets
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document

BATCH = 512
N_AHEAD = 2
"""Batches predicted ahead of the one being consumed."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of `n_records` records as columns, each an ndarray of shape (n_records,).

    Those of labels that the model has not learned are stand-ins, which are not for reading.
    """

    quality: Floats
    quality_low: Floats
    quality_high: Floats
    lead_probability: Floats
    is_lead: NDArray[np.bool_]
    heat: Floats
    heat_expected: Floats
    published: NDArray[np.bool_]
    published_probability: Floats
    lead_settled_probability: Floats
    heat_settled_if_lead: Floats
    heat_settled: Floats
    published_settled_probability: Floats


@dataclass(frozen=True, slots=True)
class Scorer:
    """Fitted models under a name.

    Parameters
    ----------
    name : str
        Name and version, as in each score.
    models : FittedComponents
        The fitted components.
    """

    name: str
    models: FittedComponents

    @property
    def sections(self) -> SectionRule:
        """How the section of a record is found."""
        return self.models.quality.encoder.sections_

    @property
    def reads_bodies(self) -> bool:
        """Whether the model has features of the text below the front matter."""
        return bool(self.models.quality.encoder.body_names)

    @property
    def field_map(self) -> FieldMap | None:
        """Field map of records whose archive has none; None for scoring's own layout."""
        return self.models.field_map

    @property
    def targets(self) -> Targets:
        """Labels that the model has learned."""
        return self.models.targets

    def predict(self, table: FeatureTable, num_threads: int = 1) -> Predictions:
        """Score a feature table.

        Parameters
        ----------
        table : FeatureTable
            Features of `n_records` records.
        num_threads : int
            Threads of the boosters.

        Returns
        -------
        Predictions
        """
        quality_model, thresholds = self.models.quality, self.models.thresholds
        expected, spread = quality_model.estimate(table, num_threads)
        interval = quality_model.interval(table, expected, spread)
        quality, low, high = rounded(expected, *interval, quality_model.steps)
        if set(self.targets) == {"published"}:  # the quality is a stand-in that nothing depends on
            distribution = QualityDistribution.exact(quality)
        else:
            distribution = quality_model.distribution(table, np.round(expected), spread)
            distribution = replace(distribution, quality=quality)
        now, settled = marginalize(
            self.models.cascade, self.models.forecast, table, distribution, num_threads
        )
        is_lead = now.lead_probability >= thresholds.lead
        return Predictions(
            quality,
            low,
            high,
            now.lead_probability,
            is_lead,
            np.where(is_lead, np.round(now.heat_if_lead), NOT_LEADING),
            now.heat_expected,
            now.published_probability >= thresholds.published,
            now.published_probability,
            settled.lead_probability,
            settled.heat_if_lead,
            settled.heat_expected,
            settled.published_probability,
        )

    def score(self, documents: Iterable[Document], as_of: AsOf = None) -> Iterator[Score]:
        """Score documents in order, in batches, each by itself.

        Parameters
        ----------
        documents : iterable of Document
            Documents; their labels are ignored.
        as_of : datetime, timedelta or None
            Coverage later than this moment (aware UTC, or an age after publication) is ignored; None uses all
            coverage.

        Yields
        ------
        Score
        """
        return self.score_features(extracted(document, as_of, self.sections) for document in documents)

    def score_together(self, documents: Iterable[Document], as_of: AsOf = None) -> Iterator[Score]:
        """Score documents that are asked for together, in order: each story has one leader.

        Parameters
        ----------
        documents : iterable of Document
            Documents; their labels are ignored.
        as_of : datetime, timedelta or None
            As in :meth:`score`.

        Yields
        ------
        Score
            Where the training labels show one leader a story, only the most probable lead of those that list
            each other leads, and the first score is yielded after all are known.
        """
        records = (extracted(document, as_of, self.sections) for document in documents)
        return scored_with_one_leader(self, records, self.models.leaders)

    def score_features(
        self, records: Iterable[Extracted], executor: Executor | None = None
    ) -> Iterator[Score]:
        """Score records by their features, in order, in batches.

        Parameters
        ----------
        records : iterable of Extracted
            Records from :func:`scoring.features.reading.read_features`.
        executor : Executor, optional
            Executor that predicts the next batches while earlier ones are consumed.

        Yields
        ------
        Score
        """
        remaining = iter(records)
        batches = iter(lambda: tuple(islice(remaining, BATCH)), ())
        if executor is None:
            for batch in batches:
                yield from self.scores_of(batch, self._predict(batch))
            return
        running: deque[tuple[tuple[Extracted, ...], Future[Predictions]]] = deque()
        for batch in batches:
            running.append((batch, executor.submit(self._predict, batch)))
            if len(running) > N_AHEAD:
                first, predictions = running.popleft()
                yield from self.scores_of(first, predictions.result())
        for batch, predictions in running:
            yield from self.scores_of(batch, predictions.result())

    def _predict(self, batch: tuple[Extracted, ...]) -> Predictions:
        return self.predict(assemble([record.row for record in batch]))

    def scores_of(self, batch: Sequence[Extracted], predictions: Predictions) -> Iterator[Score]:
        """Scores of a batch from its predictions."""
        has_quality, has_heat, has_published = (name in self.targets for name in TARGETS)
        is_settled = self.targets == TARGETS
        for row, record in enumerate(batch):
            now, settled = predictions.published_probability, predictions.published_settled_probability
            yield Score(
                path=record.path,
                quality=int(predictions.quality[row]) if has_quality else None,
                quality_low=float(predictions.quality_low[row]) if has_quality else None,
                quality_high=float(predictions.quality_high[row]) if has_quality else None,
                heat=int(predictions.heat[row]) if has_heat else None,
                heat_expected=round(float(predictions.heat_expected[row]), 1) if has_heat else None,
                heat_settled=round(float(predictions.heat_settled[row]), 1) if has_heat else None,
                lead_probability=probability(predictions.lead_probability[row]) if has_heat else None,
                published=bool(predictions.published[row]) if has_published else None,
                published_probability=probability(now[row]) if has_published else None,
                lead_settled_probability=probability(predictions.lead_settled_probability[row])
                if has_heat
                else None,
                published_settled_probability=probability(settled[row]) if is_settled else None,
                model=self.name,
                warnings=(*record.warnings, *self.warnings(record)),
            )

    def warnings(self, record: Extracted) -> list[str]:
        """Warnings about inputs of a record that the model does not know."""
        (domain, *_, section, _), numbers, topics, _ = record.row
        quality = self.models.quality
        warnings = [*quality.unknown(domain, section, topics), *quality.novel_values(section, numbers)]
        warnings += quality.encoder.missing_body(len(numbers))
        if record.n_unscored and "quality" in self.targets:
            warnings.append(f"coverage without a quality: {record.n_unscored}")
        return warnings


def probability(value: float) -> float:
    """Clip to 0 to 1 and round to four digits."""
    return round(min(max(float(value), 0.0), 1.0), 4)


def rounded(
    expected: Floats, low: Floats, high: Floats, steps: LabelSteps | None = None
) -> tuple[Floats, Floats, Floats]:
    """Quality as scores have it, a whole number, and the ends of its interval in tenths; points.

    Of ratings, the nearest one, and the lowest and highest one in the interval.
    """
    if steps is not None:
        quality, (low, high) = steps.nearest(expected), steps.inside(low, high)
    else:
        quality = np.round(expected)
    return quality, np.minimum(np.round(low, 1), quality), np.maximum(np.round(high, 1), quality)
