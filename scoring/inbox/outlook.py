"""Outlook of a young record: whether its story, once settled, is likely to change what is decided now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.features.table import FeatureTable, Floats
from scoring.inbox.decision_uncertainty import DecisionUncertainty
from scoring.model.cascade import NOT_LEADING
from scoring.model.score import Score

_HOUR = timedelta(hours=1)
_SETTLED = "once its story has settled"


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """How a record is likely to change.

    Parameters
    ----------
    trend : str
        ``rising`` or ``falling``.
    heat : int or None
        Heat at which it is likely to settle; None if another record is likely to lead.
    reason : str
        What changes: publication, the lead, or the heat by more than its interval.
    until : datetime
        When the record is as old as those that the forecast knows as settled, aware UTC.
    """

    trend: Literal["rising", "falling"]
    heat: int | None
    reason: str
    until: datetime


def outlooks(
    saved: SavedModel,
    table: FeatureTable,
    scores: Sequence[Score],
    uncertainties: Sequence[DecisionUncertainty],
    published_at: Sequence[datetime | None],
    now: datetime,
) -> list[Outlook | None]:
    """Find the records whose story is about to change.

    Only records up to the greatest age at which the forecast was trained have an outlook, and only if the
    forecast at their age changes a decision, or if the record is sure to lead, at the level of the model's
    intervals, and its settled heat lies outside of the interval of the heat now.

    Parameters
    ----------
    saved : SavedModel
        The model that computed the scores; without quality and heat there is no outlook.
    table : FeatureTable
        Features of `n_records` records as they are now.
    scores, uncertainties, published_at : sequence
        Scores, their uncertainty, and times of publication (aware UTC) of these records.
    now : datetime
        Current time, aware UTC.

    Returns
    -------
    list of Outlook or None
        One for each record.
    """
    result: list[Outlook | None] = [None] * len(scores)
    horizon = max(saved.manifest.training.config.model.forecast_ages_hours, default=0.0) * _HOUR
    young = [
        row
        for row, (score, moment) in enumerate(zip(scores, published_at, strict=True))
        if moment is not None
        and timedelta(0) <= now - moment < horizon
        and score.quality is not None
        and score.heat is not None
    ]
    if not young:
        return result
    ages_hours = np.array([(now - moment) / _HOUR for row in young if (moment := published_at[row])])
    quality = np.array([float(scores[row].quality or 0) for row in young])
    known = table.take(np.array(young)).with_number("age_hours", ages_hours)
    for row, forecast in zip(young, _forecasts(saved, known, quality), strict=True):
        changed, moment = _change(scores[row], uncertainties[row], forecast), published_at[row]
        if changed is not None and moment is not None:
            trend, reason = changed
            heat = None if forecast.heat is None else round(forecast.heat)
            result[row] = Outlook(trend=trend, heat=heat, reason=reason, until=moment + horizon)
    return result


class _Forecast(NamedTuple):
    """What is decided now and of the settled story, and the settled heat; None if another record leads."""

    is_published_now: bool
    is_published: bool
    heat: float | None
    is_sure_lead: bool  # at the level of the model's intervals


def _forecasts(saved: SavedModel, table: FeatureTable, quality: Floats) -> list[_Forecast]:
    models, thresholds = saved.models, saved.models.thresholds
    level = saved.manifest.training.config.model.interval_level
    lead_now = models.cascade.lead_probability(table, quality)
    heat_now = models.cascade.heat_if_lead(table, quality)
    lead = models.forecast.lead_probability(table, quality, now=lead_now)
    heat = models.forecast.heat_if_lead(table, quality, now=heat_now)
    now = np.where(lead_now >= thresholds.lead, heat_now, NOT_LEADING)
    settled = np.where(lead >= thresholds.lead, heat, NOT_LEADING)
    is_published_now, is_published = (
        models.cascade.published_probability(table, quality, heats) >= thresholds.published
        if "published" in models.targets
        else np.zeros(len(quality), dtype=bool)
        for heats in (now, settled)
    )
    return [
        _Forecast(
            bool(is_published_now[row]),
            bool(is_published[row]),
            float(settled[row]) if settled[row] > NOT_LEADING else None,
            bool(lead[row] >= level),
        )
        for row in range(len(quality))
    ]


def _change(
    score: Score, uncertainty: DecisionUncertainty, forecast: _Forecast
) -> tuple[Literal["rising", "falling"], str] | None:
    """Trend and reason of a change; None if nothing that is decided is likely to change."""
    if forecast.is_published != forecast.is_published_now:
        if forecast.is_published:
            return "rising", f"it is likely to be published {_SETTLED}"
        return "falling", f"it is likely not to be published {_SETTLED}"
    leads = score.heat is not None and score.heat > NOT_LEADING
    if leads and forecast.heat is None:
        return "falling", f"another record is likely to lead its story {_SETTLED}"
    if not leads and forecast.heat is not None:
        return "rising", f"it is likely to lead its story {_SETTLED}"
    low, high = uncertainty.heat_low, uncertainty.heat_high
    if forecast.heat is None or not forecast.is_sure_lead or low is None or high is None:
        return None
    if low <= round(forecast.heat) <= high:
        return None
    interval = f"{low} to {high}" if low < high else str(low)
    reason = f"its heat is likely to be about {forecast.heat:.0f} {_SETTLED}; now it is {interval}"
    return ("rising" if forecast.heat > high else "falling"), reason
