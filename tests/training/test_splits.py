"""Temporal splits by section, and group folds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.training import splits
from scoring.training.config import SplitConfig
from scoring.training.splits import as_datetime, group_folds, latest_mask, to_moment


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


def test_moments_come_back_as_aware_utc() -> None:
    moment = as_datetime(np.datetime64("2021-03-05T04:00:00.000001", "us"))
    assert moment == datetime(2021, 3, 5, 4, 0, 0, 1, tzinfo=UTC)
    assert moment.tzinfo is UTC
    assert as_datetime(np.datetime64("NaT", "us")) is None


def test_records_of_a_group_share_a_fold() -> None:
    groups = np.arange(200) % 37 * 3
    folds = group_folds(groups, 3, seed=1)
    assert all(len(set(folds[groups == group].tolist())) == 1 for group in groups)
    # Folds have equal numbers of groups, not of records.
    assert sorted(len(set(groups[folds == fold].tolist())) for fold in range(3)) == [12, 12, 13]


def test_folds_do_not_hang_on_the_order() -> None:
    groups = np.arange(50)
    folds, other = group_folds(groups, 3, seed=1), group_folds(groups[::-1], 3, seed=1)
    assert folds.tolist() == other[::-1].tolist()
    assert folds.tolist() != group_folds(groups, 3, seed=2).tolist()
