"""The one slope and knot that say in words what several hinges of a length are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.features.table import Floats


def one_hinge(hinges: Sequence[tuple[float, float]], lengths: Floats) -> tuple[float, float]:
    """Slope beyond a knot, points per character, and that knot, characters; zeros where there is none.

    Hinges of one direction are close to each other, and beyond the last their sum is one line: where that
    line begins is the knot. Otherwise it is the possible knot at which one hinge is the closest to their sum.

    Parameters
    ----------
    hinges : sequence of (float, float)
        Knot in characters, and points for each character beyond it.
    lengths : ndarray of shape (n_records,)
        The length of each record; characters.

    Examples
    --------
    >>> lengths = np.arange(60.0, 260.0)
    >>> one_hinge([(70.0, -0.4), (75.0, -0.1)], lengths)
    (-0.5, 71.0)
    >>> one_hinge([(70.0, 0.4), (200.0, -0.4)], lengths)[1]
    70.0
    """
    slope = float(sum(points for _, points in hinges))
    at = float(np.round(sum(knot * points for knot, points in hinges) / slope)) if abs(slope) > 1e-9 else -1.0
    directions = {points > 0 for _, points in hinges if points}
    if len(directions) == 1:
        return slope, at
    total_points = sum(
        (points * np.maximum(lengths - knot, 0.0) for knot, points in hinges), np.zeros(len(lengths))
    )
    knots = sorted(knot for knot, points in hinges if points)
    best, least = (0.0, 0.0), float(total_points @ total_points)
    for knot in [*knots, at] if knots and at > knots[0] else knots:
        beyond = np.maximum(lengths - knot, 0.0)
        size = float(beyond @ beyond)
        if size:
            points = float(beyond @ total_points) / size
            error = float(np.sum((total_points - points * beyond) ** 2))
            if error < least and abs(points) > 1e-9:
                best, least = (points, knot), error
    return best
