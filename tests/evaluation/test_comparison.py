"""Differences of parameters, data and features."""

from __future__ import annotations

from scoring.evaluation.comparison import FeatureDifference, ValueDiff, diff, diff_features


def test_only_what_differs_also_what_one_has_not() -> None:
    first = {"seed": "0", "leaves": "15", "gone": "1"}
    second = {"leaves": "31", "seed": "0", "new": "2"}
    assert diff(first, second) == (
        ValueDiff("leaves", "15", "31"),
        ValueDiff("gone", "1", None),
        ValueDiff("new", None, "2"),
    )
    assert diff(first, first) == ()


def test_columns_of_parts_that_both_have() -> None:
    first = {"quality": ("age", "image"), "spread": ("age", "image"), "lead": ("margin",), "heat": ("count",)}
    second = {"quality": ("image", "sea", "land"), "spread": ("image", "sea", "land"), "lead": ("ratio",)}
    assert diff_features(first, second) == (
        FeatureDifference(("quality", "spread"), ("age",), ("sea", "land")),
        FeatureDifference(("lead",), ("margin",), ("ratio",)),
    )
    assert diff_features(first, first) == ()
