"""Mean errors of groups of held-out records."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.drift.expected_error import SHRINK_COUNT, ErrorGroups


def test_groups_of_equal_number_keep_their_errors() -> None:
    spread = np.arange(400.0)
    errors = np.repeat([0.0, 1.0, 2.0, 7.0], 100)
    groups = ErrorGroups.fit(spread, np.ones(400, dtype=bool), errors)
    assert groups.edges_ == [99, 199, 299]
    assert [sum(counts) for counts in groups.counts_] == [99, 100, 100, 101]
    expected = groups.expected(np.array([-5.0, 150.0, 9e9]), np.ones(3, dtype=bool))
    assert expected == pytest.approx([0, 1, 7], abs=0.06)
    assert groups.expected(spread, np.ones(400, dtype=bool)).mean() == pytest.approx(2.5)


def test_unseen_records_have_their_own_errors_where_they_are_many() -> None:
    is_seen = np.arange(200) >= 100
    errors = np.where(is_seen, 1.0, 4.0)
    groups = ErrorGroups.fit(np.zeros(200), is_seen, errors)
    assert groups.counts_ == [[100, 100]]
    shrunken = (400 + SHRINK_COUNT * 2.5) / (100 + SHRINK_COUNT)
    assert groups.expected(np.zeros(2), np.array([False, True])) == pytest.approx([shrunken, 5 - shrunken])


def test_a_few_unseen_records_count_for_little() -> None:
    is_seen = np.arange(100) > 0
    groups = ErrorGroups.fit(np.ones(100), is_seen, np.where(is_seen, 1.0, 50.0))
    assert groups.expected(np.ones(1), np.array([False]))[0] < 4


def test_spreads_that_are_all_alike_make_one_group() -> None:
    groups = ErrorGroups.fit(np.full(9, 0.25), np.ones(9, dtype=bool), np.full(9, 2.0))
    assert groups == ErrorGroups([], [[0, 9]], [[2.0, 2.0]])
