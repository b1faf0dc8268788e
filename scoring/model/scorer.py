"""A loaded model: records in, scores out. Library, command line, service and MLflow all score here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from scoring.features.as_of import AsOf
from scoring.features.extraction import Extracted, extracted
from scoring.features.table import FeatureTable, Floats, assemble
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.marginalize import QualityDistribution, marginalize
from scoring.model.score import Score
from scoring.records.record import Document

BATCH = 512
N_AHEAD = 2
"""Batches that threads work at beside the one that is taken."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Scores of `n_records` records as columns, each an ndarray of shape (n_records,)."""

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
        Name and version, as it stands in each score.
    models : FittedComponents
        The fitted parts.
    """

    name: str
    models: FittedComponents

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
        X = quality_model.matrix(table)
        floor = quality_model.rubric.floor_
        expected, spread = quality_model.predict(X, num_threads), quality_model.predict_spread(X, num_threads)
        low, high = quality_model.interval(expected, spread)
        quality = np.round(expected)
        atoms, weights = quality_model.errors.spread_out(quality, spread)
        chances = QualityDistribution(quality, np.maximum(atoms, floor), weights)
        now, settled = marginalize(self.models.cascade, self.models.forecast, table, chances, num_threads)
        is_lead = now.lead_probability >= thresholds.lead
        return Predictions(
            quality,
            np.minimum(np.round(low, 1), quality),
            np.maximum(np.round(high, 1), quality),
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
        """Score documents in their order, some at a time.

        Parameters
        ----------
        documents : iterable of Document
            Their labels are not looked at.
        as_of : datetime, timedelta or None
            Coverage newer than this moment (aware UTC, or so long after publication) is unseen; without it
            records are taken as they stand.

        Yields
        ------
        Score
        """
        return self.score_features(extracted(document, as_of) for document in documents)

    def score_features(
        self, records: Iterable[Extracted], executor: Executor | None = None
    ) -> Iterator[Score]:
        """Score records by their features, in their order, some at a time.

        Parameters
        ----------
        records : iterable of Extracted
            As :func:`scoring.features.extraction.read_features` gives them.
        executor : Executor, optional
            Threads in which the next batches are looked at while those before are taken.

        Yields
        ------
        Score
        """
        waiting = iter(records)
        batches = iter(lambda: tuple(islice(waiting, BATCH)), ())
        if executor is None:
            for batch in batches:
                yield from self.scores_of(batch, self._predict(batch))
            return
        begun: deque[tuple[tuple[Extracted, ...], Future[Predictions]]] = deque()
        for batch in batches:
            begun.append((batch, executor.submit(self._predict, batch)))
            if len(begun) > N_AHEAD:
                first, predictions = begun.popleft()
                yield from self.scores_of(first, predictions.result())
        for batch, predictions in begun:
            yield from self.scores_of(batch, predictions.result())

    def _predict(self, batch: tuple[Extracted, ...]) -> Predictions:
        return self.predict(assemble([one.row for one in batch]))

    def scores_of(self, batch: Sequence[Extracted], predictions: Predictions) -> Iterator[Score]:
        """The scores of records, given what :meth:`predict` says of the table of their rows."""
        for row, record in enumerate(batch):
            yield Score(
                path=record.path,
                quality=int(predictions.quality[row]),
                quality_low=float(predictions.quality_low[row]),
                quality_high=float(predictions.quality_high[row]),
                heat=int(predictions.heat[row]),
                heat_expected=round(float(predictions.heat_expected[row]), 1),
                heat_settled=round(float(predictions.heat_settled[row]), 1),
                lead_probability=probability(predictions.lead_probability[row]),
                published=bool(predictions.published[row]),
                published_probability=probability(predictions.published_probability[row]),
                lead_settled_probability=probability(predictions.lead_settled_probability[row]),
                published_settled_probability=probability(predictions.published_settled_probability[row]),
                model=self.name,
                warnings=(*record.warnings, *self.warnings(record)),
            )

    def warnings(self, record: Extracted) -> list[str]:
        """What the model does not know of a record, in words."""
        (domain, *_), _, topics, _ = record.row
        notes = self.models.quality.encoder.unknown(domain, topics)
        if record.n_unscored:
            notes.append(f"coverage without a quality: {record.n_unscored}")
        return notes


def probability(value: float) -> float:
    """Four digits: more would be noise."""
    return round(min(max(float(value), 0.0), 1.0), 4)
