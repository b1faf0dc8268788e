"""New records against the profile of a model's training records, and what the difference does to scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import msgspec
import numpy as np

from scoring.drift.histogram import distance
from scoring.drift.reference_profile import (
    EXPECTED_ERROR,
    Profile,
    expected_errors,
    feature_values,
    points,
    scores,
    unseen,
)
from scoring.drift.reference_windows import Means
from scoring.features.column import Family
from scoring.features.table import FeatureTable, Floats
from scoring.model.components import FittedComponents
from scoring.model.scorer import Scorer

MAX_NAMES = 5

_RULE = (
    "A family of features has drifted if its distance exceeds the 99% prediction limit, from windows of as "
    "many training records. Records are refused if the share with an unseen provider or topic exceeds its "
    "limit; or if a family has drifted and it matters: {error} a mean score, or the contribution of a family "
    "to quality, exceeds its limit."
)


class FamilyDrift(msgspec.Struct, frozen=True):
    """How far one family of features lies from the training records.

    Parameters
    ----------
    family : str
        ``provider``, ``topic``, ``recency``, ``coverage`` or ``content``.
    distance, limit : float
        Root mean square distance of its columns, in times what is usual for so many records of the training
        set itself, and what 99 of 100 such windows stay below.
    columns : dict of str to float
        The columns that are farthest off, in times their usual distance; the farthest first.
    """

    family: str
    distance: float
    limit: float
    columns: dict[str, float]

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is passed."""
        return self.distance > self.limit


class UnseenDrift(msgspec.Struct, frozen=True):
    """How many records have a provider, or a topic, that training did not see.

    Parameters
    ----------
    what : str
        ``provider`` or ``topic``.
    ratio, usual_ratio, limit_ratio : float
        Share of the records; mean share of windows of the training records, when they were new, and what
        99 of 100 such windows stay below; 0 to 1.
    names : dict of str to int
        The most frequent of those unseen, with their records.
    """

    what: str
    ratio: float
    usual_ratio: float
    limit_ratio: float
    names: dict[str, int]

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is passed."""
        return self.ratio > self.limit_ratio


class Shift(msgspec.Struct, frozen=True):
    """A mean over the new records beside that over earlier ones.

    Parameters
    ----------
    name : str
        ``expected_error``; a score; ``points_by_FAMILY``: what a family of features adds to quality.
    before, new : float
        The means. Before: over the held-back records; of points, over the later half of the training records.
    usual, limit : float
        How far the means of windows of these lie from the rest's: on average, and at most in 99 of 100 cases.
    """

    name: str
    before: float
    new: float
    usual: float
    limit: float

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is passed; less error than expected is no harm."""
        shift = self.new - self.before
        return (shift if self.name == EXPECTED_ERROR else abs(shift)) > self.limit


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What new records have to do with a model's training records.

    Parameters
    ----------
    model : str
        Name and version of the model.
    n_records : int
        New records.
    families : tuple of FamilyDrift
        One for each family of features.
    unseen : tuple of UnseenDrift
        Of providers and of topics.
    shifts : tuple of Shift
        Of the expected error, the scores, and what each family adds to quality.
    error_ratio : float or None
        Expected error of quality over that of the held-back records; None where these were all right.
    n_labelled : int
        New records that have a quality.
    label_error : float or None
        Their mean distance from it, points; None where there is none. It decides nothing.
    reasons : tuple of str
        Why the records are refused; none where they are not.
    rule : str
        When they are.
    """

    model: str
    n_records: int
    families: tuple[FamilyDrift, ...]
    unseen: tuple[UnseenDrift, ...]
    shifts: tuple[Shift, ...]
    error_ratio: float | None
    n_labelled: int
    label_error: float | None
    reasons: tuple[str, ...]
    rule: str


def measure_drift(
    profile: Profile,
    scorer: Scorer,
    table: FeatureTable,
    labels: Floats,
    *,
    limit: float | None = None,
    num_threads: int = 1,
) -> Drift:
    """Hold new records against a profile.

    Parameters
    ----------
    profile : Profile
        That of the model.
    scorer : Scorer
        The model.
    table : FeatureTable
        `n_records` new records as of :data:`scoring.drift.reference_profile.AS_OF`; n_records >= 1.
    labels : ndarray of shape (n_records,)
        Their qualities, points; NaN where unknown.
    limit : float, optional
        What the expected error may be, in times that of the held-back records; by default what 99 of 100
        windows of these show.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Drift
    """
    predictions = scorer.predict(table, num_threads)
    expected = expected_errors(profile.errors_, scorer.models.quality, table, num_threads)
    shifts = (
        *_shifts(profile.scores_, scores(predictions, expected), limit),
        *_shifts(profile.points_, points(scorer.models, table), limit),
    )
    families, new = _families(profile, table), _unseen(profile, scorer.models, table)
    [error] = (shift for shift in shifts if shift.name == EXPECTED_ERROR)
    errors = np.abs(predictions.quality - labels)
    known = np.isfinite(errors)
    return Drift(
        model=scorer.name,
        n_records=len(table),
        families=families,
        unseen=new,
        shifts=shifts,
        error_ratio=error.new / error.before if error.before else None,
        n_labelled=int(known.sum()),
        label_error=float(errors[known].mean()) if known.any() else None,
        reasons=tuple(_reasons(families, new, shifts)),
        rule=rule(limit),
    )


def rule(limit: float | None = None) -> str:
    """When records are refused, in words."""
    error = (
        "the expected error,"
        if limit is None
        else f"the expected error exceeds {limit:g} times that at training, or"
    )
    return _RULE.format(error=error)


def _families(profile: Profile, table: FeatureTable) -> tuple[FamilyDrift, ...]:
    values, limits, n_records = feature_values(table), profile.distances_, len(table)
    found: dict[str, dict[str, float]] = {}
    for name, bins in profile.columns_.items():
        away = float(distance(bins.tally(values[name])[0], np.asarray(bins.counts_)))
        found.setdefault(bins.family, {})[name] = away / limits.usual(name, n_records)
    by_family = ((family, found[family]) for family in get_args(Family))
    return tuple(
        FamilyDrift(
            family,
            float(np.sqrt(np.mean(np.square(list(columns.values()))))),
            limits.limit(family, n_records),
            dict(sorted(columns.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES]),
        )
        for family, columns in by_family
    )


def _unseen(profile: Profile, models: FittedComponents, table: FeatureTable) -> tuple[UnseenDrift, ...]:
    limits, n_records = profile.unseen_, len(table)
    found = []
    for what, rows in unseen(models.quality.encoder, table).items():
        names = Counter(name for row in rows for name in row)
        frequent = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES]
        ratio = sum(map(bool, rows)) / n_records
        usual, limit = limits.usual(what, n_records), limits.limit(what, n_records)
        found.append(UnseenDrift(what, ratio, usual, limit, dict(frequent)))
    return tuple(found)


def _shifts(before: Means, values: Mapping[str, Floats], limit: float | None) -> Iterator[Shift]:
    for name, each in values.items():
        usual, farthest = (way(name, len(each)) for way in (before.shifts_.usual, before.shifts_.limit))
        if name == EXPECTED_ERROR and limit is not None:
            farthest = (limit - 1) * before.means_[name]
        yield Shift(name, before.means_[name], float(each.mean()), usual, farthest)


def _reasons(
    families: Sequence[FamilyDrift], new: Sequence[UnseenDrift], shifts: Sequence[Shift]
) -> list[str]:
    reasons = [
        f"unseen {one.what}: {one.ratio:.1%} of records, limit {one.limit_ratio:.1%}"
        for one in new
        if one.is_beyond
    ]
    moved = [one for one in families if one.is_beyond]
    harm = [one for one in shifts if one.is_beyond]
    if moved and harm:
        reasons += [
            f"{one.family} drifted: {one.distance:.2f} times the typical distance, limit {one.limit:.2f}"
            for one in moved
        ]
        reasons += [
            f"{one.name}: {one.new:.3f}, at training {one.before:.3f}, maximum difference {one.limit:.3f}"
            for one in harm
        ]
    return reasons
