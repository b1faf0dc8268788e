"""Decision uncertainty: the range of the heat, and whether a record needs review."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.artifact.saved_model import SavedModel
from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.score import Score

_MIN_PROBABILITY = 1e-4  # scores are rounded to four digits


class DecisionUncertainty(msgspec.Struct, frozen=True):
    """Uncertainty of a record's scores.

    Parameters
    ----------
    heat_low, heat_high : int or None
        Range of the heat at the two ends of the quality's interval and at the quality itself; -1 if another
        record leads. None for a model without heat.
    distance : float or None
        Distance between the probability of being published and the decision threshold; log-odds, >= 0. None
        for a model without publication.
    reason : str
        Why a person should review the decision; empty if it is clear.
    """

    heat_low: int | None
    heat_high: int | None
    distance: float | None
    reason: str = ""


def decision_uncertainty(
    saved: SavedModel, table: FeatureTable, scores: Sequence[Score]
) -> list[DecisionUncertainty]:
    """Measure how certain the decisions to publish are.

    A decision is uncertain if it differs between the two ends of the quality's interval, or if the
    probability is close to the decision threshold: closer, in log-odds, than the interval's level is to 0.5.
    A model without quality has no such interval.

    Parameters
    ----------
    saved : SavedModel
        The model that computed the scores.
    table : FeatureTable
        Features of `n_records` records.
    scores : sequence of Score
        Scores of these records, in the same order.

    Returns
    -------
    list of DecisionUncertainty
        One for each record.
    """
    models = saved.models
    ranges = np.array([_quality_range(score) for score in scores]).reshape(-1, 2)
    lows, highs = ranges.T
    heat_at_low, is_published_at_low = _decided_at(models, table, lows)
    heat_at_high, is_published_at_high = _decided_at(models, table, highs)
    threshold = _log_odds(models.thresholds.published)
    max_distance = _log_odds(saved.manifest.training.config.model.interval_level)
    uncertainties = []
    for row, score in enumerate(scores):
        is_low, is_high = bool(is_published_at_low[row]), bool(is_published_at_high[row])
        heat_low = heat_high = score.heat
        if score.heat is not None and score.quality is not None:
            heats = (score.heat, round(float(heat_at_low[row])), round(float(heat_at_high[row])))
            heat_low, heat_high = min(heats), max(heats)
        if score.published_probability is None:
            uncertainties.append(DecisionUncertainty(heat_low, heat_high, None))
            continue
        distance = abs(_log_odds(score.published_probability) - threshold)
        reason = ""
        if is_low != is_high and score.quality is not None:
            low_text, high_text = _decision_text(is_low), _decision_text(is_high)
            reason = f"{low_text} with a quality of {lows[row]:.0f}, {high_text} with {highs[row]:.0f}"
        elif distance < max_distance:
            limit = models.thresholds.published
            reason = (
                f"published with a probability of {score.published_probability:.0%}, close to the "
                f"threshold of {limit:.0%}"
            )
        uncertainties.append(DecisionUncertainty(heat_low, heat_high, round(distance, 4), reason))
    return uncertainties


def _quality_range(score: Score) -> tuple[float, float]:
    """Smallest and largest integer in the interval of the quality; NaN for a model without quality."""
    if score.quality is None or score.quality_low is None or score.quality_high is None:
        return math.nan, math.nan
    low, high = math.ceil(score.quality_low), math.floor(score.quality_high)
    return float(min(low, score.quality)), float(max(high, score.quality))


def _decided_at(
    models: FittedComponents, table: FeatureTable, quality: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Heat and publishing decision for given qualities; shapes (n_records,)."""
    is_lead = models.cascade.lead_probability(table, quality) >= models.thresholds.lead
    heat = np.where(is_lead, models.cascade.heat_if_lead(table, quality), NOT_LEADING)
    is_published: NDArray[np.bool_] = (
        models.cascade.published_probability(table, quality, heat) >= models.thresholds.published
    )
    return heat, is_published


def _decision_text(is_published: bool) -> str:
    return "published" if is_published else "not published"


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, _MIN_PROBABILITY), 1 - _MIN_PROBABILITY)
    return math.log(clipped / (1 - clipped))
