"""Error analysis: the records with the worst errors, and mean feature contributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from scoring.errors import shown
from scoring.evaluation.metrics import PredictionColumns, has_published
from scoring.explanation.attribution import Contribution, mean_contributions, quality_reasons
from scoring.explanation.results import Reason
from scoring.features.as_of import AsOf
from scoring.features.table import FeatureTable, Floats
from scoring.model.quality import QualityModel
from scoring.records.record import Document

N_MISSES = 10
MAX_TITLE_CHARS = 200


class WorstRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose prediction is far off.

    Parameters
    ----------
    path : str
        Where the record was found.
    title : str
        Its title, in one line of at most :data:`MAX_TITLE_CHARS` characters; empty if it has none.
    day : str
        Date of publication, ``YYYY-MM-DD``.
    provider : str
        Domain of the provider; empty where unknown.
    """

    path: str
    title: str
    day: str
    provider: str


class WorstError(WorstRecord, frozen=True, kw_only=True):
    """A record with a large quality error.

    Parameters
    ----------
    path, title, day, provider : str
        As in :class:`WorstRecord`.
    quality : int
        The label; points.
    predicted, low, high : float
        Predicted quality, and its 90 % interval; points.
    reasons : tuple of Reason
        Contributions to the predicted quality, in points, the largest first.
    """

    quality: int
    predicted: float
    low: float
    high: float
    reasons: tuple[Reason, ...]

    @property
    def error(self) -> float:
        """Predicted minus true quality; points."""
        return self.predicted - self.quality


class WorstHeat(WorstRecord, frozen=True, kw_only=True):
    """A record with a large heat error.

    Parameters
    ----------
    path, title, day, provider : str
        As in :class:`WorstRecord`.
    heat, predicted : int
        The label and the prediction; points, -1 for a record that does not lead its story.
    lead_probability : float
        Predicted probability that it leads; 0 to 1.
    """

    heat: int
    predicted: int
    lead_probability: float


class WorstPublished(WorstRecord, frozen=True, kw_only=True):
    """A record with a wrong publishing decision.

    Parameters
    ----------
    path, title, day, provider : str
        As in :class:`WorstRecord`.
    published : bool
        The label; the decision is the opposite.
    probability : float
        Predicted probability of publication; 0 to 1.
    """

    published: bool
    probability: float


class ErrorAnalysis(NamedTuple):
    """Worst errors of quality, heat and published, and mean contribution of each feature to the quality."""

    misses: tuple[WorstError, ...]
    contributions: tuple[Contribution, ...]
    heat: tuple[WorstHeat, ...] = ()
    published: tuple[WorstPublished, ...] = ()


def analyse_errors(
    model: QualityModel,
    documents: Sequence[Document],
    table: FeatureTable,
    predictions: PredictionColumns,
    as_of: AsOf = None,
) -> ErrorAnalysis:
    """Analyse the errors of predictions; without quality there are no contributions.

    Parameters
    ----------
    model, documents, predictions, as_of
        See :func:`worst_misses`.
    table : FeatureTable
        Features of the documents as of `as_of`.
    """
    heat, published = worst_heat(documents, predictions), worst_published(documents, predictions)
    if "quality_predicted" not in predictions:
        return ErrorAnalysis((), (), heat, published)
    misses = worst_misses(model, documents, predictions, as_of)
    return ErrorAnalysis(misses, mean_contributions(model, table), heat, published)


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
    return tuple(
        WorstError(
            **_record(documents, predictions, row),
            quality=int(predictions["quality"][row]),
            predicted=float(predictions["quality_predicted"][row]),
            low=float(predictions["quality_low"][row]),
            high=float(predictions["quality_high"][row]),
            reasons=quality_reasons(model, documents[row], as_of),
        )
        for row in _worst_rows(predictions, _floats(predictions, "quality_predicted"), "quality")
    )


def worst_heat(documents: Sequence[Document], predictions: PredictionColumns) -> tuple[WorstHeat, ...]:
    """The :data:`N_MISSES` records with the largest absolute heat error, the worst first.

    Parameters
    ----------
    documents, predictions
        See :func:`worst_misses`; without predictions of heat there are none.
    """
    if "heat_predicted" not in predictions:
        return ()
    return tuple(
        WorstHeat(
            **_record(documents, predictions, row),
            heat=int(predictions["heat"][row]),
            predicted=int(predictions["heat_predicted"][row]),
            lead_probability=float(predictions["lead_probability"][row]),
        )
        for row in _worst_rows(predictions, _floats(predictions, "heat_predicted"), "heat")
    )


def worst_published(
    documents: Sequence[Document], predictions: PredictionColumns
) -> tuple[WorstPublished, ...]:
    """The :data:`N_MISSES` records with a wrong publishing decision of which the model was most certain.

    Parameters
    ----------
    documents, predictions
        See :func:`worst_misses`; without predictions of publication there are none.
    """
    if "published_predicted" not in predictions:
        return ()
    is_wrong = has_published(predictions) & (
        _floats(predictions, "published") != _floats(predictions, "published_predicted")
    )
    probability = np.where(is_wrong, _floats(predictions, "published_probability"), np.nan)
    return tuple(
        WorstPublished(
            **_record(documents, predictions, row),
            published=bool(predictions["published"][row]),
            probability=float(probability[row]),
        )
        for row in _worst_rows(predictions, probability, "published")
    )


def _worst_rows(predictions: PredictionColumns, predicted: Floats, label: str) -> list[int]:
    """Rows with the largest absolute error, the worst first; rows without an error are left out."""
    abs_error = np.abs(predicted - _floats(predictions, label))
    rows = np.flatnonzero(abs_error > 0).tolist()
    return sorted(rows, key=lambda row: (-abs_error[row], predictions["path"][row]))[:N_MISSES]


def _record(documents: Sequence[Document], predictions: PredictionColumns, row: int) -> dict[str, str]:
    """Fields that identify a record to a reader."""
    title = shown(documents[row].record.title or "")
    return {
        "path": documents[row].name,
        "title": title if len(title) <= MAX_TITLE_CHARS else f"{title[:MAX_TITLE_CHARS]}...",
        "day": str(predictions["published_at"][row].astype("datetime64[D]")),
        "provider": str(predictions["provider"][row]),
    }


def _floats(predictions: PredictionColumns, name: str) -> Floats:
    return np.asarray(predictions[name], dtype=np.float64)
