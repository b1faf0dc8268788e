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
        The record's own value, in the points of the site's labels.
    quality_low, quality_high : float
        90 % interval of the quality.
    heat : int
        The quality plus what the story's other coverage adds; -1 where another record leads the story.
    heat_expected : float
        Mean of the current heat's distribution; records are ordered by it.
    heat_settled : float
        Forecast mean heat once the story's coverage is complete.
    lead_probability : float
        Probability that the record leads its story; 0 to 1.
    published : bool
        Whether the site would publish it.
    published_probability : float
        Probability of that; 0 to 1.
    lead_settled_probability, published_settled_probability : float
        The same, once the story's coverage is complete.
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
    heat_expected: float
    heat_settled: float
    lead_probability: float
    published: bool
    published_probability: float
    lead_settled_probability: float
    published_settled_probability: float
    model: str
    warnings: tuple[str, ...] = ()


class Reason(msgspec.Struct, frozen=True):
    """One contribution to a score: feature, its value in words, and what it adds (points or log-odds)."""

    feature: str
    text: str
    contribution: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One edit of a record, and the scores that the record would have after it.

    Parameters
    ----------
    kind : str
        Sort of edit: ``drop topic``, ``add topic``, ``name section``, ``name topic``, ``shorten title``,
        ``add excerpt``, ``add image``, ``add coverage``.
    text : str
        The edit, in words.
    effort : int
        How big the edit is, from 1 (a topic) to 5 (what others must do).
    decisions : tuple of str
        Which of ``lead`` and ``published`` would turn over; empty where neither.
    quality, heat, published, published_probability
        As in :class:`Score`, after the edit.
    expected_heat : float
        As in :class:`Explanation`, after the edit.
    """

    kind: str
    text: str
    effort: int
    decisions: tuple[str, ...]
    quality: int
    heat: int
    expected_heat: float
    published: bool
    published_probability: float


class Explanation(msgspec.Struct, frozen=True):
    """A score with its reasons, largest first, by target: ``quality``, ``lead``, ``heat``, ``published``.

    ``changes`` are single edits that would reverse a decision or, if none would, raise the score
    most; the cheapest first.
    """

    score: Score
    expected_heat: float
    base: dict[str, float]
    reasons: dict[str, tuple[Reason, ...]]
    changes: tuple[Change, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One label that looks wrong.

    Parameters
    ----------
    kind : str
        What it breaks: ``quality`` (it is far from what records like it have), ``lead``, ``heat`` and
        ``published`` (what the site does elsewhere with a record of that quality), ``twin`` (a nearly
        identical record is labelled otherwise), ``correction`` (people have given it more than one value).
    path : str
        Where the record was found.
    field : str
        The label: ``quality``, ``heat`` or ``published``.
    label, expected : int or bool
        What it is, and what it would be.
    difference : float
        Label less expected: points; -1 or 1 for ``published``.
    low, high : float or None
        What of the quality was to be expected, by the out-of-fold 90 % interval; points. None elsewhere.
    probability : float or None
        Of what is expected, where it is a yes or no; 0 to 1.
    reason : str
        Why it looks wrong.
    other : str
        The record that it is compared with, by its path; empty where there is none.
    correction : str
        What a person has done with the label, in words; empty where nobody has.
    """

    kind: str
    path: str
    field: str
    label: bool | int
    expected: bool | int
    difference: float
    low: float | None = None
    high: float | None = None
    probability: float | None = None
    reason: str
    other: str = ""
    correction: str = ""


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
        ``quality_mae``, ``heat_within_5``, ``published_f1``, ...: see :mod:`scoring.evaluation.metrics`.
    baselines : dict of str to dict of str to float
        The same figures of each baseline (``global median``, ``provider median``, ``plain LightGBM``).
    slices : tuple of Slice
        Figures by provider, topic, coverage, month, ...
    predictions : dict of str to ndarray of shape (n_records,)
        Columns: ``path``, ``published_at`` (datetime64[us], UTC, NaT where unknown), ``section``,
        ``provider``, ``coverage_count``, ``quality``, ``quality_predicted`` (float), ``quality_low``,
        ``quality_high``, ``heat``, ``heat_predicted``, ``heat_expected`` (float), ``lead`` (bool),
        ``lead_probability``, ``published`` (bool), ``published_predicted`` (bool), ``published_probability``,
        and of the forecast ``lead_settled_probability``, ``heat_settled`` (float),
        ``published_settled_probability``.
    at_ingest : dict of str to dict of str to float
        The same figures where coverage is cut at an age of each record (``published``, ``published+6h``),
        against the labels as they settled; empty where that was not looked at.
    forecast : dict of str to dict of str to float
        The same of the forecast: what was expected then of the story once it has settled.
    """

    n_records: int
    begins_at: datetime | None
    ends_at: datetime | None
    figures: dict[str, Figure]
    baselines: dict[str, dict[str, float]]
    slices: tuple[Slice, ...]
    predictions: dict[str, np.ndarray]
    at_ingest: dict[str, dict[str, float]] = {}
    forecast: dict[str, dict[str, float]] = {}
