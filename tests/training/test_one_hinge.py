"""One slope and knot for several hinges of a length."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.training.one_hinge import one_hinge

LENGTHS = np.arange(60.0, 301.0)


def worth(hinges: list[tuple[float, float]]) -> Floats:
    return sum((points * np.maximum(LENGTHS - knot, 0.0) for knot, points in hinges), np.zeros(len(LENGTHS)))


def test_hinges_of_one_direction_are_the_line_beyond_the_last() -> None:
    slope, knot = one_hinge([(70.0, -0.5), (80.0, -0.5)], LENGTHS)
    assert (slope, knot) == (-1.0, 75.0)


def test_a_moved_knot_is_the_new_knot() -> None:
    assert one_hinge([(70.0, 1e-17), (90.0, -0.5)], LENGTHS) == pytest.approx((-0.5, 90.0))


def test_opposite_hinges_have_a_knot_among_the_lengths() -> None:
    hinges = [(104.0, 0.047), (210.0, -0.036)]  # their line beyond 210 begins at -250
    slope, knot = one_hinge(hinges, LENGTHS)
    assert knot == 104.0
    error = np.abs(slope * np.maximum(LENGTHS - knot, 0.0) - worth(hinges))
    assert error.max() < 0.35 * np.abs(worth(hinges)).max()


@pytest.mark.parametrize(
    "hinges", [[], [(70.0, 0.0)], [(70.0, 0.5), (70.0, -0.5)], [(400.0, 0.5), (410.0, -0.4)]]
)
def test_what_is_worth_nothing_has_no_knot(hinges: list[tuple[float, float]]) -> None:
    assert one_hinge(hinges, LENGTHS)[0] == 0
