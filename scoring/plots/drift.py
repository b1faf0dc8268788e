"""Plot of drift: measured values as multiples of their limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.drift.detect import Drift
from scoring.plots.drawing import BLUE, GREY, ORANGE

_MAX_TIMES = 4.0  # larger values are clipped and marked with an arrow


class _Row(NamedTuple):
    label: str
    times: float  # multiple of the limit; negative if a mean has fallen
    text: str
    is_beyond: bool


def drift_figure(drift: Drift) -> Figure:
    """Plot distances, unseen values and shifts of means, each as a multiple of its limit.

    Parameters
    ----------
    drift : Drift
        Measured drift.

    Returns
    -------
    Figure
        One panel each for distances, unseen values and shifts of means.
    """
    panels = {
        "Distance from training, by family": [
            _Row(
                family.family,
                _multiple_of_limit(family.distance, family.limit),
                f"{family.distance:.2f} x typical",
                family.is_beyond,
            )
            for family in drift.families
        ],
        "Records with unseen values": [
            _Row(
                unseen.what,
                _multiple_of_limit(unseen.ratio, unseen.limit_ratio),
                f"{unseen.ratio:.1%}",
                unseen.is_beyond,
            )
            for unseen in drift.unseen
        ],
        "Shift of the mean": [
            _Row(
                shift.name.replace("_", " "),
                _multiple_of_limit(shift.new - shift.before, shift.limit),
                f"{shift.before:.3g} to {shift.new:.3g}",
                shift.is_beyond,
            )
            for shift in drift.shifts
        ],
    }
    sizes = [len(rows) for rows in panels.values()]
    figure = Figure(figsize=(7.5, 2.2 + 0.3 * sum(sizes)), layout="constrained")
    verdict = "refused" if drift.reasons else "accepted"
    figure.suptitle(f"Drift from {drift.model}: {drift.n_records:,} records, {verdict}", fontsize=12)
    all_axes: np.ndarray = figure.subplots(len(sizes), 1, squeeze=False, sharex=True, height_ratios=sizes)
    for axes, (title, rows) in zip(all_axes[:, 0], panels.items(), strict=True):
        _draw(axes, title, rows)
    all_axes[-1, 0].set_xlabel("Multiple of the limit (dashed)")
    return figure


def _multiple_of_limit(value: float, limit: float) -> float:
    """Value as a multiple of its limit; with a limit of 0 any value is the maximum multiple."""
    if limit > 0:
        return value / limit
    return float(np.sign(value)) * _MAX_TIMES


def _draw(axes: Axes, title: str, rows: list[_Row]) -> None:
    lowest = -_MAX_TIMES if any(row.times < 0 for row in rows) else 0.0
    for index, row in enumerate(rows):
        end = float(np.clip(row.times, lowest, _MAX_TIMES))
        colour = ORANGE if row.is_beyond else BLUE
        axes.barh(index, end, color=colour, height=0.6)
        if end != row.times:
            axes.plot(end, index, ">" if end > 0 else "<", color=colour, markersize=8, clip_on=False)
        axes.annotate(
            row.text, (max(end, 0), index), (8, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.axvline(0, color=GREY, linewidth=1)
    for side in (-1, 1) if lowest < 0 else (1,):
        axes.axvline(side, color=GREY, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
