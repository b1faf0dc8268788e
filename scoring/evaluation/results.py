"""Evaluation results."""

from __future__ import annotations

from datetime import datetime

import msgspec
import numpy as np


class Figure(msgspec.Struct, frozen=True):
    """A metric with its interval.

    Parameters
    ----------
    value : float
        The metric, in its own unit: see :mod:`scoring.evaluation.metrics`.
    low, high : float or None
        95 % bootstrap interval over days; None if not computed.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Slice(msgspec.Struct, frozen=True):
    """Metrics of the records that share a value.

    Parameters
    ----------
    family : str
        What they share: ``section``, ``topic``, ``provider``, ...
    name : str
        Its value.
    n_records : int
        Number of records.
    figures : dict of str to float
        Metrics by name.
    """

    family: str
    name: str
    n_records: int
    figures: dict[str, float]


class Evaluation(msgspec.Struct, frozen=True):
    """Evaluation of predictions against labels.

    Parameters
    ----------
    n_records : int
        Number of labelled records scored.
    begins_at, ends_at : datetime or None
        First and last date of publication among them, aware UTC.
    figures : dict of str to Figure
        ``quality_mae``, ``heat_within_5``, ``published_f1``, ...: see :mod:`scoring.evaluation.metrics`.
    baselines : dict of str to dict of str to float
        Metrics of each baseline (``global median``, ``provider median``, ``plain LightGBM``).
    slices : tuple of Slice
        Metrics by provider, topic, coverage, month, ...
    predictions : dict of str to ndarray of shape (n_records,)
        Columns: ``path``, ``published_at`` (datetime64[us], UTC, NaT where unknown), ``section``,
        ``provider``, ``coverage_count``, ``quality``, ``quality_predicted`` (float), ``quality_low``,
        ``quality_high``, ``heat``, ``heat_predicted``, ``heat_expected`` (float), ``lead`` (bool),
        ``lead_probability``, ``published`` (bool; float with NaN for unknown if it is known for other records
        than the heat), ``published_predicted`` (bool), ``published_probability``,
        and the forecast ``lead_settled_probability``, ``heat_settled`` (float),
        ``published_settled_probability``.
    at_ingest : dict of str to dict of str to float
        Metrics with coverage cut off at an age of each record (``published``, ``published+6h``), against
        settled labels; empty if not computed.
    forecast : dict of str to dict of str to float
        Metrics of the forecast at the same ages, against settled labels.
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

    def __repr__(self) -> str:
        return f"<Evaluation of {self.n_records:,} records, with {len(self.figures)} metrics>"
