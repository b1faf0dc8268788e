"""Marginalization of lead, heat and published over the distribution of the quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING, Cascade
from scoring.model.forecast import Forecast


@dataclass(frozen=True, slots=True)
class Outlook:
    """Predictions for `n_records` records, each an ndarray of shape (n_records,).

    ``heat_if_lead`` is the heat at the predicted quality; ``heat_expected`` is the mean of the heat.
    """

    lead_probability: Floats
    heat_if_lead: Floats
    heat_expected: Floats
    published_probability: Floats


@dataclass(frozen=True, slots=True)
class QualityDistribution:
    """Distribution of the quality of `n_records` records.

    Parameters
    ----------
    quality : ndarray of shape (n_records,)
        Predicted quality; points.
    support, probabilities : ndarray of shape (n_records, n_support)
        Possible qualities in points, and their probabilities (rows sum to 1).
    """

    quality: Floats
    support: Floats
    probabilities: Floats

    @classmethod
    def exact(cls, quality: Floats) -> QualityDistribution:
        """Distribution of qualities that are certain."""
        return cls(quality, quality[:, None], np.ones((len(quality), 1)))


def marginalize(
    cascade: Cascade,
    forecast: Forecast,
    table: FeatureTable,
    distribution: QualityDistribution,
    num_threads: int = 1,
) -> tuple[Outlook, Outlook]:
    """Average the predictions over the distribution of the quality.

    Parameters
    ----------
    cascade : Cascade
        Predicts the current state.
    forecast : Forecast
        Predicts the settled state.
    table : FeatureTable
        Features of `n_records` records.
    distribution : QualityDistribution
        Distribution of their quality.
    num_threads : int

    Returns
    -------
    tuple of Outlook
        Current, and settled.
    """
    rows, quality, value_index = _distinct(distribution)
    repeated = table.take(rows)
    lead = cascade.lead_probability(repeated, quality, num_threads)
    heat = cascade.heat_if_lead(repeated, quality, num_threads)
    leads = lead, forecast.lead_probability(repeated, quality, num_threads, now=lead)
    heats = heat, forecast.heat_if_lead(repeated, quality, num_threads, now=heat)
    now, settled = _average(
        cascade, repeated, quality, leads, heats, value_index, distribution.probabilities, num_threads
    )
    return now, settled


def marginalize_now(
    cascade: Cascade, table: FeatureTable, distribution: QualityDistribution, num_threads: int = 1
) -> Outlook:
    """The current outlook of :func:`marginalize`, without a forecast."""
    rows, quality, value_index = _distinct(distribution)
    repeated = table.take(rows)
    leads = (cascade.lead_probability(repeated, quality, num_threads),)
    heats = (cascade.heat_if_lead(repeated, quality, num_threads),)
    (now,) = _average(
        cascade, repeated, quality, leads, heats, value_index, distribution.probabilities, num_threads
    )
    return now


def _distinct(distribution: QualityDistribution) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Distinct (row, quality) pairs, since most records have few: rows, qualities, and the index of each.

    The index has shape (n_records, 1 + n_support): first the predicted quality, then the support."""
    qualities = np.column_stack([distribution.quality, distribution.support])
    order = np.argsort(qualities, axis=1, kind="stable")
    order += np.arange(order.size, step=order.shape[1])[:, None]  # now indices into the flat array
    ordered = qualities.ravel()[order]
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    value_index = np.empty(ordered.shape, dtype=np.intp)
    value_index.ravel()[order.ravel()] = np.cumsum(is_first) - 1
    return np.nonzero(is_first)[0], ordered[is_first], value_index


def _average(
    cascade: Cascade,
    repeated: FeatureTable,
    quality: Floats,
    leads: tuple[Floats, ...],
    heats: tuple[Floats, ...],
    value_index: NDArray[np.intp],
    probabilities: Floats,
    num_threads: int,
) -> list[Outlook]:
    """Outlook of each pair of lead and heat; one call predicts all the probabilities of being published."""
    not_leading = np.full(len(quality), NOT_LEADING)
    X = np.vstack([cascade.published_matrix(repeated, quality, heat) for heat in (*heats, not_leading)])
    *published_if_lead, published_if_not_lead = cascade.published.predict(X, num_threads).reshape(
        -1, len(quality)
    )
    outlooks = []
    for lead, heat, published_lead in zip(leads, heats, published_if_lead, strict=True):
        published = lead * published_lead + (1 - lead) * published_if_not_lead
        expected = lead * heat + (1 - lead) * NOT_LEADING
        # Column 0 is the predicted quality, the others are the support.
        averages = (probabilities * np.stack([lead, expected, published])[:, value_index[:, 1:]]).sum(axis=2)
        outlooks.append(Outlook(averages[0], heat[value_index[:, 0]], averages[1], averages[2]))
    return outlooks
