"""How sure a score is: what else the heat may be, and whether a person should look at the record."""

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

_LEAST = 1e-4  # of a probability: scores have four digits


class DecisionUncertainty(msgspec.Struct, frozen=True):
    """How sure the scores of a record are.

    Parameters
    ----------
    heat_low, heat_high : int
        Heat at the ends of the quality's interval, and what lies between; -1 where another record leads.
    distance : float
        Of the probability of being published from the one at which the model publishes; log-odds, >= 0.
    reason : str
        Why a person should look whether it is to be published, in words; empty where that is not open.
    """

    heat_low: int
    heat_high: int
    distance: float
    reason: str = ""


def decision_uncertainty(
    saved: SavedModel, table: FeatureTable, scores: Sequence[Score]
) -> list[DecisionUncertainty]:
    """Tell how sure scores are, and whether they leave open that their records are published.

    They leave it open where the two ends of the quality's interval are decided differently, and where the
    probability is no farther from the one at which the model publishes than the level of that interval is
    from a half; all three are the model's own.

    Parameters
    ----------
    saved : SavedModel
        What has scored.
    table : FeatureTable
        Features of `n_records` records.
    scores : sequence of Score
        Their scores, in the same order.

    Returns
    -------
    list of Doubt
        One for each.
    """
    models = saved.models
    # Qualities are integers: the least and the most that the interval holds.
    lows = np.array([float(min(math.ceil(score.quality_low), score.quality)) for score in scores])
    highs = np.array([float(max(math.floor(score.quality_high), score.quality)) for score in scores])
    heat_at_low, at_low = _decided_at(models, table, lows)
    heat_at_high, at_high = _decided_at(models, table, highs)
    cut = _log_odds(models.thresholds.published)
    near = _log_odds(saved.manifest.training.config.model.interval_level)
    found = []
    for row, score in enumerate(scores):
        is_low, is_high = bool(at_low[row]), bool(at_high[row])
        heats = (score.heat, round(float(heat_at_low[row])), round(float(heat_at_high[row])))
        distance = abs(_log_odds(score.published_probability) - cut)
        reason = ""
        if is_low != is_high:
            reason = (
                f"{_spelt(is_low)} with a quality of {lows[row]:.0f}, {_spelt(is_high)} with {highs[row]:.0f}"
            )
        elif distance < near:
            chance, asked = score.published_probability, models.thresholds.published
            reason = f"published at {chance:.0%}, and {asked:.0%} decides"
        found.append(DecisionUncertainty(min(heats), max(heats), round(distance, 4), reason))
    return found


def _decided_at(
    models: FittedComponents, table: FeatureTable, quality: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Heat, and whether published, if the quality were known; shapes (n_records,)."""
    is_lead = models.cascade.lead_probability(table, quality) >= models.thresholds.lead
    heat = np.where(is_lead, models.cascade.heat_if_lead(table, quality), NOT_LEADING)
    shown: NDArray[np.bool_] = (
        models.cascade.published_probability(table, quality, heat) >= models.thresholds.published
    )
    return heat, shown


def _spelt(is_published: bool) -> str:
    return "published" if is_published else "not published"


def _log_odds(probability: float) -> float:
    inside = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(inside / (1 - inside))
