"""What a model's training records looked like, in plain numbers: what new records are held against.

Records are profiled as they stood at their own publication, training records and new ones alike, so
that young records are not held against some whose coverage has had months to gather.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.drift.expected_error import ErrorGroups
from scoring.drift.histogram import Histogram, Values, distance
from scoring.drift.reference_windows import (
    MIN_WINDOW,
    MIN_WINDOWS,
    Means,
    ReferenceLimits,
    cumulated,
    fit_means,
    half,
    prediction_limit,
    time_blocks,
    windows_of,
)
from scoring.features.encoding import ENCODED_NUMBERS, Encoder
from scoring.features.table import NUMBER_COLUMNS, TEXT_COLUMNS, FeatureTable, Floats
from scoring.model.components import FittedComponents
from scoring.model.quality import QualityModel
from scoring.model.rubric import TERMS, TOPICS
from scoring.model.scorer import Predictions, Scorer

if TYPE_CHECKING:
    from scoring.training.training_set import TrainingSet  # what it needs to fit is not needed to compare

AS_OF = timedelta(0)  # after publication
MIN_HELD = MIN_WINDOW * MIN_WINDOWS
MIN_TRAINING = 2 * MIN_HELD
UNSEEN = ("provider", "topic")
EXPECTED_ERROR = "expected_error"
SCORES = (EXPECTED_ERROR, "quality", "lead_probability", "heat_expected", "published_probability")
FEATURES = (*ENCODED_NUMBERS, *(column.name for column in TEXT_COLUMNS), TOPICS)
FAMILIES = {column.name: column.family for column in (*NUMBER_COLUMNS, *TEXT_COLUMNS)} | {
    TOPICS: "topic",
    TERMS: "topic",
}


class Profile(msgspec.Struct, frozen=True):
    """What a model was trained on, and how it did on what was held back.

    Parameters
    ----------
    columns_ : dict of str to Histogram
        Spread of each feature over the training records.
    distances_ : ReferenceLimits
        Of windows of the later half of the training records from what precedes them. Usual: the distance of
        each column, 0 to 1. Limits: by family, the root mean square of its columns' distances, each in times
        the usual.
    unseen_ : ReferenceLimits
        Share of the records of these windows whose ``provider``, or one of whose topics (``topic``), none
        had that precedes them; 0 to 1.
    scores_ : Means
        What :func:`scores` gives, over the held-back records.
    points_ : Means
        What :func:`points` gives, over the later half of the training records.
    errors_ : ErrorGroups
        How far off quality was on the held-back records.
    """

    columns_: dict[str, Histogram]
    distances_: ReferenceLimits
    unseen_: ReferenceLimits
    scores_: Means
    points_: Means
    errors_: ErrorGroups


def fit_profile(
    training: TrainingSet, held: TrainingSet, earlier: Scorer, models: FittedComponents, num_threads: int = 1
) -> Profile | None:
    """Learn the profile.

    Parameters
    ----------
    training : TrainingSet
        All training records as of :data:`AS_OF`.
    held : TrainingSet
        Those of them that were held back, likewise.
    earlier : Scorer
        A model that was fitted without these.
    models : FittedComponents
        The model of all.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Profile or None
        None where there are fewer than :data:`MIN_TRAINING` training or :data:`MIN_HELD` held-back records:
        they do not tell what is usual.
    """
    if len(training.table) < MIN_TRAINING or len(held.table) < MIN_HELD:
        return None
    values = feature_values(training.table)
    columns = {name: Histogram.fit(FAMILIES[name], values[name]) for name in values}
    predictions = earlier.predict(held.table, num_threads)
    # Grouped by what the model of all says of them, as new records are: two models are not sure alike.
    spread = models.quality.predict_spread(models.quality.matrix(held.table), num_threads)
    is_seen = _is_seen(earlier.models.quality.encoder, held.table)
    errors = ErrorGroups.fit(spread, is_seen, np.abs(held.labels.quality - predictions.quality))
    expected = errors.expected(spread, is_seen)
    blocks, held_blocks = (time_blocks(one.moments, one.sections) for one in (training, held))
    return Profile(
        columns,
        _distance_limits(columns, values, blocks),
        _unseen_limits(training.table, blocks),
        fit_means(scores(predictions, expected), held_blocks),
        fit_means(points(models, training.table), blocks, first=half(blocks)),
        errors,
    )


def feature_values(table: FeatureTable) -> dict[str, Values]:
    """What of a table is profiled, by column; age is left out, since it grows by itself."""
    numbers: dict[str, Values] = {name: table.number(name) for name in ENCODED_NUMBERS}
    texts: dict[str, Values] = {
        column.name: [(text,) if text else () for text in table.text(column.name)] for column in TEXT_COLUMNS
    }
    return {**numbers, **texts, TOPICS: table.topics}


def scores(predictions: Predictions, expected: Floats) -> dict[str, Floats]:
    """What the model says of each record, by name; `expected` is what :func:`expected_errors` gives."""
    return {EXPECTED_ERROR: expected} | {name: getattr(predictions, name) for name in SCORES[1:]}


def points(models: FittedComponents, table: FeatureTable) -> dict[str, Floats]:
    """What each family adds to the quality of each record by the rubric, as ``points_by_FAMILY``; points."""
    found: dict[str, Floats] = {}
    for name, part in models.quality.rubric.parts(table).items():
        family = f"points_by_{FAMILIES[name]}"
        found[family] = found.get(family, 0.0) + part
    return dict(sorted(found.items()))


def expected_errors(
    groups: ErrorGroups, quality: QualityModel, table: FeatureTable, num_threads: int
) -> Floats:
    """How far off the quality of each record is to be expected, whatever its label; points.

    Records take the mean error of held-back records of their group, so that the mean over new records is
    that of the held-back ones weighted anew. It assumes that who judges, judges as before: of new rules only
    labels can tell. Records of a section that training does not have are in no such group: theirs is what
    leaving sections out of the training records showed.

    Parameters
    ----------
    groups : ErrorGroups
        Those of the profile.
    quality : QualityModel
        The model.
    table : FeatureTable
        `n_records` records.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    ndarray of shape (n_records,)
    """
    spread = quality.predict_spread(quality.matrix(table), num_threads)
    expected = groups.expected(spread, _is_seen(quality.encoder, table))
    if not quality.errors.foreign_spread_:
        return expected
    atoms, weights = quality.errors.spread_out(np.zeros(len(spread)), spread)
    is_foreign = spread >= quality.errors.edges_[-1]
    return np.where(is_foreign, (np.abs(atoms) * weights).sum(axis=1), expected)


def unseen(encoder: Encoder, table: FeatureTable) -> dict[str, list[tuple[str, ...]]]:
    """The providers and the topics of each record that training did not see, by :data:`UNSEEN`."""
    providers, topics = encoder.providers_.counts_, set(encoder.known_topics_)
    domains = table.text("provider_domain")
    return {
        "provider": [(domain,) if domain and domain not in providers else () for domain in domains],
        "topic": [tuple(topic for topic in row if topic not in topics) for row in table.topics],
    }


def _is_seen(encoder: Encoder, table: FeatureTable) -> NDArray[np.bool_]:
    """Whether training saw the provider and every topic of each record."""
    new = unseen(encoder, table).values()
    return np.array([not any(both) for both in zip(*new, strict=True)], dtype=bool)


def _distance_limits(
    columns: Mapping[str, Histogram], values: Mapping[str, Values], blocks: NDArray[np.intp]
) -> ReferenceLimits:
    sizes, windows = windows_of(blocks, half(blocks))
    usual: dict[str, list[float]] = {}
    squares: dict[str, list[list[Floats]]] = {}  # by family, column and size
    for name, bins in columns.items():
        before = cumulated(bins.tally(values[name], blocks))
        found = [
            distance(before[begins + size] - before[begins], before[begins])
            for size, begins in windows.items()
        ]
        usual[name] = [
            max(float(each.mean()), _draw_distance(size)) for size, each in zip(sizes, found, strict=True)
        ]
        in_times = [(each / mean) ** 2 for each, mean in zip(found, usual[name], strict=True)]
        squares.setdefault(bins.family, []).append(in_times)
    limits: dict[str, list[float]] = {}
    for family, of_columns in squares.items():
        roots = [np.sqrt(np.mean(of_size, axis=0)) for of_size in zip(*of_columns, strict=True)]
        # In times the usual, larger windows scatter as much as smaller ones or more: a few that happen to
        # agree do not tell otherwise.
        limits[family] = np.maximum.accumulate([prediction_limit(each) for each in roots]).tolist()
    return ReferenceLimits(sizes, usual, limits)


def _draw_distance(n_records: int) -> float:
    """Distance that the draw of so many records alone gives a column of yes and no, roughly.

    Without it, a column that was always alike would be infinitely far off at one record that is not.
    """
    return float(np.sqrt(1 / (8 * np.log(2) * n_records)))


def _unseen_limits(table: FeatureTable, blocks: NDArray[np.intp]) -> ReferenceLimits:
    sizes, windows = windows_of(blocks, half(blocks))
    domains = [(domain,) if domain else () for domain in table.text("provider_domain")]
    in_time = np.argsort(blocks, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(blocks))])
    usual: dict[str, list[float]] = {}
    limits: dict[str, list[float]] = {}
    for name, texts in zip(UNSEEN, (domains, table.topics), strict=True):
        first: dict[str, int] = {}
        for block, row in zip(blocks.tolist(), texts, strict=True):
            first.update({text: min(first.get(text, block), block) for text in row})
        newest = np.array([max((first[text] for text in row), default=-1) for row in texts])[in_time]
        shares = [
            np.array([(newest[ends[at] : ends[at + size]] >= at).mean() for at in begins])
            for size, begins in windows.items()
        ]
        usual[name] = [float(each.mean()) for each in shares]
        # The root of a share scatters alike at any level, by the number of records alone
        # (M. S. Bartlett, 1936, The square root transformation in analysis of variance).
        roots = [
            prediction_limit(np.sqrt(each), least_scatter=0.5 / size**0.5)
            for size, each in zip(sizes, shares, strict=True)
        ]
        limits[name] = [min(root, 1.0) ** 2 for root in roots]
    return ReferenceLimits(sizes, usual, limits)
