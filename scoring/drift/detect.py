"""Drift detection: new records compared with the profile of a model's training records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from scoring.drift.histogram import distance
from scoring.drift.reference_profile import (
    EXPECTED_ERROR,
    PROFILED_FAMILIES,
    Profile,
    expected_errors,
    feature_values,
    rubric_points,
    scores,
    unseen,
)
from scoring.drift.reference_windows import Means
from scoring.features.table import FeatureTable, Floats
from scoring.model.components import FittedComponents
from scoring.model.policy_change import PolicyChange
from scoring.model.scorer import Scorer

MAX_NAMES = 5

_RULE = (
    "A family of features has drifted if its distance exceeds the 99% prediction limit, from windows of as "
    "many training records. Records are refused if the share with an unseen provider or topic exceeds its "
    "limit; or if a family has drifted and it matters: {error} a mean score, or the contribution of a family "
    "to quality, exceeds its limit."
)


class FamilyDrift(msgspec.Struct, frozen=True):
    """Distance of one family of features from the training records.

    Parameters
    ----------
    family : str
        ``provider``, ``topic``, ``recency``, ``coverage`` or ``content``.
    distance, limit : float
        Root mean square of its columns' distances, relative to the typical distance of training windows of
        the same size, and the 99 % prediction limit.
    columns : dict of str to float
        Columns with the largest relative distances, the largest first.
    """

    family: str
    distance: float
    limit: float
    columns: dict[str, float]

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is exceeded."""
        return self.distance > self.limit


class UnseenDrift(msgspec.Struct, frozen=True):
    """Share of records with an unseen provider or topic.

    Parameters
    ----------
    what : str
        ``provider`` or ``topic``.
    ratio, usual_ratio, limit_ratio : float
        Share of the new records; mean share over training windows, and its 99 % prediction limit; 0 to 1.
    names : dict of str to int
        The most frequent unseen names, with their number of records.
    """

    what: str
    ratio: float
    usual_ratio: float
    limit_ratio: float
    names: dict[str, int]

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is exceeded."""
        return self.ratio > self.limit_ratio


class Shift(msgspec.Struct, frozen=True):
    """Shift of a mean from the training records to the new records.

    Parameters
    ----------
    name : str
        ``expected_error``; a score; or ``points_by_FAMILY``, the contribution of a family to quality.
    before, new : float
        Means over the held-out records (of points: over the later half of the training records), and over the
        new records.
    usual, limit : float
        Mean absolute shift of training windows, and its 99 % prediction limit.
    """

    name: str
    before: float
    new: float
    usual: float
    limit: float

    @property
    def is_beyond(self) -> bool:
        """Whether the limit is exceeded; a lower expected error never is."""
        shift = self.new - self.before
        return (shift if self.name == EXPECTED_ERROR else abs(shift)) > self.limit


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Drift of new records from a model's training records.

    Parameters
    ----------
    model : str
        Name and version of the model.
    n_records : int
        Number of new records.
    families : tuple of FamilyDrift
        Distance of each family of features.
    unseen : tuple of UnseenDrift
        Shares of unseen providers and topics.
    shifts : tuple of Shift
        Shifts of the expected error, the scores, and the contribution of each family to quality.
    error_ratio : float or None
        Expected error of quality relative to the held-out records; None if their error is 0, or for a model
        without quality.
    n_labelled : int
        New records with a quality label.
    label_error : float or None
        Their mean absolute error, points; None if none has a label. Not part of the decision.
    reasons : tuple of str
        Why the records are refused; empty if accepted.
    rule : str
        The decision rule, in words.
    label_changes : tuple of PolicyChange or None
        Points in time from which labels depart from the model's rules; None if that was not checked.
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
    label_changes: tuple[PolicyChange, ...] | None = None


def measure_drift(
    profile: Profile,
    scorer: Scorer,
    table: FeatureTable,
    labels: Floats,
    *,
    limit: float | None = None,
    num_threads: int = 1,
) -> Drift:
    """Measure the drift of new records.

    Parameters
    ----------
    profile : Profile
        Profile of the model.
    scorer : Scorer
        Model that scores the records.
    table : FeatureTable
        `n_records` new records as of :data:`scoring.drift.reference_profile.AS_OF`; n_records >= 1.
    labels : ndarray of shape (n_records,)
        Quality labels, points; NaN where unknown.
    limit : float, optional
        Maximum expected error relative to the held-out records; default: the 99 % prediction limit.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Drift
    """
    predictions = scorer.predict(table, num_threads)
    expected = expected_errors(profile.errors_, scorer.models.quality, table, num_threads)
    shifts = (
        *_shifts(profile.scores_, scores(predictions, expected, scorer.targets), limit),
        *_shifts(profile.points_, rubric_points(scorer.models, table), limit),
    )
    families, unseen_drift = _families(profile, table), _unseen(profile, scorer.models, table)
    error_ratio = next(
        (shift.new / shift.before for shift in shifts if shift.name == EXPECTED_ERROR and shift.before), None
    )
    errors = np.abs(predictions.quality - labels)
    has_label = np.isfinite(errors) & ("quality" in scorer.targets)
    return Drift(
        model=scorer.name,
        n_records=len(table),
        families=families,
        unseen=unseen_drift,
        shifts=shifts,
        error_ratio=error_ratio,
        n_labelled=int(has_label.sum()),
        label_error=float(errors[has_label].mean()) if has_label.any() else None,
        reasons=tuple(_reasons(families, unseen_drift, shifts)),
        rule=rule(limit, has_error="quality" in scorer.targets),
    )


def rule(limit: float | None = None, *, has_error: bool = True) -> str:
    """Decision rule, in words; without the error for a model without quality."""
    if not has_error:
        return _RULE.replace("{error} ", "").replace(", or the contribution of a family to quality,", "")
    error = (
        "the expected error,"
        if limit is None
        else f"the expected error exceeds {limit:g} times that at training, or"
    )
    return _RULE.format(error=error)


def _families(profile: Profile, table: FeatureTable) -> tuple[FamilyDrift, ...]:
    values, limits, n_records = feature_values(table), profile.distances_, len(table)
    relative_distances: dict[str, dict[str, float]] = {}
    for name, histogram in profile.columns_.items():
        absolute_distance = float(distance(histogram.tally(values[name])[0], np.asarray(histogram.counts_)))
        relative_distances.setdefault(histogram.family, {})[name] = absolute_distance / limits.typical(
            name, n_records
        )
    by_family = ((family, relative_distances[family]) for family in PROFILED_FAMILIES)
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
    results = []
    for what, names_by_record in unseen(models.quality.encoder, table).items():
        names = Counter(name for row in names_by_record for name in row)
        frequent = sorted(names.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES]
        ratio = sum(map(bool, names_by_record)) / n_records
        typical, limit = limits.typical(what, n_records), limits.limit(what, n_records)
        results.append(UnseenDrift(what, ratio, typical, limit, dict(frequent)))
    return tuple(results)


def _shifts(reference: Means, values: Mapping[str, Floats], limit: float | None) -> Iterator[Shift]:
    for name, column in values.items():
        typical, max_shift = (
            interpolate(name, len(column))
            for interpolate in (reference.shifts_.typical, reference.shifts_.limit)
        )
        if name == EXPECTED_ERROR and limit is not None:
            max_shift = (limit - 1) * reference.means_[name]
        yield Shift(name, reference.means_[name], float(column.mean()), typical, max_shift)


def _reasons(
    families: Sequence[FamilyDrift], new: Sequence[UnseenDrift], shifts: Sequence[Shift]
) -> list[str]:
    reasons = [
        f"unseen {drift.what}: {drift.ratio:.1%} of records, limit {drift.limit_ratio:.1%}"
        for drift in new
        if drift.is_beyond
    ]
    drifted = [family for family in families if family.is_beyond]
    exceeded = [shift for shift in shifts if shift.is_beyond]
    if drifted and exceeded:
        reasons += [
            f"{family.family} drifted: {family.distance:.2f} times the typical distance, "
            f"limit {family.limit:.2f}"
            for family in drifted
        ]
        reasons += [
            f"{shift.name}: {shift.new:.3f}, at training {shift.before:.3f}, "
            f"maximum difference {shift.limit:.3f}"
            for shift in exceeded
        ]
    return reasons
