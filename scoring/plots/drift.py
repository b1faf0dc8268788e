"""Plot of drift: what was measured of new records, in times its limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.drift.detect import Drift
from scoring.plots.drawing import BLUE, GREY, ORANGE

_MAX_TIMES = 4.0  # what is farther off ends here, with an arrow


class _Row(NamedTuple):
    label: str
    times: float  # of the limit; below 0 where a mean has fallen
    text: str
    is_beyond: bool


def drift_figure(drift: Drift) -> Figure:
    """Distance of each family, unseen providers and topics, and shift of each mean, in times their limits.

    Parameters
    ----------
    drift : Drift
        What was found.
    """
    panels = {
        "Distance from training, by family": [
            _Row(one.family, _over(one.distance, one.limit), f"{one.distance:.2f} x usual", one.is_beyond)
            for one in drift.families
        ],
        "Records with something unseen": [
            _Row(one.what, _over(one.ratio, one.limit_ratio), f"{one.ratio:.1%}", one.is_beyond)
            for one in drift.unseen
        ],
        "Shift of the mean": [
            _Row(
                one.name.replace("_", " "),
                _over(one.new - one.before, one.limit),
                f"{one.before:.3g} to {one.new:.3g}",
                one.is_beyond,
            )
            for one in drift.shifts
        ],
    }
    sizes = [len(rows) for rows in panels.values()]
    figure = Figure(figsize=(7.5, 2.2 + 0.3 * sum(sizes)), layout="constrained")
    verdict = "refused" if drift.reasons else "accepted"
    figure.suptitle(f"Drift from {drift.model}: {drift.n_records:,} records, {verdict}", fontsize=12)
    all_axes: np.ndarray = figure.subplots(len(sizes), 1, squeeze=False, sharex=True, height_ratios=sizes)
    for axes, (title, rows) in zip(all_axes[:, 0], panels.items(), strict=True):
        _draw(axes, title, rows)
    all_axes[-1, 0].set_xlabel("In times the limit (dashed)")
    return figure


def _over(value: float, limit: float) -> float:
    """How many times the limit a value is; one that may not be passed at all is passed by far."""
    if limit > 0:
        return value / limit
    return float(np.sign(value)) * _MAX_TIMES


def _draw(axes: Axes, title: str, rows: list[_Row]) -> None:
    lowest = -_MAX_TIMES if any(row.times < 0 for row in rows) else 0.0
    for at, row in enumerate(rows):
        end = float(np.clip(row.times, lowest, _MAX_TIMES))
        colour = ORANGE if row.is_beyond else BLUE
        axes.barh(at, end, color=colour, height=0.6)
        if end != row.times:
            axes.plot(end, at, ">" if end > 0 else "<", color=colour, markersize=8, clip_on=False)
        axes.annotate(
            row.text, (max(end, 0), at), (8, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.axvline(0, color=GREY, linewidth=1)
    for side in (-1, 1) if lowest < 0 else (1,):
        axes.axvline(side, color=GREY, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
