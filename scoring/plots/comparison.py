"""Plot of a comparison: gain of one model over another, by metric."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.paired_figures import Difference
from scoring.plots.drawing import BLUE, GREY, ORANGE, empty

_MAX_TIMES = 6  # of the median interval, which the axis shows
# Colour and marker by verdict: the colour alone never carries the meaning.
_MARKS = {"better": (BLUE, "o"), "worse": (ORANGE, "s"), "unsure": (GREY, "D"), "same": (GREY, "D")}


def differences_figure(differences: Mapping[str, Difference]) -> Figure:
    """Plot the gain of each metric with its interval; metrics in points have their own panel.

    Parameters
    ----------
    differences : mapping of str to Difference
        By name of the metric, in drawing order.

    Returns
    -------
    Figure
        One panel per unit.
    """
    is_points = {name: MEANINGS.get(name, "").endswith(", in points") for name in differences}
    panels = {
        unit: [difference for name, difference in differences.items() if is_points[name] is in_points]
        for unit, in_points in (("points", True), ("ratio", False))
    }
    panels = {unit: rows for unit, rows in panels.items() if rows}
    sizes = [len(rows) for rows in panels.values()] or [2]
    figure = Figure(figsize=(7, 1.2 + 0.8 * len(sizes) + 0.32 * sum(sizes)), layout="constrained")
    figure.suptitle("Gain of the second over the first", fontsize=12)
    all_axes: np.ndarray = figure.subplots(len(sizes), 1, squeeze=False, height_ratios=sizes)
    if not panels:
        return empty(figure, all_axes[0, 0])
    for axes, (unit, rows) in zip(all_axes[:, 0], panels.items(), strict=True):
        _draw_gains(axes, unit, rows)
    return figure


def _draw_gains(axes: Axes, unit: str, rows: list[Difference]) -> None:
    """Draw one row per metric; the second is better to the right of zero."""
    axes.axvline(0, color=GREY, linewidth=1)
    end = _end_of_view(rows)
    if end is not None:
        axes.set_xlim(-end, end)
    for row, difference in enumerate(rows):
        colour, marker = _MARKS[difference.verdict]
        for side, bound in ((-1, difference.low), (1, difference.high)):
            if end is not None and bound is not None and side * bound > end:
                arrow = ">" if side > 0 else "<"
                axes.plot(side * end, row, arrow, color=colour, markersize=8, clip_on=False)
        if difference.low is not None and difference.high is not None:
            axes.hlines(row, difference.low, difference.high, color=colour, linewidth=1.5)
        axes.plot(difference.gain, row, marker, color=colour, markersize=6)
    axes.set_yticks(range(len(rows)), [difference.name.replace("_", " ") for difference in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    beyond = "" if end is None else "; an arrow: the interval goes on"
    axes.set_xlabel(f"Gain ({unit}): worse to the left, better to the right{beyond}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)


def _end_of_view(rows: list[Difference]) -> float | None:
    """End of the axis on both sides where a few wide intervals would squeeze the others; else None."""
    extents = [max(abs(row.gain), abs(row.low or 0), abs(row.high or 0)) for row in rows]
    end = _MAX_TIMES * float(np.median(extents))
    return end if 0 < end < max(extents) else None
