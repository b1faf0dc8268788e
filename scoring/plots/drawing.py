"""Shared drawing helpers: colours, new and empty figures, scatter."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#5A5A5A"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # of lines side by side
MAX_BARS = 20
MIN_CROPPED = 20  # values from which on some may be out of view


def new_figure(title: str, n_records: int, note: str = "") -> tuple[Figure, Axes]:
    """New figure with one panel and the number of records in its title."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    figure.suptitle(f"{title}\n{n_records:,} record{'' if n_records == 1 else 's'}{note}", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def empty(figure: Figure, axes: Axes) -> Figure:
    """Write "no data" into an empty figure."""
    axes.text(0.5, 0.5, "no data", ha="center", va="center", color=GREY, transform=axes.transAxes)
    return figure


def scatter(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draw one point per record; rasterized, so that the file size does not grow with the records."""
    # More transparent with more points, so that dense regions are visible.
    alpha = float(np.clip(300 / max(1, x.size), 0.15, 0.8))
    axes.scatter(x, y, s=14, color=BLUE, alpha=alpha, linewidths=0, rasterized=True)


def view(values: np.ndarray) -> tuple[float, float]:
    """Range of an axis: that of all values, unless a few would squeeze the others into less than half.

    Then it is the range of the middle 96 %, widened by half on each side.

    Examples
    --------
    >>> view(np.arange(40.0)), view(np.append(np.arange(40.0), 1000.0))
    ((0.0, 39.0), (0.0, 58.0))
    """
    low, high = values.min(), values.max()
    inner_low = np.quantile(values, 0.02, method="higher")
    inner_high = np.quantile(values, 0.98, method="lower")
    span = inner_high - inner_low
    if values.size < MIN_CROPPED or high - low <= 2 * span:
        return float(low), float(high)
    return float(max(low, inner_low - span / 2)), float(min(high, inner_high + span / 2))


def note_beyond(figure: Figure, number: int, unit: str = "record") -> None:
    """Say in the title of a figure how many things are wholly or partly out of view."""
    if number:
        title = figure.get_suptitle()
        figure.suptitle(f"{title}, {number:,} {unit}{'s' * (number != 1)} out of view", fontsize=12)
