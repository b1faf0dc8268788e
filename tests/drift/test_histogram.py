"""Histograms, and the distance between two of them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoring.drift.histogram import MAX_LEVELS, Histogram, distance


def test_numbers_fall_into_parts_of_equal_number() -> None:
    bins = Histogram.fit("content", np.arange(100.0))
    assert bins.edges_ == [0, 19, 39, 59, 79, 99]
    assert bins.counts_ == [0, 1, 19, 20, 20, 20, 20, 0, 0]


def test_what_training_never_had_has_bins_of_its_own() -> None:
    bins = Histogram.fit("content", np.ones(8))
    assert bins.counts_ == [0, 8, 0, 0]
    assert bins.tally(np.array([0.0, 1.0, 2.0, 2.0, np.nan]))[0].tolist() == [1, 1, 2, 1]


def test_a_column_that_was_always_missing() -> None:
    bins = Histogram.fit("coverage", np.full(5, np.nan))
    assert bins.edges_ == []
    assert bins.tally(np.array([3.0, np.nan]))[0].tolist() == [1, 0, 1]


def test_texts_keep_the_most_frequent_levels() -> None:
    values = [(f"level {index}",) for index in range(30) for _ in range(30 - index)] + [()]
    bins = Histogram.fit("provider", values)
    assert bins.levels_ == [f"level {index}" for index in range(MAX_LEVELS)]
    assert bins.counts_ == [*range(30, 10, -1), sum(range(1, 11)), 1]
    assert bins.tally([("never seen",), ("level 0", "level 1"), ()])[0].tolist() == [1, 1, *[0] * 18, 1, 1]


def test_groups_are_counted_apart() -> None:
    bins = Histogram.fit("topic", [("a",), ("b",)])
    counts = bins.tally([("a",), ("b", "a"), ("c",)], np.array([1, 1, 0]))
    assert counts.tolist() == [[0, 0, 1, 0], [2, 1, 0, 0]]
    numbers = Histogram.fit("content", np.array([0.0, 1.0]))
    assert numbers.tally(np.array([1.0, 0.0, 1.0]), np.array([0, 2, 2])).tolist() == [
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0],
    ]


def test_bins_survive_json() -> None:
    for bins in (
        Histogram.fit("content", np.array([0.1, 0.2, 7.0])),
        Histogram.fit("topic", [("a", "b"), ()]),
    ):
        assert msgspec.json.decode(msgspec.json.encode(bins), type=Histogram) == bins


def test_distance_is_that_of_the_definition() -> None:
    first, second = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    mixture = (first + second) / 2
    divergence = sum(
        0.5 * p * np.log2(p / m) for p, m in zip([*first, *second], [*mixture, *mixture], strict=True)
    )
    assert distance(first * 10, second * 1000) == pytest.approx(np.sqrt(divergence))


def test_distance_is_symmetric_and_bounded() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, (50, 6)) + np.eye(6, dtype=int)[rng.integers(0, 6, 50)]
    others = counts[::-1]
    distances = distance(counts, others)
    assert distances == pytest.approx(distance(others, counts))
    assert distances.min() >= 0
    assert distances.max() <= 1
    assert distance(counts, 3 * counts) == pytest.approx(np.zeros(50), abs=1e-7)
