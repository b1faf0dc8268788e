"""Reference windows and their limits."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.drift.reference_windows import (
    ReferenceLimits,
    fit_means,
    later_half_start,
    prediction_limit,
    reference_windows,
    shift_limit,
    time_blocks,
)

DAY = np.datetime64("2021-01-01", "us")


def days(count: int) -> np.ndarray:
    return DAY + np.arange(count) * np.timedelta64(1, "D")


def test_blocks_follow_time_and_the_last_is_full() -> None:
    shuffled = np.random.default_rng(0).permutation(25)
    blocks = time_blocks(days(25)[shuffled], ["a"] * 25)
    assert np.bincount(blocks).tolist() == [5, 10, 10]
    assert blocks[np.argsort(shuffled)].tolist() == [0] * 5 + [1] * 10 + [2] * 10


def test_a_section_that_ends_early_is_in_every_block() -> None:
    blocks = time_blocks(days(60), ["early"] * 30 + ["late"] * 30)
    assert [sorted(blocks[:30].tolist()).count(block) for block in range(6)] == [5] * 6


def test_windows_lie_in_the_half_that_is_asked_for() -> None:
    blocks = np.repeat(np.arange(17), 10)
    assert later_half_start(blocks) == 8
    sizes, windows = reference_windows(blocks, later_half_start(blocks))
    assert sizes == [10, 20]
    assert windows[1].tolist() == list(range(16, 7, -1))
    assert windows[2].tolist() == [15, 13, 11, 9]
    assert reference_windows(np.arange(3), 0) == ([], {})


def test_a_limit_holds_for_the_next_value() -> None:
    rng = np.random.default_rng(0)
    passed = sum(prediction_limit(rng.normal(size=6)) < rng.normal() for _ in range(4000))
    assert 20 <= passed <= 60  # one in a hundred
    shifted = sum(shift_limit(rng.normal(size=6)) < abs(rng.normal()) for _ in range(4000))
    assert 15 <= shifted <= 60


def test_a_limit_never_scatters_less_than_it_must() -> None:
    assert prediction_limit(np.zeros(5)) == 0
    assert prediction_limit(np.zeros(5), least_scatter=0.1) == pytest.approx(
        0.1 * 3.747 * np.sqrt(1.2), abs=1e-3
    )


def test_limits_between_and_beyond_sizes() -> None:
    limits = ReferenceLimits([10, 40], {"a": [4.0, 2.0]}, {"b": [8.0, 4.0]})
    assert limits.typical("a", 20) == pytest.approx(3.0)
    assert [limits.limit("b", size) for size in (1, 10, 40, 5000)] == [8, 8, 4, 4]


def test_means_and_their_shifts() -> None:
    blocks = np.repeat(np.arange(8), 10)
    values = np.where(blocks < 4, 100.0, blocks % 2 * 2.0)  # the first half would be far off
    means = fit_means({"quality": values}, blocks, first=4)
    assert means.means_ == {"quality": 1.0}
    assert means.shifts_.sizes_ == [10]
    assert means.shifts_.usual_ == {"quality": [pytest.approx(4 / 3)]}
    assert means.shifts_.limits_ == {"quality": [pytest.approx(4 / 3 * 5.841 * np.sqrt(1.25), abs=1e-2)]}
