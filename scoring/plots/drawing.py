"""What every plot is drawn with: colours, an empty figure, points."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#5A5A5A"
MAX_BARS = 20


def new_figure(title: str, n_records: int, note: str = "") -> tuple[Figure, Axes]:
    """A figure with one panel, told in its title how many records it shows."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    figure.suptitle(f"{title}\n{n_records:,} record{'' if n_records == 1 else 's'}{note}", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def empty(figure: Figure, axes: Axes) -> Figure:
    """The figure, which says that there is nothing to draw."""
    axes.text(0.5, 0.5, "nothing to draw", ha="center", va="center", color=GREY, transform=axes.transAxes)
    return figure


def scatter(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """A point for each record; one picture in a drawing, whose size would grow with the records."""
    # Fainter where there are many, so that crowds stand out of the noise.
    alpha = float(np.clip(300 / max(1, x.size), 0.15, 0.8))
    axes.scatter(x, y, s=14, color=BLUE, alpha=alpha, linewidths=0, rasterized=True)
