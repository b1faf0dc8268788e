"""Error analysis: worst quality errors with reasons, and mean feature contributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from scoring.evaluation.metrics import PredictionColumns
from scoring.explanation.attribution import Contribution, mean_contributions, quality_reasons
from scoring.explanation.results import Reason
from scoring.features.as_of import AsOf
from scoring.features.table import FeatureTable
from scoring.model.quality import QualityModel
from scoring.records.record import Document

N_MISSES = 10


class WorstError(msgspec.Struct, frozen=True, kw_only=True):
    """A record with a large quality error.

    Parameters
    ----------
    path : str
        Where the record was found.
    day : str
        Date of publication, ``YYYY-MM-DD``.
    provider : str
        Domain of the provider; empty where unknown.
    quality : int
        The label; points.
    predicted, low, high : float
        Predicted quality, and its 90 % interval; points.
    reasons : tuple of Reason
        Contributions to the predicted quality, in points, the largest first.
    """

    path: str
    day: str
    provider: str
    quality: int
    predicted: float
    low: float
    high: float
    reasons: tuple[Reason, ...]

    @property
    def error(self) -> float:
        """Predicted minus true quality; points."""
        return self.predicted - self.quality


class ErrorAnalysis(NamedTuple):
    """Worst quality errors, and mean contribution of each feature."""

    misses: tuple[WorstError, ...]
    contributions: tuple[Contribution, ...]


def analyse_errors(
    model: QualityModel,
    documents: Sequence[Document],
    table: FeatureTable,
    predictions: PredictionColumns,
    as_of: AsOf = None,
) -> ErrorAnalysis:
    """Analyse the errors of predictions of quality; empty for a model without it.

    Parameters
    ----------
    model, documents, predictions, as_of
        See :func:`worst_misses`.
    table : FeatureTable
        Features of the documents as of `as_of`.
    """
    if "quality_predicted" not in predictions:
        return ErrorAnalysis((), ())
    misses = worst_misses(model, documents, predictions, as_of)
    return ErrorAnalysis(misses, mean_contributions(model, table))


def worst_misses(
    model: QualityModel, documents: Sequence[Document], predictions: PredictionColumns, as_of: AsOf = None
) -> tuple[WorstError, ...]:
    """The :data:`N_MISSES` records with the largest absolute quality error, the worst first.

    Parameters
    ----------
    model : QualityModel
        Model that made the predictions.
    documents : sequence of Document
        The `n_records` records.
    predictions : mapping of str to ndarray of shape (n_records,)
        As in :class:`scoring.evaluation.results.Evaluation`, in the order of the documents.
    as_of : datetime, timedelta or None
        Time that the predictions are as of.
    """
    abs_error = np.abs(predictions["quality_predicted"].astype(float) - predictions["quality"].astype(float))
    worst = sorted(
        np.flatnonzero(abs_error > 0).tolist(), key=lambda row: (-abs_error[row], predictions["path"][row])
    )
    return tuple(
        WorstError(
            path=documents[row].name,
            day=str(predictions["published_at"][row].astype("datetime64[D]")),
            provider=str(predictions["provider"][row]),
            quality=int(predictions["quality"][row]),
            predicted=float(predictions["quality_predicted"][row]),
            low=float(predictions["quality_low"][row]),
            high=float(predictions["quality_high"][row]),
            reasons=quality_reasons(model, documents[row], as_of),
        )
        for row in worst[:N_MISSES]
    )
