"""The learned rules averaged over what the quality may be: now, and once the story has settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING, PUBLISHED_NAMES, Cascade, published_matrix
from scoring.model.forecast import Forecast


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rules say of `n_records` records, each an ndarray of shape (n_records,).

    ``heat_if_lead`` is that of the likeliest quality; ``heat_expected`` is the mean over all that may be.
    """

    lead_probability: Floats
    heat_if_lead: Floats
    heat_expected: Floats
    published_probability: Floats


@dataclass(frozen=True, slots=True)
class QualityDistribution:
    """What the quality of `n_records` records may be.

    Parameters
    ----------
    quality : ndarray of shape (n_records,)
        Likeliest quality; points.
    atoms, weights : ndarray of shape (n_records, n_atoms)
        Qualities that each may have, and their probabilities (rows sum to 1).
    """

    quality: Floats
    atoms: Floats
    weights: Floats


def marginalize(
    cascade: Cascade,
    forecast: Forecast,
    table: FeatureTable,
    chances: QualityDistribution,
    num_threads: int = 1,
) -> tuple[Outlook, Outlook]:
    """Average the rules over what the quality may be.

    Parameters
    ----------
    cascade : Cascade
        What holds now.
    forecast : Forecast
        What will hold once coverage has come.
    table : FeatureTable
        Features of `n_records` records.
    chances : QualityDistribution
        What their quality may be.
    num_threads : int

    Returns
    -------
    tuple of Outlook
        Now, and settled.
    """
    rows, quality, place = _distinct(chances)
    asked = table.take(rows)
    lead = cascade.lead_probability(asked, quality, num_threads)
    heat = cascade.heat_if_lead(asked, quality, num_threads)
    leads = lead, forecast.lead_probability(asked, quality, num_threads, now=lead)
    heats = heat, forecast.heat_if_lead(asked, quality, num_threads, now=heat)
    now, settled = _average(cascade, asked, quality, leads, heats, place, chances.weights, num_threads)
    return now, settled


def marginalize_now(
    cascade: Cascade, table: FeatureTable, chances: QualityDistribution, num_threads: int = 1
) -> Outlook:
    """The first of :func:`marginalize`, where there is no forecast yet."""
    rows, quality, place = _distinct(chances)
    asked = table.take(rows)
    leads = (cascade.lead_probability(asked, quality, num_threads),)
    heats = (cascade.heat_if_lead(asked, quality, num_threads),)
    (now,) = _average(cascade, asked, quality, leads, heats, place, chances.weights, num_threads)
    return now


def _distinct(chances: QualityDistribution) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Each quality of a record once, since most are nearly sure: the rows, the qualities, and for the
    likeliest and each atom of a record, shape (n_records, 1 + n_atoms), the place of its own among them."""
    qualities = np.column_stack([chances.quality, chances.atoms])
    order = np.argsort(qualities, axis=1, kind="stable")
    order += np.arange(order.size, step=order.shape[1])[:, None]  # now places in all of the array
    ordered = qualities.ravel()[order]
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    place = np.empty(ordered.shape, dtype=np.intp)
    place.ravel()[order.ravel()] = np.cumsum(is_first) - 1
    return np.nonzero(is_first)[0], ordered[is_first], place


def _average(
    cascade: Cascade,
    asked: FeatureTable,
    quality: Floats,
    leads: tuple[Floats, ...],
    heats: tuple[Floats, ...],
    place: NDArray[np.intp],
    weights: Floats,
    num_threads: int,
) -> list[Outlook]:
    """What each pair of lead and heat comes to; whether they are shown is asked of all at once."""
    hidden = np.full(len(quality), NOT_LEADING)
    X = np.tile(published_matrix(asked, quality, hidden), (len(heats) + 1, 1))
    X[: len(heats) * len(quality), PUBLISHED_NAMES.index("heat")] = np.concatenate(heats)
    *shown, shown_hidden = cascade.published.predict(X, num_threads).reshape(-1, len(quality))
    found = []
    for lead, heat, shown_lead in zip(leads, heats, shown, strict=True):
        published = lead * shown_lead + (1 - lead) * shown_hidden
        expected = lead * heat + (1 - lead) * NOT_LEADING
        # The first column is of the likeliest quality, the others are of the atoms.
        averages = (weights * np.stack([lead, expected, published])[:, place[:, 1:]]).sum(axis=2)
        found.append(Outlook(averages[0], heat[place[:, 0]], averages[1], averages[2]))
    return found
