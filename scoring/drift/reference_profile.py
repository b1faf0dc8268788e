"""Reference profile of the training data for drift detection.

All records, training and new, are profiled as of their own publication, so that young records are not
compared with records whose coverage is complete.
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
    cumulative_sums,
    fit_means,
    later_half_start,
    prediction_limit,
    reference_windows,
    time_blocks,
)
from scoring.features import body
from scoring.features.encoding import ENCODED_NUMBERS, Encoder
from scoring.features.table import NUMBER_COLUMNS, TEXT_COLUMNS, FeatureTable, Floats
from scoring.model.components import FittedComponents
from scoring.model.quality import QualityModel
from scoring.model.rubric import TERMS, TOPICS
from scoring.model.scorer import Predictions, Scorer
from scoring.model.targets import TARGETS, Target, Targets

if TYPE_CHECKING:
    from scoring.training.training_set import TrainingSet  # needed to fit, not to compare

AS_OF = timedelta(0)  # after publication
MIN_HELD = MIN_WINDOW * MIN_WINDOWS
MIN_TRAINING = 2 * MIN_HELD
UNSEEN = ("provider", "topic")
EXPECTED_ERROR = "expected_error"
SCORES = (EXPECTED_ERROR, "quality", "lead_probability", "heat_expected", "published_probability")
FEATURES = (*ENCODED_NUMBERS, *(column.name for column in TEXT_COLUMNS), TOPICS)
FAMILIES = {column.name: column.family for column in (*NUMBER_COLUMNS, *TEXT_COLUMNS, *body.COLUMNS)} | {
    TOPICS: "topic",
    TERMS: "topic",
}
PROFILED_FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(FAMILIES[name] for name in FEATURES))
"""Families of the profiled features: all but those of bodies, which only some archives have."""


class Profile(msgspec.Struct, frozen=True):
    """Profile of the training records and of the errors on the held-out records.

    Parameters
    ----------
    columns_ : dict of str to Histogram
        Histogram of each feature over the training records.
    distances_ : ReferenceLimits
        Distances of windows of the later half of the training records from the records before them. Typical:
        the distance of each column, 0 to 1. Limits: by family, the root mean square of its columns'
        distances, each relative to its typical distance.
    unseen_ : ReferenceLimits
        Share of the records of these windows whose ``provider``, or one of whose topics (``topic``), no
        earlier record has; 0 to 1.
    scores_ : Means
        Means of :func:`scores` over the held-out records.
    points_ : Means
        Means of :func:`rubric_points` over the later half of the training records.
    errors_ : ErrorGroups
        Quality errors on the held-out records.
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
    """Fit the profile.

    Parameters
    ----------
    training : TrainingSet
        All training records as of :data:`AS_OF`.
    held : TrainingSet
        The held-out ones among them, as of :data:`AS_OF`.
    earlier : Scorer
        Model fitted without the held-out records.
    models : FittedComponents
        Model fitted on all records.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Profile or None
        None with fewer than :data:`MIN_TRAINING` training or :data:`MIN_HELD` held-out records, which are
        too few to estimate limits.
    """
    if len(training.table) < MIN_TRAINING or len(held.table) < MIN_HELD:
        return None
    values = feature_values(training.table)
    columns = {name: Histogram.fit(FAMILIES[name], values[name]) for name in values}
    predictions = earlier.predict(held.table, num_threads)
    # Group by the spread of the final model, as for new records: the spreads of two models differ.
    spread = models.quality.estimate(held.table, num_threads)[1]
    is_seen = _is_seen(earlier.models.quality.encoder, held.table)
    labels = held.labels.quality if "quality" in models.targets else predictions.quality
    errors = ErrorGroups.fit(spread, is_seen, np.abs(labels - predictions.quality))
    expected = errors.expected(spread, is_seen)
    blocks, held_blocks = (time_blocks(records.moments, records.sections) for records in (training, held))
    return Profile(
        columns,
        _distance_limits(columns, values, blocks),
        _unseen_limits(training.table, blocks),
        fit_means(scores(predictions, expected, models.targets), held_blocks),
        fit_means(rubric_points(models, training.table), blocks, first=later_half_start(blocks)),
        errors,
    )


def feature_values(table: FeatureTable) -> dict[str, Values]:
    """Profiled values by column; without age, which always grows."""
    numbers: dict[str, Values] = {name: table.number(name) for name in ENCODED_NUMBERS}
    texts: dict[str, Values] = {
        column.name: [(text,) if text else () for text in table.text(column.name)] for column in TEXT_COLUMNS
    }
    return {**numbers, **texts, TOPICS: table.topics}


def profiled_scores(targets: Targets) -> tuple[str, ...]:
    """Those of :data:`SCORES` that a model of these labels has."""
    labels: tuple[Target, ...] = ("quality", "quality", "heat", "heat", "published")
    return tuple(name for name, label in zip(SCORES, labels, strict=True) if label in targets)


def scores(predictions: Predictions, expected: Floats, targets: Targets = TARGETS) -> dict[str, Floats]:
    """Scores of each record by name; `expected` is from :func:`expected_errors`."""
    return {
        name: expected if name == EXPECTED_ERROR else getattr(predictions, name)
        for name in profiled_scores(targets)
    }


def rubric_points(models: FittedComponents, table: FeatureTable) -> dict[str, Floats]:
    """Rubric points of each family of features for each record, as ``points_by_FAMILY``.

    Empty for a model without quality.
    """
    points_by_family: dict[str, Floats] = {}
    if "quality" not in models.targets:
        return points_by_family
    for name, part in models.quality.rubric.parts(table).items():
        family = f"points_by_{FAMILIES[name]}"
        points_by_family[family] = points_by_family.get(family, 0.0) + part
    return dict(sorted(points_by_family.items()))


def expected_errors(
    groups: ErrorGroups, quality: QualityModel, table: FeatureTable, num_threads: int
) -> Floats:
    """Expected absolute error of the quality of each record, without labels; points.

    Each record has the mean error of the held-out records of its group, so the mean over new records is a
    reweighted mean of the held-out errors. This assumes unchanged labelling rules: only labels can reveal new
    ones. Records of unseen sections have the mean of the leave-section-out errors.

    Parameters
    ----------
    groups : ErrorGroups
        Error groups of the profile.
    quality : QualityModel
        Quality model.
    table : FeatureTable
        Features of `n_records` records.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    ndarray of shape (n_records,)
    """
    spread = quality.estimate(table, num_threads)[1]
    expected = groups.expected(spread, _is_seen(quality.encoder, table))
    if not quality.errors.foreign_spread_:
        return expected
    support, probabilities = quality.errors.spread_out(np.zeros(len(spread)), spread)
    return np.where(
        quality.is_of_unseen_section(table), (np.abs(support) * probabilities).sum(axis=1), expected
    )


def unseen(encoder: Encoder, table: FeatureTable) -> dict[str, list[tuple[str, ...]]]:
    """Unseen providers and topics of each record, by :data:`UNSEEN`."""
    providers, topics = encoder.providers_.counts_, set(encoder.known_topics_)
    domains = table.text("provider_domain")
    return {
        "provider": [(domain,) if domain and domain not in providers else () for domain in domains],
        "topic": [tuple(topic for topic in row if topic not in topics) for row in table.topics],
    }


def _is_seen(encoder: Encoder, table: FeatureTable) -> NDArray[np.bool_]:
    """Whether the training data have the provider and every topic of each record."""
    unseen_names = unseen(encoder, table).values()
    return np.array([not any(record_names) for record_names in zip(*unseen_names, strict=True)], dtype=bool)


def _distance_limits(
    columns: Mapping[str, Histogram], values: Mapping[str, Values], blocks: NDArray[np.intp]
) -> ReferenceLimits:
    sizes, windows = reference_windows(blocks, later_half_start(blocks))
    typical: dict[str, list[float]] = {}
    squares: dict[str, list[list[Floats]]] = {}  # by family, column and size
    for name, histogram in columns.items():
        sums = cumulative_sums(histogram.tally(values[name], blocks))
        distances = [
            distance(sums[begins + size] - sums[begins], sums[begins]) for size, begins in windows.items()
        ]
        typical[name] = [
            max(float(window_distances.mean()), _draw_distance(size))
            for size, window_distances in zip(sizes, distances, strict=True)
        ]
        relative_squares = [
            (window_distances / mean) ** 2
            for window_distances, mean in zip(distances, typical[name], strict=True)
        ]
        squares.setdefault(histogram.family, []).append(relative_squares)
    limits: dict[str, list[float]] = {}
    for family, column_squares in squares.items():
        family_distances = [
            np.sqrt(np.mean(size_squares, axis=0)) for size_squares in zip(*column_squares, strict=True)
        ]
        # Relative distances of larger windows scatter at least as much as those of smaller ones, so a few
        # larger windows that happen to agree must not lower the limit.
        limits[family] = np.maximum.accumulate(
            [prediction_limit(window_distances) for window_distances in family_distances]
        ).tolist()
    return ReferenceLimits(sizes, typical, limits)


def _draw_distance(n_records: int) -> float:
    """Approximate distance of a binary column due to sampling alone.

    A lower bound: without it, one new value in a constant column would be infinitely distant.
    """
    return float(np.sqrt(1 / (8 * np.log(2) * n_records)))


def _unseen_limits(table: FeatureTable, blocks: NDArray[np.intp]) -> ReferenceLimits:
    sizes, windows = reference_windows(blocks, later_half_start(blocks))
    domains = [(domain,) if domain else () for domain in table.text("provider_domain")]
    time_order = np.argsort(blocks, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(blocks))])
    typical: dict[str, list[float]] = {}
    limits: dict[str, list[float]] = {}
    for name, texts in zip(UNSEEN, (domains, table.topics), strict=True):
        first_block: dict[str, int] = {}
        for block, row in zip(blocks.tolist(), texts, strict=True):
            first_block.update({text: min(first_block.get(text, block), block) for text in row})
        newest_first_block = np.array(
            [max((first_block[text] for text in row), default=-1) for row in texts]
        )[time_order]
        ratios = [
            np.array(
                [(newest_first_block[ends[start] : ends[start + size]] >= start).mean() for start in begins]
            )
            for size, begins in windows.items()
        ]
        typical[name] = [float(window_ratios.mean()) for window_ratios in ratios]
        # The square root stabilizes the variance of a ratio
        # (M. S. Bartlett, 1936, The square root transformation in analysis of variance).
        root_limits = [
            prediction_limit(np.sqrt(window_ratios), least_scatter=0.5 / size**0.5)
            for size, window_ratios in zip(sizes, ratios, strict=True)
        ]
        limits[name] = [min(root_limit, 1.0) ** 2 for root_limit in root_limits]
    return ReferenceLimits(sizes, typical, limits)
