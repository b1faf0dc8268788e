"""What the models say, and how well they said it: plain values that every interface prints."""

from __future__ import annotations

from datetime import datetime

import msgspec
import numpy as np


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one record.

    Parameters
    ----------
    path : str
        Where the record was found; ``-`` is standard input.
    quality : int
        What the record is worth by itself, as the site's labels count it.
    quality_low, quality_high : float
        90 % interval of the quality.
    heat : int
        What its story is worth now; -1 where another record leads the story.
    lead_probability : float
        Probability that the record leads its story; 0 to 1.
    published : bool
        Whether the site would show it.
    published_probability : float
        Probability of that; 0 to 1.
    model : str
        Name and version of the model that scored.
    warnings : tuple of str
        What the model did not know or had to assume.
    """

    path: str
    quality: int
    quality_low: float
    quality_high: float
    heat: int
    lead_probability: float
    published: bool
    published_probability: float
    model: str
    warnings: tuple[str, ...] = ()


class Reason(msgspec.Struct, frozen=True):
    """One contribution to a score: feature, its value in words, and what it adds (points or log-odds)."""

    feature: str
    text: str
    contribution: float


class Explanation(msgspec.Struct, frozen=True):
    """A score with its reasons, largest first, by target: ``quality``, ``lead``, ``heat``, ``published``."""

    score: Score
    expected_heat: float
    base: dict[str, float]
    reasons: dict[str, tuple[Reason, ...]]


class Figure(msgspec.Struct, frozen=True):
    """A metric with its 95 % bootstrap interval over days (None where it was not drawn)."""

    value: float
    low: float | None = None
    high: float | None = None


class Slice(msgspec.Struct, frozen=True):
    """Figures of one part of the records: ``family`` is what they are split by, ``name`` the part."""

    family: str
    name: str
    n_records: int
    figures: dict[str, float]


class Evaluation(msgspec.Struct, frozen=True):
    """Predictions against labels.

    Parameters
    ----------
    n_records : int
        Records with labels that were scored.
    begins_at, ends_at : datetime or None
        First and last date of publication among them, aware UTC.
    figures : dict of str to Figure
        ``quality_mae``, ``heat_within_5``, ``published_f1``, ...: see :mod:`scoring.model.metrics`.
    baselines : dict of str to dict of str to float
        The same figures of each baseline (``global median``, ``provider median``, ``plain LightGBM``).
    slices : tuple of Slice
        Figures by provider, topic, coverage, month, ...
    predictions : dict of str to ndarray of shape (n_records,)
        Columns: ``path``, ``published_at`` (datetime64[us], UTC, NaT where unknown), ``section``,
        ``provider``, ``quality``, ``quality_predicted`` (float), ``quality_low``, ``quality_high``, ``heat``,
        ``heat_predicted``, ``heat_expected`` (float), ``lead`` (bool), ``lead_probability``,
        ``published`` (bool), ``published_predicted`` (bool), ``published_probability``.
    """

    n_records: int
    begins_at: datetime | None
    ends_at: datetime | None
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, float]]
    slices: tuple[Slice, ...]
    predictions: dict[str, np.ndarray]
