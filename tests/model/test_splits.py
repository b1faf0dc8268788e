"""Splits: by time within each section, and by story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.model import splits
from scoring.model.config import SplitConfig
from scoring.model.splits import latest_mask, story_folds, to_moment


def days(*numbers: int) -> np.ndarray:
    return np.datetime64("2021-03-01", "us") + np.array(numbers) * np.timedelta64(1, "D")


def test_latest_of_each_section() -> None:
    moments = days(9, 1, 2, 3, 30, 31, 32, 33)
    mask = latest_mask(moments, ["a"] * 4 + ["b"] * 4, 0.5)
    assert mask.tolist() == [True, False, False, True, False, False, True, True]


def test_records_of_one_moment_stay_together() -> None:
    assert latest_mask(days(1, 2, 2, 2), ["a"] * 4, 0.25).tolist() == [False, True, True, True]


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.99, 3), (1.0, 4)])
def test_share_is_rounded_down(ratio: float, count: int) -> None:
    assert latest_mask(days(1, 2, 3, 4), ["a"] * 4, ratio).sum() == count


def test_section_may_have_its_own_cut() -> None:
    config = SplitConfig(0.5, {"b": datetime(2021, 3, 3, 1, tzinfo=timezone(timedelta(hours=1)))})
    mask = splits.test_mask(days(0, 1, 2, 3, 0, 1, 2, 3), ["a"] * 4 + ["b"] * 4, config)
    assert mask.tolist() == [False, False, True, True, False, False, True, True]
    later = SplitConfig(0.5, {"b": datetime(2021, 3, 4, tzinfo=UTC)})
    mask = splits.test_mask(days(0, 1, 2, 3, 0, 1, 2, 3), ["a"] * 4 + ["b"] * 4, later)
    assert mask.tolist() == [False, False, True, True, False, False, False, True]


def test_cut_of_a_section_that_is_not_there_changes_nothing() -> None:
    config = SplitConfig(0.5, {"elsewhere": datetime(2021, 3, 3, tzinfo=UTC)})
    assert splits.test_mask(days(0, 1), ["a", "a"], config).tolist() == [False, True]


def test_nothing_left_to_train_on() -> None:
    with pytest.raises(ModelError, match="no record before the test block"):
        splits.test_mask(days(1, 2), ["a", "a"], SplitConfig(1.0))


def test_moments_are_utc() -> None:
    west = datetime(2021, 3, 4, 20, tzinfo=timezone(timedelta(hours=-8)))
    assert to_moment(west) == np.datetime64("2021-03-05T04:00:00", "us")
    assert np.isnat(to_moment(None))


def test_equal_titles_share_a_fold() -> None:
    titles = [("ebb", str(at % 37)) for at in range(200)]
    folds = story_folds(titles, 3, seed=1)
    for title in set(titles):
        assert len({int(fold) for fold, one in zip(folds, titles, strict=True) if one == title}) == 1
    assert set(folds.tolist()) == {0, 1, 2}
    # Titles, not records, are dealt out evenly.
    sizes = [
        len({one for one, found in zip(titles, folds, strict=True) if found == fold}) for fold in range(3)
    ]
    assert sorted(sizes) == [12, 12, 13]


def test_folds_do_not_hang_on_the_order() -> None:
    titles = [("ebb", str(at)) for at in range(50)]
    folds, other = story_folds(titles, 3, seed=1), story_folds(titles[::-1], 3, seed=1)
    assert folds.tolist() == other[::-1].tolist()
    assert folds.tolist() != story_folds(titles, 3, seed=2).tolist()
